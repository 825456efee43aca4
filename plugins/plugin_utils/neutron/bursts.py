# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bursts of news about hosts: what belongs together is gathered until it is quiet. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

ALL: Sequence[str] = ()  # as in l3_sync_router_ids: no ids are all routers


@dataclass
class _Burst:
    first: float
    last: float
    router_ids: set[str] = field(default_factory=set)
    whole: bool = False


class Bursts:
    """For each host, the routers that something was heard of.

    A burst is due when nothing more of its host was heard for ``quiet`` seconds, or ``longest`` seconds after it began.
    The times are those of any clock that does not go back.
    """

    def __init__(self, quiet: float, longest: float) -> None:
        self._quiet = quiet
        self._longest = longest
        self._bursts: dict[str, _Burst] = {}

    def heard(self, host: str, router_ids: Collection[str], now: float) -> None:
        """There is news of these routers, or of ``ALL``."""
        burst = self._bursts.setdefault(host, _Burst(now, now))
        burst.last = now
        burst.router_ids.update(router_ids)
        burst.whole = burst.whole or not router_ids

    def due(self) -> float | None:
        """When the next burst is due; None when there is none."""
        return min(map(self._due, self._bursts.values()), default=None)

    def take(self, now: float) -> tuple[str, list[str]] | None:
        """Of the bursts that are due, the one that is so for longest: its host, and its router ids in order, or ``ALL`` as an
        empty list. None when none is due. What is heard of the host from then on is another burst.
        """
        due = [(self._due(burst), host) for host, burst in self._bursts.items() if self._due(burst) <= now]
        if not due:
            return None
        _time, host = min(due)
        burst = self._bursts.pop(host)
        return host, [] if burst.whole else sorted(burst.router_ids)

    def _due(self, burst: _Burst) -> float:
        return min(burst.last + self._quiet, burst.first + self._longest)
