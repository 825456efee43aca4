# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run over a node, planned: which routers are meant, what is there, and what differs. Nothing is changed here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import AbstractSet, Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from .desired import Desired, desired_state
from .errors import Refused
from .interface_drivers.driver import InterfaceDriver
from .model import Router
from .node_claims import claiming
from .observe import Observer, Place, is_alive, places
from .operations import LoadProxy, Operation
from .options import Options
from .plan import Planner, RouterPlan, rank
from .plan_advertisements import end_advertisements
from .plan_removal import removal
from .router_data import Rejected, check_router_ids, check_routers
from .selection import ADMIN_DOWN, Skipped, select
from .services.metadata_proxy import MetadataProxy
from .shown import listed
from .state import ABSENT, RouterState

Removals = Mapping[str, Sequence[Operation]]  # router id -> what removes it from where it is not to be

NODE = ""  # in place of a router id: what concerns the node and no router


@dataclass(frozen=True)
class Change:
    """One router's part of a run: its plan between two states, or the error that kept it from one."""

    router_id: str
    plan: RouterPlan
    before: RouterState = ABSENT
    after: RouterState = ABSENT
    error: Optional[str] = None
    unread: Optional[str] = None
    """Why it is not known what is there, of a router that goes all the same."""


@dataclass
class NodePlan:
    """A whole run, planned. ``node`` is what of it concerns no router."""

    proxy: MetadataProxy
    changes: List[Change] = field(default_factory=list)
    node: RouterPlan = field(default_factory=lambda: RouterPlan(NODE))
    rejected: Sequence[Rejected] = ()
    skipped: Sequence[Skipped] = ()
    warnings: List[str] = field(default_factory=list)
    routers: Sequence[Router] = ()
    proxy_after: str = ""
    """The configuration of the metadata proxy that the run leads to."""
    moved: Sequence[Place] = ()
    """Where routers are now that are to be in a namespace, and are in the node's own, or the other way round."""
    leaving: Dict[str, Sequence[str]] = field(default_factory=dict)
    """Router that goes -> things of its on the node that go with its namespace, and do not come again."""


def plan_node(
    data: object, state: str, options: Options, driver: InterfaceDriver, proxy: MetadataProxy, observer: Observer
) -> NodePlan:
    """Plan a run in the state ``overridden``, ``replaced`` or ``deleted``. Raises :class:`Refused`."""
    run = _Run(options, driver, proxy, observer)
    if state == "deleted":
        ids, run.plan.rejected = check_router_ids(data)
        plan = run.planned([], run.unprotected(ids))
        present = {change.router_id for change in plan.changes}
        plan.changes = [*(run.kept(i) for i in ids if i not in present), *plan.changes]
        return plan
    checked = check_routers(data, options.needs_network_ids)
    selection = select(checked.routers, options)
    claiming = run.claiming_of_node(selection.routers, data)
    wanted = [router for router in selection.routers if router.id not in {rejected.id for rejected in claiming}]
    run.plan.rejected, run.plan.skipped, run.plan.routers = (*checked.rejected, *claiming), selection.skipped, wanted
    # A router that is down goes; one that is only not for this node, by an option, is none of the business of "replaced".
    going = [skipped.id for skipped in selection.skipped if skipped.reason == ADMIN_DOWN]
    desired = [desired_state(router, options, driver) for router in wanted]
    if state == "overridden":
        return run.planned(desired, run.purged(going), everything=True)
    unprotected = run.unprotected(going)
    run.refuse_too_many([router_id for router_id in unprotected if router_id in run.present], always=1)
    plan = run.planned(desired, unprotected)
    plan.changes += [run.kept(router_id) for router_id in going if router_id not in unprotected]
    return plan


def plan_restoration(
    before: Mapping[str, RouterState],
    bridges: AbstractSet[str],
    options: Options,
    driver: InterfaceDriver,
    proxy: MetadataProxy,
    observer: Observer,
) -> NodePlan:
    """Plan that routers become what they were: router id -> its state, which may be that of one that is not there. Of the
    bridges, those stay that were there before.
    """
    run = _Run(options, driver, proxy, observer)
    present = [Desired(Router(router_id), state, ()) for router_id, state in before.items() if state.namespace]
    return run.planned(present, [router_id for router_id, state in before.items() if not state.namespace], bridges=bridges)


