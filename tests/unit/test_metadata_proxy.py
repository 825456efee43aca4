# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of the node's metadata proxy: what is written, what is read back of it, and what follows from it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.metadata_rate_limit import Window
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import (
    MetadataProxy,
    Upstream,
    lines_of,
)

from .engine_objects import bind_lines

SOCKET = Upstream.unseen("unix:/run/metadata.sock")
UNRESOLVED = Upstream("metadata.example:8775", problem="Name or service not known")
ROOTS = Upstream("unix:/s", "unix@/s", (0, 0))
UUID = "7d1a64bd-7a5e-4c5e-9d6b-2f1de1f5a001"
MANY = ["r1", "r.1", "r_1", "r-1", "1", "R1", "namespace", "name", "a.b-c_d.", UUID, "x" * 64]


def proxy(upstream: Upstream | None = SOCKET, text: str = "", running: bool | None = None, **options: Any) -> MetadataProxy:
    """The proxy as a run finds it: running when it has a configuration, unless said otherwise."""
    return MetadataProxy(Options("bridge", **options), upstream, text, bool(text) if running is None else running)


def told(found: MetadataProxy, *routers: str) -> str:
    """The configuration with which this proxy listens for these routers."""
    return found.render(bind_lines(found, *routers))


def lines(text: str, beginning: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith(beginning)]


@pytest.mark.parametrize("use_namespaces", [True, False])
@pytest.mark.parametrize("routers", [["r1"], ["r2", "r1"], MANY], ids=["one", "two", "many"])
@pytest.mark.parametrize("upstream", [SOCKET, Upstream.unseen("[2001:db8::1]:8775"), UNRESOLVED, ROOTS], ids=str)
def test_routers_are_read_back_from_the_text_for_them(upstream: Upstream, routers: list[str], use_namespaces: bool) -> None:
    text = told(proxy(upstream, use_namespaces=use_namespaces), *routers)
    assert proxy(text=text).routers == set(routers)


def test_the_text_is_the_same_for_routers_in_any_order() -> None:
    assert told(proxy(), *MANY) == told(proxy(), *reversed(MANY)) == told(proxy(), *set(MANY))


@pytest.mark.parametrize("upstream", [SOCKET, None])
def test_for_no_router_there_is_no_text(upstream: Upstream | None) -> None:
    present = told(proxy(), "r1")
    assert proxy(upstream, present).render({}) == ""


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "bind 0.0.0.0:9697,:::9697 v6only namespace qrouter-r.1 name r.1"),
        ({"metadata_port": 80, "use_namespaces": False}, "bind 0.0.0.0:80,:::80 v6only name r.1"),
    ],
)
def test_for_ipv6_it_listens_on_a_socket_of_its_own(options: dict[str, Any], line: str) -> None:
    """One for both families would have ::ffff:10.0.0.5 for a client's address."""
    found = proxy(**options)
    text = found.render({"r.1": found.line("r.1", ipv6=True)})
    assert lines(text, "bind") == [line]
    assert proxy(text=text).lines == {"r.1": f"    {line}"}


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
    assert lines(told(proxy(**options), "r2", "r.1"), "bind") == binds


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
    text = told(proxy(upstream), "r1")
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
    text = told(proxy(replace(SOCKET, identity=identity)), "r1")
    assert [line for kind in ("user", "group", "uid", "gid") for line in lines(text, kind)] == expected


