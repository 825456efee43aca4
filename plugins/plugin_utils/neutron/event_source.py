# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source netnode.l3.neutron: news of routers as events, and heartbeats of the hosts.

All that waits for the message bus does so in threads of its own, and all that is kept is kept in the thread of the loop.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeVar

from .bursts import ALL, Bursts
from .errors import NeutronError
from .hosted_routers import HostedRouters
from .notifications import Notifications
from .reports import ALIVE, report_state
from .resources import KINDS, QOS_POLICY, Kind
from .routers_by_rpc import synced_routers
from .rpc import Rpc
from .source_options import SourceOptions

LOG = logging.getLogger("netnode.l3.neutron")
_LONGEST_STOP = 15.0  # seconds
_LOOK = 1.0  # seconds between looks at the connections

T = TypeVar("T")


class EventQueue(Protocol):
    """What ansible-rulebook gives a source; it is full while the events before have not been taken."""

    async def put(self, event: dict[str, Any], /) -> None:
        """Put an event into it."""


async def watch(queue: EventQueue, options: SourceOptions) -> None:
    """Put events into the queue until this is cancelled. Raises :class:`NeutronError` when it cannot begin."""
    rpc = await _in_thread(partial(Rpc, options.transport_url, options.config_file, options.rpc_timeout))
    source = _Source(options, rpc)
    try:
        await _all_of(source.begin(), source.emit(queue), source.ask(), source.look_at_connections(), source.report())
    finally:
        await source.end()


