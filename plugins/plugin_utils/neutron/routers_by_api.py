# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routers by Neutron's REST API, with a number of requests that does not grow with theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .api import Api, Missing, among
from .assembly import GATEWAY, INTERFACE, Assembly, Incomplete, Lists
from .errors import NeutronError
from .port_forwardings import completed, with_ranges
from .router_data import routers_from_neutron

_ATTEMPTS = 3
_OF_A_NETWORK = ("id", "mtu", "ipv4_address_scope", "ipv6_address_scope")
_OF_A_SUBNET = ("id", "network_id", "cidr", "gateway_ip", "segment_id", "ipv6_ra_mode", "dns_nameservers")
_OF_A_FLOATING_IP = (
    "id", "router_id", "port_id", "floating_ip_address", "fixed_ip_address", "status", "port_forwardings", "qos_policy_id"
)  # fmt: skip

Router = dict[str, Any]


def agents(api: Api, hosts: Collection[str] = ()) -> list[Router]:
    """Neutron's L3 agents, as its API has them: on these hosts, or all. Neutron does not tell names apart by case."""
    wanted = {host.lower() for host in hosts}
    found = api.list("/agents", {"agent_type": ["L3 agent"], **(among("host", hosts) if hosts else {})})
    return [agent for agent in found if not hosts or agent["host"].lower() in wanted]


@dataclass(frozen=True)
class Selection:
    """Which routers are wanted: with one of these ids, of this project, with all of these tags; None and nothing: all.

    Those that are administratively down never are: the L3 plugin does not name them either.
    """

    router_ids: Collection[str] | None = None
    project_id: str | None = None
    tags: Collection[str] = ()

    def has(self, router: Mapping[str, Any]) -> bool:
        """Whether a router is one of them."""
        return (
            router["admin_state_up"]
            and (self.router_ids is None or router["id"] in self.router_ids)
            and (not self.project_id or router["project_id"] == self.project_id)
            and set(self.tags) <= set(router["tags"])
        )

    def filters(self) -> dict[str, list[str]]:
        """What to ask for, so that at least these are found."""
        filters = {"admin_state_up": ["true"], **({} if self.router_ids is None else among("id", self.router_ids))}
        if self.project_id:
            filters["project_id"] = [self.project_id]
        if self.tags:
            filters["tags"] = [",".join(self.tags)]
        return filters


def routers_selected(api: Api, selection: Selection) -> list[Router]:
    """The router data of these routers, wherever they are."""
    listed = api.list("/routers", selection.filters()) if selection.router_ids != [] else []
    data = _router_data(api, [router for router in listed if selection.has(router)])
    return [data[router["id"]] for router in listed if router["id"] in data]


def routers_of_agents(
    api: Api, hosts: Sequence[str], known: Collection[Mapping[str, Any]], selection: Selection
) -> list[list[Router] | None]:
    """For each host, the router data of those routers that are scheduled to its L3 agent; None where none is among the known."""
    scheduled = {agent["host"].lower(): _scheduled(api, agent, selection) for agent in known}
    data = _router_data(api, [router for routers in scheduled.values() for router in routers])
    for agent in known:
        missing = {router["id"] for router in scheduled[agent["host"].lower()]} - data.keys()
        for router in _scheduled(api, agent, selection) if missing else ():
            if router["id"] in missing:
                raise NeutronError(
                    f"Router {router['id']} of host {agent['host']} is not to be seen, though it is scheduled there: "
                    "the account does not see all projects."
                )
    return [
        [data[router["id"]] for router in scheduled[host] if router["id"] in data] if host in scheduled else None
        for host in (host.lower() for host in hosts)
    ]


def _scheduled(api: Api, agent: Mapping[str, Any], selection: Selection) -> list[Router]:
    # As the L3 plugin does it: what is disabled has no routers.
    listed = api.list(f"/agents/{agent['id']}/l3-routers") if agent["admin_state_up"] else []
    return [router for router in listed if selection.has(router)]


def _router_data(api: Api, routers: Sequence[Router]) -> dict[str, Router]:
    """Router id -> router data. Several requests are one answer only when no router has changed between the first and the last:
    those that have are asked for again, and those that have gone are left out.
    """
    data: dict[str, Router] = {}
    why: dict[str, NeutronError] = {}
    for _attempt in range(_ATTEMPTS):
        if not routers:
            return data
        asked = {router["id"] for router in routers}
        assembly = Assembly(_lists(api, routers))
        revisions = api.list("/routers", among("id", asked), ("id", "revision_number"))
        now = {router["id"]: router["revision_number"] for router in revisions if router["id"] in asked}
        for router in routers:
            if now.get(router["id"]) == router["revision_number"]:
                try:
                    data[router["id"]] = routers_from_neutron([assembly.whole(router)])[0]
                except Incomplete as error:
                    why[router["id"]] = error
        changed = Selection(router_ids=now.keys() - data.keys())
        listed = api.list("/routers", changed.filters()) if changed.router_ids else []
        routers = [router for router in listed if changed.has(router)]
    for router in routers:
        raise why.get(router["id"]) or NeutronError(
            f"Router {router['id']} changed each of {_ATTEMPTS} times while Neutron's API was asked for all that it has: "
            "try again."
        )
    return data


def _lists(api: Api, routers: Collection[Router]) -> Lists:
    router_ids = {router["id"] for router in routers}
    owners = [GATEWAY, INTERFACE]
    ports = api.list(
        "/ports",
        {"device_owner": owners, **among("device_id", router_ids)},
        ("id", "device_id", "device_owner", "network_id", "mac_address", "admin_state_up", "fixed_ips"),
    )
    ports = [port for port in ports if port["device_id"] in router_ids]
    networks = {port["network_id"] for port in ports}
    floating_ips = _floating_ips(api, router_ids)
    limited = [*floating_ips, *(router.get("external_gateway_info") or {} for router in routers)]
    return Lists(
        ports=ports,
        networks=api.list("/networks", among("id", networks), _OF_A_NETWORK) if networks else (),
        subnets=api.list("/subnets", among("network_id", networks), _OF_A_SUBNET) if networks else (),
        floating_ips=floating_ips,
        # Only a server with the extension has the key. It takes no router for a filter.
        ndp_proxies=api.list("/ndp_proxies", fields=("id", "router_id", "ip_address"))
        if any(router.get("enable_ndp_proxy") for router in routers)
        else (),
        qos_policies=api.list("/qos/policies", fields=("id", "rules")) if any(o.get("qos_policy_id") for o in limited) else (),
    )


def _floating_ips(api: Api, router_ids: Collection[str]) -> list[Router]:
    listed = api.list("/floatingips", among("router_id", router_ids), _OF_A_FLOATING_IP)
    wanted = [floating_ip for floating_ip in listed if floating_ip["router_id"] in router_ids]
    # Neutron has no list of the ranges of several floating IPs.
    found: dict[str, list[Router]] = {}
    for each in with_ranges(wanted):
        try:
            found[each] = api.list(f"/floatingips/{each}/port_forwardings")
        except Missing:
            found[each] = []
    return completed(wanted, found)
