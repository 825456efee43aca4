# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bandwidth limits of external IPv4 addresses, as values: what Neutron's QoS rules ask for, and what the kernel has. Pure.

Directions are Neutron's, seen from the machine: egress is what leaves by the gateway, ingress what comes in there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, Iterable, List, Optional, Sequence

EGRESS, INGRESS = "egress", "ingress"
DIRECTIONS = (EGRESS, INGRESS)
HIGHEST = 2**31 - 1  # of Neutron's numbers

_SMALLEST_BURST = 16  # kbit, which is more than a packet
_LONGEST_BURST = 250  # seconds at the limit; the kernel counts up to 274
_LARGEST_BURST = 16_000_000  # kbit, which is 2 GB
_SMALLEST_QUEUE, _LARGEST_QUEUE = 1 << 17, 1 << 28  # bytes; a packet that is still to be cut up has up to 65,536


@dataclass(frozen=True)
class BandwidthLimit:
    """What an address may send, or be sent. ``slot``: the number of its class and of its filters, in the kernel."""

    direction: str
    address: str
    max_kbps: int
    max_burst_kbps: int
    slot: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Stray:
    """What is not a run's: what has the number of a slot, or without one, a queueing discipline of the gateway's device.

    ``parts``: of a slot, what is there: ``class``, ``filter``, ``redirect``; else the kind of queueing discipline.
    """

    direction: str
    slot: int
    parts: FrozenSet[str]


@dataclass(frozen=True)
class Shaping:
    """The traffic control of the gateway's device.

    ``directions``: those whose queueing disciplines are as a run makes them. ``ifb``: the device by which what comes in is
    shaped is there.
    """

    device: Optional[str] = None
    directions: FrozenSet[str] = frozenset()
    limits: FrozenSet[BandwidthLimit] = frozenset()
    strays: FrozenSet[Stray] = frozenset()
    ifb: bool = False


def shaping_of(device: str, limits: Iterable[BandwidthLimit]) -> Shaping:
    """How the device is to be, for these limits."""
    wanted = frozenset(limits)
    directions = frozenset(limit.direction for limit in wanted)
    return Shaping(device, directions, wanted, ifb=INGRESS in directions) if wanted else Shaping()


def effective_burst(max_kbps: int, max_burst_kbps: int) -> int:
    """The burst in kbit: what is asked for, or as the L3 agent has it, four fifths of what the limit is in a second."""
    burst = max(max_burst_kbps or max_kbps * 4 // 5, _SMALLEST_BURST)
    return min(burst, max_kbps * _LONGEST_BURST, _LARGEST_BURST)


def queue_size(max_kbps: int) -> int:
    """How many bytes wait before more is dropped: what passes in a tenth of a second."""
    return min(max(max_kbps * 125 // 10, _SMALLEST_QUEUE), _LARGEST_QUEUE)


def gather_rules(limits: Iterable[BandwidthLimit], addresses: Sequence[str]) -> Dict[str, List[Dict[str, Any]]]:
    """The rules of the first of these addresses that has some, as the key of router data; nothing where there are none."""
    for address in addresses:
        own = sorted((limit for limit in limits if limit.address == address), key=lambda limit: limit.direction)
        if own:
            return {"bandwidth_limit_rules": [_rule(limit) for limit in own]}
    return {}


def _rule(limit: BandwidthLimit) -> Dict[str, Any]:
    rule: Dict[str, Any] = {"direction": limit.direction, "max_kbps": limit.max_kbps}
    usual = limit.max_burst_kbps == effective_burst(limit.max_kbps, 0)
    return rule if usual else {**rule, "max_burst_kbps": limit.max_burst_kbps}


def describe_stray(stray: Stray, device: Optional[str]) -> str:
    """In words."""
    parts = " and ".join(sorted(stray.parts))
    return "%s %d (%s) of %s" % (parts, stray.slot, stray.direction, device) if stray.slot else "%s of %s" % (parts, device)