class _Source:
    def __init__(self, options: SourceOptions, rpc: Rpc) -> None:
        self._options = options
        self._rpc = rpc
        self._loop = asyncio.get_running_loop()
        self._hosted = {host: HostedRouters(options.configurations) for host in options.hosts}
        self._notifications: dict[Notifications, tuple[str, ...]] = {}  # whom each of them concerns
        self._begun: list[str] = []
        self._calls: set[asyncio.Future[Any]] = set()
        # What is to be told by events, and what Neutron is to be asked for.
        self._events = _Waiting(Bursts(options.quiet, options.longest), self._loop.time)
        self._questions = _Waiting(Bursts(options.quiet, options.longest), self._loop.time)

    async def begin(self) -> None:
        """Listen first, so that nothing is missed; then, for each host, what it has and that it is alive."""
        hosts = list(self._hosted)
        for host in hosts:
            await self._listen(Notifications.of_host(self._rpc, host, self._heard_in_thread), host)
        for kind in KINDS:
            await self._listen(Notifications.of_resources(self._rpc, kind, hosts[0], self._heard_of_resources_in_thread), *hosts)
        for host, hosted in self._hosted.items():
            routers = await self._call(partial(synced_routers, self._rpc, host))
            hosted.answered(ALL, routers or ())
            if self._options.heartbeat:
                await self._report(host, start_flag=True)
            self._begun.append(host)
            self._events.heard(host, ALL)
            if routers is None:  # Neutron has known it only since the report, and can have scheduled routers to it.
                self._questions.heard(host, ALL)
        LOG.info("Listening to Neutron for %s.", ", ".join(self._hosted))

    async def _listen(self, notifications: Notifications, *hosts: str) -> None:
        self._notifications[notifications] = hosts
        await self._call(notifications.start)

    async def emit(self, queue: EventQueue) -> None:
        while True:
            host, router_ids = await self._events.next()
            LOG.info("News for %s of %s.", host, f"routers {', '.join(router_ids)}" if router_ids else "all routers")
            await queue.put({"neutron": {"host": host, "router_ids": router_ids}})

    async def ask(self) -> None:
        while True:
            host, router_ids = await self._questions.next()
            try:
                routers = await self._call(partial(synced_routers, self._rpc, host, router_ids or None))
            except Exception as error:
                LOG.warning("The figures of %s are not known: %s", host, _said(error))
                self._questions.heard(host, ALL, delay=self._options.report_interval)
            else:
                self._hosted[host].answered(router_ids, routers or ())

    async def look_at_connections(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            lost = [hosts for notifications, hosts in self._notifications.items() if notifications.was_lost()]
            for hosts in lost:
                for host in hosts:
                    LOG.warning("The connection to the message bus was lost, and is there again for %s.", host)
                    self._heard(host, ALL, False)

    async def report(self) -> None:
        """Report as often as the options say; the first report of a host is that of its beginning."""
        beat = self._loop.time()
        while self._options.heartbeat:
            beat = max(beat + self._options.report_interval, self._loop.time())
            await asyncio.sleep(beat - self._loop.time())
            for host in list(self._begun):
                try:
                    if await self._report(host) != ALIVE:
                        LOG.info("%s has been dead for Neutron.", host)
                        self._heard(host, ALL, False)
                except Exception as error:
                    LOG.warning("%s could not be reported as alive: %s", host, _said(error))

    async def end(self) -> None:
        """Stop what runs in threads: first the calls that wait for their answers, if these come soon."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=_LONGEST_STOP)
        await _ended(*(notifications.stop for notifications in self._notifications))
        await _ended(self._rpc.transport.cleanup)

    async def _call(self, function: Callable[[], T]) -> T:
        """What a function returns that waits for the message bus. It goes on when this is cancelled."""
        call = _in_thread(function)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return await asyncio.shield(call)

    async def _report(self, host: str, start_flag: bool = False) -> str:
        configurations = self._hosted[host].configurations()
        zone = self._options.availability_zone
        return await self._call(partial(report_state, self._rpc, host, configurations, zone, start_flag))

    def _heard_in_thread(self, host: str, router_ids: Sequence[str], everywhere: bool) -> None:
        self._loop.call_soon_threadsafe(self._heard, host, router_ids, everywhere)

    def _heard_of_resources_in_thread(self, kind: Kind, ids: Sequence[str]) -> None:
        self._loop.call_soon_threadsafe(self._heard_of_resources, kind, ids)

    def _heard_of_resources(self, kind: Kind, ids: Sequence[str]) -> None:
        for host, hosted in self._hosted.items():
            router_ids = hosted.limited_by(ids) if kind is QOS_POLICY else ids
            self._heard(host, router_ids, everywhere=bool(ids))

    def _heard(self, host: str, router_ids: Sequence[str], everywhere: bool) -> None:
        hosted = self._hosted[host]
        if everywhere:
            router_ids = [router_id for router_id in router_ids if hosted.has_seen(router_id)]
            if not router_ids:
                return
        hosted.saw(router_ids)
        self._events.heard(host, router_ids)
        self._questions.heard(host, router_ids)


class _Waiting:
    """Bursts that one task waits for."""

    def __init__(self, bursts: Bursts, clock: Callable[[], float]) -> None:
        self._bursts = bursts
        self._clock = clock
        self._more = asyncio.Event()

    def heard(self, host: str, router_ids: Sequence[str], delay: float = 0) -> None:
        self._bursts.heard(host, router_ids, self._clock() + delay)
        self._more.set()

    async def next(self) -> tuple[str, list[str]]:
        while (taken := self._bursts.take(self._clock())) is None:
            self._more.clear()
            due = self._bursts.due()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._more.wait()
        return taken


async def _all_of(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Do all of them until one fails."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ended(*stops: Callable[[], object]) -> None:
    """Stop things at once, and wait for it."""
    waits = [asyncio.wait_for(_in_thread(stop), _LONGEST_STOP) for stop in stops]
    for failure in await asyncio.gather(*waits, return_exceptions=True):
        if failure is not None:
            LOG.warning("Something did not end as it should: %s", _said(failure))


def _said(error: object) -> str:
    """What to say of an error. The texts of others can have the URL, with its password."""
    return str(error) if isinstance(error, NeutronError) else type(error).__name__


def _in_thread(function: Callable[[], T]) -> asyncio.Future[T]:
    """What a function returns that waits for something. Unlike with ``asyncio.to_thread``, the process can end before it does."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def deliver(done: Callable[[Any], object], value: object) -> None:
        if not future.done():
            done(value)

    def run() -> None:
        try:
            result = function()
        except BaseException as error:
            answer: tuple[Any, ...] = (deliver, future.set_exception, error)
        else:
            answer = (deliver, future.set_result, result)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(*answer)

    threading.Thread(target=run, name="netnode.l3.neutron", daemon=True).start()
    return future
