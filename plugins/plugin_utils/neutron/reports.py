# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an L3 agent tells Neutron: that it is alive, and which floating IPs work."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from .port_forwardings import forwarded_addresses
from .routers_by_rpc import TOPIC as L3_TOPIC
from .rpc import Rpc

TOPIC = "q-reports-plugin"
ALIVE = "alive"  # what the server answers to a report of an agent that it takes for alive already


def report_state(
    rpc: Rpc, host: str, configurations: Mapping[str, Any], availability_zone: str = "nova", start_flag: bool = False
) -> str:
    """Tell that the L3 agent of a host is alive; returns what it was before: ``new``, ``alive``, ``revived``.

    ``configurations``: as the agent has them, with the figures of its routers. ``start_flag``: it has just started.
    Raises :class:`.errors.NeutronError`.
    """
    state = {
        "agent_type": "L3 agent",
        "binary": "neutron-l3-agent",
        "topic": "l3_agent",
        "host": host,
        "availability_zone": availability_zone,
        "configurations": {"agent_mode": "legacy", **configurations},
        **({"start_flag": True} if start_flag else {}),
    }
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return str(rpc.call(TOPIC, "1.0", "report_state", agent_state={"agent_state": state}, time=now))


def report_run(rpc: Rpc, host: str, configurations: Mapping[str, Any], availability_zone: str = "nova") -> None:
    """Tell it after a run. An agent that Neutron does not take for alive has started with it."""
    if report_state(rpc, host, configurations, availability_zone) != ALIVE:
        report_state(rpc, host, configurations, availability_zone, start_flag=True)


def report_floating_ips(rpc: Rpc, router_id: str, statuses: Mapping[str, str]) -> None:
    """Tell the status of each floating IP of a router, by its id. Those that have left the router are then down for Neutron."""
    rpc.call(L3_TOPIC, "1.1", "update_floatingip_statuses", router_id=router_id, fip_statuses=dict(statuses))


def floating_ip_reports(
    routers: Iterable[Mapping[str, Any]], changed: Collection[str], failed: Collection[str], skipped: Collection[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """What there is to tell: router id, and floating IP id -> status, of routers with any news. Pure.

    ``routers``: router data, in which Neutron's status of a floating IP is. The others: router ids by the result of the run.
    As with the agent, all floating IPs of a router that failed are in the status ERROR.
    """
    for router in routers:
        if router["id"] in skipped or router.get("ha") or router.get("distributed"):  # other nodes can have the latter
            continue
        there, now = {}, {}
        forwarded = forwarded_addresses(router)
        for floating_ip in router.get("floating_ips") or ():
            there[floating_ip["id"]] = floating_ip.get("status")
            works = "ERROR" if router["id"] in failed else "ACTIVE"
            leads = floating_ip.get("fixed_ip_address") or floating_ip.get("floating_ip_address") in forwarded
            now[floating_ip["id"]] = works if leads else "DOWN"
        if now != there or router["id"] in changed:
            yield router["id"], now
