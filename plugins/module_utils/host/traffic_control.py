# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Queueing disciplines, classes and filters of devices in the namespace of the calling thread, by rtnetlink(7)."""

from __future__ import annotations

import errno
import struct
from typing import AbstractSet, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from ..state import Link
from .netlink import ROUTE, Netlink, attributes, text, understood

_GET_QDISC, _GET_CLASS, _GET_FILTER = 38, 42, 46  # linux/rtnetlink.h
_HEADER = struct.Struct("=BxxxiIII")  # tcmsg: family, index, handle, parent, info
_KIND, _OPTIONS, _CHAIN = 1, 2, 11
_U32 = struct.Struct("=I")
_U64 = struct.Struct("=Q")

# linux/pkt_sched.h
ROOT, INGRESS = 0xFFFFFFFF, 0xFFFFFFF1
FIRST = 0x10000  # the handle "1:"
OF_INGRESS = 0xFFFF0000  # "ffff:"
_HTB_PARAMETERS, _HTB_INIT, _HTB_RATE64, _HTB_CEIL64 = 1, 2, 6, 7
_HTB_GLOBAL = struct.Struct("=5I")  # tc_htb_glob: version, rate to quantum, default class, debug, packets
_HTB_CLASS = struct.Struct("=8xI8xI5I")  # tc_htb_opt: rate, ceil, buffer, its ceil's, quantum, level, priority
TICKS_PER_SECOND = 15_625_000  # PSCHED_NS2TICKS: of 64 ns

# linux/pkt_cls.h
_U32_CLASS, _U32_SELECTOR, _U32_ACTION = 1, 5, 7
_SELECTOR = struct.Struct("=BBB")  # tc_u32_sel: flags, shift, number of keys; keys come after 16 bytes
_SELECTOR_SIZE, _KEY = 16, struct.Struct("=4s4sii")  # tc_u32_key: mask, value, offset, mask of offset
_ACTION_KIND, _ACTION_OPTIONS, _MIRRED = 1, 2, 2
_MIRRED_PARAMETERS = struct.Struct("=8xi8xiI")  # tc_mirred: what becomes of the packet, what is done, index of the device
_STOLEN, _REDIRECT = 4, 1  # TC_ACT_STOLEN, TCA_EGRESS_REDIR
_ALL_BITS = b"\xff" * 4


class Qdisc(NamedTuple):
    """A queueing discipline. ``number``: of htb the default class, of bfifo how many bytes it holds."""

    device: str
    kind: str
    handle: int
    parent: int
    number: Optional[int]


class HtbClass(NamedTuple):
    """A class of htb: rates in bytes per second, bursts in ticks."""

    handle: int
    parent: int
    rate: int
    ceil: int
    burst: int
    ceil_burst: int


class Filter(NamedTuple):
    """A filter. ``match``: of u32, where in the IPv4 header the one address is to be, and the address; None for any other
    match. ``redirect``: the index of the device that the packet goes to by its only action.
    """

    priority: int
    match: Optional[Tuple[int, bytes]]
    class_handle: int
    redirect: Optional[int]


class TrafficControl(NamedTuple):
    """What devices have. ``classes``: by device; ``filters``: by device, and by the handle of the queueing discipline."""

    qdiscs: List[Qdisc]
    classes: Mapping[str, List[HtbClass]]
    filters: Mapping[Tuple[str, int], List[Filter]]


NONE = TrafficControl([], {}, {})


def read(links: Iterable[Link], devices: AbstractSet[str]) -> TrafficControl:
    """Of these devices, all that the kernel did not give them by itself. ``links``: the namespace's. Raises OSError."""
    names = {link.index: link.name for link in links if link.name in devices}
    classes: Dict[str, List[HtbClass]] = {}
    filters: Dict[Tuple[str, int], List[Filter]] = {}
    with Netlink(ROUTE) as netlink, understood():
        try:
            qdiscs = list(_qdiscs(netlink, names))
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:  # a kernel without any
                return NONE
            raise
        if not qdiscs:
            return NONE
        indexes = {name: index for index, name in names.items()}
        for qdisc in qdiscs:
            index = indexes[qdisc.device]
            if qdisc.parent == INGRESS:
                filters[qdisc.device, OF_INGRESS] = list(_filters(netlink, index, OF_INGRESS))
            elif qdisc.parent == ROOT and qdisc.kind == "htb":
                classes[qdisc.device] = list(_classes(netlink, index))
                filters[qdisc.device, qdisc.handle] = list(_filters(netlink, index, qdisc.handle))
    return TrafficControl(qdiscs, classes, filters)


