# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drift of single things in the kernel: each is put right alone, with one sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.state import ABSENT, Link, NextHop, Route

from ..routers import router
from .engine_objects import converged, desired, node, planner, steps, with_device
from .test_plan import DB, GATEWAY, WEB, plan

TAP = "tapaaaa0000-ex"


def attachment(**changes: Any) -> dict[str, Any]:
    """A change of where the gateway's device is plugged in."""
    present = converged(router()).devices[GATEWAY].attachment
    assert present is not None
    return {"attachment": replace(present, **changes)}


@pytest.mark.parametrize(
    ("change", "line", "action"),
    [
        ({"up": False}, f"link set dev {GATEWAY} up", f"device {GATEWAY} set up"),
        ({"mtu": 9000}, f"link set dev {GATEWAY} mtu 1500", f"MTU of {GATEWAY} set to 1500"),
        (
            {"port_id": None},
            f"link set dev {GATEWAY} alias aaaa0000-external-port",
            f"alias of {GATEWAY} set to aaaa0000-external-port",
        ),
        ({"master": "br0"}, f"link set dev {GATEWAY} nomaster", f"device {GATEWAY} taken from br0"),
        ({"arp": False}, f"link set dev {GATEWAY} arp on", f"ARP of {GATEWAY} turned on"),
        ({"multicast": False}, f"link set dev {GATEWAY} multicast on", f"multicast of {GATEWAY} turned on"),
        (attachment(up=False), f"link set dev {TAP} up", f"device {TAP} set up"),
        (attachment(mtu=9000), f"link set dev {TAP} mtu 1500", f"MTU of {TAP} set to 1500"),
        (attachment(bridge=None), f"link set dev {TAP} master br-ex", f"device {GATEWAY} moved to bridge br-ex"),
        (attachment(bridge="br-lan"), f"link set dev {TAP} master br-ex", f"device {GATEWAY} moved to bridge br-ex"),
        (
            attachment(mark=None),
            f"link set dev {TAP} alias netnode.l3/r1/external",
            f"alias of {TAP} set to netnode.l3/r1/external",
        ),
    ],
)
def test_drift_of_a_device(change: dict[str, Any], line: str, action: str) -> None:
    result = plan(router(), with_device(converged(router()), GATEWAY, **change))
    assert (steps(result), result.actions) == ([line], [action])


def test_a_new_mac_address_is_announced() -> None:
    result = plan(router(), with_device(converged(router()), GATEWAY, mac_address="fa:16:3e:ff:ff:ff"))
    assert result.actions == [f"MAC address of {GATEWAY} set to fa:16:3e:00:00:b0"]
    assert steps(result) == [
        f"link set dev {GATEWAY} address fa:16:3e:00:00:b0",
        *(f"announce {address} {GATEWAY}" for address in ("203.0.113.10", "2001:db8:e::10", "203.0.113.20", "203.0.113.21")),
        f"announce fe80:: {GATEWAY}",
    ]


def test_drift_of_sysctls() -> None:
    state = converged(router())
    sysctls = {**state.sysctls, "net/ipv4/ip_forward": "0"}
    del sysctls["net/netfilter/nf_conntrack_tcp_be_liberal"]
    assert plan(router(), replace(state, sysctls=sysctls)).actions == [
        "sysctl net.ipv4.ip_forward set to 1",
        "sysctl net.netfilter.nf_conntrack_tcp_be_liberal set to 1",
    ]


@pytest.mark.parametrize(
    ("of_all", "lines"), [("1", [f"sysctl net/ipv4/conf/{DB}/forwarding 1"]), ("0", ["sysctl net/ipv4/ip_forward 1"])]
)
def test_a_device_that_does_not_forward_follows_when_all_do(of_all: str, lines: list[str]) -> None:
    state = with_device(converged(router()), DB, forwards=False)
    assert steps(plan(router(), replace(state, sysctls={**state.sysctls, "net/ipv4/ip_forward": of_all}))) == lines


