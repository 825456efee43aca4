#!/usr/bin/python
# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module netnode.l3.l3_interface."""

from __future__ import annotations

DOCUMENTATION = r"""
module: l3_interface
short_description: Plug one internal port into a virtual router, or out of it
description:
  - Makes one internal port of a router that is on the node. All else of the router stays as it is, as far as the options
    of the engine are those that it was made with; set these once, by C(module_defaults) for C(group/netnode.l3.l3).
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
    description: The router, which M(netnode.l3.l3_router) has made before.
    type: str
    required: true
  id:
    description: The port. The name of its device in the router is made of it.
    type: str
    required: true
  network_id:
    description:
      - The internal network. Needed when the name of its bridge is made of it, see O(internal_bridge), and for a VLAN tag of
        O(vlan_tags).
    type: str
  mac_address:
    description: The MAC address of the port; without it, the kernel chooses one, and it stays.
    type: str
  mtu:
    description: The MTU of the port; without it, the kernel's default.
    type: int
  admin_state_up:
    description: A port that is administratively down is not plugged in.
    type: bool
    default: true
  addresses:
    description: The addresses of the port with their prefix lengths. Required with O(state=present).
    type: list
    elements: str
  address_scopes:
    description: The address scopes of the port's network, as a mapping of C(4) or C(6) to an id.
    type: dict
  subnets:
    description:
      - Subnets of the port, of which the router tells hosts by router advertisements. Without it, the router advertises nothing
        on the port.
    type: list
    elements: dict
    suboptions:
      cidr:
        description: The network of one of O(addresses).
        type: str
        required: true
      ipv6_ra_mode:
        description: How hosts get their addresses. Without it, the subnet is not advertised.
        type: str
        choices: [slaac, dhcpv6-stateful, dhcpv6-stateless]
      ipv6_address_mode:
        description: As Neutron has it. It must be the same as O(subnets[].ipv6_ra_mode), and has no effect.
        type: str
        choices: [slaac, dhcpv6-stateful, dhcpv6-stateless]
      dns_nameservers:
        description: IPv6 addresses of name servers, of which hosts are told with O(subnets[].ipv6_ra_mode=slaac).
        type: list
        elements: str
  state:
    description: Whether the port is to be there.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Give a router a port on an internal network
  netnode.l3.l3_interface:
    interface_driver: bridge
    router_id: tenant-a
    id: a1-web-port
    network_id: web
    addresses: [10.1.0.1/24]

- name: Unplug it
  netnode.l3.l3_interface:
    interface_driver: bridge
    router_id: tenant-a
    id: a1-web-port
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, in order; with check mode, what would be done.
  returned: success
  type: list
  elements: str
  sample: ["device qr-a1-web-port created on bridge brqweb"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netnode.l3.plugins.module_utils.module import ENGINE_OPTIONS, run_module
from ansible_collections.netnode.l3.plugins.module_utils.object_run import run_interface

_MODE = {"type": "str", "choices": ["slaac", "dhcpv6-stateful", "dhcpv6-stateless"]}
_SUBNET = {
    "cidr": {"type": "str", "required": True},
    "ipv6_ra_mode": _MODE,
    "ipv6_address_mode": _MODE,
    "dns_nameservers": {"type": "list", "elements": "str"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **ENGINE_OPTIONS,
            "router_id": {"type": "str", "required": True},
            "id": {"type": "str", "required": True},
            "network_id": {"type": "str"},
            "mac_address": {"type": "str"},
            "mtu": {"type": "int"},
            "admin_state_up": {"type": "bool", "default": True},
            "addresses": {"type": "list", "elements": "str"},
            "address_scopes": {"type": "dict"},
            "subnets": {"type": "list", "elements": "dict", "options": _SUBNET},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["addresses"])],
        supports_check_mode=True,
    )
    run_module(module, run_interface)


if __name__ == "__main__":
    main()
