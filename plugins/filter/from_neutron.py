# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter netnode.l3.from_neutron."""

from __future__ import annotations

from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.errors import NeutronError
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.router_data import routers_from_neutron

DOCUMENTATION = r"""
name: from_neutron
short_description: Neutron's routers as router data
version_added: 0.1.0
author:
  - The netnode.l3 contributors (@netnode)
description:
  - Turns what the L3 plugin of OpenStack Neutron returns from C(sync_routers) into the canonical form of router data that
    the module M(netnode.l3.l3_routers) takes.
  - Understands the current form and the form of 2013.
  - Maps and never judges. What is wrong in a record passes through, to be reported by the module with its path.
requirements:
  - netaddr (Python library) on the controller
options:
  _input:
    description: The list of routers.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Take the routers of this node from a saved answer
  ansible.builtin.set_fact:
    l3_sync_routers: "{{ lookup('ansible.builtin.file', 'sync_routers.json') | from_json | netnode.l3.from_neutron }}"
"""

RETURN = r"""
_value:
  description: The routers in canonical form.
  type: list
  elements: dict
"""


def from_neutron(routers: Any) -> Any:
    """Map routers; see DOCUMENTATION."""
    try:
        return routers_from_neutron(routers)
    except NeutronError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Names the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filter names and functions."""
        return {"from_neutron": from_neutron}