def test_drift_of_the_loopback_device() -> None:
    result = plan(router(), replace(converged(router()), loopback_up=False))
    assert (steps(result), result.actions) == (["link set dev lo up"], ["device lo set up"])


def test_a_missing_and_a_surplus_address() -> None:
    state = converged(router())
    observed = replace(state, addresses={**state.addresses, DB: ("10.0.9.1/24",)})
    assert plan(router(), observed).actions == [
        f"address 10.0.1.1/24 added to {DB}",
        f"address 10.0.9.1/24 removed from {DB}",
    ]


def test_a_device_that_is_missing_is_made_with_all_that_it_had() -> None:
    actions = plan(router(), converged(router()).without_devices({WEB})).actions
    assert actions == [
        f"device {WEB} created on bridge brqweb-network",
        f"address 10.0.0.1/24 added to {WEB}",
        f"address 2001:db8:1::1/64 added to {WEB}",
        f"route 192.168.50.0/24 via 10.0.0.253 dev {WEB} and via 10.0.0.254 dev {WEB} added",
        f"route 2001:db8:77::/48 via 2001:db8:1::fe dev {WEB} added",
    ]


def test_a_device_that_is_made_anew_gets_its_parameters_though_the_old_one_had_them() -> None:
    data = router()
    data["gateway"]["gateway_ips"] = ["203.0.113.1"]
    drifted = with_device(converged(data), GATEWAY, attachment=None)
    assert f"sysctl net/ipv6/conf/{GATEWAY}/accept_ra 2" in steps(plan(data, drifted))


def test_a_device_that_is_plugged_in_nowhere_is_made_anew() -> None:
    result = plan(router(), with_device(converged(router()), DB, attachment=None))
    assert result.actions == [
        f"device {DB} removed",
        f"device {DB} created on bridge brqdb-network",
        f"address 10.0.1.1/24 added to {DB}",
        f"route 192.168.51.0/24 via 10.0.1.254 dev {DB} added",
    ]
    assert steps(result)[0] == f"link delete dev {DB}"
    assert result.freed[0].namespace == "qrouter-r1"


OWN = Route(4, "192.168.51.0/24", frozenset([NextHop("10.0.1.254", DB)]))


def routes_after(*drift: Route) -> tuple[list[str], list[str]]:
    """Steps and actions when these stand in the place of the route to 192.168.51.0/24."""
    state = converged(router())
    assert OWN in state.routes
    result = plan(router(), replace(state, routes=(state.routes - {OWN}) | set(drift)))
    return steps(result), result.actions


def test_a_route_to_another_next_hop_is_replaced_in_place() -> None:
    wrong = replace(OWN, nexthops=frozenset([NextHop("10.0.1.253", DB)]))
    assert routes_after(wrong) == (
        [f"route replace 192.168.51.0/24 proto static via 10.0.1.254 dev {DB}"],
        [f"route 192.168.51.0/24 via 10.0.1.254 dev {DB} replaced"],
    )


@pytest.mark.parametrize(
    "wrong",
    [
        replace(OWN, source="10.0.1.1"),
        replace(OWN, unusual="mtu 576"),
        replace(OWN, nexthops=frozenset([NextHop("10.0.1.254", DB, "onlink")])),
        replace(OWN, nexthops=frozenset([NextHop("10.0.1.254", DB, "weight 3"), NextHop("10.0.1.9", DB)])),
    ],
)
def test_a_route_with_something_unusual_is_replaced_in_place(wrong: Route) -> None:
    assert routes_after(wrong)[0] == [f"route replace 192.168.51.0/24 proto static via 10.0.1.254 dev {DB}"]


def test_of_several_wrong_routes_one_is_replaced_and_the_others_go_before() -> None:
    wrong = [replace(OWN, nexthops=frozenset([NextHop(f"10.0.1.{number}", DB)])) for number in (7, 8, 9)]
    assert routes_after(*wrong)[0] == [
        f"route delete 192.168.51.0/24 via 10.0.1.8 dev {DB} proto static metric 0 table main",
        f"route delete 192.168.51.0/24 via 10.0.1.9 dev {DB} proto static metric 0 table main",
        f"route replace 192.168.51.0/24 proto static via 10.0.1.254 dev {DB}",
    ]


