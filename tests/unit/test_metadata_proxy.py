# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of the node's metadata proxy: what is written, what is read back of it, and what follows from it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import MetadataProxy, Upstream

SOCKET = Upstream.unseen("unix:/run/metadata.sock")
UNRESOLVED = Upstream("metadata.example:8775", problem="Name or service not known")
ROOTS = Upstream("unix:/s", "unix@/s", (0, 0))
UUID = "7d1a64bd-7a5e-4c5e-9d6b-2f1de1f5a001"
MANY = ["r1", "r.1", "r_1", "r-1", "1", "R1", "namespace", "name", "a.b-c_d.", UUID, "x" * 64]


def proxy(upstream: Upstream | None = SOCKET, text: str = "", running: bool | None = None, **options: Any) -> MetadataProxy:
    """The proxy as a run finds it: running when it has a configuration, unless said otherwise."""
    return MetadataProxy(Options("bridge", **options), upstream, text, bool(text) if running is None else running)


def lines(text: str, beginning: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith(beginning)]


@pytest.mark.parametrize("use_namespaces", [True, False])
@pytest.mark.parametrize("routers", [["r1"], ["r2", "r1"], MANY], ids=["one", "two", "many"])
@pytest.mark.parametrize("upstream", [SOCKET, Upstream.unseen("[2001:db8::1]:8775"), UNRESOLVED, ROOTS], ids=str)
def test_routers_are_read_back_from_the_text_for_them(upstream: Upstream, routers: list[str], use_namespaces: bool) -> None:
    text = proxy(upstream, use_namespaces=use_namespaces).render(routers)
    assert proxy(text=text).routers == set(routers)


def test_the_text_is_the_same_for_routers_in_any_order() -> None:
    assert proxy().render(MANY) == proxy().render(reversed(MANY)) == proxy().render(iter(set(MANY)))


@pytest.mark.parametrize("upstream", [SOCKET, None])
def test_for_no_router_there_is_no_text(upstream: Upstream | None) -> None:
    present = proxy().render(["r1"])
    assert proxy(upstream, present).render([]) == ""


@pytest.mark.parametrize(
    ("options", "binds"),
    [
        ({}, ["bind 0.0.0.0:9697 namespace qrouter-r.1 name r.1", "bind 0.0.0.0:9697 namespace qrouter-r2 name r2"]),
        (
            {"metadata_port": 80},
            ["bind 0.0.0.0:80 namespace qrouter-r.1 name r.1", "bind 0.0.0.0:80 namespace qrouter-r2 name r2"],
        ),
        ({"use_namespaces": False}, ["bind 0.0.0.0:9697 name r.1", "bind 0.0.0.0:9697 name r2"]),
    ],
)
def test_it_listens_for_each_router_and_names_the_socket_after_it(options: dict[str, Any], binds: list[str]) -> None:
    assert lines(proxy(**options).render(["r2", "r.1"]), "bind") == binds


@pytest.mark.parametrize(
    ("upstream", "server"),
    [
        (Upstream.unseen("unix:/run/metadata.sock"), "unix@/run/metadata.sock"),
        (Upstream.unseen("unix:/run/a:1"), "unix@/run/a:1"),
        (Upstream.unseen("unix:/run/unix:/a"), "unix@/run/unix:/a"),
        (Upstream.unseen("192.0.2.1:8775"), "192.0.2.1:8775"),
        (Upstream.unseen("metadata.example:8775"), "metadata.example:8775"),
        (Upstream.unseen("[2001:db8::1]:8775"), "2001:db8::1:8775"),  # to haproxy the last colon is the port's
        (Upstream("metadata.example:8775", "192.0.2.7:8775"), "192.0.2.7:8775"),
        (Upstream("192.0.2.1:8775", "192.0.2.1:8775", problem="Connection refused"), "192.0.2.1:8775"),
        (UNRESOLVED, "127.0.0.1:1 disabled"),
    ],
    ids=str,
)
def test_requests_go_to_the_upstream(upstream: Upstream, server: str) -> None:
    """A name that cannot be resolved would keep haproxy from starting; so requests are refused until it can."""
    text = proxy(upstream).render(["r1"])
    assert lines(text, "server") == [f"server metadata {server}"]
    assert lines(text, "default_backend") == ["default_backend metadata"]


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (None, ["user haproxy", "group haproxy"]),
        ((1000, 2000), ["uid 1000", "gid 2000"]),
        ((1000, 0), ["uid 1000", "gid 0"]),
        ((0, 0), ["uid 0", "gid 0"]),
    ],
)
def test_the_proxy_is_who_may_connect(identity: tuple[int, int] | None, expected: list[str]) -> None:
    text = proxy(replace(SOCKET, identity=identity)).render(["r1"])
    assert [line for kind in ("user", "group", "uid", "gid") for line in lines(text, kind)] == expected


