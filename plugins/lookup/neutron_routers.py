# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup netnode.l3.neutron_routers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: neutron_routers
short_description: Routers of OpenStack Neutron, by its API
version_added: 0.1.0
author:
  - The netnode.l3 contributors (@netnode)
description:
  - Asks Neutron's API for routers with all that they have, and returns them as router data, the canonical form that the
    module M(netnode.l3.l3_routers) takes.
  - Takes one request for each host and about seven for all routers, whatever their number, and more where an answer has
    several pages.
  - Routers that are administratively down are left out.
extends_documentation_fragment:
  - netnode.l3.neutron.api
options:
  _terms:
    description:
      - Names of hosts, as Neutron's agents have them. Of each, the routers are returned that are scheduled to its L3 agent.
      - Without any, routers are returned wherever they are.
    type: list
    elements: str
  router_ids:
    description: Only routers with these ids.
    type: list
    elements: str
  project_id:
    description: Only routers of this project.
    type: str
  tags:
    description: Only routers that have all of these tags.
    type: list
    elements: str
  missing_ok:
    description: Whether a host may have no L3 agent in Neutron. The result for it is then null instead of an error.
    type: bool
    default: false
seealso:
  - plugin: netnode.l3.neutron_rpc_routers
    plugin_type: lookup
  - plugin: netnode.l3.neutron
    plugin_type: inventory
"""

EXAMPLES = r"""
- name: Take the routers of a node from the cloud named "production" in clouds.yaml
  ansible.builtin.set_fact:
    l3_sync_routers: "{{ lookup('netnode.l3.neutron_routers', inventory_hostname, cloud='production') }}"

- name: Take two routers, wherever they are
  ansible.builtin.set_fact:
    routers: "{{ query('netnode.l3.neutron_routers', router_ids=['7d1a64bd-…', 'b04f9c11-…'], cloud='production') }}"
"""

RETURN = r"""
_list:
  description:
    - With hosts, an element for each, which is the list of its routers.
    - Without, the routers. Use C(query), so that a single one comes in a list too.
  type: list
  elements: raw
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.api import Api
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.errors import NeutronError, unknown_host
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.routers_by_api import (
    Selection,
    agents,
    routers_of_agents,
    routers_selected,
)

_DISPLAY = Display()


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[Any]:
        """Ask Neutron."""
        self.set_options(var_options=variables, direct=kwargs)
        selection = Selection(self.get_option("router_ids"), self.get_option("project_id"), self.get_option("tags") or ())
        try:
            api = Api(self.get_option("cloud"), self.get_option("api_timeout"))
            if not terms:
                return routers_selected(api, selection)
            known = agents(api, terms)
            found = routers_of_agents(api, terms, known, selection)
            if None in found and not self.get_option("missing_ok"):
                raise unknown_host(terms[found.index(None)])
        except NeutronError as error:
            raise AnsibleLookupError(str(error)) from None  # Ansible would say both
        for agent in known:
            if not agent["alive"]:
                _DISPLAY.warning(
                    f"For Neutron, the L3 agent on host {agent['host']} is dead: it schedules no new routers there until the "
                    "node reports (l3_sync_neutron_report, or the event source)."
                )
        return found
