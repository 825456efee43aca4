# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin netnode.l3.neutron."""

from __future__ import annotations

DOCUMENTATION = r"""
name: neutron
short_description: Network nodes of OpenStack Neutron, with their routers
version_added: 0.1.0
author:
  - The netnode.l3 contributors (@netnode)
description:
  - Asks Neutron's API for its L3 agents. Each is a host, by the name that Neutron has for it, with what Neutron says of the
    agent in the variable C(neutron_agent), and the routers that are scheduled to it in the variable C(l3_sync_routers), as
    router data, which the role P(netnode.l3.l3_sync#role) takes as it is.
  - All are in the group C(network_nodes), on which the playbooks of the collection run; in C(availability_zone_) with the name of
    their availability zone; in C(l3_agents_alive) or C(l3_agents_dead), as their last report is recent or not; and in
    C(l3_agents_disabled) if Neutron's administrator has disabled the agent.
  - Its file ends with C(neutron.yml) or C(neutron.yaml).
  - Takes one request for each host and about eight for all routers, whatever their number, and more where an answer has several
    pages.
  - When Neutron cannot be asked for all of it, there are no hosts at all. Ansible then warns, and goes on with the hosts of its
    other sources, unless C(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) is set.
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
  - netnode.l3.neutron.api
options:
  plugin:
    description: Says that the file is for this plugin.
    type: str
    required: true
    choices: [netnode.l3.neutron]
  hosts:
    description:
      - Only these hosts, as Neutron names them. Empty for all with an L3 agent.
      - Use it as long as other nodes are run by the L3 agent itself, whose routers a run is not to touch.
      - There is a warning for each that Neutron does not know.
    type: list
    elements: str
    default: []
  routers:
    description:
      - Whether to ask for routers. If not, one request is all, and there is no variable C(l3_sync_routers).
      - They are not needed where the role asks for them itself, which is when C(l3_sync_source) is C(neutron_api) or
        C(neutron_rpc).
    type: bool
    default: true
notes:
  - Templates in O(cloud) are evaluated, with the extra variables of the command line, and vaulted text is decrypted, so that what
    is secret can be somewhere else.
  - The L3 plugin has no routers for an agent that is disabled, so C(l3_sync_routers) is empty then, as with the other sources. A
    run refuses to remove more routers than C(l3_sync_max_deletions) allows. An agent that is dead has its routers still.
  - With O(cache), a run brings a node to what Neutron said when the answer was cached, and may so remove a router that is newer.
    Use C(--flush-cache), or cache with O(routers=false) only.
  - What is cached has no credentials. It is kept apart by file, cloud, O(hosts) and O(routers).
seealso:
  - plugin: netnode.l3.neutron_routers
    plugin_type: lookup
"""

