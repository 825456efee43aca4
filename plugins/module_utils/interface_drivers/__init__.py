# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interface drivers: how a router's device is plugged into the node's networks.

To add one, write one file with one class like :class:`bridge.BridgeDriver` and name it here: what is not imported
does not travel to the node.
"""

from __future__ import annotations

from typing import Dict, Type

from ..errors import InvalidOption
from ..options import Options
from .bridge import BridgeDriver

DRIVERS: Dict[str, Type[BridgeDriver]] = {driver.name: driver for driver in (BridgeDriver,)}


def interface_driver(options: Options) -> BridgeDriver:
    """The driver that the options ask for. Raises :class:`InvalidOption`."""
    known = ", ".join(sorted(DRIVERS))
    if not options.interface_driver:
        raise InvalidOption("interface_driver is not given; say which one plugs the routers in (known are: %s)." % known)
    if options.interface_driver not in DRIVERS:
        raise InvalidOption("interface_driver: %r is unknown (known are: %s)." % (options.interface_driver, known))
    return DRIVERS[options.interface_driver](options)