def test_what_a_client_says_of_itself_goes_before_the_truth_is_said() -> None:
    assert lines(told(proxy(), "r1"), "http-request") == [
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
    text = told(proxy(), *MANY)
    sections = [line for line in text.splitlines() if re.match(r"[a-z]", line)]
    assert sections == ["global", "defaults", "frontend metadata", "backend metadata"]
    assert all(line.startswith(("    ", "#")) or line in sections for line in text.splitlines())
    assert text.endswith("\n")


BASE, BURST = Window("base", 6, 60), Window("burst", 2, 10)


@pytest.mark.parametrize("windows", [(BASE,), (BURST,), (BASE, BURST)], ids=["base", "burst", "both"])
def test_a_client_that_is_to_be_limited_is_an_address_behind_a_router(windows: tuple[Window, ...]) -> None:
    text = told(proxy(metadata_rate_limit=windows), "r1")
    numbered = list(enumerate(windows))
    track = "http-request track-sc{} so_name,concat(/,txn.client) table metadata_{}"
    assert lines(text, "http-request")[: 1 + 2 * len(windows)] == [
        "http-request set-var(txn.client) src",
        *(track.format(number, window.name) for number, window in numbered),
        *(f"http-request deny deny_status 429 if {{ sc{n}_http_req_rate gt {window.queries} }}" for n, window in numbered),
    ]
    table = "stick-table type string len 112 size 100k expire {0}s store http_req_rate({0}s)"
    assert lines(text, "stick-table") == [table.format(window.seconds) for window in windows]
    assert lines(text, "backend") == ["backend metadata", *(f"backend metadata_{window.name}" for window in windows)]
    assert proxy(text=text).routers == {"r1"}
    assert proxy(None, text).render(proxy(text=text).lines) == text


def test_the_longest_name_of_a_client_fits_into_the_tables() -> None:
    length = re.search(r"len (\d+)", told(proxy(metadata_rate_limit=(BASE,)), "r1"))
    assert length is not None
    assert len("x" * 64 + "/" + "fe80:" * 7 + "ffff") < int(length.group(1))


def test_nothing_is_counted_without_a_limit() -> None:
    assert re.search("stick|429|track", told(proxy(), "r1")) is None


@pytest.mark.parametrize("use_namespaces", [True, False])
def test_without_upstream_the_text_is_only_filtered(use_namespaces: bool) -> None:
    """A run that does not ask for metadata leaves routers that are not part of it theirs, as it is."""
    before = proxy(Upstream("unix:/s", "unix@/s", (7, 8)), metadata_port=1234, use_namespaces=use_namespaces)
    present = told(before, *MANY)
    now = proxy(None, present)
    assert now.render(now.lines) == present
    for kept in (MANY[:1], MANY[1:2], MANY[2:6]):
        assert now.render({router_id: now.lines[router_id] for router_id in kept}) == told(before, *kept)


def test_without_upstream_and_a_text_there_is_nothing_to_tell() -> None:
    assert told(proxy(None), "r2") == ""


def test_lines_are_read_back_as_they_were_written() -> None:
    """Those of routers that are not part of a run are written again so, whatever the run's options are."""
    wanted = {**bind_lines(proxy(), "r1", UUID), **bind_lines(proxy(use_namespaces=False, metadata_port=80), "r2")}
    found = proxy(text=proxy().render(wanted), metadata_port=1234)
    assert found.lines == lines_of(found.text) == wanted
    assert found.render(found.lines) == found.text
    assert found.line("r1") not in wanted.values()


def test_the_text_says_first_what_the_upstream_was_called() -> None:
    upstream = Upstream("metadata.example:8775", "192.0.2.7:8775")
    assert told(proxy(upstream), "r1").splitlines()[1] == "# upstream metadata.example:8775"


AWAY = "No such file or directory"


@pytest.mark.parametrize("identity", [(7, 8), (0, 0), None], ids=str)
def test_while_its_socket_is_away_the_proxy_stays_who_it_is(identity: tuple[int, int] | None) -> None:
    """The service is starting anew, say: once it is there again, the proxy must be able to connect to it."""
    present = told(proxy(replace(SOCKET, identity=identity)), "r1")
    away = proxy(replace(SOCKET, problem=AWAY), present)
    assert told(away, "r1") == present
    more = told(away, "r1", "r2")
    assert more == told(proxy(replace(SOCKET, identity=identity)), "r1", "r2")


def test_while_its_name_cannot_be_resolved_the_upstream_stays_where_it_is() -> None:
    present = told(proxy(Upstream(UNRESOLVED.text, "192.0.2.7:8775")), "r1")
    assert told(proxy(UNRESOLVED, present), "r1") == present


def test_a_name_that_could_never_be_resolved_stays_out_of_use() -> None:
    present = told(proxy(UNRESOLVED), "r1")
    assert told(proxy(UNRESOLVED, present), "r1") == present
    assert lines(present, "server") == ["server metadata 127.0.0.1:1 disabled"]


@pytest.mark.parametrize("former", ["unix:/s", "unix:/run/metadata.sock.old", "192.0.2.1:80"])
def test_what_was_known_of_another_upstream_does_not_count(former: str) -> None:
    present = told(proxy(replace(Upstream.unseen(former), identity=(7, 8))), "r1")
    away = replace(SOCKET, problem=AWAY)
    assert told(proxy(away, present), "r1") == told(proxy(away), "r1")
    assert "uid" not in told(proxy(away, present), "r1")


@pytest.mark.parametrize(
    "now",
    [
        replace(SOCKET, identity=(1, 2)),
        SOCKET,
        replace(SOCKET, identity=(1, 2), problem="Connection refused"),  # its file is there
    ],
    ids=str,
)
def test_what_is_seen_of_the_upstream_counts_for_more_than_what_was_known(now: Upstream) -> None:
    present = told(proxy(replace(SOCKET, identity=(7, 8))), "r1")
    assert told(proxy(now, present), "r1") == told(proxy(now), "r1") != present


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


def test_a_proxy_that_does_not_run_is_still_told_of_its_routers() -> None:
    """It ended by itself; it is to come again for all that it served."""
    found = proxy(text=told(proxy(), "r1"), running=False)
    assert found.routers == {"r1"}
    assert not found.listens_for("r1")


def test_a_proxy_that_runs_listens_for_those_whom_it_was_told_of() -> None:
    found = proxy(text=told(proxy(), "r1"))
    assert [found.listens_for(router_id) for router_id in ("r1", "r", "r2")] == [True, False, False]


def test_a_configuration_with_another_port_is_read_too() -> None:
    text = told(proxy(metadata_port=1234), "r1")
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


@pytest.mark.parametrize(("text", "routers"), [("", frozenset()), (told(proxy(), "r1", "r2"), frozenset(["r1", "r2"]))])
def test_once_it_has_read_a_text_it_serves_the_routers_of_that(text: str, routers: frozenset[str]) -> None:
    before = MetadataProxy(Options("bridge"), SOCKET, told(proxy(), "r0"), running=True, loaded=False)
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
