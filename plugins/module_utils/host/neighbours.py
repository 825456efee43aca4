# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking neighbours whether they are there, in the namespace that the calling thread is in: by ARP (RFC 826), and by neighbour
solicitation (RFC 4861, section 4.3). What the kernel knows of them is neither believed nor changed.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from contextlib import ExitStack, suppress
from typing import FrozenSet, Optional, Sequence, Set

from ..state import Neighbour

TRIES = 3  # questions within the time that a neighbour has to answer
_ETHERTYPE_ARP = 0x0806
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_REQUEST, _REPLY = 1, 2
_EVERYBODY = b"\xff" * 6
_SOLICITATION, _ADVERTISEMENT = 135, 136
_ICMPV6 = struct.Struct("!BBHI16s")  # type, code, checksum (by the kernel), reserved or flags, target
_SOURCE_LINK_ADDRESS = b"\x01\x01"  # option of a solicitation
_SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")  # RFC 4291, section 2.7.1
_HOP_LIMIT = 255  # of all neighbour discovery


def sharing(neighbours: Sequence[Neighbour], timeout: float) -> FrozenSet[Neighbour]:
    """Those of the own IPv4 addresses that somebody else has too, told within ``timeout`` seconds. Raises OSError."""
    told = answering(neighbours, timeout / 2, tries=1)
    # Who has the own MAC address as well answers on the way to itself, as switches see it; unless it is to answer to everybody.
    silent = [neighbour for neighbour in neighbours if neighbour not in told]
    return told | (answering(silent, timeout / 2, tries=1, answer_to=_EVERYBODY) if silent else frozenset())


def answering(
    neighbours: Sequence[Neighbour], timeout: float, tries: int = TRIES, answer_to: Optional[bytes] = None
) -> FrozenSet[Neighbour]:
    """Those that answer within ``timeout`` seconds, in which they are asked so often. Raises OSError.

    ``answer_to``: the MAC address that is to be answered by ARP, if not that of who asks.
    """
    by_arp = [neighbour for neighbour in neighbours if ":" not in neighbour.address]
    by_icmp = [neighbour for neighbour in neighbours if ":" in neighbour.address]
    missing = set(neighbours)
    with ExitStack() as stack:
        poller = select.poll()
        if by_arp:
            arp = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE_ARP)))
            poller.register(arp, select.POLLIN)
        if by_icmp:
            icmp = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6))
            icmp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOP_LIMIT)
            poller.register(icmp, select.POLLIN)
        for _try in range(tries):
            for neighbour in missing:
                with suppress(OSError):  # a device that is down, or gone: nobody answers there
                    _ask(arp, neighbour, answer_to) if ":" not in neighbour.address else _solicit(icmp, neighbour)
            deadline = time.monotonic() + timeout / tries
            while missing:
                events = poller.poll(max(0.0, deadline - time.monotonic()) * 1000)
                if not events:
                    break
                for descriptor, _event in events:
                    missing -= _heard(arp, by_arp) if by_arp and descriptor == arp.fileno() else _advertised(icmp, by_icmp)
    return frozenset(neighbours) - missing


def _ask(arp: socket.socket, neighbour: Neighbour, answer_to: Optional[bytes]) -> None:
    own = bytes.fromhex(neighbour.mac_address.replace(":", ""))
    # Without an address of its own, the question is a probe (RFC 5227, section 1.1).
    source = socket.inet_aton(neighbour.source) if neighbour.source is not None else b"\0" * 4
    question = _ARP.pack(1, 0x0800, 6, 4, _REQUEST, answer_to or own, source, b"\0" * 6, socket.inet_aton(neighbour.address))
    arp.sendto(_EVERYBODY + own + struct.pack("!H", _ETHERTYPE_ARP) + question, (neighbour.device, 0))


def _heard(arp: socket.socket, asked: Sequence[Neighbour]) -> Set[Neighbour]:
    """Of whom a reply came."""
    frame, (device, *_rest) = arp.recvfrom(1 << 11)
    if len(frame) < 14 + _ARP.size:
        return set()
    _hardware, _protocol, _length, _size, operation, _mac, sender, _target, _wanted = _ARP.unpack_from(frame, 14)
    address = socket.inet_ntoa(sender)
    return {n for n in asked if operation == _REPLY and n.device == device and n.address == address}


def _solicit(icmp: socket.socket, neighbour: Neighbour) -> None:
    index = socket.if_nametoindex(neighbour.device)
    target = socket.inet_pton(socket.AF_INET6, neighbour.address)
    group = socket.inet_ntop(socket.AF_INET6, _SOLICITED_NODE + target[13:])
    option = _SOURCE_LINK_ADDRESS + bytes.fromhex(neighbour.mac_address.replace(":", ""))
    icmp.sendto(_ICMPV6.pack(_SOLICITATION, 0, 0, 0, target) + option, (group, 0, 0, index))


def _advertised(icmp: socket.socket, asked: Sequence[Neighbour]) -> Set[Neighbour]:
    """Of whom an advertisement came."""
    packet = icmp.recv(1 << 11)
    if len(packet) < _ICMPV6.size:
        return set()
    kind, _code, _checksum, _flags, target = _ICMPV6.unpack_from(packet)
    address = socket.inet_ntop(socket.AF_INET6, target)
    return {n for n in asked if kind == _ADVERTISEMENT and n.address == address}
