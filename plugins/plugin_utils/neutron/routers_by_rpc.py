# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routers by Neutron's message bus, by the calls of the L3 agent (``L3PluginApi`` in ``neutron/agent/l3/agent.py``)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from .assembly import grouped
from .errors import NeutronError
from .port_forwardings import completed, with_ranges
from .qos_policies import bandwidth_limits, policies_of, with_bandwidth_limits
from .resources import DATA, NAME, NDP_PROXY, PORT_FORWARDING, QOS_POLICY, pulled
from .router_data import OF_PORTS, routers_from_neutron
from .rpc import RemoteError, Rpc, TimedOut

TOPIC = "q-l3-plugin"
# As the agent: routers of one call, and how few they become before a call that gets no answer in time is an error.
_LARGEST_CHUNK = 256
_SMALLEST_CHUNK = 32

Router = dict[str, Any]


def routers_of_host(rpc: Rpc, host: str, router_ids: Collection[str] | None = None) -> list[Router] | None:
    """The router data of the routers that are scheduled to the L3 agent of a host; None where Neutron knows no L3 agent.

    ``router_ids``: of these routers only. Raises :class:`NeutronError`.
    """
    found = synced_routers(rpc, host, router_ids)
    data: list[Router] | None = None if found is None else routers_from_neutron(_whole(rpc, found))
    return data


def synced_routers(rpc: Rpc, host: str, router_ids: Collection[str] | None = None) -> list[Router] | None:
    """The same routers as the L3 plugin has them: of ranges of ports, NDP proxies and QoS policies, it names no details."""
    wanted = rpc.call(TOPIC, "1.9", "get_router_ids", host=host) if router_ids is None else sorted(router_ids)
    if router_ids is not None and not wanted:
        return []
    found: list[Router] = []
    size = _LARGEST_CHUNK
    try:
        if not wanted:  # or the host is unknown. Without ids, all routers of the host are returned.
            return _sync_routers(rpc, host, [])
        while wanted:
            try:
                found += _sync_routers(rpc, host, wanted[:size])
            except TimedOut:
                if size <= _SMALLEST_CHUNK:
                    raise
                size //= 2
            else:
                wanted = wanted[size:]
    except RemoteError as error:
        if error.kind == "AgentNotFoundByTypeHost":
            return None
        raise
    return found


def _sync_routers(rpc: Rpc, host: str, router_ids: Sequence[str]) -> list[Router]:
    routers: list[Router] = rpc.call(TOPIC, "1.0", "sync_routers", host=host, router_ids=router_ids)
    return routers


def _whole(rpc: Rpc, routers: Sequence[Router]) -> list[Router]:
    """Routers with what the extensions of the L3 agent pull, each kind of all of them by one call."""
    forwarding = with_ranges(floating_ip for router in routers for floating_ip in router.get(OF_PORTS, ()))
    forwardings = grouped(pulled(rpc, PORT_FORWARDING, "floatingip_id", forwarding), "floatingip_id")
    publishing = [router["id"] for router in routers if router.get("enable_ndp_proxy")]
    proxies = grouped(pulled(rpc, NDP_PROXY, "router_id", publishing), "router_id")
    policies = {policy_id for router in routers for policy_id in policies_of(router)}
    limits = {
        policy["id"]: bandwidth_limits(rule[DATA] for rule in policy["rules"] if rule[NAME] == "QosBandwidthLimitRule")
        for policy in pulled(rpc, QOS_POLICY, "id", policies)
    }
    for policy_id in policies - limits.keys():
        raise NeutronError(f"The QoS policy {policy_id} was deleted while Neutron was asked by the message bus: try again.")
    ranges = {floating_ip_id: forwardings[floating_ip_id] for floating_ip_id in forwarding}
    return [
        {
            **with_bandwidth_limits({**router, OF_PORTS: completed(router.get(OF_PORTS, ()), ranges)}, limits),
            "ndp_proxies": proxies[router["id"]],
        }
        for router in routers
    ]


def external_network_id(rpc: Rpc) -> str | None:
    """The id of Neutron's only external network, for an agent that has one bridge for it.

    None when there is none, and when the server no longer says it (since version 1.13 of its calls). Raises :class:`NeutronError`
    where there are several.
    """
    try:
        network_id: str | None = rpc.call(TOPIC, "1.0", "get_external_network_id")
    except RemoteError as error:
        if error.kind in ("UnsupportedVersion", "NoSuchMethod"):
            return None
        if error.kind == "TooManyExternalNetworks":
            raise NeutronError(
                "The option gateway_external_network_id must be configured for this node, as Neutron has more than one external "
                "network; or external_network_bridge must be a mapping of their ids to their bridges."
            ) from error
        raise
    return network_id