def test_what_a_client_says_of_itself_goes_before_the_truth_is_said() -> None:
    assert lines(proxy().render(["r1"]), "http-request") == [
        "http-request del-header _ -m sub",
        "http-request del-header X-Neutron- -m beg",
        "http-request del-header X-Instance-ID -m beg",
        "http-request del-header X-Tenant-ID",
        "http-request del-header X-Metadata-Provider -m beg",
        "http-request del-header Forwarded",
        "http-request set-header X-Forwarded-For %[src]",
        "http-request set-header X-Neutron-Router-ID %[so_name]",
    ]


def test_sections_stand_in_haproxys_order_and_are_not_told_twice() -> None:
    text = proxy().render(MANY)
    sections = [line for line in text.splitlines() if re.match(r"[a-z]", line)]
    assert sections == ["global", "defaults", "frontend metadata", "backend metadata"]
    assert all(line.startswith(("    ", "#")) or line in sections for line in text.splitlines())
    assert text.endswith("\n")


@pytest.mark.parametrize("use_namespaces", [True, False])
def test_without_upstream_the_text_is_only_filtered(use_namespaces: bool) -> None:
    """A run that does not ask for metadata leaves routers that are not part of it theirs, as it is."""
    before = proxy(Upstream("unix:/s", "unix@/s", (7, 8)), metadata_port=1234, use_namespaces=use_namespaces)
    present = before.render(MANY)
    now = proxy(None, present)
    assert now.render(MANY) == present
    for kept in (MANY[:1], MANY[1:2], MANY[2:6]):
        assert now.render(kept) == before.render(kept)


def test_without_upstream_no_router_is_added() -> None:
    present = proxy().render(["r1"])
    assert proxy(None, present).render(["r1", "r2"]) == present
    assert proxy(None).render(["r2"]) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "frontend metadata\n",
        "    # bind 0.0.0.0:9697 namespace qrouter-r1 name r1\n",
        "# bind 0.0.0.0:9697 namespace qrouter-r1 name r1\n",
        "    bind 0.0.0.0:9697 namespace qrouter-r1\n",
        "    bind 0.0.0.0:9697 namespace qrouter-r1 name r1 ssl\n",
        "    server metadata 0.0.0.0:9697 name r1\n",
    ],
)
def test_what_binds_no_socket_of_ours_is_no_router(text: str) -> None:
    assert proxy(text=text, running=True).routers == set()


def test_a_proxy_that_does_not_run_serves_nobody() -> None:
    text = proxy().render(["r1"])
    assert proxy(text=text, running=False).routers == set()


def test_a_configuration_with_another_port_is_read_too() -> None:
    text = proxy(metadata_port=1234).render(["r1"])
    assert proxy(text=text, metadata_port=9697).routers == {"r1"}


TAKEN = "Port 9697 of router r1, which the metadata proxy needs, is taken by another process."
MISSING = "haproxy is missing."


@pytest.mark.parametrize(
    ("port_taken", "missing", "problem"),
    [(False, None, None), (True, None, TAKEN), (False, MISSING, MISSING), (True, MISSING, TAKEN)],
)
def test_why_a_router_cannot_be_served(port_taken: bool, missing: str | None, problem: str | None) -> None:
    found = MetadataProxy(Options("bridge"), SOCKET, missing=missing)
    assert found.cannot_serve("r1", port_taken) == problem


def test_the_port_that_is_taken_is_named() -> None:
    assert (proxy(metadata_port=80).cannot_serve("r1", True) or "").startswith("Port 80 of router r1")


@pytest.mark.parametrize(("text", "routers"), [("", frozenset()), (proxy().render(["r1", "r2"]), frozenset(["r1", "r2"]))])
def test_once_it_has_read_a_text_it_serves_the_routers_of_that(text: str, routers: frozenset[str]) -> None:
    before = MetadataProxy(Options("bridge"), SOCKET, proxy().render(["r0"]), running=True, loaded=False)
    assert before.routers == {"r0"}  # asked before, so that an answer that is kept would show
    after = before.with_text(text)
    assert (after.routers, after.running, after.loaded, after.text) == (routers, bool(text), True, text)


@pytest.mark.parametrize(
    ("upstream", "warnings"),
    [
        (None, []),
        (SOCKET, []),
        (
            Upstream("unix:/s", "unix@/s", problem="No such file or directory"),
            ["metadata_upstream: unix:/s cannot be reached: No such file or directory."],
        ),
        (UNRESOLVED, ["metadata_upstream: metadata.example:8775 cannot be reached: Name or service not known."]),
    ],
)
def test_an_upstream_that_is_not_there_is_a_warning(upstream: Upstream | None, warnings: list[str]) -> None:
    assert proxy(upstream).warnings() == warnings
