# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the Open vSwitch agent of a host tells Neutron, so that ports can be bound there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Protocol

from .neutron_server import EXTERNAL_NETWORK


class Bus(Protocol):
    """The connection of an agent to the message bus."""

    def call(self, topic: str, version: str, method: str, /, **arguments: Any) -> Any:
        """Call the server."""


def report_switch_agent(bus: Bus, host: str) -> None:
    """Have Neutron see the Open vSwitch agent of a host alive, for about a minute."""
    state = {
        "agent_type": "Open vSwitch agent",
        "binary": "neutron-openvswitch-agent",
        "topic": "N/A",
        "host": host,
        "availability_zone": "nova",
        "start_flag": True,
        "configurations": {
            "bridge_mappings": {EXTERNAL_NETWORK: "br-ex"},
            "tunnel_types": ["vxlan"],
            "tunneling_ip": "127.0.0.1",
            "datapath_type": "system",
            "ovs_hybrid_plug": False,
            "vhostuser_socket_dir": "/var/run/openvswitch",
            "ovs_capabilities": {"datapath_types": ["system", "netdev"], "iface_types": []},
        },
    }
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    bus.call("q-reports-plugin", "1.0", "report_state", agent_state={"agent_state": state}, time=now)