def _qdiscs(netlink: Netlink, names: Mapping[int, str]) -> Iterator[Qdisc]:
    for body in netlink.dump(_GET_QDISC, _HEADER.pack(0, 0, 0, 0, 0)):
        _family, index, handle, parent, _info = _HEADER.unpack_from(body)
        if handle and index in names:  # those that come with a device have no handle
            found = attributes(body, _HEADER.size, {_KIND, _OPTIONS})
            kind = text(found[_KIND])
            yield Qdisc(names[index], kind, handle, parent, _number(kind, found.get(_OPTIONS, b"")))


def _number(kind: str, options: bytes) -> Optional[int]:
    if kind == "htb":
        return int(_HTB_GLOBAL.unpack_from(attributes(options, 0, {_HTB_INIT})[_HTB_INIT])[2])
    return int(_U32.unpack_from(options)[0]) if kind == "bfifo" else None


def _classes(netlink: Netlink, index: int) -> Iterator[HtbClass]:
    for body in netlink.dump(_GET_CLASS, _HEADER.pack(0, index, 0, 0, 0)):
        _family, _index, handle, parent, _info = _HEADER.unpack_from(body)
        found = attributes(body, _HEADER.size, {_KIND, _OPTIONS})
        if text(found[_KIND]) != "htb":
            continue
        options = attributes(found[_OPTIONS], 0, {_HTB_PARAMETERS, _HTB_RATE64, _HTB_CEIL64})
        rate, ceil, burst, ceil_burst, _quantum, _level, _priority = _HTB_CLASS.unpack_from(options[_HTB_PARAMETERS])
        if _HTB_RATE64 in options:
            [rate] = _U64.unpack(options[_HTB_RATE64])
        if _HTB_CEIL64 in options:
            [ceil] = _U64.unpack(options[_HTB_CEIL64])
        yield HtbClass(handle, parent, rate, ceil, burst, ceil_burst)


def _filters(netlink: Netlink, index: int, parent: int) -> Iterator[Filter]:
    """Those of the chain that packets come to. Of u32, tables are not told, of which a priority has one."""
    for body in netlink.dump(_GET_FILTER, _HEADER.pack(0, index, 0, parent, 0)):
        _family, _index, handle, _parent, info = _HEADER.unpack_from(body)
        found = attributes(body, _HEADER.size, {_KIND, _OPTIONS, _CHAIN})
        if found.get(_CHAIN, bytes(4)) != bytes(4) or _OPTIONS not in found:
            continue
        options = attributes(found[_OPTIONS], 0, {_U32_CLASS, _U32_SELECTOR, _U32_ACTION})
        priority, by_u32 = info >> 16, text(found[_KIND]) == "u32"
        if not by_u32:
            yield Filter(priority, None, 0, None)
        elif handle & 0xFFF:
            [class_handle] = _U32.unpack(options.get(_U32_CLASS, bytes(4)))
            redirect = _redirect(options[_U32_ACTION]) if _U32_ACTION in options else None
            yield Filter(priority, _match(options.get(_U32_SELECTOR, b"")), class_handle, redirect)


def _match(selector: bytes) -> Optional[Tuple[int, bytes]]:
    _flags, _shift, keys = _SELECTOR.unpack_from(selector)
    if keys != 1:
        return None
    mask, value, offset, offset_mask = _KEY.unpack_from(selector, _SELECTOR_SIZE)
    return (offset, value) if mask == _ALL_BITS and not offset_mask else None


def _redirect(actions: bytes) -> int:
    """The index of the device; 0 for whatever else is done."""
    found = attributes(actions, 0, frozenset(range(1, 33)))
    if len(found) != 1:
        return 0
    action = attributes(next(iter(found.values())), 0, {_ACTION_KIND, _ACTION_OPTIONS})
    if text(action[_ACTION_KIND]) != "mirred":
        return 0
    parameters = attributes(action[_ACTION_OPTIONS], 0, {_MIRRED})[_MIRRED]
    fate, done, index = _MIRRED_PARAMETERS.unpack_from(parameters)
    return int(index) if (fate, done) == (_STOLEN, _REDIRECT) else 0
