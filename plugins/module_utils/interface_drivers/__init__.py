# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interface drivers: how a router's device is plugged into the node's networks.

To add one, write one file with one class over :class:`driver.InterfaceDriver` and name it here: what is not imported
does not travel to the node.
"""

from __future__ import annotations

from typing import Dict, Type

from ..errors import InvalidOption
from ..shown import shown
from .bridge import BridgeDriver
from .driver import InterfaceDriver
from .openvswitch import OpenvswitchDriver

DRIVERS: Dict[str, Type[InterfaceDriver]] = {driver.name: driver for driver in (BridgeDriver, OpenvswitchDriver)}


def interface_driver(name: str) -> Type[InterfaceDriver]:
    """The driver of this name. Raises :class:`InvalidOption`."""
    known = ", ".join(sorted(DRIVERS))
    if not name:
        raise InvalidOption("interface_driver is not given; say which one plugs the routers in (known are: %s)." % known)
    if name not in DRIVERS:
        raise InvalidOption("interface_driver: %s is unknown (known are: %s)." % (shown(name), known))
    return DRIVERS[name]
