# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes to the networks that a router is on: pure.

The kernel makes them when an address comes or its device goes up, and takes them away likewise. So a run makes one only where
the kernel had its occasion and the route is gone all the same, which means that somebody deleted it.
"""

from __future__ import annotations

import ipaddress
from typing import AbstractSet, Dict, FrozenSet, Mapping, Optional, Sequence, Tuple

from .state import IPV4, IPV6, NextHop, Route, RouterState

KERNEL = "kernel"
METRIC = {IPV4: 0, IPV6: 256}  # of the routes that the kernel makes with addresses
OF_LIFETIME = frozenset(["dynamic", "deprecated"])  # what an address can be without its route being touched


def connected_routes(addresses: Mapping[str, Sequence[str]]) -> FrozenSet[Route]:
    """The routes that the kernel makes with these addresses: device name -> addresses with prefix length."""
    routes: Dict[Tuple[str, str], Route] = {}
    for device, texts in addresses.items():
        for text in texts:
            route = _route(device, text)
            if route is not None:
                routes.setdefault((device, route.destination), route)  # by the first of several addresses
    return frozenset(routes.values())


def missing_routes(state: RouterState, observed: RouterState, lost: AbstractSet[str]) -> FrozenSet[Route]:
    """Those of the routes that are not there, and that the kernel does not make in what is planned. ``lost``: devices that are
    made anew.
    """
    present = {_plain(route) for route in observed.connected}
    return frozenset(
        route
        for route in state.connected
        for device in (hop.device or "" for hop in route.nexthops)
        if _plain(route) not in present
        if device not in lost and _is_up(device, observed)
        if not _is_made(route, device, state, observed)
    )


def _plain(route: Route) -> Tuple[object, ...]:
    """The route, by whichever of a device's addresses it was made, and whatever lifetime it has from that."""
    return (*route.key, route.nexthops, route.type)


def _is_up(device: str, observed: RouterState) -> bool:
    return device in observed.devices and observed.devices[device].up


def _is_made(route: Route, device: str, state: RouterState, observed: RouterState) -> bool:
    """Whether the kernel makes the route, since it gets an occasion for it."""
    present = observed.addresses.get(device, ())
    of_network = [text for text in state.addresses[device] if _destination(text) == route.destination]
    coming = [text for text in of_network if text not in present]
    remade = [text for text in of_network if set(observed.odd_addresses.get((device, text), ())) - OF_LIFETIME]
    # A further IPv4 address of a network brings no route; an IPv6 address always does.
    return bool(remade) or (bool(coming) and (route.family == IPV6 or coming == of_network))


def _destination(text: str) -> Optional[str]:
    route = _route("", text)
    return route.destination if route is not None else None


def _route(device: str, text: str) -> Optional[Route]:
    interface = ipaddress.ip_interface(text)
    network, family = interface.network, interface.version
    single = network.prefixlen == network.max_prefixlen
    if family == IPV4 and single:
        return None
    destination = str(network.network_address) if single else str(network)
    source = str(interface.ip) if family == IPV4 else None
    return Route(family, destination, frozenset([NextHop(None, device)]), KERNEL, METRIC[family], source=source)
