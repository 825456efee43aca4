# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the kernel's traffic control to bandwidth limits, and what of it is not a run's: pure but for the reading."""

from __future__ import annotations

import socket
from typing import AbstractSet, Dict, FrozenSet, Iterable, List, Mapping, Optional, Sequence, Set

from .bandwidth import EGRESS, INGRESS, BandwidthLimit, Shaping, Stray, effective_burst, queue_size
from .host import traffic_control
from .host.traffic_control import FIRST, OF_INGRESS, ROOT, TICKS_PER_SECOND, Filter, HtbClass, TrafficControl
from .model import EXTERNAL_PREFIX
from .plan_bandwidth import IFB
from .state import Device, Link, RouterState

_OFFSETS = {EGRESS: 12, INGRESS: 16}  # of the source and the destination in the IPv4 header
_BYTES = 125  # of a kbit
_UNCERTAIN = 2e-6  # seconds; versions of tc round the time of a burst in different ways


def read_shaping(links: Sequence[Link], devices: Mapping[str, Device], desired: Optional[RouterState]) -> Shaping:
    """The bandwidth limits on the gateway's device: the one that is asked for, or if that is not there, any. Raises OSError."""
    external = sorted(name for name in devices if name.startswith(EXTERNAL_PREFIX))
    own = [name for name in external if desired is not None and name in desired.devices] or external
    if not own and not any(link.name == IFB for link in links):
        return Shaping()
    found = traffic_control.read(links, {*own[:1], IFB})
    wanted = desired.shaping.limits if desired is not None else frozenset()
    return observed_shaping(own[0] if own else None, links, found, wanted)


def observed_shaping(
    device: Optional[str], links: Iterable[Link], found: TrafficControl, wanted: AbstractSet[BandwidthLimit]
) -> Shaping:
    """``device``: the gateway's. ``wanted``: for what in the kernel is as exact as it can be, the number that it is to be."""
    ifb = next((link for link in links if link.name == IFB), None)
    directions: Set[str] = set()
    limits: Set[BandwidthLimit] = set()
    strays: Set[Stray] = set()
    if device is not None:
        for qdisc in found.qdiscs:
            if qdisc.device == device and qdisc.parent == ROOT:
                directions |= {EGRESS} if _is_ours(device, found) else set()
                strays |= set() if _is_ours(device, found) else {Stray(EGRESS, 0, frozenset([qdisc.kind]))}
            elif qdisc.device == device and qdisc.parent == traffic_control.INGRESS:
                whole = qdisc.kind == INGRESS and ifb is not None and ifb.up and _is_ours(IFB, found)
                directions |= {INGRESS} if whole else set()
                strays |= set() if whole else {Stray(INGRESS, 0, frozenset([qdisc.kind]))}
    for direction in sorted(directions):
        shaper = device if direction == EGRESS else IFB
        redirects = found.filters.get((device or "", OF_INGRESS), []) if direction == INGRESS else []
        slots = _Slots(direction, shaper or "", found, redirects, ifb.index if ifb is not None else 0)
        known: Set[str] = set()
        for slot in slots.numbers:
            limit = slots.limit(slot, wanted)
            if limit is not None and limit.address not in known:
                known.add(limit.address)
                limits.add(limit)
            else:
                strays.add(Stray(direction, slot, slots.parts(slot)))
    something = directions or strays
    return Shaping(device if something else None, frozenset(directions), frozenset(limits), frozenset(strays), ifb is not None)


def _is_ours(device: str, found: TrafficControl) -> bool:
    roots = [qdisc for qdisc in found.qdiscs if qdisc.device == device and qdisc.parent == ROOT]
    return [(qdisc.kind, qdisc.handle, qdisc.number) for qdisc in roots] == [("htb", FIRST, 0)]


class _Slots:
    """What one direction has, by number."""

    def __init__(self, direction: str, shaper: str, found: TrafficControl, redirects: Sequence[Filter], ifb: int) -> None:
        self.direction, self.ifb = direction, ifb
        self.classes: Mapping[int, HtbClass] = {entry.handle & 0xFFFF: entry for entry in found.classes.get(shaper, [])}
        self.queues = {qdisc.parent & 0xFFFF: qdisc for qdisc in found.qdiscs if qdisc.device == shaper and qdisc.parent != ROOT}
        self.filters = _by_priority(found.filters.get((shaper, FIRST), []))
        self.redirects = _by_priority(redirects)

    @property
    def numbers(self) -> List[int]:
        return sorted({*self.classes, *self.filters, *self.redirects})

    def parts(self, slot: int) -> FrozenSet[str]:
        there = (("class", slot in self.classes), ("filter", slot in self.filters), ("redirect", slot in self.redirects))
        return frozenset(name for name, present in there if present)

    def limit(self, slot: int, wanted: AbstractSet[BandwidthLimit]) -> Optional[BandwidthLimit]:
        """What is limited by this slot; None when something of it is not as a run makes it."""
        shape, queue, filters = self.classes.get(slot), self.queues.get(slot), self.filters.get(slot, [])
        if shape is None or queue is None or len(filters) != 1:
            return None
        [by_address] = filters
        place, address = by_address.match or (0, b"")
        max_kbps, rest = divmod(shape.rate, _BYTES)
        right = (
            not rest
            and max_kbps > 0
            and (shape.parent, shape.ceil, shape.ceil_burst) == (ROOT, shape.rate, shape.burst)
            and (queue.kind, queue.number) == ("bfifo", queue_size(max_kbps))
            and (place, by_address.class_handle, by_address.redirect) == (_OFFSETS[self.direction], FIRST | slot, None)
            and (self.direction == EGRESS or self.redirects.get(slot) == [Filter(slot, by_address.match, 0, self.ifb)])
        )
        if not right:
            return None
        text = socket.inet_ntoa(address)
        return BandwidthLimit(self.direction, text, max_kbps, self._burst(text, max_kbps, shape.burst, wanted), slot)

    def _burst(self, address: str, max_kbps: int, ticks: int, wanted: AbstractSet[BandwidthLimit]) -> int:
        burst = ticks / TICKS_PER_SECOND * max_kbps
        asked = [limit.max_burst_kbps for limit in wanted if (limit.direction, limit.address) == (self.direction, address)]
        for candidate in (*asked, effective_burst(max_kbps, 0)):
            if abs(candidate - burst) <= max(0.5, _UNCERTAIN * max_kbps):
                return candidate
        return round(burst)


def _by_priority(filters: Iterable[Filter]) -> Dict[int, List[Filter]]:
    groups: Dict[int, List[Filter]] = {}
    for entry in filters:
        groups.setdefault(entry.priority, []).append(entry)
    return groups
