# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routers by Neutron's message bus, by the calls of the L3 agent (``L3PluginApi`` in ``neutron/agent/l3/agent.py``)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from .errors import NeutronError
from .port_forwardings import completed, with_ranges
from .router_data import OF_PORTS, routers_from_neutron
from .rpc import RemoteError, Rpc, TimedOut

TOPIC = "q-l3-plugin"
# Of resources, which Neutron sends as versioned objects (``neutron/api/rpc/handlers/resources_rpc.py``).
RESOURCES_TOPIC = "q-plugin"
RESOURCE_VERSION = "1.3"  # of port forwardings, the first with ranges
RESOURCE_DATA = "versioned_object.data"
# As the agent: routers of one call, and how few they become before a call that gets no answer in time is an error.
_LARGEST_CHUNK = 256
_SMALLEST_CHUNK = 32

Router = dict[str, Any]


def routers_of_host(rpc: Rpc, host: str, router_ids: Collection[str] | None = None) -> list[Router] | None:
    """The router data of the routers that are scheduled to the L3 agent of a host; None where Neutron knows no L3 agent.

    ``router_ids``: of these routers only. Raises :class:`NeutronError`.
    """
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
    routers = rpc.call(TOPIC, "1.0", "sync_routers", host=host, router_ids=router_ids)
    ids = [each for router in routers for each in with_ranges(router.get(OF_PORTS, ()))]
    if ids:
        found = _port_forwardings(rpc, ids)
        routers = [{**router, OF_PORTS: completed(router.get(OF_PORTS, ()), found)} for router in routers]
    data: list[Router] = routers_from_neutron(routers)
    return data


def _port_forwardings(rpc: Rpc, floating_ip_ids: Sequence[str]) -> dict[str, list[Router]]:
    """Id of a floating IP -> its port forwardings."""
    wanted = {"floatingip_id": list(floating_ip_ids)}
    objects = rpc.call(
        RESOURCES_TOPIC, "1.1", "bulk_pull", resource_type="PortForwarding", version=RESOURCE_VERSION, filter_kwargs=wanted
    )  # fmt: skip
    found: dict[str, list[Router]] = {floating_ip_id: [] for floating_ip_id in floating_ip_ids}
    for each in objects:
        found[each[RESOURCE_DATA]["floatingip_id"]].append(each[RESOURCE_DATA])
    return found


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
