# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metadata in a router's plan: when the proxy begins to listen, when it ends, and when neither."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.gather import describe_state, gather_router
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.plan import RouterPlan
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import MetadataProxy, Upstream
from ansible_collections.netnode.l3.plugins.module_utils.state import ABSENT, RouterState

from ..routers import router
from .engine_objects import bind_lines, converged, desired, is_empty, planner, step, steps

UPSTREAM = "unix:/run/metadata.sock"
ON_WEB = "fe80::a9fe:a9fe/128 nodad preferred_lft 0 dev qr-bbbb0000-we"
MADE = ["rules of IPv4", "rules of IPv6", f"address add {ON_WEB}"]
BEGINS, ENDS = "metadata proxy listens for router r1", "metadata proxy no longer listens for router r1"
WITH = converged(router(), metadata_upstream=UPSTREAM)
WITHOUT = converged(router())


def proxy(*routers: str, wanted: bool = True, **changes: object) -> MetadataProxy:
    """A proxy that listens for these routers."""
    found = MetadataProxy(Options("bridge"), Upstream.unseen(UPSTREAM))
    found = found.with_text(found.render(bind_lines(found, *routers)))
    return replace(found, upstream=found.upstream if wanted else None, **changes)  # type: ignore[arg-type]


def plan(observed: RouterState, found: MetadataProxy) -> RouterPlan:
    """The plan for the router, with metadata if the proxy is to be there."""
    planning = planner(proxy=found, metadata_upstream=UPSTREAM if found.upstream is not None else None)
    return planning.plan(desired(router(), planning.driver), observed)


def services(result: RouterPlan) -> list[str]:
    return [step(operation) for operation in result.operations if step(operation).startswith(("serve", "unserve"))]


@pytest.mark.parametrize(
    ("observed", "found"),
    [
        (WITH, proxy("r1")),
        (WITH, proxy("r0", "r1", "r2")),
        (WITHOUT, proxy(wanted=False)),
        (WITHOUT, proxy("r0", wanted=False)),
        (replace(WITHOUT, port_taken=True), proxy("r0", wanted=False)),  # somebody else's business
    ],
)
def test_nothing_to_do_is_an_empty_plan(observed: RouterState, found: MetadataProxy) -> None:
    assert is_empty(plan(observed, found))


@pytest.mark.parametrize("found", [proxy(), proxy("r0", "r2")])
@pytest.mark.parametrize("observed", [ABSENT, WITHOUT])
def test_the_proxy_begins_last(observed: RouterState, found: MetadataProxy) -> None:
    result = plan(observed, found)
    assert steps(result)[-1] == "serve r1 in qrouter-r1"
    assert [(step(operation), operation.actions) for operation in result.served] == [("serve r1 in qrouter-r1", (BEGINS,))]
    assert (services(result), result.problems, result.after.metadata) == (["serve r1 in qrouter-r1"], (), True)


def test_where_metadata_is_new_rules_and_its_address_are_all_that_is_added() -> None:
    assert plan(WITHOUT, proxy()).actions == [
        "rule added to chain INPUT of table filter: -j l3-INPUT",
        "chain l3-INPUT of table filter created with 2 rules",
        "rule added to chain l3-PREROUTING of table nat: -d 169.254.169.254/32 -i qr-+ -p tcp -m tcp --dport 80"
        " -j REDIRECT --to-ports 9697",
        "rule added to chain INPUT of table filter (IPv6): -j l3-INPUT",
        "chain l3-INPUT of table filter (IPv6) created with 2 rules",
        "rule added to chain PREROUTING of table nat (IPv6): -j l3-PREROUTING",
        "chain l3-PREROUTING of table nat (IPv6) created with 1 rule",
        "address fe80::a9fe:a9fe/128 added to qr-bbbb0000-we",
        BEGINS,
    ]


