# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The difference of two sets of routes as operations: pure."""

from __future__ import annotations

from dataclasses import replace
from typing import AbstractSet, Dict, FrozenSet, Iterable, List, Optional, Tuple

from .connected import KERNEL
from .operations import Ip, Operation
from .state import DEFAULT_METRIC, IPV4, IPV6, Route


def route_operations(
    namespace: Optional[str],
    desired: AbstractSet[Route],
    observed: AbstractSet[Route],
    connected: AbstractSet[Route] = frozenset(),
    lost: AbstractSet[str] = frozenset(),
    emptied: AbstractSet[str] = frozenset(),
) -> Iterable[Operation]:
    """Add, replace in place, delete. ``connected``: the kernel's own, beside which ours can be. ``lost``: devices that have gone
    by then, with their routes. ``emptied``: those whose IPv4 routes the kernel has taken away by then, but for routes by other
    devices as well.

    On-link routes come first, since next hops of others can depend on them.
    """
    left = list(_without(lost, observed))
    crippled = [route for route in left if route.family == IPV4 and _goes_by(route, emptied)]
    yield from (_delete(namespace, route) for route in crippled if not _goes_by(route, emptied, alone=True))
    have = _by_key(route for route in left if route not in crippled)
    of_kernel = {route.key for route in connected}
    want = {route.key: route for route in desired}
    for route in sorted(desired, key=_order):
        present = have.get(route.key, [])
        if route in present:
            surplus = [other for other in present if other != route]
            yield from (_delete(namespace, other) for other in surplus)
        elif route.key in of_kernel:
            # Adding would be refused, and replacing could hit the kernel's.
            yield from (_delete(namespace, other) for other in present)
            yield _put(namespace, "prepend", route)
        elif present:
            # Replacing hits one of those with this key; the others must be gone before.
            yield from (_delete(namespace, other) for other in present[1:])
            yield _put(namespace, "replace", route)
        else:
            yield _put(namespace, "add", route)
    unwanted = [route for key, present in have.items() if key not in want for route in present]
    # What depends on another route goes first.
    yield from (_delete(namespace, route) for route in sorted(unwanted, key=_order, reverse=True))


def led_around(
    namespace: Optional[str], desired: AbstractSet[Route], observed: AbstractSet[Route], lost: AbstractSet[str]
) -> Tuple[Tuple[Operation, ...], FrozenSet[Route]]:
    """What has IPv4 routes with several next hops go on by the others when devices go, with the first of which the kernel would
    take the whole route: to be done before. And the routes that there are then.
    """
    operations: List[Operation] = []
    routes = set(observed)
    have, wanted = _by_key(observed), {route.key for route in desired}
    for route in sorted(observed, key=_order) if lost else ():
        left = frozenset(hop for hop in route.nexthops if hop.device not in lost)
        plain = can_be_added(route) and not any(hop.unusual for hop in left)
        alone = len(have[route.key]) == 1  # of several, replacing could hit another one
        if route.family == IPV4 and left and left != route.nexthops and route.key in wanted and plain and alone:
            shorter = replace(route, nexthops=left)
            operations.append(_put(namespace, "replace", shorter))
            routes = routes - {route} | {shorter}
    return tuple(operations), frozenset(routes)


def _by_key(routes: Iterable[Route]) -> Dict[object, List[Route]]:
    result: Dict[object, List[Route]] = {}
    for route in sorted(routes, key=_order):
        result.setdefault(route.key, []).append(route)
    return result


def _goes_by(route: Route, devices: AbstractSet[str], alone: bool = False) -> bool:
    """Whether a route has a next hop by one of these devices, or ``alone``: has no others."""
    return (all if alone else any)(hop.device in devices for hop in route.nexthops)


def _without(lost: AbstractSet[str], routes: Iterable[Route]) -> Iterable[Route]:
    """What the kernel leaves of routes when devices go: an IPv4 route goes whole with the first of its next hops."""
    for route in routes:
        left = frozenset(hop for hop in route.nexthops if hop.device not in lost)
        if left == route.nexthops:
            yield route
        elif left and route.family == IPV6:
            yield replace(route, nexthops=left)


def _order(route: Route) -> Tuple[bool, bool, int, str, str]:
    """On the link first, then default routes: they matter most, should another one fail."""
    by_next_hop = any(hop.via for hop in route.nexthops)
    return by_next_hop, route.destination != "default", route.family, route.destination, describe_route(route)


def _hops(route: Route) -> List[str]:
    hops = []
    for hop in sorted(route.nexthops, key=lambda hop: (hop.via or "", hop.device or "")):
        words = ["via " + hop.via if hop.via else "", "dev " + hop.device if hop.device else "", hop.unusual]
        hops.append(" ".join(word for word in words if word))
    return [hop for hop in hops if hop]


def _plain_hops(route: Route) -> List[str]:
    """Next hops as the kernel knows a route by them."""
    return _hops(replace(route, nexthops=frozenset(replace(hop, unusual="") for hop in route.nexthops)))


def _destination(route: Route) -> str:
    # "default" alone would mean IPv4.
    return "::/0" if route.destination == "default" and route.family == IPV6 else route.destination


def describe_route(route: Route) -> str:
    """``default via 203.0.113.1 dev qg-…``, and what is unusual about it."""
    words = [_destination(route), route.selector, " and ".join(_hops(route)), route.unusual]
    if route.type != "unicast":
        words.insert(0, route.type)
    if route.source is not None and route.protocol != KERNEL:
        words.append("src " + route.source)
    if route.protocol != "static":
        words.append("proto " + route.protocol)
    if route.table != "main":
        words.append("table " + route.table)
    return " ".join(word for word in words if word)


def can_be_added(route: Route) -> bool:
    """Whether a run knows how to make a route like this, which somebody else made."""
    is_ipv6 = route.family == IPV6
    usual = (route.type, route.table, route.selector, route.unusual) == ("unicast", "main", "", "")
    reachable = all(hop.device and (hop.via is None or (":" in hop.via) == is_ipv6) for hop in route.nexthops)
    return usual and reachable and bool(route.nexthops) and route.metric == DEFAULT_METRIC[route.family]


def _put(namespace: Optional[str], verb: str, route: Route) -> Operation:
    hops = _hops(route)
    way = " ".join("nexthop " + hop for hop in hops) if len(hops) > 1 else "".join(hops)
    scope = " scope link" if route.family != IPV6 and not any(hop.via for hop in route.nexthops) else ""
    source = " src %s" % route.source if route.source is not None else ""
    metric = " metric %d" % route.metric if route.protocol == KERNEL and route.metric else ""
    line = "route %s %s proto %s%s%s%s %s" % (verb, _destination(route), route.protocol, scope, source, metric, way)
    done = "replaced" if verb == "replace" else "added"
    return Ip(namespace, ("route %s %s" % (describe_route(route), done),), line)


def _delete(namespace: Optional[str], route: Route) -> Operation:
    kind = "" if route.type == "unicast" else route.type + " "
    hops = _plain_hops(route)
    way = " " + hops[0] if len(hops) == 1 else ""
    selector = " " + route.selector if route.selector else ""
    line = "route delete %s%s%s%s proto %s metric %d table %s" % (
        kind, _destination(route), selector, way, route.protocol, route.metric, route.table,
    )  # fmt: skip
    return Ip(namespace, ("route %s removed" % describe_route(route),), line)
