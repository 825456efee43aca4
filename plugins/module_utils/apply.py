# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Executing plans: the only place where a node is changed.

Operations of a plan run in order, neighbouring lines of ``ip`` as one batch. The first failure ends the router's
plan, and what was done until then is told; other routers go on.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import groupby
from typing import Iterable, List, Optional, Sequence

from .host import announce, conntrack, ip, iptables, netns, sysctl
from .host.command import CommandError
from .operations import Announce, DeleteFlows, Ip, Operation, RestoreRules, SetSysctl
from .plan import RouterPlan

WORKERS = 2  # as many as the smallest node has cores; more wait for each other when they start processes
GONE_WITHIN = 5.0  # seconds in which the kernel takes away the devices of a deleted namespace


class _Failed(Exception):
    """An operation failed; ``done`` operations of its group took effect."""

    def __init__(self, done: int, message: str) -> None:
        self.done = done
        super().__init__(message)


class Outcome:
    """What became of one router's plan."""

    def __init__(self, plan: RouterPlan) -> None:
        self.plan = plan
        self.actions: List[str] = []
        self.error: Optional[str] = None

    def execute(self, operations: Iterable[Operation]) -> None:
        """Run operations until one fails."""
        if self.error is not None:
            return
        operations = list(operations)
        for (kind, namespace), members in groupby(operations, key=lambda o: (isinstance(o, Ip), o.namespace)):
            group = list(members)
            try:
                with ExitStack() as stack:
                    if namespace is not None:
                        stack.enter_context(netns.entered(namespace))
                    _execute_batch(group) if kind else _execute_each(group)
            except _Failed as failure:
                self._note(group[: failure.done])
                self.error = str(failure)
                break
            except (netns.DeadNamespace, netns.Inaccessible) as error:
                self.error = str(error)
                return
            self._note(group)
        if self.error is not None:
            self._announce_all_the_same(operations)

    def _announce_all_the_same(self, operations: Sequence[Operation]) -> None:
        """Addresses that were added before something else failed: no later run finds them new."""
        for operation in operations:
            added = isinstance(operation, Announce) and "address %s/" % operation.address
            if added and operation.namespace and any(action.startswith(added) for action in self.actions):
                with suppress(OSError), netns.entered(operation.namespace):
                    _execute(operation)

    def _note(self, done: Sequence[Operation]) -> None:
        self.actions += [action for operation in done for action in operation.actions]


def _execute_batch(group: Sequence[Operation]) -> None:
    try:
        ip.batch([operation.line for operation in group if isinstance(operation, Ip)])
    except ip.BatchError as error:
        raise _Failed(error.done, str(error)) from None
    except CommandError as error:
        raise _Failed(0, str(error)) from None


def _execute_each(group: Sequence[Operation]) -> None:
    for done, operation in enumerate(group):
        try:
            _execute(operation)
        except CommandError as error:
            raise _Failed(done, str(error)) from None
        except OSError as error:
            raise _Failed(done, "%s: %s" % (_subject(operation), error.strerror)) from None


def _execute(operation: Operation) -> None:
    if isinstance(operation, SetSysctl):
        sysctl.write(operation.key, operation.value)
    elif isinstance(operation, RestoreRules):
        iptables.restore(operation.family, operation.text)
    elif isinstance(operation, DeleteFlows):
        conntrack.delete_flows_through(operation.address)
    elif isinstance(operation, Announce):
        announce.send(_announcement(operation))
    else:
        raise TypeError("no way to execute %r" % (operation,))


def _subject(operation: Operation) -> str:
    if isinstance(operation, SetSysctl):
        return "sysctl %s = %s" % (operation.key.replace("/", "."), operation.value)
    if isinstance(operation, Announce):
        return "announcing %s on %s" % (operation.address, operation.device)
    return type(operation).__name__


def _announcement(operation: Announce) -> announce.Announcement:
    return announce.Announcement(operation.namespace or "", operation.device, operation.address)


def apply_plans(plans: Sequence[RouterPlan], announcements: int) -> List[Outcome]:
    """Execute plans and tell what became of each, in the same order.

    ``announcements``: how often each new address is announced; the first time during the run, the others after it.
    """
    outcomes = [Outcome(plan) for plan in plans]
    for outcome in outcomes:
        outcome.execute(outcome.plan.shared)

    def execute_own(outcome: Outcome) -> None:
        outcome.execute(_announced(outcome.plan.own, announcements))

    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        list(pool.map(execute_own, [outcome for outcome in outcomes if outcome.plan.own]))
    repeated = [
        _announcement(operation) for outcome in outcomes for operation in outcome.plan.own if isinstance(operation, Announce)
    ]
    announce.repeat_in_background(repeated, announcements - 1)
    return outcomes


def _announced(operations: Sequence[Operation], announcements: int) -> Sequence[Operation]:
    return operations if announcements else [o for o in operations if not isinstance(o, Announce)]


def wait_until_gone(devices: Iterable[str]) -> None:
    """Wait for root-side devices of deleted namespaces to go; those that something keeps are deleted."""
    left = list(devices)
    deadline = time.monotonic() + GONE_WITHIN
    while left and time.monotonic() < deadline:
        left = [device for device in left if sysctl.read("net/ipv4/conf/%s/forwarding" % device) is not None]
        if left:
            time.sleep(0.01)
    for device in left:
        with suppress(ip.BatchError, CommandError):  # it went meanwhile, or the next run finds it
            ip.batch(["link delete dev " + device])
