#!/usr/bin/python
# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module netnode.l3.l3_routers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: l3_routers
short_description: Converge all virtual routers of a network node
description:
  - Turns the host into a network node. Every router of O(routers) becomes a network namespace with its interfaces,
    gateway, source NAT, floating IPs and routes.
  - Reads what the kernel has, compares it with what the router data asks for, and changes only the difference. There is
    no other state, so that every run repairs drift.
  - One call converges a whole node. What fails on one router does not stop the others; the task fails at the end.
version_added: 0.1.0
author:
  - The netnode.l3 contributors (@netnode)
extends_documentation_fragment:
  - netnode.l3.engine
  - netnode.l3.engine.options
  - netnode.l3.engine.selection
options:
  routers:
    description:
      - The routers, in the canonical form of router data that U(https://github.com/netnode/netnode.l3/blob/main/docs/router-data.md)
        describes. The filter P(netnode.l3.from_neutron#filter) makes it of what Neutron has.
      - Checked as a whole before anything is touched. A router with errors is left exactly as it is on the node and
        reported, and the others are converged.
      - Required unless O(state=gathered). With O(state=deleted) only C(id) of each matters.
      - A list, or the text of one in JSON. Of many routers, text is quicker, since ansible-core 2.19 marks each value of a list.
    type: raw
  state:
    description:
      - V(overridden) makes exactly these routers. Routers on the node that are not among them are removed, up to
        O(max_deletions).
      - V(replaced) makes each of these routers exactly, and leaves other routers alone.
      - V(deleted) removes these routers.
      - V(gathered) reads the node back as router data, and changes nothing.
      - V(rendered) returns the commands and rule sets that would build these routers on an empty node. Nothing is read
        or touched, and no root is needed.
    type: str
    choices: [overridden, replaced, deleted, gathered, rendered]
    default: overridden
  max_deletions:
    description:
      - How many routers a run with O(state=overridden) may remove, as a count (V(5)), or as a percentage of the routers
        that are on the node (V(50%)); V(100%) is no limit. Beyond it the run is refused before anything is touched.
      - With O(state=replaced), given routers that are administratively down count, and a single one may always be removed.
      - So an empty answer of a broken source does not wipe a node.
    type: str
    default: 50%
  confirm_timeout:
    description:
      - How many seconds there are to confirm the change, by M(netnode.l3.l3_confirm). When that does not come, or the run ends
        before its end, the node itself takes the change back. It needs neither the controller nor the connection for this.
      - Other runs on the node wait meanwhile. Connections that the change ended do not come back.
      - V(0) is for changes that need not be confirmed.
    type: float
    default: 0.0
"""

EXAMPLES = r"""
- name: Make exactly these routers
  netnode.l3.l3_routers:
    interface_driver: bridge
    routers:
      - id: 7d1a64bd-7a5e-4c5e-9d6b-2f1de1f5a001
        gateway:
          id: 0f3bd2a4-90e6-4a6c-8d0a-40a4ed9ff001
          addresses: [203.0.113.10/24]
          gateway_ips: [203.0.113.1]
        interfaces:
          - id: 51f0c2b7-8e8b-4f7c-a0de-6f0ee1a0c001
            network_id: 07d94f5e-82fc-462d-bdd8-b16953e25cfd
            addresses: [10.0.0.1/24]
        floating_ips:
          - floating_ip_address: 203.0.113.20
            fixed_ip_address: 10.0.0.5

- name: Remove one router
  netnode.l3.l3_routers:
    interface_driver: bridge
    state: deleted
    routers:
      - id: 7d1a64bd-7a5e-4c5e-9d6b-2f1de1f5a001

- name: Read the node's routers back
  netnode.l3.l3_routers:
    state: gathered
  register: node
"""

RETURN = r"""
routers:
  description: One entry for each router, first those given and then those removed.
  returned: O(state) is V(overridden), V(replaced) or V(deleted)
  type: list
  elements: dict
  contains:
    id:
      description: The router, or its place in O(routers) when it has no usable id.
      type: str
    changed:
      description: Whether anything of it was changed.
      type: bool
    actions:
      description: What was done, in order; with check mode, what would be done.
      type: list
      elements: str
      sample: ["address 203.0.113.20/32 added to qg-0f3bd2a4-90"]
    error:
      description: What went wrong, only there when something did.
      type: str
    foreign:
      description: Devices and firewall rules in its namespace that are not ours, which are left alone.
      type: list
      elements: str
node:
  description: What was done that concerns no router, such as starting the metadata proxy.
  returned: O(state) is V(overridden), V(replaced) or V(deleted)
  type: dict
  sample: {"changed": true, "actions": ["metadata proxy started"]}
skipped_routers:
  description:
    - Routers that were given and are not meant for this node. With O(state=overridden), those of them that are on it are
      removed; with O(state=replaced), those that are administratively down.
  returned: O(state) is V(overridden), V(replaced) or V(deleted)
  type: list
  elements: dict
  contains:
    id:
      description: The router.
      type: str
    reason:
      description: Why it was left out.
      type: str
removed:
  description: How many routers and floating IPs the node no longer has; with check mode, would no longer have.
  returned: O(state) is V(overridden), V(replaced) or V(deleted)
  type: dict
  sample: {"routers": 0, "floating_ips": 1}
unconfirmed:
  description: That the change is taken back unless it is confirmed.
  returned: O(confirm_timeout) is not 0, and something was changed
  type: bool
report:
  description:
    - What the L3 agent reports as its state, for the given routers that are meant for the node. Its figures are in
      C(configurations) too, as the agent has them there.
  returned: O(state) is V(overridden), V(replaced) or V(deleted)
  type: dict
  sample: {"routers": 2, "ex_gw_ports": 2, "interfaces": 3, "floating_ips": 1}
gathered:
  description: The routers that are on the node, as router data.
  returned: O(state=gathered)
  type: list
  elements: dict
metadata_proxy:
  description: The configuration of the metadata proxy.
  returned: O(state=rendered) and O(metadata_upstream) is given
  type: str
rendered:
  description: What builds each router on an empty node.
  returned: O(state=rendered)
  type: list
  elements: dict
  contains:
    id:
      description: The router.
      type: str
    commands:
      description: The commands, in order.
      type: list
      elements: str
    rules:
      description: The inputs of the commands iptables-restore and ip6tables-restore, by the command's name.
      type: dict
    router_advertisements:
      description: The configuration of radvd, only there when a subnet of the router asks for router advertisements.
      type: str
    error:
      description: What is wrong with the router, only there when something is.
      type: str
success:
  description: Whether nothing failed. A run that was refused as a whole does not say so.
  returned: the run was not refused
  type: bool
duration:
  description: How many seconds the run took on the node.
  returned: success
  type: float
msg:
  description: The figures of the run, and what failed, in a few lines.
  returned: O(state) is V(overridden), V(replaced) or V(deleted)
  type: str
  sample: "2 routers: 1 changed, 0 failed, 0 skipped."
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netnode.l3.plugins.module_utils.module import ENGINE_OPTIONS, SELECTION_OPTIONS, run_module
from ansible_collections.netnode.l3.plugins.module_utils.node_run import run_node


def main() -> None:
    """Run the module."""
    states = ["overridden", "replaced", "deleted", "gathered", "rendered"]
    module = AnsibleModule(
        argument_spec={
            **ENGINE_OPTIONS,
            **SELECTION_OPTIONS,
            "routers": {"type": "raw"},
            "state": {"type": "str", "choices": states, "default": "overridden"},
            "max_deletions": {"type": "str", "default": "50%"},
            "confirm_timeout": {"type": "float", "default": 0.0},
        },
        supports_check_mode=True,
    )
    run_module(module, run_node)


if __name__ == "__main__":
    main()
