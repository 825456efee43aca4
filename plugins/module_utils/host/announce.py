# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Announcing addresses: gratuitous ARP (RFC 5227, section 3), request and reply, as arping -U and -A send it.

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
from typing import Iterator, List, NamedTuple, Optional, Sequence

from . import netns
from .detached import FIRST, detached

INTERVAL = 1.0  # seconds between rounds
F_SETPIPE_SZ = 1031  # linux/fcntl.h; in Python's fcntl from 3.10 on
FORWARDING = "3"  # BR_STATE_FORWARDING of linux/if_bridge.h
FORWARDING_WITHIN = 1.0  # seconds; a port without carrier never does
PIPE_SIZE = 1 << 20  # what a thousand routers have to announce, so that the run never waits for the sender
_BROADCAST = b"\xff" * 6
_ETHERTYPE_ARP = 0x0806
_REQUEST, _REPLY = 1, 2


class Announcement(NamedTuple):
    """An IPv4 address that a device in a namespace has from now on. ``peer``: the device's other side, on the node."""

    namespace: Optional[str]
    device: str
    address: str
    peer: Optional[str] = None


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
                with suppress(OSError):
                    _require_local(announcement.address)
                    raw.bind((announcement.device, 0))
                    for frame in _frames(raw.getsockname()[4], announcement.address):
                        raw.send(frame)


def _frames(mac: bytes, address: str) -> Sequence[bytes]:
    ip = socket.inet_aton(address)
    frames = []
    for operation, target in ((_REQUEST, _BROADCAST), (_REPLY, mac)):
        arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac + ip + target + ip
        frames.append(_BROADCAST + mac + struct.pack("!H", _ETHERTYPE_ARP) + arp)
    return frames


def _require_local(address: str) -> None:
    """Raise OSError unless the namespace still has the address: only to a local one can a socket be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
