# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bandwidth limits as operations: pure.

The L3 agent drops what is too much (police); here it waits in a short queue (htb), which needs no more of the kernel and is
kinder to TCP. What leaves is shaped on the gateway's device, behind source NAT. What comes in is shaped before the translation
to fixed addresses: its device hands what is for a limited address over to an ifb, which gives it back when its time has come.
All other packets are not concerned. A limit has a slot: the number of its class, and the priority of its filters, so that each
comes and goes alone.
"""

from __future__ import annotations

from typing import AbstractSet, Dict, Iterator, List, Optional, Tuple

from .bandwidth import DIRECTIONS, EGRESS, INGRESS, BandwidthLimit, Shaping, Stray, describe_stray, effective_burst, queue_size
from .model import BandwidthLimitRule, Gateway, Router
from .operations import Ip, Operation, Tc

IFB = "l3-ifb"
MOST = 2000  # limits in one direction; u32 takes 2,047 priorities
_QUANTUM = 60000  # bytes of a turn; it only counts between classes that borrow, and without it the kernel complains


def limits_of(router: Router, installed: AbstractSet[str]) -> Tuple[List[BandwidthLimit], List[str]]:
    """The limits of the external IPv4 addresses that are ``installed``, and what of them cannot be."""
    limits: List[BandwidthLimit] = []
    if router.gateway is not None:
        limits += _of_gateway(router.gateway)
    for floating in router.floating_ips:
        if str(floating.floating_ip_address) in installed:
            limits += _limits(str(floating.floating_ip_address), floating.bandwidth_limit_rules)
    kept: List[BandwidthLimit] = []
    for direction in DIRECTIONS:
        kept += [limit for limit in limits if limit.direction == direction][:MOST]
    problem = "only %d addresses of a router can have a bandwidth limit in one direction: %d limits are left out"
    return kept, [problem % (MOST, len(limits) - len(kept))] if len(kept) < len(limits) else []


def _of_gateway(gateway: Gateway) -> Iterator[BandwidthLimit]:
    for address in gateway.addresses:
        if address.version == 4:
            yield from _limits(str(address.ip), gateway.bandwidth_limit_rules)


def _limits(address: str, rules: Tuple[BandwidthLimitRule, ...]) -> Iterator[BandwidthLimit]:
    for rule in rules:
        if rule.max_kbps:
            burst = effective_burst(rule.max_kbps, rule.max_burst_kbps)
            yield BandwidthLimit(rule.direction, address, rule.max_kbps, burst)


def bandwidth_operations(
    namespace: Optional[str], want: Shaping, have: Shaping, lost: AbstractSet[str], kept: AbstractSet[str]
) -> List[Operation]:
    """What differs. ``lost``: devices that go, with all their traffic control; ``kept``: those that are to be."""
    if have.device in lost:
        have = Shaping(ifb=have.ifb)
    elif have.device is not None and have.device not in kept:
        return []  # it can neither go nor be asked for now
    device = want.device or have.device or ""
    makes_ifb = INGRESS in want.directions and INGRESS not in have.directions
    operations: List[Operation] = []
    if makes_ifb:
        if have.ifb:
            operations.append(Ip(namespace, (), "link delete dev " + IFB))
        operations.append(Ip(namespace, (), "link add name %s type ifb" % IFB))
        operations.append(Ip(namespace, (), "link set dev %s addrgenmode none up" % IFB))
    for stray in sorted(have.strays, key=lambda stray: (stray.direction, stray.slot)):
        operations += _removed(namespace, device, stray)
    for direction in DIRECTIONS:
        operations += _of_direction(namespace, direction, device, want, have)
    if have.ifb and INGRESS not in want.directions:
        actions = () if INGRESS in have.directions else ("device %s removed" % IFB,)
        operations.append(Ip(namespace, actions, "link delete dev " + IFB))
    return operations


def shapes(operation: Operation) -> bool:
    """Whether it is one of these."""
    return isinstance(operation, Tc) or (isinstance(operation, Ip) and IFB in operation.line.split())


def _of_direction(namespace: Optional[str], direction: str, device: str, want: Shaping, have: Shaping) -> Iterator[Operation]:
    wanted = _by_address(want, direction)
    present = _by_address(have, direction)
    if direction not in want.directions:
        if direction in have.directions:
            gone = tuple(_no_longer(limit) for limit in present.values()) or ("%s of %s removed" % (_KINDS[direction], device),)
            yield Tc(namespace, gone, "qdisc delete dev %s %s" % (device, _PLACES[direction]))
        return
    if direction not in have.directions:
        yield Tc(namespace, (), "qdisc add dev %s root handle 1: htb" % (device if direction == EGRESS else IFB))
        if direction == INGRESS:
            yield Tc(namespace, (), "qdisc add dev %s handle ffff: ingress" % device)
    for address, limit in present.items():
        if address not in wanted:
            yield from _lifted(namespace, device, limit)
    taken = {limit.slot for address, limit in present.items() if address in wanted}
    free = (slot for slot in range(1, 1 << 16) if slot not in taken)
    slots = dict(zip((address for address in wanted if address not in present), free))
    for address, limit in wanted.items():
        if address not in present:
            yield from _imposed(namespace, device, limit, slots[address])
        elif present[address] != limit:
            shaper = device if direction == EGRESS else IFB
            first, second = _shape(shaper, limit, present[address].slot)
            yield Tc(namespace, (_in_words(limit),), first)
            yield Tc(namespace, (), second)


_KINDS = {EGRESS: "htb", INGRESS: "ingress"}
_PLACES = {EGRESS: "root", INGRESS: "ingress"}


def _by_address(shaping: Shaping, direction: str) -> Dict[str, BandwidthLimit]:
    own = [limit for limit in shaping.limits if limit.direction == direction]
    return {limit.address: limit for limit in sorted(own, key=lambda limit: limit.address)}


def _in_words(limit: BandwidthLimit) -> str:
    words = (limit.direction, limit.address, limit.max_kbps, limit.max_burst_kbps)
    return "%s of %s limited to %d kbit/s with bursts of %d kbit" % words


def _no_longer(limit: BandwidthLimit) -> str:
    return "%s of %s no longer limited" % (limit.direction, limit.address)


def _shape(shaper: str, limit: BandwidthLimit, slot: int) -> Tuple[str, str]:
    """The class, and the queue in it."""
    rate, burst = "%dkbit" % limit.max_kbps, "%db" % (limit.max_burst_kbps * 125)
    parameters = (shaper, slot, rate, rate, burst, burst, _QUANTUM)
    return (
        "class replace dev %s parent 1: classid 1:%x htb rate %s ceil %s burst %s cburst %s quantum %d" % parameters,
        "qdisc replace dev %s parent 1:%x bfifo limit %d" % (shaper, slot, queue_size(limit.max_kbps)),
    )


def _imposed(namespace: Optional[str], device: str, limit: BandwidthLimit, slot: int) -> Iterator[Operation]:
    shaper = device if limit.direction == EGRESS else IFB
    side = "src" if limit.direction == EGRESS else "dst"
    match = "protocol ip prio %d u32 match ip %s %s/32" % (slot, side, limit.address)
    lines = [*_shape(shaper, limit, slot), "filter add dev %s parent 1: %s flowid 1:%x" % (shaper, match, slot)]
    if limit.direction == INGRESS:
        lines.append("filter add dev %s parent ffff: %s action mirred egress redirect dev %s" % (device, match, IFB))
    for line in lines:
        yield Tc(namespace, (_in_words(limit),) if line == lines[-1] else (), line)


def _lifted(namespace: Optional[str], device: str, limit: BandwidthLimit) -> Iterator[Operation]:
    lines = list(_removal_lines(device, limit.direction, limit.slot, ("redirect", "filter", "class")))
    for line in lines:
        yield Tc(namespace, (_no_longer(limit),) if line == lines[-1] else (), line)


def _removed(namespace: Optional[str], device: str, stray: Stray) -> Iterator[Operation]:
    action = "stray %s removed" % describe_stray(stray, device)
    if stray.slot:
        lines = list(_removal_lines(device, stray.direction, stray.slot, ("redirect", "filter", "class"), stray))
    else:
        [kind] = stray.parts
        lines = ["qdisc delete dev %s %s" % (device, "root" if stray.direction == EGRESS else kind)]
    for line in lines:
        yield Tc(namespace, (action,) if line == lines[-1] else (), line)


def _removal_lines(
    device: str, direction: str, slot: int, parts: Tuple[str, ...], stray: Optional[Stray] = None
) -> Iterator[str]:
    shaper = device if direction == EGRESS else IFB
    for part in parts:
        if stray is not None and part not in stray.parts:
            continue
        if part == "class":
            yield "class delete dev %s classid 1:%x" % (shaper, slot)
        elif part == "filter":
            yield "filter delete dev %s parent 1: prio %d" % (shaper, slot)
        elif direction == INGRESS:
            yield "filter delete dev %s parent ffff: prio %d" % (device, slot)
