#!/usr/bin/python
# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module netnode.l3.l3_router."""

from __future__ import annotations

DOCUMENTATION = r"""
module: l3_router
short_description: Make or remove one virtual router
description:
  - Makes a router with its namespace, kernel parameters, gateway, source NAT and routes, and has the metadata proxy listen in
    it where there is to be one.
  - Interfaces, floating IPs, port forwardings and NDP proxies that the router has stay; M(netnode.l3.l3_interface) and
    M(netnode.l3.l3_floating_ip) are for the former. To converge many routers, use M(netnode.l3.l3_routers), which does it in
    one call.
version_added: 0.1.0
author:
  - The netnode.l3 contributors (@netnode)
extends_documentation_fragment:
  - netnode.l3.engine
  - netnode.l3.engine.options
seealso:
  - module: netnode.l3.l3_routers
options:
  id:
    description: The router, as Neutron or a person names it.
    type: str
    required: true
  enable_snat:
    description: Whether what leaves by the gateway gets the router's external address.
    type: bool
    default: true
  gateway:
    description:
      - The port on the external network, in the form of router data, with C(id), C(addresses), C(gateway_ips), C(network_id),
        C(mac_address), C(mtu), C(extra_subnets), C(address_scopes) and C(bandwidth_limit_rules).
      - Without it, the router has no gateway.
    type: dict
  routes:
    description: All extra routes of the router, each with C(destination) and C(nexthop).
    type: list
    elements: dict
    default: []
  conntrack_helpers:
    description: All helpers of connection tracking of the router, each with C(protocol), C(port) and C(helper).
    type: list
    elements: dict
    default: []
  state:
    description: Whether the router is to be there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Make a router
  netnode.l3.l3_router:
    interface_driver: bridge
    id: tenant-a
    gateway:
      id: tenant-a-external
      addresses: [203.0.113.30/24]
      gateway_ips: [203.0.113.1]

- name: Remove it, with all that it has
  netnode.l3.l3_router:
    interface_driver: bridge
    id: tenant-a
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, in order; with check mode, what would be done.
  returned: success
  type: list
  elements: str
  sample: ["namespace qrouter-tenant-a created"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netnode.l3.plugins.module_utils.module import ENGINE_OPTIONS, run_module
from ansible_collections.netnode.l3.plugins.module_utils.object_run import run_router


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **ENGINE_OPTIONS,
            "id": {"type": "str", "required": True},
            "enable_snat": {"type": "bool", "default": True},
            "gateway": {"type": "dict"},
            "routes": {"type": "list", "elements": "dict", "default": []},
            "conntrack_helpers": {"type": "list", "elements": "dict", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    run_module(module, run_router)


if __name__ == "__main__":
    main()
