# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run over a node: which routers are meant, what is there, what differs, and (unless only checking) the change.

:func:`plan_node` reads and plans and changes nothing; :func:`converge` is the same plus :mod:`apply`. There is no
second path for check mode.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .apply import apply_plans, wait_until_gone
from .desired import NAMESPACE_SYSCTLS, Desired, desired_state
from .errors import Refused
from .host import iptables
from .host.command import CommandError, require
from .host.netns import Inaccessible
from .interface_drivers.bridge import BridgeDriver
from .model import NAMESPACE_PREFIX, Router, namespace_name
from .observe import observe_node, observe_router
from .options import Options
from .plan import Planner, RouterPlan, plan_deletion
from .router_data import ID, Rejected, check_router_ids, check_routers
from .state import ABSENT, NodeState, RouterState

READERS = 2  # namespaces that are read at once; more wait for each other when they start processes

ADMIN_DOWN = "admin_state_up is false"


@dataclass(frozen=True)
class Change:
    """One router's part of a run: its plan between two states, or the error that kept it from one."""

    router_id: str
    plan: RouterPlan
    before: RouterState
    after: RouterState
    error: Optional[str] = None


@dataclass
class NodePlan:
    """A whole run, planned."""

    changes: List[Change] = field(default_factory=list)
    rejected: Sequence[Rejected] = ()
    skipped: List[Dict[str, str]] = field(default_factory=list)
    warnings: List[str] = field(default_factory=list)
    routers: Sequence[Router] = ()
    leaving: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Deleted router -> its root-side devices, which go with its namespace; without those that come again."""


def require_node() -> None:
    """Raise when this is no place to converge routers: no root, or tools that are missing."""
    if os.geteuid() != 0:
        raise Refused("Network namespaces need root: run the task with become: true.")
    require(["ip", *iptables.COMMANDS, "conntrack"])


def routers_on(node: NodeState) -> List[str]:
    """Ids of the routers that the node has, of those names that can be a router's."""
    ids = (namespace[len(NAMESPACE_PREFIX) :] for namespace in sorted(node.namespaces))
    return [router_id for router_id in ids if ID.match(router_id)]


def observe_routers(router_ids: Sequence[str], node: NodeState, driver: BridgeDriver) -> Mapping[str, Any]:
    """Router id -> its state, or the CommandError of reading it."""
    links = node.link_by_index()

    def read(router_id: str) -> Any:
        namespace = namespace_name(router_id)
        if namespace not in node.namespaces:
            return ABSENT
        try:
            return observe_router(namespace, tuple(NAMESPACE_SYSCTLS), driver, links)
        except (CommandError, Inaccessible) as error:
            return error

    with ThreadPoolExecutor(max_workers=READERS) as pool:
        return dict(zip(router_ids, pool.map(read, router_ids)))


def plan_node(data: object, state: str, options: Options, driver: BridgeDriver) -> NodePlan:
    """Plan a run in the state ``overridden``, ``replaced`` or ``deleted``. Raises :class:`Refused`."""
    if state == "deleted":
        ids, rejected = check_router_ids(data)
        node = observe_node()
        plan = NodePlan(rejected=rejected)
        deleted = [router_id for router_id in ids if namespace_name(router_id) in node.namespaces]
        unchanged = [Change(i, RouterPlan(i), ABSENT, ABSENT) for i in ids if i not in deleted]
        plan.changes = unchanged + _plan_deletions(deleted, node, driver, plan, wanted_peers=())
        return plan
    checked = check_routers(data, options.needs_network_ids)
    node = observe_node()
    plan = NodePlan(rejected=checked.rejected)
    plan.routers = [router for router in checked.routers if router.admin_state_up]
    down = [router.id for router in checked.routers if not router.admin_state_up]
    plan.skipped = [{"id": router_id, "reason": ADMIN_DOWN} for router_id in down]
    present = routers_on(node)
    deleted = [router_id for router_id in down if router_id in present]
    if state == "overridden":
        deleted = _purged(present, plan)
        if not options.max_deletions.allows(len(deleted), len(present)):
            raise Refused(
                "Refused: %d of the %d routers on this node would be purged, and max_deletions is %s. Nothing was"
                " touched. If they are to go, raise max_deletions (100%% for no limit)."
                % (len(deleted), len(present), options.max_deletions)
            )
    desired = [desired_state(router, options, driver) for router in plan.routers]
    peers = {device.attachment.peer for d in desired for device in d.state.devices.values() if device.attachment}
    deletions = _plan_deletions(deleted, node, driver, plan, peers)
    plan.changes = _plan_routers(desired, node, driver, deleted) + deletions
    return plan