@pytest.mark.parametrize(
    ("surplus", "line"),
    [
        (
            Route(4, "172.16.0.0/12", frozenset([NextHop("10.0.0.9", WEB)])),
            f"route delete 172.16.0.0/12 via 10.0.0.9 dev {WEB} proto static metric 0 table main",
        ),
        (
            Route(4, "192.168.51.0/24", frozenset([NextHop("10.0.1.9", DB)]), metric=50),
            f"route delete 192.168.51.0/24 via 10.0.1.9 dev {DB} proto static metric 50 table main",
        ),
        (
            Route(6, "default", frozenset([NextHop("2001:db8:1::9", WEB)]), protocol="boot", metric=7),
            f"route delete ::/0 via 2001:db8:1::9 dev {WEB} proto boot metric 7 table main",
        ),
        (
            Route(4, "10.9.0.0/16", frozenset([NextHop(None, None)]), type="blackhole", table="100"),
            "route delete blackhole 10.9.0.0/16 proto static metric 0 table 100",
        ),
        (
            replace(OWN, selector="tos 0x10", unusual="mtu 576", nexthops=frozenset([NextHop("10.0.1.254", DB, "onlink")])),
            f"route delete 192.168.51.0/24 tos 0x10 via 10.0.1.254 dev {DB} proto static metric 0 table main",
        ),
    ],
    ids=["another destination", "another metric", "IPv6 default", "blackhole in a table", "for a type of service"],
)
def test_a_route_too_many_goes(surplus: Route, line: str) -> None:
    assert routes_after(OWN, surplus)[0] == [line]


def test_without_the_external_bridge_the_rest_is_made() -> None:
    result = plan(router(), ABSENT, bridges=())
    (problem,) = result.problems
    assert problem == (
        "The external bridge br-ex does not exist on this node: create it (or have the role netnode.l3.network_node"
        " do so), or say its name in external_network_bridge."
    )
    assert f"address 10.0.1.1/24 added to {DB}" in result.actions
    assert not [line for line in steps(result) if line.startswith(("link", "address", "route")) and GATEWAY in line]


def test_without_the_external_bridge_a_device_stays_where_it_is() -> None:
    observed = with_device(converged(router()), GATEWAY, **attachment(bridge="br-old"))
    result = plan(router(), observed, bridges=("br-old", "brqweb-network", "brqdb-network"))
    assert (result.actions, len(result.problems)) == ([], 1)


@pytest.mark.parametrize(
    ("alias", "whose"),
    [
        (None, "is not ours"),
        ("uplink", "is not ours"),
        ("netnode.l3/r9/external", "belongs to router r9: converge that one too"),
    ],
)
def test_a_name_that_somebody_else_has_is_not_taken(alias: str | None, whose: str) -> None:
    taken = Link(TAP, 9, None, alias, True, 1500, False)
    result = planner(node(taken, namespaces=["qrouter-r9"])).plan(desired(router()), ABSENT)
    assert result.problems == (f"The device {TAP} that port aaaa0000-external-port needs is on the node already and {whose}.",)
    assert not [line for line in steps(result) if TAP in line]


def test_a_name_that_will_be_free_is_taken() -> None:
    planning = planner(node(Link(TAP, 9, None, "netnode.l3/r9/external", True, 1500, False)))
    planning.free([TAP])
    assert planning.plan(desired(router()), ABSENT).problems == ()


@pytest.mark.parametrize("owner", ["r1", "of-the-past"])
def test_a_stale_device_of_ours_goes(owner: str) -> None:
    stale = Link(TAP, 9, None, f"netnode.l3/{owner}/external", True, 1500, False)
    result = planner(node(stale)).plan(desired(router()), ABSENT)
    assert result.problems == ()
    assert result.actions[0] == f"stale device {TAP} removed"
