# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Steps that all routers of a run take together: in as few commands as possible, and what fails is still one router's."""

from __future__ import annotations

import time
from typing import Callable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .apply import Outcome
from .host import agent, cancellation, haproxy, ip, netns, ovs, radvd, rtnl, sockets
from .host.command import CommandError
from .operations import EndAdvertisements, Ip, LoadProxy, Operation, Ovs, Serve, Unserve
from .services.metadata_proxy import MetadataProxy, lines_of

PATIENCE = 5.0  # seconds after which a switch that fails is not tried again
NO_ANSWER = "Open vSwitch does not answer."
# The beginning of what ip says of a device that is not there, or went between looking for it and deleting it.
GONE = ("Cannot find device", "RTNETLINK answers: No such device")
CLOSED_WITHIN = 5.0  # seconds in which the proxy's old process closes its sockets


class _Part(NamedTuple):
    """An operation, and the router whose plan it is of."""

    outcome: Outcome
    operation: Operation


class Jointly:
    """Executes steps for all routers of a run. ``proxy`` is the metadata proxy as it is at the moment, and ``proxy_after``
    the configuration that it is to have in the end, when all goes well.
    """

    def __init__(self, outcomes: Sequence[Outcome], proxy: MetadataProxy, proxy_after: str = "") -> None:
        self.outcomes = outcomes
        self.proxy = proxy
        self.lines_after = lines_of(proxy_after)
        self.loaded: Optional[str] = None  # what the proxy was told in this run

    def execute(self, step: Callable[[Outcome], Sequence[Operation]], outcomes: Optional[Sequence[Outcome]] = None) -> None:
        """Execute one step of all plans, or of those of some routers: first what ends services, then switches and links, then
        what begins services.
        """
        chosen = [outcome for outcome in (self.outcomes if outcomes is None else outcomes) if outcome.error is None]
        parts = [_Part(outcome, operation) for outcome in chosen for operation in step(outcome)]
        for part in parts:
            part.outcome.error = cancellation.reason_to_leave()
        parts = _unfailed(parts)
        kinds: List[Tuple[type, Callable[[List[_Part]], None]]] = [
            (EndAdvertisements, _end_advertisements),
            (Unserve, self._unserve),
            (Ovs, _change_switch),
            (Ip, _change_links),
        ]
        for kind, execute in kinds:
            joint = _unfailed([part for part in parts if isinstance(part.operation, kind) and _is_joint(part.operation)])
            if joint:
                execute(joint)
        for part in parts:
            if not _is_joint(part.operation):
                part.outcome.execute([part.operation])
        serving = _unfailed([part for part in parts if isinstance(part.operation, (Serve, LoadProxy))])
        if serving:
            self._serve(serving)

    def _unserve(self, parts: List[_Part]) -> None:
        going = [part.operation for part in parts if isinstance(part.operation, Unserve)]
        leaving = {operation.router_id for operation in going}
        # What is not there in the end may not even be there now, and a namespace that is missing is fatal to all.
        kept = {i: line for i, line in self.proxy.lines.items() if i in self.lines_after and i not in leaving}
        if not self._load(parts, kept):
            return
        port, deadline = self.proxy.options.metadata_port, time.monotonic() + CLOSED_WITHIN
        for part in parts:
            listens = _listens(part.operation.namespace, port)
            while listens and time.monotonic() < deadline:
                time.sleep(0.002)
                listens = _listens(part.operation.namespace, port)
            if listens:  # and so keeps the namespace, whose name goes
                part.outcome.trouble = "The metadata proxy still listens in %s." % part.operation.namespace

    def _serve(self, parts: List[_Part]) -> None:
        coming = {part.operation.router_id: part.operation.namespace for part in parts if isinstance(part.operation, Serve)}
        planned = {step.router_id for outcome in self.outcomes for step in outcome.plan.served if isinstance(step, Serve)}
        failed = planned - coming.keys()
        lines = {router_id: line for router_id, line in self.lines_after.items() if router_id not in failed}
        if not self._load(parts, lines):
            return
        port = self.proxy.options.metadata_port
        if not all(_listens(namespace, port) for namespace in coming.values()):
            # A process takes over the sockets of the one before by the names of namespaces; a name can be another
            # namespace's by now. Starting anew is what helps.
            text = self.proxy.text
            haproxy.stop()
            self.proxy, self.loaded = self.proxy.with_text(""), None
            self._load_text([], text)
        for part in parts:
            if isinstance(part.operation, Serve) and not _listens(part.operation.namespace, port):
                part.outcome.error = part.outcome.error or "The metadata proxy does not listen in %s." % part.operation.namespace

    def _load(self, parts: List[_Part], lines: Mapping[str, str]) -> bool:
        return self._load_text(parts, self.proxy.render(lines))

    def _load_text(self, parts: List[_Part], text: str) -> bool:
        """Have the proxy run with this configuration; whether it does."""
        try:
            if not text:
                haproxy.stop()
            elif text != self.loaded:
                haproxy.load(text)
            self.loaded = text
            self.proxy = self.proxy.with_text(text)
        except (CommandError, OSError) as error:
            for part in parts:
                if isinstance(part.operation, Unserve):  # that must not keep a router from going
                    part.outcome.trouble = "metadata proxy: %s" % error
                else:
                    part.outcome.error = "metadata proxy: %s" % error
            return False
        for part in parts:
            part.outcome.note([part.operation])
        return True


