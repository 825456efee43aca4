# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup netnode.l3.neutron_rpc_routers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: neutron_rpc_routers
short_description: Routers of OpenStack Neutron, by its message bus
version_added: 0.1.0
author:
  - The netnode.l3 contributors (@netnode)
description:
  - Asks Neutron's L3 plugin for the routers of hosts by the calls of the L3 agent (C(get_router_ids), C(sync_routers)), and
    returns them as router data, the canonical form that the module M(netnode.l3.l3_routers) takes.
  - As for the agent, the server notes by these calls that the ports of the routers are on the host.
extends_documentation_fragment:
  - netnode.l3.neutron.rpc
options:
  _terms:
    description:
      - Names of hosts, as Neutron's agents have them. Of each, the routers are returned that are scheduled to its L3 agent.
    type: list
    elements: str
    required: true
  router_ids:
    description: Only routers with these ids.
    type: list
    elements: str
  single_external_network:
    description:
      - Whether the hosts have one bridge for the only external network of the cloud. It is then an error when Neutron says
        that it has several.
      - Servers of today no longer say so.
    type: bool
    default: false
  missing_ok:
    description: Whether a host may have no L3 agent in Neutron. The result for it is then null instead of an error.
    type: bool
    default: false
seealso:
  - plugin: netnode.l3.neutron_routers
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Take the routers of a node as its L3 agent would
  ansible.builtin.set_fact:
    l3_sync_routers: "{{ lookup('netnode.l3.neutron_rpc_routers', inventory_hostname, transport_url=vault_transport_url) }}"
"""

RETURN = r"""
_list:
  description: An element for each host, which is the list of its routers.
  type: list
  elements: raw
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.errors import NeutronError, unknown_host
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.routers_by_rpc import external_network_id, routers_of_host
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.rpc import Rpc


class LookupModule(LookupBase):
    """See DOCUMENTATION."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[Any]:
        """Ask Neutron."""
        self.set_options(var_options=variables, direct=kwargs)
        router_ids = self.get_option("router_ids")
        try:
            with Rpc(self.get_option("transport_url"), self.get_option("config_file"), self.get_option("rpc_timeout")) as rpc:
                if self.get_option("single_external_network"):
                    external_network_id(rpc)
                found = [routers_of_host(rpc, host, router_ids) for host in terms]
            if None in found and not self.get_option("missing_ok"):
                raise unknown_host(terms[found.index(None)])
        except NeutronError as error:
            raise AnsibleLookupError(str(error)) from None  # Ansible would say both
        return found
