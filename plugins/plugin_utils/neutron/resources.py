# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Neutron's resources, which the extensions of its agents pull, and are pushed when they change, as versioned objects
(``neutron/api/rpc/handlers/resources_rpc.py``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from .rpc import Rpc

TOPIC = "q-plugin"
NAME = "versioned_object.name"
DATA = "versioned_object.data"


@dataclass(frozen=True)
class Kind:
    """``version``: that is pushed. ``owner``: the key that says whose a resource is. ``pulled_version``: to be had of earlier
    servers, where it has all that is needed.
    """

    name: str
    version: str
    owner: str = "router_id"
    pulled_version: str = ""

    @property
    def pushed_to(self) -> str:
        """The topic."""
        return f"neutron-vo-{self.name}-{self.version}"


PORT_FORWARDING = Kind("PortForwarding", "1.3")  # since Zed; the first with ranges
NDP_PROXY = Kind("NDPProxy", "1.0")
CONNTRACK_HELPER = Kind("ConntrackHelper", "1.0")
QOS_POLICY = Kind("QosPolicy", "1.10", owner="id", pulled_version="1.8")  # since Yoga, since Stein
KINDS = (PORT_FORWARDING, NDP_PROXY, CONNTRACK_HELPER, QOS_POLICY)


def pulled(rpc: Rpc, kind: Kind, key: str, values: Collection[str]) -> list[dict[str, Any]]:
    """The resources that have one of these values. Raises :class:`NeutronError`."""
    if not values:
        return []
    wanted = {"resource_type": kind.name, "version": kind.pulled_version or kind.version}
    objects = rpc.call(TOPIC, "1.1", "bulk_pull", **wanted, filter_kwargs={key: sorted(values)})
    return [each[DATA] for each in objects]
