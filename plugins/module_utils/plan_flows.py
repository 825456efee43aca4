# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which connections end with a change: as operations, pure."""

from __future__ import annotations

from typing import Iterable, List, Optional

from .address_scopes import now_translated
from .firewall import floating_ip_pairs, port_forwardings, source_nat_address
from .operations import DeleteFlows, DeleteUntranslatedFlows, Operation
from .port_forwardings import changed_ports
from .state import RouterState


def ended_flows(namespace: Optional[str], state: RouterState, observed: RouterState) -> Iterable[Operation]:
    """Those that lead where they are not to lead any more."""
    if state.firewall is observed.firewall:  # it is known to be right
        return
    ended = tuple(_ended_translations(state, observed))
    wanted = port_forwardings(state.firewall)
    present = {address for addresses in observed.addresses.values() for address in addresses}
    ports = changed_ports(wanted, port_forwardings(observed.firewall), present)
    if ended or ports:
        actions = ["flows through %s ended" % address for address in ended]
        actions += ["stale flows to %s ended" % str(each) for each in ports]
        yield DeleteFlows(namespace, tuple(actions), ended, ports, tuple(wanted) if ports else ())
    networks = now_translated(state, observed) if source_nat_address(state.firewall) is not None else ()
    if networks:
        actions = ["flows from %s that were not translated ended" % network for network in networks]
        yield DeleteUntranslatedFlows(namespace, tuple(actions), networks)


def _ended_translations(state: RouterState, observed: RouterState) -> List[str]:
    """External addresses that flows must not go on with: of floating IPs that went or lead elsewhere, and of the
    router itself when it no longer translates to it.
    """
    want, have = floating_ip_pairs(state.firewall), floating_ip_pairs(observed.firewall)
    ended = [address for address, fixed in have.items() if want.get(address) != fixed]
    old, new = source_nat_address(observed.firewall), source_nat_address(state.firewall)
    return [*ended, old] if old is not None and old != new else ended