def test_metadata_that_is_no_longer_asked_for_ends_before_its_rules_go() -> None:
    result = plan(WITH, proxy("r0", "r1", wanted=False))
    gone = "address delete fe80::a9fe:a9fe/128 dev qr-bbbb0000-we"
    assert steps(result) == ["unserve r1 in qrouter-r1", "rules of IPv4", "rules of IPv6", gone]
    assert result.actions[0] == ENDS
    assert result.freed[0].actions == (ENDS,)
    assert result.after.metadata is False


@pytest.mark.parametrize(
    "observed",
    [replace(WITH, metadata=False), ABSENT, RouterState(namespace=False, dead=True)],
    ids=["does not listen any more", "namespace gone", "namespace dead"],
)
def test_where_it_should_listen_and_does_not_it_begins_anew(observed: RouterState) -> None:
    """First it lets go of what it has under that name: the namespace of this name can be another one by now."""
    result = plan(observed, proxy("r0", "r1"))
    assert services(result) == ["unserve r1 in qrouter-r1", "serve r1 in qrouter-r1"]
    assert step(result.freed[0]) == "unserve r1 in qrouter-r1"
    assert result.freed[0].actions == ()
    assert (result.actions[-1], result.after.metadata) == (BEGINS, True)


@pytest.mark.parametrize("found", [proxy("r1", "r2"), proxy("r1", "r2", wanted=False)])
def test_what_a_dead_namespace_held_is_let_go_of_before_it_is_removed(found: MetadataProxy) -> None:
    result = plan(RouterState(namespace=False, dead=True), found)
    assert [step(operation) for operation in result.freed] == ["unserve r1 in qrouter-r1", "netns delete qrouter-r1"]


TAKEN = "Port 9697 of router r1, which the metadata proxy needs, is taken by another process."


@pytest.mark.parametrize("found", [proxy(), proxy("r0"), proxy("r1", running=False)])
def test_a_port_that_somebody_else_has_is_a_problem_and_the_rest_is_made(found: MetadataProxy) -> None:
    result = plan(replace(WITHOUT, port_taken=True), found)
    assert result.problems == (TAKEN,)
    assert (services(result), result.served, result.after.metadata) == ([], (), False)
    assert steps(result) == MADE


def test_a_port_that_somebody_else_has_though_the_proxy_was_told_of_it_is_a_problem_too() -> None:
    result = plan(replace(WITH, metadata=False, port_taken=True), proxy("r0", "r1"))
    assert "is taken by another process" in result.problems[0]
    assert (services(result), result.after.metadata) == (["unserve r1 in qrouter-r1"], False)


def test_a_proxy_that_listens_and_whose_files_are_gone_begins_anew() -> None:
    result = plan(WITH, proxy(text="", running=True))
    assert (steps(result), result.problems) == (["serve r1 in qrouter-r1"], ())


def test_without_haproxy_the_rest_is_made() -> None:
    result = plan(WITHOUT, proxy(missing="haproxy is missing."))
    assert (result.problems, services(result)) == (("haproxy is missing.",), [])
    assert steps(result) == MADE
    assert result.after.metadata is False


AGENTS = replace(WITHOUT, port_taken=True, agents_proxy=77)
AGENTS_ENDS = "metadata proxy of the L3 agent ended (process 77)"


@pytest.mark.parametrize("found", [proxy(), proxy("r0")])
def test_the_proxy_of_the_l3_agent_makes_room_for_ours(found: MetadataProxy) -> None:
    result = plan(AGENTS, found)
    assert [step(operation) for operation in result.served] == ["end proxy 77 of r1", "serve r1 in qrouter-r1"]
    assert (result.actions[-2:], result.problems, result.after.metadata) == ([AGENTS_ENDS, BEGINS], (), True)


def test_without_metadata_the_proxy_of_the_l3_agent_ends_all_the_same() -> None:
    """The rules that led to it were the agent's, and are replaced."""
    result = plan(AGENTS, proxy(wanted=False))
    assert (steps(result), result.actions, result.problems) == (["end proxy 77 of r1"], [AGENTS_ENDS], ())
    assert result.after.metadata is False