class _Run:
    """What planning a run needs to know, and the plan as it grows."""

    def __init__(self, options: Options, driver: InterfaceDriver, proxy: MetadataProxy, observer: Observer) -> None:
        self.options = options
        self.driver = driver
        self.proxy = proxy
        self.observer = observer
        self.places = places(driver)
        self.freed: Set[str] = set()  # names on the node that removals set free
        self.plan = NodePlan(proxy=proxy, warnings=proxy.warnings())

    @property
    def present(self) -> List[str]:
        """Ids of the routers on the node."""
        return sorted({place.router_id for place in self.places})

    @property
    def _unnamed(self) -> List[str]:
        """Entries that could not be told apart from any router on the node."""
        return [rejected.id for rejected in self.plan.rejected if not rejected.identified]

    def claiming_of_node(self, routers: Sequence[Router], data: Any) -> List[Rejected]:
        """Routers that are to be in the node's own namespace, and claim an address that the node has itself."""
        if self.options.use_namespaces or not routers:
            return []
        expected = {device for router in routers for device in desired_state(router, self.options, self.driver).state.devices}
        return claiming(routers, data, self.observer.addresses_of_node(expected))

    def purged(self, down: Sequence[str]) -> List[str]:
        """Routers on the node that are not asked for. Raises :class:`Refused` when they are too many."""
        if self._unnamed:
            message = "No router was purged, since %s cannot be told from those on the node."
            self.plan.warnings.append(message % listed(self._unnamed))
            return []
        kept = {router.id for router in self.plan.routers} | {rejected.id for rejected in self.plan.rejected}
        surplus = [router_id for router_id in self.present if router_id not in kept]
        going = self.unprotected(surplus)
        self.plan.warnings += [
            "Router %s stays, though the router data does not want it here: it is protected." % i
            for i in surplus
            if i not in going
        ]
        self.refuse_too_many(going)
        return [*going, *(router_id for router_id in self.unprotected(down) if router_id not in going)]

    def refuse_too_many(self, going: Sequence[str], always: int = 0) -> None:
        """Raises :class:`Refused` when more routers of the node would go than may; so many always may."""
        if len(going) > always and not self.options.max_deletions.allows(len(going), len(self.present)):
            raise Refused(
                "Refused: %d of the %d routers on this node would be purged, and max_deletions is %s. Nothing was"
                " touched. If they are to go, raise max_deletions (100%% for no limit)."
                % (len(going), len(self.present), self.options.max_deletions)
            )

    def unprotected(self, going: Sequence[str]) -> List[str]:
        """Those of the routers that are to go which may."""
        return [router_id for router_id in going if not self._is_protected(router_id)]

    def _is_protected(self, router_id: str) -> bool:
        return router_id in self.options.protected_routers and any(place.router_id == router_id for place in self.places)

    def kept(self, router_id: str) -> Change:
        """The part of a router that was to go, and does not: it is not there, or it is protected."""
        refusal = "protected_routers names it: it is not removed. Take it from there first."
        return Change(router_id, RouterPlan(router_id), error=refusal if self._is_protected(router_id) else None)

    def planned(
        self,
        desired: Sequence[Desired],
        going: Sequence[str],
        everything: bool = False,
        bridges: Optional[AbstractSet[str]] = None,
    ) -> NodePlan:
        """The plan that makes these routers, and removes those that are going; with ``everything``, also what is
        left of routers that went before. Unused bridges go with ``everything``, or when they are not among ``bridges``.
        """
        wanted = {d.router.id: Place(d.router.id, self.options.namespace_of(d.router.id)) for d in desired}
        self.plan.moved = moved = [p for p in self.places if p.router_id in wanted and p != wanted[p.router_id]]
        unwanted = set(going)
        self._refuse_a_second(wanted, unwanted)
        removed = [*(p for p in self.places if p.router_id in unwanted), *moved]
        observed = self.observer.observe([*wanted.values(), *removed], {d.router.id: d.state for d in desired})
        peers = {device.attachment.peer for d in desired for device in d.state.devices.values() if device.attachment}
        removals = self._removals(removed, observed, peers, wanted_own=bool(wanted) and not self.options.use_namespaces)
        planner = self._planner(desired, observed)
        stale = self._orphans(desired, observed, unwanted, everything and not self._unnamed)
        planner.free(stale)
        changes = [self._change(d, planner, observed, removals) for d in desired]
        leaving = {place.router_id: observed[place] for place in removed if place.router_id in unwanted}
        self.plan.changes = [*changes, *(self._deletion(router_id, state, removals) for router_id, state in leaving.items())]
        freed = (
            *self._stray_advertisements(wanted, unwanted, everything and not self._unnamed),
            *self.driver.release(stale, stale=True),
        )
        kept = frozenset() if everything else bridges
        devices = {d.name: d for x in desired for d in x.state.devices.values()}
        unused = self.driver.unused(devices, planner.freed, kept) if kept is not None else []
        served = (*unused, *self._load_proxy())
        self.plan.node = RouterPlan(NODE, freed=freed, served=served)
        return self.plan

    def _refuse_a_second(self, wanted: Mapping[str, Place], unwanted: Set[str]) -> None:
        """The node's own namespace has room for one router. Raises :class:`Refused`."""
        own = [p.router_id for p in self.places if p.namespace is None and p.router_id not in unwanted | set(wanted)]
        if own and wanted and not self.options.use_namespaces:
            raise Refused(
                "Refused: router %s lives in the node's own namespace already, which has room for one. Nothing was touched."
                " Remove it first, or have the state overridden do so." % own[0]
            )

    def _planner(self, desired: Sequence[Desired], observed: Mapping[Place, Any]) -> Planner:
        """A planner that knows which names the run sets free."""
        namespaces = (p.namespace for p in self.places if p.namespace)
        planner = Planner(self.driver, self.proxy, namespaces, self.observer.advertisers)
        planner.free(self.freed)
        for d in desired:
            present = observed[Place(d.router.id, self.options.namespace_of(d.router.id))]
            if isinstance(present, RouterState):
                gone = [device for name, device in present.devices.items() if name not in d.state.devices]
                planner.free(device.attachment.peer for device in gone if device.attachment is not None)
        return planner

    def _removals(
        self, removed: Sequence[Place], observed: Mapping[Place, Any], wanted_peers: Set[str], wanted_own: bool
    ) -> Removals:
        """What removes routers from where they are not to be. Notes the names that are free then, and those of them
        that the kernel takes away a moment later.
        """
        names: Dict[str, List[str]] = {place.router_id: [] for place in removed}
        for name, router_id in self.driver.marked().items():
            if router_id in names:
                names[router_id].append(name)
        removals: Dict[str, List[Operation]] = {}
        for place in removed:
            state = observed[place] if isinstance(observed[place], RouterState) else ABSENT
            released = self._released(place, names[place.router_id], wanted_peers)
            if place.namespace is not None:
                self.plan.leaving[place.router_id] = [name for name in names[place.router_id] if name not in released]
                self.freed.update(names[place.router_id])
            else:
                self.freed.update(d.attachment.peer for d in state.devices.values() if d.attachment is not None)
                self.freed.update(released)
                state = replace(state, firewall={}) if wanted_own else state  # whose rules take the place of these
            steps = removal(place.router_id, place.namespace, state, self.driver, self.proxy, released)
            removals.setdefault(place.router_id, []).extend(steps)
        return removals

    def _released(self, place: Place, names: Sequence[str], wanted_peers: Set[str]) -> List[str]:
        """Of a router's things on the node, those that do not go by themselves, or not soon enough."""
        kept = [name for name in names if not self.driver.goes_with_namespace(name)]
        if place.namespace is None:
            return [name for name in kept if name in self.driver.node.links]
        return [name for name in names if name in wanted_peers or name in kept]

    def _change(self, desired: Desired, planner: Planner, observed: Mapping[Place, Any], removals: Removals) -> Change:
        router_id = desired.router.id
        present = observed[Place(router_id, self.options.namespace_of(router_id))]
        if not isinstance(present, RouterState):
            return Change(router_id, RouterPlan(router_id), error=str(present))
        plan = planner.plan(desired, present, removals.get(router_id, ()))
        self.plan.warnings += plan.warnings
        return Change(router_id, plan, present, plan.after.filled_from(present))

    def _deletion(self, router_id: str, observed: Any, removals: Removals) -> Change:
        """A router goes from wherever it is."""
        before = observed if isinstance(observed, RouterState) else ABSENT
        unread = str(observed) if before is not observed else None
        if self.driver.unavailable is not None:
            return Change(router_id, RouterPlan(router_id), before, before, error=self.driver.unavailable)
        steps = [*end_advertisements(router_id, self.observer.advertisers), *removals[router_id]]
        plan = RouterPlan(router_id, freed=tuple(sorted(steps, key=rank)))
        return Change(router_id, plan, before, unread=unread)

    def _orphans(
        self, desired: Sequence[Desired], observed: Mapping[Place, Any], unwanted: Set[str], everything: bool
    ) -> List[str]:
        """Things of ours on the node that no router has: of routers of the run, and with ``everything`` of those that are
        gone.
        """
        used: Dict[str, Set[str]] = {}
        for d in desired:
            present = observed[Place(d.router.id, self.options.namespace_of(d.router.id))]
            if isinstance(present, RouterState):
                devices = [*present.devices.values(), *d.state.devices.values()]
                used[d.router.id] = {device.attachment.peer for device in devices if device.attachment is not None}
        placed = {place.router_id for place in self.places}
        known = placed | {d.router.id for d in desired} | {rejected.id for rejected in self.plan.rejected}
        stale = []
        for name, router_id in self.driver.marked().items():
            lost = router_id in used and name not in used[router_id]
            gone = router_id not in known and (everything or router_id in unwanted)
            if (lost or gone) and name not in self.freed:
                stale.append(name)
        return sorted(stale)

    def _stray_advertisements(self, wanted: Mapping[str, Place], unwanted: Set[str], everything: bool) -> List[Operation]:
        """Ends those of routers that are not on the node."""
        known = {place.router_id for place in self.places} | set(wanted) | {rejected.id for rejected in self.plan.rejected}
        advertisers = self.observer.advertisers
        steps: List[Operation] = []
        for router_id in sorted(advertisers.known.keys() - known):
            if everything or router_id in unwanted:
                action = "router advertisements of router %s, which is gone, ended" % router_id
                steps += end_advertisements(router_id, advertisers, (action,), agents=False)
        return steps

    def _load_proxy(self) -> Tuple[Operation, ...]:
        """Whether the metadata proxy is to be started, reloaded or ended, and what it is told."""
        proxy = self.proxy
        done = {change.router_id: change for change in self.plan.changes if change.error is None}
        own = {i: change.after for i, change in done.items() if change.after.metadata}
        lines = {**self._lines_of_others(done), **{i: proxy.line(i, after.metadata_ipv6) for i, after in own.items()}}
        self.plan.proxy_after = proxy.render(lines)
        if self.plan.proxy_after:
            action = "reloaded" if proxy.running else "started"
            served = (done[i] for i in lines if i in done and i in proxy.routers)
            listening = all(change.before.serves(change.after) for change in served)
            if proxy.running and proxy.loaded and listening and proxy.text == self.plan.proxy_after:
                return ()
        elif proxy.running or proxy.text:
            action = "ended"
        else:
            return ()
        return (LoadProxy(None, ("metadata proxy %s" % action,)),)

    def _lines_of_others(self, done: Mapping[str, Change]) -> Dict[str, str]:
        """What the proxy was told of routers that are not part of the run, and are there: it stays so. When the process
        runs and its files are gone, its sockets tell.
        """
        others = [place for place in self.places if place.router_id not in done and is_alive(place)]
        if self.proxy.running and not self.proxy.lines:
            others = [place for place in others if place.namespace is not None]
            served = self.observer.observe(others, {})
            states = {p.router_id: served[p] for p in others if getattr(served[p], "metadata", False)}
            return {i: self.proxy.line(i, state.metadata_ipv6) for i, state in states.items()}
        return {place.router_id: self.proxy.lines[place.router_id] for place in others if place.router_id in self.proxy.lines}
