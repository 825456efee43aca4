#!/usr/bin/python
# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of netnode.l3.neutron_report, which runs on the controller (plugins/action)."""

from __future__ import annotations

DOCUMENTATION = r"""
module: neutron_report
short_description: Tell OpenStack Neutron what became of a run
description:
  - Does on the controller what an L3 agent does after it has processed routers. It tells Neutron that the node's L3 agent is
    alive, with the figures of its routers (C(report_state)), and which floating IPs work (C(update_floatingip_statuses)).
  - A node that Neutron does not know becomes known by it, and routers are then scheduled to it.
  - Only routers that were changed, or whose floating IPs are in another status for Neutron, take a call of their own.
version_added: 0.1.0
author:
  - The netnode.l3 contributors (@netnode)
extends_documentation_fragment:
  - netnode.l3.neutron.rpc
attributes:
  check_mode:
    support: full
    description: Returns what would be told.
  diff_mode:
    support: none
    description: Changes nothing on the node.
  idempotent:
    support: full
    description: The status of a floating IP that Neutron has already is not told again, unless its router was changed.
  platform:
    platforms: linux
    support: full
    description: Runs on the controller.
options:
  host:
    description: The name of the node, as Neutron is to have it.
    type: str
    required: true
  availability_zone:
    description: Its availability zone.
    type: str
    default: nova
  state:
    description:
      - Whether to tell that the agent is alive.
      - False after a run over some of the node's routers, whose figures are not those of the node.
    type: bool
    default: true
  routers:
    description: The routers of the run, as router data, or the text of it in JSON.
    type: raw
    required: true
  result:
    description: What M(netnode.l3.l3_routers) returned.
    type: dict
    required: true
seealso:
  - module: netnode.l3.l3_routers
  - plugin: netnode.l3.neutron_rpc_routers
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Tell Neutron what became of the routers
  netnode.l3.neutron_report:
    transport_url: "{{ vault_transport_url }}"
    host: "{{ inventory_hostname }}"
    routers: "{{ routers }}"
    result: "{{ converged }}"
"""

RETURN = r"""
floating_ips:
  description: For each router with news, the status that was told of its floating IPs, by their ids.
  returned: always
  type: dict
  sample: {"7d1a64bd-7a5e-4c5e-9d6b-2f1de1f5a001": {"0e3bd2a4-90e6-4a6c-8d0a-40a4ed9ff001": "ACTIVE"}}
"""
