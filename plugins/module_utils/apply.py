# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Executing plans: the only place where a node is changed.

The first failure ends a router's plan, and what was done until then is told; other routers go on.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from itertools import groupby
from typing import Callable, Iterable, Iterator, List, Optional, Sequence

from .advertised_from import is_told, own_link_local, with_sources
from .errors import UNFORESEEN, MissingCommand, in_words
from .host import agent, cancellation, conntrack, ip, iptables, netns, nftables, policy_rules, radvd, rtnetlink, sysctl, tc
from .host.announce import Announcement, Announcer
from .host.command import CommandError
from .operations import (
    Advertise,
    Announce,
    ChangePolicyRule,
    ChangeRules,
    DeleteFlows,
    DeleteUntranslatedFlows,
    EndAgentsProxy,
    Ip,
    Operation,
    SetSysctl,
    Tc,
)
from .plan import RouterPlan
from .plan_bandwidth import shapes
from .plan_policy_rules import describe_policy_rule
from .port_forwardings import Destinations
from .state import INET

WORKERS = 2  # as many as the smallest node has cores; more wait for each other when they start processes
_BATCHES = {Ip: "ip", Tc: "tc"}
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
        self.trouble: Optional[str] = None  # an error that did not end the plan

    def execute(self, operations: Iterable[Operation]) -> None:
        """Run operations in order until one fails, neighbouring lines of ``ip``, or of ``tc``, as one batch."""
        if self.error is not None:
            return
        operations = list(operations)
        self.error = cancellation.reason_to_leave() if operations else None
        if self.error is not None:
            return
        begun = 0
        for (command, namespace), members in groupby(operations, key=lambda o: (_BATCHES.get(type(o)), o.namespace)):
            group = list(members)
            begun += len(group)
            try:
                with ExitStack() as stack:
                    if namespace is not None:
                        stack.enter_context(netns.entered(namespace))
                    _execute_batch(command, group) if command else _execute_each(group)
            except _Failed as failure:
                self.note(group[: failure.done])
                failed = group[failure.done]
                rest = _without(failed, operations[begun - len(group) + failure.done + 1 :])
                if rest is None:
                    self.error = str(failure)
                    break
                self._go_on(_told(failed, failure), rest)
                return
            except (netns.DeadNamespace, netns.Inaccessible) as error:
                self.error = str(error)
                return
            except UNFORESEEN as error:
                self.error = "A step may or may not have taken effect, and the next run goes on from there: " + in_words(error)
                return
            self.note(group)

    def _go_on(self, trouble: str, operations: Iterable[Operation]) -> None:
        self.trouble = trouble if self.trouble is None else "%s; %s" % (self.trouble, trouble)
        self.execute(operations)

    def note(self, done: Iterable[Operation]) -> None:
        """Operations took effect."""
        self.actions += [action for operation in done for action in operation.actions]

    def announcements(self) -> List[Announcement]:
        """What is to be announced: all, or when something failed, the addresses that were added until then."""
        planned = [operation for operation in self.plan.own if isinstance(operation, Announce)]
        return [
            Announcement(operation.namespace, operation.device, operation.address, operation.peer, operation.proxied)
            for operation in planned
            if self.error is None or any(a.startswith(operation.added) for a in self.actions)
        ]


def _without(failed: Operation, others: Sequence[Operation]) -> Optional[List[Operation]]:
    """What goes on without an operation that failed, as it does not need what the kernel or the node may lack; None: nothing."""
    if shapes(failed):
        return [operation for operation in others if not shapes(operation)]
    if isinstance(failed, Advertise) or (isinstance(failed, ChangeRules) and failed.trouble):
        return list(others)
    return None


def _told(failed: Operation, failure: _Failed) -> str:
    return "%s: %s" % (failed.trouble, failure) if isinstance(failed, ChangeRules) else str(failure)