def _purged(present: Sequence[str], plan: NodePlan) -> List[str]:
    unnamed = [rejected.id for rejected in plan.rejected if not rejected.identified]
    if unnamed:
        # Any router on the node may be the one that was meant.
        plan.warnings.append("No router was purged, since %s cannot be told from those on the node." % ", ".join(unnamed))
        return []
    kept = {router.id for router in plan.routers} | {rejected.id for rejected in plan.rejected}
    return [router_id for router_id in present if router_id not in kept]


def _plan_deletions(
    router_ids: Sequence[str], node: NodeState, driver: BridgeDriver, plan: NodePlan, wanted_peers: Any
) -> List[Change]:
    leaving: Dict[str, List[str]] = {router_id: [] for router_id in router_ids}
    for link in node.links.values():
        owner = driver.owner(link)
        if owner in leaving:
            leaving[owner].append(link.name)
    plan.leaving = {i: [name for name in names if name not in wanted_peers] for i, names in leaving.items()}
    observed = observe_routers(router_ids, node, driver)
    return [
        Change(
            router_id,
            plan_deletion(router_id, [name for name in leaving[router_id] if name in wanted_peers]),
            observed[router_id] if isinstance(observed[router_id], RouterState) else ABSENT,
            ABSENT,
        )
        for router_id in router_ids
    ]


def _plan_routers(desired: Sequence[Desired], node: NodeState, driver: BridgeDriver, deleted: Sequence[str]) -> List[Change]:
    observed = observe_routers([d.router.id for d in desired], node, driver)
    planner = Planner(node, driver)
    planner.free(link.name for link in node.links.values() if driver.owner(link) in deleted)
    for d in desired:
        present = observed[d.router.id]
        if isinstance(present, RouterState):
            gone = [device for name, device in present.devices.items() if name not in d.state.devices]
            planner.free(device.attachment.peer for device in gone if device.attachment is not None)
    changes = []
    for d in desired:
        present = observed[d.router.id]
        if isinstance(present, RouterState):
            plan = planner.plan(d, present)
            changes.append(Change(d.router.id, plan, present, plan.after.filled_from(present)))
        else:
            changes.append(Change(d.router.id, RouterPlan(d.router.id), ABSENT, ABSENT, error=str(present)))
    return changes


@dataclass(frozen=True)
class RouterResult:
    """What became of one router."""

    change: Change
    actions: Tuple[str, ...]
    error: Optional[str]


def converge(plan: NodePlan, options: Options) -> List[RouterResult]:
    """Make a planned run happen."""
    outcomes = apply_plans([change.plan for change in _in_order(plan)], options.send_arp_for_ha)
    by_id = {outcome.plan.router_id: outcome for outcome in outcomes}
    wait_until_gone(name for router_id, names in plan.leaving.items() if by_id[router_id].error is None for name in names)
    return [
        RouterResult(change, tuple(by_id[change.router_id].actions), _error(change, by_id[change.router_id].error))
        for change in plan.changes
    ]


def _in_order(plan: NodePlan) -> List[Change]:
    """Deletions first: what they free, others may need."""
    return sorted(plan.changes, key=lambda change: change.after.namespace)


def predict(plan: NodePlan) -> List[RouterResult]:
    """What :func:`converge` would do."""
    return [RouterResult(change, tuple(change.plan.actions), _error(change, None)) for change in plan.changes]


def _error(change: Change, failure: Optional[str]) -> Optional[str]:
    reasons = [reason for reason in (change.error, failure, *change.plan.problems) if reason]
    return "; ".join(reasons) or None
