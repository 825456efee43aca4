# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which connections end with a change: as operations, pure."""

from __future__ import annotations

import ipaddress
from typing import Iterable, List, Optional, Tuple

from .firewall import firewall_from
from .firewall.firewall import Firewall
from .operations import DeleteFlows, DeleteUntranslatedFlows, Operation
from .port_forwardings import changed_ports
from .state import RouterState


def ended_flows(namespace: Optional[str], state: RouterState, observed: RouterState) -> Iterable[Operation]:
    """Those that lead where they are not to lead any more."""
    if state.firewall is observed.firewall:  # it is known to be right
        return
    want, have = firewall_from(state.firewall), firewall_from(observed.firewall)
    ended = tuple(_ended_translations(want, have))
    wanted = want.port_forwardings
    present = {address for addresses in observed.addresses.values() for address in addresses}
    ports = changed_ports(wanted, have.port_forwardings, present)
    if ended or ports:
        actions = ["flows through %s ended" % address for address in ended]
        actions += ["stale flows to %s ended" % str(each) for each in ports]
        yield DeleteFlows(namespace, tuple(actions), ended, ports, wanted if ports else ())
    networks = _now_translated(want, have, state, observed) if want.source_nat else ()
    if networks:
        actions = ["flows from %s that were not translated ended" % network for network in networks]
        yield DeleteUntranslatedFlows(namespace, tuple(actions), networks)


def _ended_translations(want: Firewall, have: Firewall) -> List[str]:
    """External addresses that flows must not go on with: of floating IPs that went or lead elsewhere, and of the
    router itself when it no longer translates to it.
    """
    ended = [address for address, fixed in have.floating_ips.items() if want.floating_ips.get(address) != fixed]
    old, new = have.source_nat_address, want.source_nat_address
    return [*ended, old] if old is not None and old != new else ended


def _now_translated(want: Firewall, have: Firewall, state: RouterState, observed: RouterState) -> Tuple[str, ...]:
    """IPv4 networks that are no longer in the scope of the gateway: flows that left them as they were could not be answered."""
    ceased = {*have.untranslated} - {*want.untranslated}
    addresses = (a for device in sorted(ceased & state.devices.keys()) for a in observed.addresses.get(device, ()))
    return tuple(str(ipaddress.IPv4Interface(address.split()[0]).network) for address in addresses if ":" not in address)
