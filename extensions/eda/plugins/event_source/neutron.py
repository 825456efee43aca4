# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source netnode.l3.neutron for ansible-rulebook."""

from __future__ import annotations

DOCUMENTATION = r"""
---
short_description: Changes of routers in OpenStack Neutron, as its L3 agent hears of them
description:
  - An ansible-rulebook event source plugin that hears what Neutron tells the L3 agents of some hosts by its message bus, and has
    an event for each host whose routers have changed.
  - 'An event is C({"neutron": {"host": HOST, "router_ids": [ID, ...]}}). The routers with these ids were made, changed, deleted,
    or taken from the host. An empty list is for all routers of the host.'
  - All routers are meant at the start, when the agent of the host was enabled or disabled, when Neutron had taken it for dead,
    and after the connection to the message bus was lost.
  - What is heard of a host until it is quiet is one event. While events are not taken, more is gathered for the next one.
  - It tells Neutron that the agents of the hosts are alive, as they do themselves, with the figures of their routers.
requirements:
  - oslo.messaging (Python library) where ansible-rulebook runs
options:
  hosts:
    description: Names of the hosts, as Neutron has them. No L3 agent may run on them.
    type: list
    elements: str
    required: true
  transport_url:
    description:
      - Where the message bus is, as C(transport_url) in C(neutron.conf). It has a password, and is never shown.
      - One of O(transport_url) and O(config_file) is required.
    type: str
  config_file:
    description:
      - A file such as C(neutron.conf), from which C(transport_url) is read when O(transport_url) is not given, and how the bus
        is used, for example the section C(oslo_messaging_rabbit). Sources in one ansible-rulebook must have the same.
    type: path
  rpc_timeout:
    description: How many seconds Neutron may take to answer a call.
    type: float
    default: 60
  heartbeat:
    description:
      - Whether to tell Neutron that the agents of the hosts are alive.
      - Not needed where runs report often enough, or where Neutron's C(agent_down_time) is long.
    type: bool
    default: true
  report_interval:
    description: How many seconds there are from one heartbeat to the next.
    type: float
    default: 30
  availability_zone:
    description: The availability zone of the hosts, with O(heartbeat).
    type: str
    default: nova
  configurations:
    description:
      - What is reported of the agents' configurations, with O(heartbeat), where it is not what the role C(l3_sync)
        has by default.
      - Of these, C(handle_internal_only_routers), C(gateway_external_network_id) and C(router_id) say which routers count.
    type: dict
    default: {}
  quiet:
    description: For how many seconds nothing more must be heard of a host before there is an event.
    type: float
    default: 1
  longest:
    description: After how many seconds there is an event even so.
    type: float
    default: 5
"""

EXAMPLES = r"""
- netnode.l3.neutron:
    hosts: [node1.example.org, node2.example.org]
    transport_url: "{{ neutron_transport_url }}"
    configurations:
      interface_driver: openvswitch
"""

import asyncio
import sys
from pathlib import Path
from typing import Any


def _find_the_collection() -> None:
    """Have this collection's modules found where this file is, since ansible-rulebook runs the file and not the collection."""
    directory = next((parent for parent in Path(__file__).parents if parent.name == "ansible_collections"), None)
    if directory is None:
        return
    sys.path.insert(0, str(directory.parent))
    import ansible_collections  # noqa: PLC0415

    if str(directory) not in ansible_collections.__path__:  # the package `ansible` has one that is a whole package
        ansible_collections.__path__.append(str(directory))


_find_the_collection()

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.event_source import watch
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.source_options import source_options


async def main(queue: asyncio.Queue[Any], args: dict[str, Any]) -> None:
    """Put events into the queue. Raises ValueError when arguments are wrong, and NeutronError when it cannot begin."""
    await watch(queue, source_options(args))
