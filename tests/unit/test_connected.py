# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes to a router's own networks: which there are to be, and when a run has to make one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.connected import connected_routes
from ansible_collections.netnode.l3.plugins.module_utils.state import NextHop, Route, RouterState

from ..routers import router
from .engine_objects import converged, steps, with_device
from .test_plan import DB, GATEWAY, WEB, plan

STATE = converged(router())
OF_DB = next(route for route in STATE.connected if route.destination == "10.0.1.0/24")
OF_WEB = next(route for route in STATE.connected if route.destination == "2001:db8:1::/64")


def without(*routes: Route, **changes: Any) -> RouterState:
    return replace(STATE, **{"connected": STATE.connected - {*routes}, **changes})


def route_lines(observed: RouterState) -> list[str]:
    return [line for line in steps(plan(router(), observed)) if "proto kernel" in line]


def test_there_is_one_for_each_network() -> None:
    routes = connected_routes(
        {"qr-a": ("10.0.0.1/24", "10.0.0.2/24", "10.9.9.9/32", "10.1.0.0/31"), "qg-b": ("2001:db8::1/64", "2001:db8::9/128")}
    )
    assert {(r.destination, r.source, r.metric, *r.nexthops) for r in routes} == {
        ("10.0.0.0/24", "10.0.0.1", 0, NextHop(None, "qr-a")),
        ("10.1.0.0/31", "10.1.0.0", 0, NextHop(None, "qr-a")),
        ("2001:db8::/64", None, 256, NextHop(None, "qg-b")),
        ("2001:db8::9", None, 256, NextHop(None, "qg-b")),
    }


@pytest.mark.parametrize(
    ("route", "line"),
    [
        (OF_DB, f"route add 10.0.1.0/24 proto kernel scope link src 10.0.1.1 dev {DB}"),
        (OF_WEB, f"route add 2001:db8:1::/64 proto kernel metric 256 dev {WEB}"),
    ],
    ids=["IPv4", "IPv6"],
)
def test_one_that_is_gone_is_made(route: Route, line: str) -> None:
    assert steps(plan(router(), without(route))) == [line]


def test_one_that_was_replaced_is_put_back_in_place() -> None:
    elsewhere = Route(4, "10.0.1.0/24", frozenset([NextHop("10.0.0.9", WEB)]), "boot")
    result = plan(router(), without(OF_DB, routes=STATE.routes | {elsewhere}))
    assert steps(result) == [f"route replace 10.0.1.0/24 proto kernel scope link src 10.0.1.1 dev {DB}"]
    assert result.actions == [f"route 10.0.1.0/24 dev {DB} proto kernel replaced"]


@pytest.mark.parametrize("change", [{"source": "10.0.1.77"}, {"unusual": "expires"}])
def test_by_which_address_the_kernel_made_it_is_the_kernels_business(change: dict[str, str]) -> None:
    assert route_lines(without(OF_DB, connected=STATE.connected - {OF_DB} | {replace(OF_DB, **change)})) == []


def test_the_kernel_makes_it_with_an_address() -> None:
    assert route_lines(without(OF_DB, addresses={**STATE.addresses, DB: ()})) == []


def test_the_kernel_makes_it_when_the_device_goes_up() -> None:
    assert route_lines(with_device(without(OF_DB), DB, up=False)) == []


@pytest.mark.parametrize("observed", [without(OF_DB).without_devices({DB}), with_device(without(OF_DB), DB, attachment=None)])
def test_the_kernel_makes_it_with_a_new_device(observed: RouterState) -> None:
    assert route_lines(observed) == []


@pytest.mark.parametrize(("words", "made"), [(("dynamic",), False), (("noprefixroute",), True), (("scope host",), True)])
def test_the_kernel_makes_it_when_the_address_comes_anew(words: tuple[str, ...], made: bool) -> None:
    observed = without(OF_DB, odd_addresses={(DB, "10.0.1.1/24"): words})
    assert (route_lines(observed) == []) is made


def test_a_second_address_of_a_network_brings_no_route_with_ipv4() -> None:
    data = router()
    data["gateway"]["addresses"] = ["203.0.113.10/24", "203.0.113.11/24"]
    of_gateway = next(route for route in STATE.connected if route.destination == "203.0.113.0/24")
    lines = steps(plan(data, without(of_gateway)))
    assert f"route add 203.0.113.0/24 proto kernel scope link src 203.0.113.10 dev {GATEWAY}" in lines


def test_a_route_is_put_before_a_foreign_network_of_the_same_prefix() -> None:
    own = next(route for route in STATE.routes if route.destination == "192.168.51.0/24")
    foreign = Route(4, "192.168.51.0/24", frozenset([NextHop(None, "own-vpn")]), "kernel", source="192.168.51.1")
    observed = replace(STATE, routes=STATE.routes - {own}, connected=STATE.connected | {foreign})
    assert steps(plan(router(), observed)) == [f"route prepend 192.168.51.0/24 proto static via 10.0.1.254 dev {DB}"]
