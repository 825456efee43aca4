# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes with several next hops go on by the others when a device goes: IPv4 would lose them whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.operations import Ip
from ansible_collections.netnode.l3.plugins.module_utils.state import NextHop, Route

from ..routers import router
from .engine_objects import converged, step
from .test_plan import DB, WEB, plan

BOTH, BY_WEB = ["10.0.0.254", "10.0.1.254"], f"via 10.0.0.254 dev {WEB}"
BOTH6, BY_WEB6 = ["2001:db8:1::fe", "2001:db8:2::fe"], f"via 2001:db8:1::fe dev {WEB}"


def routed(*hops: str, interfaces: int = 2, **changes: Any) -> dict[str, Any]:
    """A router with so many of its ports, and a route by these next hops."""
    web, db = router()["interfaces"]
    ports = [web, {**db, "addresses": [*db["addresses"], "2001:db8:2::1/64"]}]
    routes = [{"destination": "2001:db8:77::/48" if ":" in hop else "192.168.60.0/24", "nexthop": hop} for hop in hops]
    return router(interfaces=ports[:interfaces], routes=routes, **changes)


def test_an_ipv4_route_is_led_around_the_device_before_it_goes() -> None:
    result = plan(routed(BOTH[0], interfaces=1), converged(routed(*BOTH)))
    action = f"route 192.168.60.0/24 {BY_WEB} replaced"
    assert result.ahead == (Ip("qrouter-r1", (action,), f"route replace 192.168.60.0/24 proto static {BY_WEB}"),)
    assert result.actions == [action, f"device {DB} removed"]


def test_an_ipv6_route_loses_no_more_than_the_next_hop() -> None:
    result = plan(routed(BOTH6[0], interfaces=1), converged(routed(*BOTH6)))
    assert (result.ahead, result.actions) == ((), [f"device {DB} removed"])


def test_what_else_changes_of_it_comes_later() -> None:
    result = plan(routed("10.0.0.254", "10.0.0.253", interfaces=1), converged(routed(*BOTH)))
    assert [step(operation) for operation in result.ahead] == [f"route replace 192.168.60.0/24 proto static {BY_WEB}"]
    replaced = [step(operation) for operation in result.own if "192.168.60.0/24" in step(operation)]
    hops = f"nexthop via 10.0.0.253 dev {WEB} nexthop {BY_WEB}"
    assert replaced == [f"route replace 192.168.60.0/24 proto static {hops}"]


ROUTE = next(route for route in converged(routed(*BOTH)).routes if route.destination == "192.168.60.0/24")
FIRST, SECOND = sorted(ROUTE.nexthops, key=lambda hop: hop.via or "")


@pytest.mark.parametrize(
    "there",
    [
        [replace(ROUTE, nexthops=frozenset([SECOND]))],
        [replace(ROUTE, nexthops=frozenset([FIRST, replace(FIRST, via="10.0.0.9")]))],
        [replace(ROUTE, nexthops=frozenset([replace(FIRST, unusual="weight 9"), SECOND]))],
        [replace(ROUTE, table="77")],
        [ROUTE, replace(ROUTE, nexthops=frozenset([NextHop("10.0.0.9", WEB)]))],
    ],
    ids=["no other next hop", "none by the device", "an unusual next hop", "another table", "two of one key"],
)
def test_others_are_not(there: list[Route]) -> None:
    observed = converged(routed(*BOTH))
    observed = replace(observed, routes=observed.routes - {ROUTE} | {*there})
    assert plan(routed(BOTH[0], interfaces=1), observed).ahead == ()


def test_a_route_that_is_not_asked_for_any_more_is_not() -> None:
    assert plan(routed(interfaces=1), converged(routed(*BOTH))).ahead == ()