EXAMPLES = r"""
# The cloud named "production" in clouds.yaml
plugin: netnode.l3.neutron
cloud: production

---
# Two nodes that are no longer run by the L3 agent, by an account whose password is in the environment
plugin: netnode.l3.neutron
cloud:
  auth:
    auth_url: https://keystone.example.org/v3
    username: netnode
    password: "{{ lookup('ansible.builtin.env', 'NETNODE_PASSWORD') }}"
    project_name: service
    user_domain_name: Default
    project_domain_name: Default
hosts:
  - net1.example.org
  - net2.example.org

---
# The hosts only: the routers are asked for at each run, as l3_sync_source says. A variable, and groups, by what the agents say
plugin: netnode.l3.neutron
cloud: production
routers: false
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/netnode-inventory
strict: true
compose:
  l3_sync_neutron_availability_zone: neutron_agent.availability_zone
groups:
  usable: neutron_agent.alive and neutron_agent.admin_state_up
keyed_groups:
  - prefix: agent_mode
    key: neutron_agent.configurations.agent_mode
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.errors import NeutronError, unknown_host
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.network_nodes import NetworkNodes

NODES = "network_nodes"
ALIVE = "l3_agents_alive"
DEAD = "l3_agents_dead"
DISABLED = "l3_agents_disabled"

# Without any of these, text is no template, nor is it after it was joined with other such text.
_OF_TEMPLATES = re.compile("[{}#]")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """See DOCUMENTATION."""

    NAME = "netnode.l3.neutron"

    def verify_file(self, path: str) -> bool:
        """Whether a file is for this plugin, by its name."""
        return super().verify_file(path) and path.endswith(("neutron.yml", "neutron.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Ask Neutron, or the cache unless ``cache`` is false, and add the nodes. Raises :class:`AnsibleParserError`."""
        super().parse(inventory, loader, path, cache)
        unknown = set(self._read_config_data(path)) - set(self._options)
        if unknown:
            raise AnsibleParserError(f"{path} has what is no option of {self.NAME}: {', '.join(sorted(map(str, unknown)))}.")
        self.templar.available_variables = self._vars
        hosts = tuple(map(str, self.get_option("hosts")))
        cloud = _plain(self.templar.template(self.get_option("cloud")))
        asked = NetworkNodes(cloud, self.get_option("api_timeout"), hosts, self.get_option("routers"))
        try:
            nodes = self._answer(asked, path, cache)
        except NeutronError as error:
            raise AnsibleParserError(str(error)) from None  # Ansible would say both
        for host in set(hosts) - {node["agent"]["host"] for node in nodes}:
            self.display.warning(str(unknown_host(host)))
        if not nodes and not hosts:
            self.display.warning(f"{path}: Neutron knows no L3 agent. The first report of a node makes it known.")
        with _all_or_nothing(inventory, [node["agent"]["host"] for node in nodes]):
            self.populate(nodes)

    def _answer(self, asked: NetworkNodes, path: str, cache: bool) -> list[dict[str, Any]]:
        if not self.get_option("cache"):
            return asked.fetch()
        key = f"{self.get_cache_key(path)}_{sha256(asked.what().encode()).hexdigest()[:16]}"
        nodes: list[dict[str, Any]]
        try:
            if cache:
                nodes = self._cache[key]
                return nodes
        except KeyError:  # not there, or too old
            pass
        self._cache[key] = nodes = asked.fetch()
        return nodes

    def populate(self, nodes: Iterable[Mapping[str, Any]]) -> None:
        """Add nodes to the inventory, in the form in which :class:`NetworkNodes` has them."""
        for group in (NODES, ALIVE, DEAD, DISABLED):  # also those without hosts, so that any pattern can have them
            self.inventory.add_group(group)
        for node in nodes:
            self._add(_untrusted(node))

    def _add(self, node: Mapping[str, Any]) -> None:
        host = node["agent"]["host"]
        if host in self.inventory.groups:  # which variables would then be set of
            raise AnsibleParserError(f"The inventory has a group {host!r}, and Neutron a host of the same name.")
        self.inventory.add_host(host)
        self.inventory.set_variable(host, "neutron_agent", node["agent"])
        if "routers" in node:
            self.inventory.set_variable(host, "l3_sync_routers", node["routers"])
        for group in groups_of(node["agent"]):
            self.inventory.add_child(self.inventory.add_group(self._sanitize_group_name(group)), host)
        variables, strict = self.inventory.get_host(host).get_vars(), self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict=strict)


def groups_of(agent: Mapping[str, Any]) -> Iterator[str]:
    """The names of the groups that an agent's host is in."""
    yield NODES
    if agent["availability_zone"]:
        yield f"availability_zone_{agent['availability_zone']}"
    yield ALIVE if agent["alive"] else DEAD
    if not agent["admin_state_up"]:
        yield DISABLED


@contextmanager
def _all_or_nothing(inventory: Any, names: Iterable[str]) -> Iterator[None]:
    """Leave these hosts as they were before an error: Ansible goes on with those that lack a part of what they are to have."""
    before = {name: (dict(host.vars), list(host.groups)) for name in names if (host := inventory.hosts.get(name))}
    try:
        yield
    except Exception:
        for host in [inventory.hosts[name] for name in names if name in inventory.hosts]:
            if host.name not in before:
                inventory.remove_host(host)
                continue
            host.vars, groups = before[host.name]
            for group in set(host.groups) - set(groups):
                group.remove_host(host)
        raise


def _untrusted(value: Any) -> Any:
    """Data as plain as it was, in which no text is a template. Before 2.19, ansible-core would take it for one."""
    if isinstance(value, Mapping):
        return {_untrusted(key): _untrusted(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_untrusted(entry) for entry in value]
    return wrap_var(value) if isinstance(value, str) and _OF_TEMPLATES.search(value) else value


def _plain(value: Any) -> Any:
    """An option's value of Python's own types, and with vaulted text decrypted: other libraries know no others."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)
