#!/usr/bin/python
# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module netnode.l3.l3_floating_ip."""

from __future__ import annotations

DOCUMENTATION = r"""
module: l3_floating_ip
short_description: Give a virtual router one floating IP, or take it away
description:
  - Puts a floating IP on the gateway of a router that is on the node, and translates between it and a fixed address. All else
    of the router stays as it is, as far as the options of the engine are those that it was made with; set these once, by
    C(module_defaults) for C(group/netnode.l3.l3).
  - Bandwidth limits that the floating IP has stay. M(netnode.l3.l3_routers) sets them.
  - Giving it another fixed address is one atomic change, and ends connections through the floating IP.
version_added: 0.1.0
author:
  - The netnode.l3 contributors (@netnode)
extends_documentation_fragment:
  - netnode.l3.engine
  - netnode.l3.engine.options
seealso:
  - module: netnode.l3.l3_routers
options:
  router_id:
    description: The router, which M(netnode.l3.l3_router) has made before, with a gateway.
    type: str
    required: true
  floating_ip_address:
    description: The floating IP.
    type: str
    required: true
  fixed_ip_address:
    description: The internal address that it leads to. A floating IP without one is not installed.
    type: str
  state:
    description: Whether the floating IP is to be there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Reach a machine from outside
  netnode.l3.l3_floating_ip:
    interface_driver: bridge
    router_id: tenant-a
    floating_ip_address: 203.0.113.31
    fixed_ip_address: 10.1.0.5
"""

RETURN = r"""
actions:
  description: What was done, in order; with check mode, what would be done.
  returned: success
  type: list
  elements: str
  sample: ["address 203.0.113.31/32 added to qg-tenant-a-ex"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netnode.l3.plugins.module_utils.module import ENGINE_OPTIONS, run_module
from ansible_collections.netnode.l3.plugins.module_utils.object_run import run_floating_ip


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **ENGINE_OPTIONS,
            "router_id": {"type": "str", "required": True},
            "floating_ip_address": {"type": "str", "required": True},
            "fixed_ip_address": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    run_module(module, run_floating_ip)


if __name__ == "__main__":
    main()
