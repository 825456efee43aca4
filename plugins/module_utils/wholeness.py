# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what the kernel has of a router tells what the router is meant to be: pure.

A module that edits one object knows the rest of the router from the kernel alone. Where that is damaged, what is
missing would be taken for meant.
"""

from __future__ import annotations

from typing import Optional, Sequence

from . import address_scopes, conntrack_helpers
from .firewall import CHAIN_PREFIX, floating_ip_pairs, port_forwardings, source_nat_address
from .interface_drivers.driver import InterfaceDriver, owner
from .model import EXTERNAL_PREFIX
from .state import IPV4, Device, RouterState


def why_not_whole(present: RouterState, driver: InterfaceDriver) -> Optional[str]:
    """What is missing or damaged, in words; None when nothing is seen to be."""
    if driver.unavailable is not None:
        return driver.unavailable
    damaged = [(name, _damage(device, present.addresses.get(name))) for name, device in sorted(present.devices.items())]
    reasons = ["device %s %s" % (name, damage) for name, damage in damaged if damage]
    gateway = any(name.startswith(EXTERNAL_PREFIX) for name in present.devices)
    external = floating_ip_pairs(present.firewall) or port_forwardings(present.firewall)
    if not gateway and (external or source_nat_address(present.firewall) is not None):
        reasons.append("the device of its gateway is gone")
    nat = present.firewall.get(IPV4, {}).get("nat", {})
    if CHAIN_PREFIX + "snat" in nat and not nat.get(CHAIN_PREFIX + "POSTROUTING"):
        reasons.append("rules of its table nat are gone")
    if address_scopes.lack_rules(present.firewall, list(present.devices)):
        reasons.append("rules of its table filter are gone")
    if conntrack_helpers.lack_rules(present.firewall):
        reasons.append("rules of its table raw are gone")
    return reasons[0] if reasons else None


def _damage(device: Device, addresses: Optional[Sequence[str]]) -> Optional[str]:
    mark = device.attachment.mark if device.attachment is not None else None
    if device.port_id is None or owner(mark) is None:
        return "is not plugged in as a run does it"
    if not device.up:
        return "is down"
    return None if addresses else "has no address"
