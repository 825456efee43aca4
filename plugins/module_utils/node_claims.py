# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A router in the node's own namespace that claims an address of the node itself is refused: what is sent to the node, such as
the connection by which it is managed, would be translated or answered by the router. Pure.
"""

from __future__ import annotations

from typing import Iterator, List, Mapping, Sequence, Tuple

from .model import IPAddress, Router
from .router_data import Rejected


def claiming(routers: Sequence[Router], data: Sequence[Mapping[str, object]], of_node: Mapping[str, str]) -> List[Rejected]:
    """The routers with such addresses. ``data``: where the routers are from. ``of_node``: address -> the device that has it."""
    places = {str(entry.get("id")): place for place, entry in enumerate(data) if isinstance(entry, Mapping)}
    found = []
    for router in routers:
        errors = [
            "routers[%d].%s: %s is the node's own address, on %s" % (places[router.id], path, address, of_node[str(address)])
            for path, address in _claims(router)
            if str(address) in of_node
        ]
        if errors:
            found.append(Rejected(router.id, True, tuple(errors)))
    return found


def _claims(router: Router) -> Iterator[Tuple[str, IPAddress]]:
    """The addresses that the router has on the node, by their paths."""
    for place, port in enumerate(router.interfaces):
        if port.admin_state_up:
            yield from (("interfaces[%d].addresses[%d]" % (place, n), address.ip) for n, address in enumerate(port.addresses))
    if router.gateway is not None:
        yield from (("gateway.addresses[%d]" % n, address.ip) for n, address in enumerate(router.gateway.addresses))
        for place, floating_ip in enumerate(router.floating_ips):
            if floating_ip.fixed_ip_address is not None:
                yield "floating_ips[%d].floating_ip_address" % place, floating_ip.floating_ip_address
        for place, forwarding in enumerate(router.port_forwardings):
            yield "port_forwardings[%d].floating_ip_address" % place, forwarding.floating_ip_address
