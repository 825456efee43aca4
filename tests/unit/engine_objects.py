# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routers, desired states and plans as the unit tests need them: the engine's pure steps, one call each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.netnode.l3.plugins.module_utils.desired import Desired, desired_state
from ansible_collections.netnode.l3.plugins.module_utils.firewall import DRIVERS
from ansible_collections.netnode.l3.plugins.module_utils.firewall.firewall import firewall_of
from ansible_collections.netnode.l3.plugins.module_utils.host import ovs
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.bridge import BridgeDriver
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.driver import InterfaceDriver
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.openvswitch import OpenvswitchDriver
from ansible_collections.netnode.l3.plugins.module_utils.model import Router
from ansible_collections.netnode.l3.plugins.module_utils.operations import (
    Advertise,
    Announce,
    ChangePolicyRule,
    ChangeRules,
    DeleteFlows,
    DeleteUntranslatedFlows,
    EndAdvertisements,
    EndAgentsProxy,
    Ip,
    LoadProxy,
    Operation,
    Ovs,
    Serve,
    SetSysctl,
    Tc,
    Unserve,
)
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.plan import Planner, RouterPlan
from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import MetadataProxy
from ansible_collections.netnode.l3.plugins.module_utils.state import Link, NodeState, RouterState, RuleSets

BRIDGES = ("br-ex", "brqweb-network", "brqdb-network")


def parsed(data: dict[str, Any]) -> Router:
    """The one router of correct router data."""
    checked = check_routers([data])
    assert checked.rejected == ()
    return checked.routers[0]


def rule_sets(router: Router, metadata_port: int | None = None, own_namespace: bool = False, clamp_mss: bool = False) -> RuleSets:
    """What the firewall driver for iptables makes of a router."""
    return DRIVERS["iptables"].rule_sets(firewall_of(router, metadata_port, own_namespace, clamp_mss))


def desired(data: dict[str, Any], driver: InterfaceDriver | None = None, **options: Any) -> Desired:
    chosen = driver or BridgeDriver(Options("bridge", **options), node())
    return desired_state(parsed(data), chosen.options, chosen)


def converged(data: dict[str, Any], driver: InterfaceDriver | None = None, **options: Any) -> RouterState:
    """What the kernel has once the router is on the node."""
    return desired(data, driver, **options).state


def node(*links: Link, bridges: tuple[str, ...] = BRIDGES, namespaces: Iterable[str] = ()) -> NodeState:
    """A node with bridges and further root-side devices."""
    of_bridges = [Link(name, number, None, None, True, 1500, True) for number, name in enumerate(bridges, 1)]
    return NodeState(frozenset(namespaces), {link.name: link for link in (*of_bridges, *links)})


def root_link(name: str, alias: str | None = None) -> Link:
    """A device on the node itself, on no bridge."""
    return Link(name, 99, None, alias, True, 1500, False)


def ovs_driver(ports: Mapping[str, ovs.Port] | None = None, *links: Link, **options: Any) -> OpenvswitchDriver:
    """The driver on a node with the bridges br-ex and br-int, and with these ports and devices."""
    there = node(*links, bridges=())
    return OpenvswitchDriver(Options("openvswitch", **options), there, ovs.Database(["br-ex", "br-int"], dict(ports or {})))


def planner(there: NodeState | None = None, proxy: MetadataProxy | None = None, **options: Any) -> Planner:
    """A planner with Linux bridges, for such a node."""
    driver = BridgeDriver(Options("bridge", **options), there or node())
    return Planner(driver, proxy or MetadataProxy(driver.options), driver.node.namespaces)


def bind_lines(proxy: MetadataProxy, *routers: str) -> dict[str, str]:
    """The lines by which this proxy would listen for these routers."""
    return {router_id: proxy.line(router_id) for router_id in routers}


def with_device(state: RouterState, name: str, **changes: Any) -> RouterState:
    """A state in which one device differs."""
    return replace(state, devices={**state.devices, name: replace(state.devices[name], **changes)})


def step(operation: Operation) -> str:  # noqa: C901, PLR0911, PLR0912
    """An operation in one line."""
    if isinstance(operation, Ip):
        return operation.line
    if isinstance(operation, Tc):
        return "tc " + operation.line
    if isinstance(operation, Ovs):
        return "ovs-vsctl " + " ".join(operation.arguments)
    if isinstance(operation, SetSysctl):
        return f"sysctl {operation.key} {operation.value}"
    if isinstance(operation, ChangePolicyRule):
        return f"{'restore' if operation.wanted else 'delete'} policy rule {operation.rule.priority}"
    if isinstance(operation, ChangeRules):
        return f"rules of IPv{operation.family}"
    if isinstance(operation, DeleteFlows):
        return "end flows " + ", ".join([*operation.addresses, *map(str, operation.ports)])
    if isinstance(operation, DeleteUntranslatedFlows):
        return f"end untranslated flows {' '.join(operation.networks)}"
    if isinstance(operation, Announce):
        return f"announce {operation.address} {operation.device}"
    if isinstance(operation, Serve):
        return f"serve {operation.router_id} in {operation.namespace}"
    if isinstance(operation, Unserve):
        return f"unserve {operation.router_id} in {operation.namespace}"
    if isinstance(operation, EndAgentsProxy):
        return f"end proxy {operation.pid} of {operation.router_id}"
    if isinstance(operation, Advertise):
        return f"advertise for {operation.router_id} by {operation.pid}"
    if isinstance(operation, EndAdvertisements):
        return f"end advertisements of {operation.router_id} by {operation.pid}"
    assert isinstance(operation, LoadProxy)
    return "load proxy"


def steps(plan: RouterPlan) -> list[str]:
    return [step(operation) for operation in plan.operations]


def is_empty(plan: RouterPlan) -> bool:
    return (plan.operations, plan.problems, plan.warnings) == ((), (), ())