def _execute_batch(command: str, group: Sequence[Operation]) -> None:
    try:
        (ip if command == "ip" else tc).batch([operation.line for operation in group if isinstance(operation, (Ip, Tc))])
    except ip.BatchError as error:
        raise _Failed(error.done, str(error)) from None
    except (CommandError, MissingCommand) as error:
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
    elif isinstance(operation, ChangePolicyRule):
        (policy_rules.restore if operation.wanted else policy_rules.delete)(operation.rule)
    elif isinstance(operation, ChangeRules):
        if operation.family == INET:
            nftables.change(operation.text)
        else:
            iptables.restore(operation.family, operation.text)
    elif isinstance(operation, EndAgentsProxy):
        agent.end_metadata_proxy(operation.pid, operation.router_id)
    elif isinstance(operation, Advertise):
        if operation.agents_radvd is not None:
            agent.end_radvd(operation.agents_radvd, operation.router_id, replaced=True)
        radvd.load(operation.router_id, _with_sources(operation.text), operation.pid)
    elif isinstance(operation, DeleteFlows):
        destinations = Destinations(operation.ports, operation.port_forwardings) if operation.ports else None
        conntrack.delete_flows_through(operation.addresses, destinations)
    elif isinstance(operation, DeleteUntranslatedFlows):
        conntrack.delete_untranslated_flows(operation.networks)
    else:
        raise TypeError("no way to execute %r" % (operation,))


def _with_sources(text: str) -> str:
    """What radvd is to read in the namespace of the calling thread."""
    if not is_told(text):
        return text
    network = rtnetlink.read()
    return with_sources(text, {link.name: own_link_local(link, network.texts(link.name)) for link in network.links})


def _subject(operation: Operation) -> str:
    if isinstance(operation, SetSysctl):
        return "sysctl %s = %s" % (operation.key.replace("/", "."), operation.value)
    if isinstance(operation, ChangePolicyRule):
        return describe_policy_rule(operation.rule)
    if isinstance(operation, EndAgentsProxy):
        return "metadata proxy of the L3 agent (process %d)" % operation.pid
    if isinstance(operation, DeleteFlows):
        return "connection tracking"
    if isinstance(operation, Advertise):
        return "router advertisements"
    return type(operation).__name__


@contextmanager
def executing_own(
    outcomes: Sequence[Outcome], rounds: int, done: Callable[[Outcome], None]
) -> Iterator[Callable[[Outcome], object]]:
    """Execute what is each router's own, several routers at once, and beside what the caller does meanwhile: a router
    begins when it is handed over, and at the end of the context all are done.

    ``outcomes``: the routers that may come. ``rounds``: how often each new address is announced. ``done``: called for each
    router that is through with it.
    """
    wanted = rounds > 0 and any(isinstance(operation, Announce) for outcome in outcomes for operation in outcome.plan.own)
    announcer = Announcer(rounds) if wanted else None  # forks: before there are threads

    def execute(outcome: Outcome) -> None:
        outcome.execute([operation for operation in outcome.plan.own if not isinstance(operation, Announce)])
        announcements = outcome.announcements()
        if announcer is not None and announcements:
            announcer.announce(announcements)
        done(outcome)

    begun: List[Future[None]] = []
    try:
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            yield lambda outcome: begun.append(pool.submit(execute, outcome)) if outcome.plan.own else done(outcome)
        for future in begun:
            future.result()
    finally:
        if announcer is not None:
            announcer.close()


def wait_until_gone(devices: Iterable[str]) -> None:
    """Wait for devices of deleted namespaces to go from the node; those that something keeps are deleted."""
    left = list(devices)
    deadline = time.monotonic() + GONE_WITHIN
    while left and time.monotonic() < deadline:
        left = [device for device in left if sysctl.read("net/ipv4/conf/%s/forwarding" % device) is not None]
        if left:
            time.sleep(0.01)
    for device in left:
        with suppress(ip.BatchError, CommandError):  # it went meanwhile, or the next run finds it
            ip.batch(["link delete dev " + device])
