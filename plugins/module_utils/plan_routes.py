# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The difference of two sets of routes as operations: pure."""

from __future__ import annotations

from typing import AbstractSet, Dict, FrozenSet, Iterable, List, Optional, Tuple

from .operations import Ip, Operation
from .state import IPV6, Route


def route_operations(
    namespace: Optional[str], desired: AbstractSet[Route], observed: AbstractSet[Route], lost_devices: FrozenSet[str]
) -> Iterable[Operation]:
    """Add, replace in place, delete. Routes that go with a lost device are not deleted once more.

    On-link routes come first, since next hops of others can depend on them.
    """
    have = _by_key(route for route in observed if not _goes_with(route, lost_devices))
    want = {route.key: route for route in desired}
    for route in sorted(desired, key=_order):
        present = have.get(route.key, [])
        if route in present:
            surplus = [other for other in present if other != route]
            yield from (_delete(namespace, other) for other in surplus)
        elif present:
            # Replacing hits one of those with this key; the others must be gone before.
            yield from (_delete(namespace, other) for other in present[1:])
            yield _put(namespace, "replace", route)
        else:
            yield _put(namespace, "add", route)
    unwanted = [route for key, present in have.items() if key not in want for route in present]
    # What depends on another route goes first.
    yield from (_delete(namespace, route) for route in sorted(unwanted, key=_order, reverse=True))


def _by_key(routes: Iterable[Route]) -> Dict[Tuple[int, str, str, int], List[Route]]:
    result: Dict[Tuple[int, str, str, int], List[Route]] = {}
    for route in sorted(routes, key=_order):
        result.setdefault(route.key, []).append(route)
    return result


def _goes_with(route: Route, lost: FrozenSet[str]) -> bool:
    devices = {hop.device for hop in route.nexthops}
    return bool(devices) and devices <= lost


def _order(route: Route) -> Tuple[bool, bool, int, str, str]:
    """On the link first, then default routes: they matter most, should another one fail."""
    by_next_hop = any(hop.via for hop in route.nexthops)
    return by_next_hop, route.destination != "default", route.family, route.destination, describe_route(route)


def _hops(route: Route) -> List[str]:
    hops = []
    for hop in sorted(route.nexthops, key=lambda hop: (hop.via or "", hop.device or "")):
        via = "via %s " % hop.via if hop.via else ""
        hops.append(via + ("dev %s" % hop.device if hop.device else ""))
    return [hop.strip() for hop in hops if hop.strip()]


def _destination(route: Route) -> str:
    # "default" alone would mean IPv4.
    return "::/0" if route.destination == "default" and route.family == IPV6 else route.destination


def describe_route(route: Route) -> str:
    """``default via 203.0.113.1 dev qg-…``, and what is unusual about it."""
    words = [_destination(route), " and ".join(_hops(route))]
    if route.type != "unicast":
        words.insert(0, route.type)
    if route.protocol != "static":
        words.append("proto " + route.protocol)
    if route.table != "main":
        words.append("table " + route.table)
    return " ".join(word for word in words if word)


def _put(namespace: Optional[str], verb: str, route: Route) -> Operation:
    hops = _hops(route)
    way = " ".join("nexthop " + hop for hop in hops) if len(hops) > 1 else "".join(hops)
    scope = " scope link" if route.family != IPV6 and not any(hop.via for hop in route.nexthops) else ""
    line = "route %s %s proto %s%s %s" % (verb, _destination(route), route.protocol, scope, way)
    done = "replaced" if verb == "replace" else "added"
    return Ip(namespace, ("route %s %s" % (describe_route(route), done),), line)


def _delete(namespace: Optional[str], route: Route) -> Operation:
    kind = "" if route.type == "unicast" else route.type + " "
    hops = _hops(route)
    way = " " + hops[0] if len(hops) == 1 else ""
    line = "route delete %s%s%s proto %s metric %d table %s" % (
        kind, _destination(route), way, route.protocol, route.metric, route.table,
    )  # fmt: skip
    return Ip(namespace, ("route %s removed" % describe_route(route),), line)
