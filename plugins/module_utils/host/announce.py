# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Announcing addresses: of IPv4 by gratuitous ARP (RFC 5227, section 3), request and reply, as arping -U and -A send it; of
IPv6 by unsolicited neighbour advertisements (RFC 4861, section 7.2.6).

All of it is done by a process of its own, which the run does not wait for: later rounds come seconds after the
run, and even the first would hold it up, since closing a packet socket waits for the kernel (12 ms, measured).
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import time
from contextlib import suppress
from itertools import groupby
from threading import Lock
from typing import Iterable, Iterator, List, NamedTuple, Optional, Sequence

from ..metadata_ipv6 import METADATA_ADDRESS_V6
from ..state import LINK_LOCAL
from . import netns, proxy_neighbours
from .detached import FIRST, detached

INTERVAL = 1.0  # seconds between rounds
F_SETPIPE_SZ = 1031  # linux/fcntl.h; in Python's fcntl from 3.10 on
FORWARDING = "3"  # BR_STATE_FORWARDING of linux/if_bridge.h
FORWARDING_WITHIN = 1.0  # seconds; a port without carrier never does
PIPE_SIZE = 1 << 20  # what a thousand routers have to announce, so that the run never waits for the sender
_BROADCAST = b"\xff" * 6
_ETHERTYPE_ARP = 0x0806
_REQUEST, _REPLY = 1, 2
_ETHERTYPE_IPV6, _ICMPV6, _ADVERTISEMENT = 0x86DD, 58, 136
_HOP_LIMIT = 255  # of all neighbour discovery
_ALL_NODES = socket.inet_pton(socket.AF_INET6, "ff02::1")
_ALL_NODES_MAC = bytes.fromhex("333300000001")
_ROUTER_OVERRIDE = 0xA0000000  # flags of an advertisement: a router's, not asked for, in the place of what was known before
_TARGET_LINK_ADDRESS = b"\x02\x01"  # option of an advertisement, 8 bytes long
_ADDRESSES = "/proc/thread-self/net/if_inet6"
_LINK_SCOPE = "20"


class Announcement(NamedTuple):
    """An address that a device in a namespace has from now on (``fe80::``: its link-local ones), or that it answers for
    (``proxied``). ``peer``: the device's other side, on the node.
    """

    namespace: Optional[str]
    device: str
    address: str
    peer: Optional[str] = None
    proxied: bool = False


class Announcer:
    """Takes announcements and has them sent ``rounds`` times: at once, and then a second apart from when it is closed on."""

    def __init__(self, rounds: int) -> None:
        reading, self._writing = os.pipe()
        fcntl.fcntl(self._writing, F_SETPIPE_SZ, PIPE_SIZE)
        self._lock = Lock()
        detached(lambda: _serve(FIRST, rounds), [reading])
        os.close(reading)

    def announce(self, announcements: Sequence[Announcement]) -> None:
        """Have addresses announced; may be called by several threads."""
        with self._lock, suppress(BrokenPipeError):
            os.write(self._writing, (json.dumps(announcements) + "\n").encode())

    def close(self) -> None:
        """There is nothing more to announce: the process ends after its last round."""
        os.close(self._writing)


def _serve(reading: int, rounds: int) -> None:
    """Send the first round of what comes as it comes, and the others once no more is to come: what is announced to a bridge
    with many ports is much work for the kernel, and a long run has a use for the processors.
    """
    sent = []
    for announcements in _received(reading):
        _wait_for_ports(announcements)
        _send(announcements)
        sent.append(announcements)
    for _round in range(1, rounds):
        time.sleep(INTERVAL)
        for announcements in sent:
            _send(announcements)


def _received(reading: int) -> Iterator[List[Announcement]]:
    with os.fdopen(reading, encoding="utf-8") as lines:
        for line in lines:
            yield [Announcement(*announcement) for announcement in json.loads(line)]


