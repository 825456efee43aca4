# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inner IPv6 addresses that are published on the external network: the router answers neighbour solicitations for them
there, and lets nothing else come in to its internal IPv6 networks by the gateway. Pure.

As the L3 agent, it looks at each packet alone: an answer to an address that is not published does not come in either.
"""

from __future__ import annotations

from typing import AbstractSet, Dict, FrozenSet, Iterable, List, Optional, Tuple

from .firewall import firewall_from
from .model import EXTERNAL_PREFIX, Router, external_device_name
from .operations import Announce, Ip, Operation, SetSysctl
from .state import PROXY_NDP, RouterState


def published(router: Router) -> FrozenSet[Tuple[str, str]]:
    """Device and address of each proxy that is installed."""
    if router.gateway is None or not router.enable_ndp_proxy:
        return frozenset()
    device = external_device_name(router.gateway.id)
    return frozenset((device, str(proxy.ip_address)) for proxy in router.ndp_proxies)


def proxy_operations(namespace: Optional[str], state: RouterState, observed: RouterState, lost: Iterable[str]) -> List[Operation]:
    """What differs between the proxies that are to be and those that are, without those of devices that are ``lost``.

    A device answers for others only while its parameter says so, and proxies are looked for only then: it is set before
    the first comes, and back when the last has gone.
    """
    present = {(device, address) for device, address in observed.proxy_neighbours if device not in lost}
    operations: List[Operation] = []
    for device, address in sorted(present - state.proxy_neighbours):
        action = "NDP proxy for %s removed from %s" % (address, device)
        operations.append(Ip(namespace, (action,), "neigh delete proxy %s dev %s" % (address, device)))
    for device, address in sorted(state.proxy_neighbours - present):
        action = "NDP proxy for %s added to %s" % (address, device)
        operations.append(Ip(namespace, (action,), "neigh add proxy %s dev %s" % (address, device)))
    for device in state.devices:
        key = PROXY_NDP % device
        if key in observed.sysctls and key not in state.sysctls and device not in lost:
            operations.append(SetSysctl(namespace, ("sysctl %s set to 0" % key.replace("/", "."),), key, "0"))
    return [*operations, *_announced(namespace, state, observed, present)]


def _announced(
    namespace: Optional[str], state: RouterState, observed: RouterState, present: AbstractSet[Tuple[str, str]]
) -> Iterable[Announce]:
    """Of proxies that come, and of all when their device gets another MAC address."""
    for name, address in sorted(state.proxy_neighbours):
        device, had = state.devices[name], observed.devices.get(name)
        moves = had is not None and device.mac_address not in (None, had.mac_address)
        if moves or (name, address) not in present:
            peer = device.attachment.peer if device.attachment is not None else None
            yield Announce(namespace, (), name, address, peer, proxied=True)


def gather_proxies(state: RouterState, as_meant: bool = False) -> Dict[str, object]:
    """The keys of router data; none where the router answers for nobody. ``as_meant``: what has its rule is meant to be."""
    closed = firewall_from(state.firewall).published if as_meant else None
    names = [name for name in state.devices if name.startswith(EXTERNAL_PREFIX) and state.sysctls.get(PROXY_NDP % name)]
    if not names and closed is None:
        return {}
    addresses = {address for device, address in state.proxy_neighbours if device in names}
    addresses |= set(closed.addresses) if closed is not None else set()
    return {"enable_ndp_proxy": True, "ndp_proxies": [{"ip_address": address} for address in sorted(addresses)]}