def test_once_the_proxy_of_the_l3_agent_has_ended_and_ours_cannot_begin_nobody_listens() -> None:
    result = plan(AGENTS, proxy(missing="haproxy is missing."))
    assert (result.problems, services(result)) == (("haproxy is missing.",), [])
    assert (result.actions[-1], result.after.metadata) == (AGENTS_ENDS, False)


def test_in_the_nodes_own_namespace_it_listens_there() -> None:
    planning = planner(proxy=proxy(), metadata_upstream=UPSTREAM, use_namespaces=False)
    result = planning.plan(desired(router(), planning.driver), RouterState(namespace=True, loopback_up=True))
    assert services(result) == ["serve r1 in None"]


def test_a_proxy_that_listens_for_ipv4_alone_is_only_told_more() -> None:
    """That is done for the node as a whole: whatever else goes wrong with the router, it keeps what it has."""
    result = plan(replace(WITH, metadata_ipv6=False), proxy("r0", "r1"))
    assert is_empty(result)
    assert (result.after.metadata, result.after.metadata_ipv6) == (True, True)


def test_who_has_the_port_for_ipv6_alone_does_not_end_ipv4() -> None:
    result = plan(replace(WITH, metadata_ipv6=False, port_taken=True), proxy("r0", "r1"))
    assert (steps(result), result.problems) == ([], (TAKEN,))
    assert (result.after.metadata, result.after.metadata_ipv6) == (True, False)


def test_where_nothing_inside_has_ipv6_it_listens_for_ipv4_alone() -> None:
    data = router(routes=[])
    data["interfaces"][0]["addresses"] = ["10.0.0.1/24"]
    planning = planner(proxy=proxy("r1"), metadata_upstream=UPSTREAM)
    wanted = desired(data, planning.driver)
    assert (wanted.state.metadata, wanted.state.metadata_ipv6, wanted.state.firewall[6]) == (True, False, {})
    assert not any("fe80" in address for addresses in wanted.state.addresses.values() for address in addresses)
    # An old process can listen for it still: what it was told differs, and it is reloaded for that.
    assert is_empty(planning.plan(wanted, replace(wanted.state, metadata_ipv6=True)))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("preferred",), [f"address change {ON_WEB}"]),
        (("dynamic",), [f"address change {ON_WEB}"]),
        (("dadfailed",), ["address delete fe80::a9fe:a9fe/128 dev qr-bbbb0000-we", f"address add {ON_WEB}"]),
    ],
)
def test_an_address_for_ipv6_that_is_not_as_it_should_be(words: tuple[str, ...], expected: list[str]) -> None:
    odd = {("qr-bbbb0000-we", "fe80::a9fe:a9fe/128"): words}
    assert steps(plan(replace(WITH, odd_addresses=odd), proxy("r1"))) == expected


def test_an_address_for_ipv6_with_another_prefix_length_makes_room() -> None:
    device = "qr-bbbb0000-we"
    present = (*WITH.addresses[device][:-1], "fe80::a9fe:a9fe/64")
    assert steps(plan(replace(WITH, addresses={**WITH.addresses, device: present}), proxy("r1"))) == [
        f"address delete fe80::a9fe:a9fe/64 dev {device}",
        f"address add {ON_WEB}",
    ]


def test_the_address_for_ipv6_is_no_router_data() -> None:
    driver = planner(metadata_upstream=UPSTREAM).driver
    assert gather_router("r1", WITH) == gather_router("r1", WITHOUT)
    described = describe_state("r1", WITH, driver)["metadata proxy"]
    assert described == "listens, for IPv6 too; fe80::a9fe:a9fe is on qr-bbbb0000-we"
    assert describe_state("r1", WITHOUT, driver)["metadata proxy"] == "does not listen"