def _wait_for_ports(announcements: Sequence[Announcement]) -> None:
    """A bridge forwards nothing from a new port for some milliseconds, and the first round would be lost."""
    deadline = time.monotonic() + FORWARDING_WITHIN
    for peer in {announcement.peer for announcement in announcements}:
        while not _forwards(peer) and time.monotonic() < deadline:
            time.sleep(0.002)


def _forwards(port: Optional[str]) -> bool:
    try:
        with open("/sys/class/net/%s/brport/state" % port, encoding="ascii") as file:
            return file.read().strip() == FORWARDING
    except OSError:
        return True  # not on a Linux bridge


def _send(announcements: Sequence[Announcement]) -> None:
    """Send one round. What is gone by then, the namespace, the device or the address, is passed over."""
    for namespace, members in groupby(announcements, key=lambda announcement: announcement.namespace):
        gone = (OSError, netns.DeadNamespace, netns.Inaccessible)
        with suppress(*gone), netns.entered(namespace), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            for announcement in members:
                for address in _addresses(announcement):
                    with suppress(OSError):
                        (_require_proxied if announcement.proxied else _require_local)(address, announcement.device)
                        raw.bind((announcement.device, 0))
                        for frame in frames(raw.getsockname()[4], address):
                            raw.send(frame)


def _addresses(announcement: Announcement) -> Iterable[str]:
    if announcement.address != LINK_LOCAL:
        return [announcement.address]
    with suppress(OSError), open(_ADDRESSES, encoding="ascii") as file:
        found = [line.split() for line in file]
        own = [
            address
            for address, _index, _length, scope, _flags, device in found
            if (device, scope) == (announcement.device, _LINK_SCOPE)
        ]
        addresses = (socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address)) for address in own)
        return [address for address in addresses if address != METADATA_ADDRESS_V6]
    return []


def frames(mac: bytes, address: str) -> Sequence[bytes]:
    """What announces an address, by the device with this MAC address."""
    return [_advertisement(mac, address)] if ":" in address else _arp(mac, address)


def _advertisement(mac: bytes, address: str) -> bytes:
    """The checksum is over what is in the IP header as well (RFC 8200, section 8.1)."""
    ip = socket.inet_pton(socket.AF_INET6, address)
    beginning = struct.pack("!BB", _ADVERTISEMENT, 0)
    rest = struct.pack("!I", _ROUTER_OVERRIDE) + ip + _TARGET_LINK_ADDRESS + mac
    length = len(beginning) + 2 + len(rest)
    pseudo = ip + _ALL_NODES + struct.pack("!II", length, _ICMPV6)
    checksum = _checksum(pseudo + beginning + b"\0\0" + rest)
    header = struct.pack("!IHBB", 6 << 28, length, _ICMPV6, _HOP_LIMIT) + ip + _ALL_NODES
    ethernet = _ALL_NODES_MAC + mac + struct.pack("!H", _ETHERTYPE_IPV6)
    return ethernet + header + beginning + struct.pack("!H", checksum) + rest


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of so many bytes that they are an even number."""
    total: int = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _arp(mac: bytes, address: str) -> Sequence[bytes]:
    ip = socket.inet_aton(address)
    both = []
    for operation, target in ((_REQUEST, _BROADCAST), (_REPLY, mac)):
        arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac + ip + target + ip
        both.append(_BROADCAST + mac + struct.pack("!H", _ETHERTYPE_ARP) + arp)
    return both


def _require_proxied(address: str, device: str) -> None:
    """Raise OSError unless the device still answers for the address."""
    if (device, address) not in proxy_neighbours.read({socket.if_nametoindex(device): device}):
        raise OSError("%s is not answered for" % address)


def _require_local(address: str, device: str) -> None:
    """Raise OSError unless the namespace still has the address: only to a local one can a socket be bound."""
    if ":" in address:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0, 0, socket.if_nametoindex(device)))  # a link-local one is bound to on its link
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
