# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A planned run made to happen, or told as if it had: there is no second path for check mode."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import FrozenSet, List, Mapping, Optional, Tuple

from .apply import Outcome, executing_own, wait_until_gone
from .apply_jointly import Jointly
from .errors import UNFORESEEN, MissingCommand, Refused, in_words
from .firewall import DRIVERS
from .host import haproxy
from .host.cancellation import refuse_to_begin
from .host.command import is_there, require
from .host.progress import Progress
from .host.rights import lacking
from .operations import Announce, Ip, Tc
from .options import Options
from .plan_bandwidth import shapes
from .plan_node import Change, NodePlan
from .services.metadata_proxy import MetadataProxy, Upstream

begun: List[bool] = []  # not empty when the node may have been changed by this run

# Routers whose namespaces and devices one command makes, while the insides of those before are made.
AT_ONCE = 32
_VERSION = re.compile(r"[0-9]+")


def require_node(options: Options, commands: Tuple[str, ...] = ()) -> None:
    """Raise when this is no place to converge routers: no root, or tools or a kernel that are missing."""
    require_root()
    driver = DRIVERS[options.firewall_driver]
    require(["ip", *driver.commands, "conntrack", *commands])
    release = os.uname().release
    if driver.linux > tuple(int(number) for number in _VERSION.findall(release)[:2]):
        raise Refused("firewall_driver: %s needs Linux %d.%d, and this is %s." % (driver.name, *driver.linux, release))


def require_root() -> None:
    """Raise when the run is not root's."""
    if os.geteuid() != 0:
        raise Refused("Network namespaces need root: run the task with become: true.")


def observe_proxy(options: Options, thorough: bool = False, known: Optional[Upstream] = None) -> MetadataProxy:
    """The metadata proxy as it is on the node, with what the options want of it.

    ``thorough``: look for a process whose files are gone, also when none is wanted. ``known``: the upstream as it was last seen.
    """
    search = thorough or bool(options.metadata_upstream)
    running = haproxy.master() is not None or (search and haproxy.lost_master() is not None)
    upstream = Upstream.observe(options.metadata_upstream).or_as(known) if options.metadata_upstream else None
    sockets: FrozenSet[str] = haproxy.sockets() if running else frozenset()
    return MetadataProxy(
        options,
        upstream=upstream,
        text=haproxy.configuration() or "",
        running=running,
        sockets=sockets,
        loaded=haproxy.is_loaded(),
        missing=_missing(running, upstream),
        hidden=running and not sockets and bool(lacking("CAP_SYS_PTRACE")),
    )


def _missing(running: bool, upstream: Optional[Upstream]) -> Optional[str]:
    """Why the proxy cannot be started, in a sentence."""
    if not is_there(haproxy.COMMAND):
        return "The node lacks the command haproxy, which the metadata proxy is: install it."
    if running or haproxy.has_unit() or (upstream is not None and upstream.identity == (0, 0)):
        return None  # it has what it needs
    # The process has the rights of the run. Its master is root, its workers are not, and it has to end them.
    lacks = lacking("CAP_SETUID", "CAP_SETGID", "CAP_KILL")
    return "The run lacks %s: the metadata proxy needs it to have workers of another user." % lacks[0] if lacks else None


def warn_of_rights(plan: NodePlan, options: Options) -> None:
    """Say what will not be done for want of rights, and would not fail either."""
    planned = (step for change in plan.changes for step in change.plan.own)
    if options.send_arp_for_ha and any(isinstance(step, Announce) for step in planned) and lacking("CAP_NET_RAW"):
        plan.warnings.append("The run lacks CAP_NET_RAW: no address is announced.")


def leave_out_limits(plan: NodePlan) -> None:
    """On a node that lacks the command for bandwidth limits, plan the rest of the routers, which need it not."""
    if any(isinstance(step, Tc) for change in plan.changes for step in change.plan.own):
        try:
            require(["tc"])
        except MissingCommand as problem:
            plan.changes[:] = [_without_limits(change, str(problem)) for change in plan.changes]


def _without_limits(change: Change, problem: str) -> Change:
    own = tuple(step for step in change.plan.own if not shapes(step))
    if len(own) == len(change.plan.own):
        return change
    after = replace(change.after, shaping=change.before.shaping)
    problems = (*change.plan.problems, problem)
    return replace(change, plan=replace(change.plan, own=own, problems=problems, after=after), after=after)


@dataclass(frozen=True)
class RouterResult:
    """What became of one router."""

    change: Change
    actions: Tuple[str, ...]
    error: Optional[str]


@dataclass(frozen=True)
class NodeResult:
    """What became of the routers, and of what concerns none of them."""

    routers: List[RouterResult]
    actions: Tuple[str, ...]
    error: Optional[str] = None


def converge(plan: NodePlan, options: Options, progress: Progress) -> NodeResult:
    """Make a planned run happen. Raises :class:`Refused` when it was cancelled before; whatever comes later is in the result."""
    refuse_to_begin()
    by_id = {change.router_id: Outcome(change.plan) for change in plan.changes if change.error is None}
    node = Outcome(plan.node)
    working = [outcome for outcome in (*by_id.values(), node) if outcome.plan.operations]
    begun[:] = [True] if working else []
    try:
        _execute(plan, by_id, node, options, progress)
    except UNFORESEEN as error:
        reason = "The run broke off before all was done, and the next one goes on from there: " + in_words(error)
        for outcome in working:
            outcome.error = outcome.error or reason
    results = []
    for change in plan.changes:
        outcome = by_id.get(change.router_id, Outcome(change.plan))
        results.append(RouterResult(change, tuple(outcome.actions), _error(change, outcome.error, outcome.trouble)))
    return NodeResult(results, tuple(node.actions), node.error)


def _execute(plan: NodePlan, by_id: Mapping[str, Outcome], node: Outcome, options: Options, progress: Progress) -> None:
    jointly = Jointly([*by_id.values(), node], plan.proxy, plan.proxy_after)
    for outcome in by_id.values():
        outcome.execute(outcome.plan.ahead)
    jointly.execute(lambda outcome: outcome.plan.freed)
    routers = list(by_id.values())
    progress.begin("converged", len(routers))

    def done(outcome: Outcome) -> None:
        progress.advance(changed=bool(outcome.actions), failed=outcome.error is not None)

    with executing_own(routers, options.send_arp_for_ha, done) as execute_own:
        for first in range(0, len(routers), AT_ONCE):
            batch = routers[first : first + AT_ONCE]
            jointly.execute(lambda outcome: outcome.plan.shared, batch)
            for outcome in batch:
                execute_own(outcome)
    gone = [name for i, names in plan.leaving.items() if i in by_id and by_id[i].error is None for name in names]
    wait_until_gone(gone)
    # A bridge is out of use only when all that was on it has gone as planned.
    all_well = all(outcome.error is None for outcome in by_id.values())
    jointly.execute(lambda outcome: [step for step in outcome.plan.served if all_well or not isinstance(step, Ip)])


def predict(plan: NodePlan) -> NodeResult:
    """What :func:`converge` would do."""
    results = [
        RouterResult(change, tuple(change.plan.actions if change.error is None else ()), _error(change))
        for change in plan.changes
    ]
    return NodeResult(results, tuple(plan.node.actions))


def _error(change: Change, *failures: Optional[str]) -> Optional[str]:
    reasons = [reason for reason in (change.error, *failures, *change.plan.problems) if reason]
    return "; ".join(reasons) or None
