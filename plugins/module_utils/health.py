# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a router does its work: pure, out of what the kernel has and of who answered.

A router is healthy when a run would change nothing of it, its gateways answer, and its floating IPs lead to its internal
networks. Whether the machine behind a floating IP answers is told, and is the machine's own business.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Sequence, Tuple

from .firewall import firewall_from
from .model import EXTERNAL_PREFIX
from .state import ABSENT, Neighbour, NextHop, RouterState

NAMED = 3  # changes that would be made which a reason names one by one


@dataclass(frozen=True)
class Finding:
    """What was found of one router.

    ``namespace``: where it is, None being the node's own. ``due``: what a run would change, in words; None when it is not
    known what the router is to be. ``errors``: why a run would fail on it. ``surplus``: whether it is on the node and not asked
    for. ``paths``: fixed IP -> how the kernel would send there, None where it cannot; None as a whole when nobody was asked.
    ``answered``: the neighbours that did. ``claimed``: those with an address of the router itself.
    """

    router_id: str
    state: RouterState = ABSENT
    namespace: Optional[str] = None
    due: Optional[Tuple[str, ...]] = None
    errors: Tuple[str, ...] = ()
    surplus: bool = False
    paths: Optional[Mapping[str, Optional[NextHop]]] = None
    answered: FrozenSet[Neighbour] = frozenset()
    claimed: FrozenSet[Neighbour] = frozenset()


def gateways(state: RouterState) -> Sequence[Neighbour]:
    """The next hops of a router's default routes by its gateway."""
    hops = {
        (hop.device, hop.via)
        for route in state.routes
        if route.destination == "default"
        for hop in route.nexthops
        if hop.via and hop.device and hop.device in state.devices and hop.device.startswith(EXTERNAL_PREFIX)
    }
    return [_neighbour(state, device, via) for device, via in sorted(hops)]


def fixed_ips(state: RouterState) -> Sequence[str]:
    """The addresses that a router's floating IPs lead to."""
    return sorted(set(firewall_from(state.firewall).floating_ips.values()))


def behind_floating_ips(state: RouterState, paths: Mapping[str, Optional[NextHop]]) -> Mapping[str, Neighbour]:
    """Fixed IP -> whom to ask whether it is there: the machine, or the next hop on the way to it."""
    found = {}
    for fixed, hop in paths.items():
        if hop is not None and hop.device and hop.device in state.devices:
            found[fixed] = _neighbour(state, hop.device, hop.via or fixed)
    return found


def claimants(state: RouterState) -> Sequence[Neighbour]:
    """Whom else a router's external IPv4 addresses could belong to: the question is a probe, which says nothing of its own."""
    return [
        Neighbour(name, device.mac_address or "", address.partition("/")[0], None)
        for name, device in sorted(state.devices.items())
        if name.startswith(EXTERNAL_PREFIX)
        for address in state.addresses.get(name, ())
        if ":" not in address
    ]


def _neighbour(state: RouterState, device: str, address: str) -> Neighbour:
    target = ipaddress.ip_address(address)
    own = [ipaddress.ip_interface(text) for text in state.addresses.get(device, ())]
    of_family = [interface for interface in own if interface.version == target.version]
    # The address on the neighbour's network, if there is one.
    of_family.sort(key=lambda interface: target not in interface.network)
    source = str(of_family[0].ip) if of_family else None
    return Neighbour(device, state.devices[device].mac_address or "", address, source)


def judged(finding: Finding) -> Dict[str, Any]:
    """The entry of a router in the result of ``l3_probe``."""
    state, paths = finding.state, finding.paths or {}
    asked = gateways(state) if finding.paths is not None else []
    behind = behind_floating_ips(state, paths)
    reasons = [*finding.errors, *_of_convergence(finding)]
    reasons += ["gateway %s does not answer on %s" % (n.address, n.device) for n in asked if n not in finding.answered]
    reasons += ["%s is another's too, who answers for it on %s" % (n.address, n.device) for n in _in_order(finding.claimed)]
    pairs = firewall_from(state.firewall).floating_ips if not finding.surplus else {}
    for floating, fixed in pairs.items():
        reasons += _of_floating_ip(floating, fixed, state, paths)
    entry: Dict[str, Any] = {
        "id": finding.router_id,
        "healthy": not reasons,
        "reasons": reasons,
        "gateways": [{"gateway_ip": n.address, "answers": n in finding.answered} for n in asked],
        "floating_ips": [
            {"floating_ip_address": floating, "fixed_ip_address": fixed, "answers": behind.get(fixed) in finding.answered}
            for floating, fixed in pairs.items()
        ],
    }
    if finding.due is not None:
        entry["converged"] = not (finding.due or finding.errors or finding.surplus)
        entry["due"] = list(finding.due)
    return entry


def _in_order(neighbours: Iterable[Neighbour]) -> Sequence[Neighbour]:
    return sorted(neighbours, key=lambda neighbour: ipaddress.ip_address(neighbour.address).packed)


def _of_convergence(finding: Finding) -> List[str]:
    if finding.surplus:
        return ["is on the node, where the router data does not want it"]
    if not finding.due:
        return []
    more = len(finding.due) - NAMED
    named = "; ".join(finding.due[:NAMED]) + ("; and %d more" % more if more > 0 else "")
    return ["is not converged, a run would do this: " + named]


def _of_floating_ip(
    floating: str, fixed: str, state: RouterState, paths: Mapping[str, Optional[NextHop]]
) -> Iterable[str]:  # fmt: skip
    if not any(floating + "/32" in addresses for addresses in state.addresses.values()):
        yield "floating IP %s is not an address of the router" % floating
    if fixed not in paths:
        return
    hop = paths[fixed]
    if hop is None:
        yield "floating IP %s: there is no route to %s" % (floating, fixed)
    elif (hop.device or "").startswith(EXTERNAL_PREFIX):  # by a device of somebody else's, as a tunnel, it may be meant
        yield "floating IP %s: the way to %s is by %s, which is no internal port" % (floating, fixed, hop.device)
