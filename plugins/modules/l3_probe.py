#!/usr/bin/python
# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module netnode.l3.l3_probe."""

from __future__ import annotations

DOCUMENTATION = r"""
module: l3_probe
short_description: Look whether virtual routers do their work
description:
  - Looks at each router of the node, and changes nothing. A router is healthy when M(netnode.l3.l3_routers) would change nothing
    of it, its gateways answer, and its floating IPs lead to its internal networks.
  - Gateways are asked by ARP or neighbour solicitation from the router's own gateway port. So are the machines behind floating
    IPs; whether they answer is told, and makes no router unhealthy.
  - Fails when any router is unhealthy, with the reasons.
version_added: 0.1.0
author:
  - The netnode.l3 contributors (@netnode)
extends_documentation_fragment:
  - netnode.l3.engine
  - netnode.l3.engine.options
  - netnode.l3.engine.selection
seealso:
  - module: netnode.l3.l3_routers
attributes:
  check_mode:
    description: It changes nothing in either mode.
  diff_mode:
    support: N/A
    description: It changes nothing.
  idempotent:
    description: It changes nothing.
options:
  routers:
    description:
      - The routers, as of M(netnode.l3.l3_routers), or the text of the list in JSON.
      - Without them, the routers of the node are looked at as they are, and it is not told whether they are converged.
    type: raw
  state:
    description:
      - With V(overridden), a router that is on the node and not given is unhealthy.
      - With V(replaced), other routers are not looked at.
    type: str
    choices: [overridden, replaced]
    default: overridden
  timeout:
    description: How many seconds a gateway or a machine has to answer. It is asked three times meanwhile.
    type: float
    default: 1.0
"""

EXAMPLES = r"""
- name: Look whether the node's routers are as they should be, and work
  netnode.l3.l3_probe:
    interface_driver: bridge
    routers: "{{ l3_sync_routers }}"

- name: Look at the routers that are there, without knowing what they should be
  netnode.l3.l3_probe:
    interface_driver: bridge
"""

RETURN = r"""
healthy:
  description: Whether all routers are healthy, and nothing is due on the node.
  returned: the node could be looked at
  type: bool
routers:
  description: One entry for each router.
  returned: the node could be looked at
  type: list
  elements: dict
  contains:
    id:
      description: The router, or its place in O(routers) when it has no usable id.
      type: str
    healthy:
      description: Whether there are no reasons against it.
      type: bool
    reasons:
      description: What is wrong, in words.
      type: list
      elements: str
      sample: ["gateway 203.0.113.1 does not answer on qg-0f3bd2a4-90"]
    converged:
      description: Whether a run would change nothing. Only there when O(routers) was given.
      type: bool
    due:
      description: What a run would do, in order. Only there when O(routers) was given.
      type: list
      elements: str
    gateways:
      description: The next hops of its default routes, and whether they answer.
      type: list
      elements: dict
      sample: [{"gateway_ip": "203.0.113.1", "answers": true}]
    floating_ips:
      description: Its floating IPs, and whether the machine behind each answers, or the next hop on the way there.
      type: list
      elements: dict
      sample: [{"floating_ip_address": "203.0.113.20", "fixed_ip_address": "10.0.0.5", "answers": true}]
node:
  description: What a run would do that concerns no router.
  returned: the node could be looked at
  type: dict
  sample: {"due": []}
figures:
  description: How many routers, gateways and floating IPs there are, and how many are unhealthy or answer.
  returned: the node could be looked at
  type: dict
  sample: {"routers": 2, "unhealthy": 0, "gateways": 2, "gateways_answering": 2, "floating_ips": 1, "floating_ips_answering": 1}
msg:
  description: The figures, and the first ten unhealthy routers with their reasons.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netnode.l3.plugins.module_utils.module import ENGINE_OPTIONS, SELECTION_OPTIONS, run_module
from ansible_collections.netnode.l3.plugins.module_utils.probe_run import run_probe


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **ENGINE_OPTIONS,
            **SELECTION_OPTIONS,
            "routers": {"type": "raw"},
            "state": {"type": "str", "choices": ["overridden", "replaced"], "default": "overridden"},
            "timeout": {"type": "float", "default": 1.0},
        },
        supports_check_mode=True,
    )
    run_module(module, run_probe)


if __name__ == "__main__":
    main()
