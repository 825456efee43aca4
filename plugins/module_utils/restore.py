# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back from a run: the routers that it changes, as they were before it, made so again by a plan like any other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Sequence, Type

from .converge import converge, observe_proxy
from .errors import Refused
from .host import haproxy
from .host.known_rules import KnownRules
from .host.progress import Progress
from .interface_drivers.driver import InterfaceDriver, owner
from .model import EXTERNAL_PREFIX
from .observe import Observer, observe_node
from .options import Options
from .plan_node import Change, NodePlan, plan_restoration
from .plan_policy_rules import describe_policy_rule
from .plan_routes import can_be_added, describe_route
from .result import node_result
from .state import KERNEL_POLICY_RULES, LINK_LOCAL, Attachment, Device, RouterState


@dataclass(frozen=True)
class Before:
    """What there was before a run: router id -> its state (also of those that were not there), the names of bridges, and the
    configuration of the metadata proxy. ``losses``: what would not come back, in sentences.
    """

    routers: Mapping[str, RouterState]
    bridges: FrozenSet[str]
    proxy: str
    losses: Sequence[str]

    @classmethod
    def of(cls, plan: NodePlan, driver: InterfaceDriver) -> Before:
        """What a planned run is about to change. Raises :class:`Refused` when it is not known, or there is no way back."""
        if plan.moved:
            raise Refused(
                "Refused: router %s would be moved between a namespace and the node's own, which cannot be taken back. Nothing"
                " was touched. Run without confirm_timeout." % plan.moved[0].router_id
            )
        changes = [change for change in plan.changes if change.plan.operations]
        for change in changes:
            if change.unread is not None:
                raise Refused(
                    "Refused: router %s would be removed, and cannot be read (%s), so that it could not be taken back. Nothing"
                    " was touched. Run without confirm_timeout." % (change.router_id, change.unread)
                )
        losses: List[str] = []
        states = {change.router_id: _that_can_be(change, driver, losses) for change in changes}
        bridges = frozenset(link.name for link in driver.node.links.values() if link.is_bridge)
        return cls(states, bridges, plan.proxy.text, losses)


def _that_can_be(change: Change, driver: InterfaceDriver, losses: List[str]) -> RouterState:
    """The state before, with each device plugged in as a run does it."""
    before, lost = change.before, set()
    devices = {}
    for name, device in before.devices.items():
        attachment = _attachment(change, device, driver)
        if attachment is None:
            lost.add(name)
            losses.append("Device %s of router %s is not plugged in, and would not come back." % (name, change.router_id))
        devices[name] = replace(device, attachment=attachment)
    if before.foreign and before.namespace and not change.after.namespace:
        message = "Router %s goes with what is not ours in its namespace, and that would not come back: %s."
        losses.append(message % (change.router_id, "; ".join(before.foreign)))
    routes = frozenset(route for route in before.routes if can_be_added(route))
    connected = frozenset(route for route in before.connected if route.destination != LINK_LOCAL + "/64")  # comes with IPv6
    rules = before.policy_rules & KERNEL_POLICY_RULES
    others = [
        *("route " + describe_route(route) for route in before.routes - routes),
        *map(describe_policy_rule, before.policy_rules - rules),
    ]
    for other in sorted(others):
        losses.append("Router %s: the %s is none that a run makes, and would not come back." % (change.router_id, other))
    advertised = before.advertised or None  # of what is not known, nothing can be had again
    kept = replace(before, devices=devices, routes=routes, connected=connected, policy_rules=rules)
    return replace(kept, advertised=advertised, dead=False).without_devices(lost)


def _attachment(change: Change, device: Device, driver: InterfaceDriver) -> Optional[Attachment]:
    """Where a device was plugged in, or what comes next to that: where it is after the run, or where its mark says."""
    present, after = device.attachment, change.after.devices.get(device.name)
    if present is not None and present.bridge is not None:
        return present
    if after is not None:
        return after.attachment
    whose = owner(present.mark) if present is not None else None
    if whose is None or (whose.network_id is None and driver.options.needs_network_ids):
        return None
    external = device.name.startswith(EXTERNAL_PREFIX)
    bridge = driver.options.external_bridge_of(whose.network_id) if external else driver.bridge_of(whose.network_id)
    return driver.attachment(change.router_id, device, whose.network_id, bridge)


def restore(before: Before, options: Options, kind: Type[InterfaceDriver]) -> Dict[str, Any]:
    """Make the routers what they were, and return what was done, as a run does. The caller has the lock."""
    driver = kind.on_node(options, observe_node())
    proxy = observe_proxy(options, thorough=True)
    # What is to be served is known by the configuration alone, whoever the upstream was.
    proxy = replace(proxy, upstream=None, text=proxy.text or before.proxy)
    observer = Observer(driver, KnownRules({}), proxy.sockets)
    plan = plan_restoration(before.routers, before.bridges, options, driver, proxy, observer)
    result = node_result(plan, converge(plan, options, Progress()), driver, diff=False)
    if before.proxy and haproxy.configuration() != before.proxy:
        haproxy.load(before.proxy)
    return result