def _is_joint(operation: Operation) -> bool:
    """Whether one command does it for all routers; a line of ``ip`` only outside of their namespaces."""
    kinds = (EndAdvertisements, Unserve, Ovs, Serve, LoadProxy)
    return isinstance(operation, kinds) or (isinstance(operation, Ip) and operation.namespace is None)


def _unfailed(parts: Sequence[_Part]) -> List[_Part]:
    return [part for part in parts if part.outcome.error is None]


def _listens(namespace: Optional[str], port: int) -> bool:
    try:
        with netns.entered(namespace):
            return sockets.listener(port) is not None
    except (netns.DeadNamespace, netns.Inaccessible):
        return False


def _end_advertisements(parts: List[_Part]) -> None:
    """All at once, and while the devices are there by which hosts are told."""
    ending = [part.operation for part in parts if isinstance(part.operation, EndAdvertisements)]
    try:
        radvd.end({operation.router_id: operation.pid for operation in ending})
        for operation in ending:
            if operation.agents_radvd is not None:
                agent.end_radvd(operation.agents_radvd, operation.router_id, replaced=False)
    except OSError as error:
        for part in parts:  # that must not keep a router from going
            part.outcome.trouble = "router advertisements: %s" % (error.strerror or error)
        return
    for part in parts:
        part.outcome.note([part.operation])


def _change_links(parts: List[_Part]) -> None:
    """One batch for all; where a line fails, that router is left out and the batch goes on behind it."""
    while parts:
        lines = [part.operation.line for part in parts if isinstance(part.operation, Ip)]
        try:
            with rtnl.TURN:
                ip.batch(lines)
            done = len(parts)
        except ip.BatchError as error:
            done = error.done
            if lines[done].startswith("link delete ") and error.message.startswith(GONE):
                done += 1  # with its namespace, meanwhile
            else:
                parts[done].outcome.error = str(error)
        except CommandError as error:
            done = 0
            parts[0].outcome.error = str(error)
        for part in parts[:done]:
            part.outcome.note([part.operation])
        parts = _unfailed(parts[done:])


def _change_switch(parts: List[_Part]) -> None:
    """One transaction for many routers; when it fails, one for each of them."""
    by_router: List[_Several] = []
    for part in parts:
        if isinstance(part.operation, Ovs):
            if not by_router or by_router[-1].outcome is not part.outcome:
                by_router.append(_Several(part.outcome, []))
            by_router[-1].operations.append(part.operation)
    answers = True
    while by_router:
        count = 1
        while count < len(by_router) and sum(len(several.operations) for several in by_router[: count + 1]) <= ovs.AT_ONCE:
            count += 1
        answers = _change_switch_at_once(by_router[:count], answers)
        by_router = by_router[count:]


class _Several(NamedTuple):
    """What one router has to change on the switch."""

    outcome: Outcome
    operations: List[Ovs]


def _change_switch_at_once(routers: Sequence[_Several], answers: bool) -> bool:
    """One transaction. Whether the switch still answers: when it takes its time to fail, it is not asked once more."""
    error, answers = _transaction(routers) if answers else (NO_ANSWER, False)
    for several in routers:
        if error is not None and answers and len(routers) > 1:
            several.outcome.error, answers = _transaction([several])
        else:
            several.outcome.error = error
        if several.outcome.error is None:
            several.outcome.note(several.operations)
    return answers


def _transaction(routers: Sequence[_Several]) -> Tuple[Optional[str], bool]:
    """What went wrong, and whether the switch was quick to say so."""
    started = time.monotonic()
    try:
        ovs.change([operation.arguments for several in routers for operation in several.operations])
    except CommandError as error:
        return str(error), time.monotonic() - started < PATIENCE
    return None, True
