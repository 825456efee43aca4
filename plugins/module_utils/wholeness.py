# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what the kernel has of a router tells what the router is meant to be: pure.

A module that edits one object knows the rest of the router from the kernel alone. Where that is damaged, what is
missing would be taken for meant.
"""

from __future__ import annotations

from typing import Optional, Sequence

from .firewall import firewall_from, why_damaged
from .interface_drivers.driver import InterfaceDriver, owner
from .model import EXTERNAL_PREFIX
from .state import Device, RouterState


def why_not_whole(present: RouterState, driver: InterfaceDriver) -> Optional[str]:
    """What is missing or damaged, in words; None when nothing is seen to be."""
    if driver.unavailable is not None:
        return driver.unavailable
    damaged = [(name, _damage(device, present.addresses.get(name))) for name, device in sorted(present.devices.items())]
    reasons = ["device %s %s" % (name, damage) for name, damage in damaged if damage]
    gateway = any(name.startswith(EXTERNAL_PREFIX) for name in present.devices)
    is_translating = firewall_from(present.firewall).is_translating
    if not gateway and is_translating:
        reasons.append("the device of its gateway is gone")
    damage = why_damaged(present.firewall, list(present.devices))
    reasons += [damage] if damage is not None else []
    if not is_translating and _has_floating_ips(present):
        reasons.append("the rules of its floating IPs are gone")
    return reasons[0] if reasons else None


def _has_floating_ips(present: RouterState) -> bool:
    """Whether there are addresses as those of floating IPs, behind the gateway's own."""
    return any(
        address.endswith("/32")
        for device, addresses in present.addresses.items()
        if device.startswith(EXTERNAL_PREFIX)
        for address in addresses[1:]
    )


def _damage(device: Device, addresses: Optional[Sequence[str]]) -> Optional[str]:
    mark = device.attachment.mark if device.attachment is not None else None
    if device.port_id is None or owner(mark) is None:
        return "is not plugged in as a run does it"
    if not device.up:
        return "is down"
    return None if addresses else "has no address"
