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
import select
import socket
import struct
import time
from contextlib import suppress
from itertools import groupby
from threading import Lock
from typing import List, NamedTuple, Optional, Sequence, Tuple

from . import netns

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
    """Takes announcements and has them sent ``rounds`` times, at once and then a second apart."""

    def __init__(self, rounds: int) -> None:
        reading, self._writing = os.pipe()
        fcntl.fcntl(self._writing, F_SETPIPE_SZ, PIPE_SIZE)
        self._lock = Lock()
        child = os.fork()
        if child == 0:
            _become_independent(reading, rounds)
        os.close(reading)
        os.waitpid(child, 0)

    def announce(self, announcements: Sequence[Announcement]) -> None:
        """Have addresses announced; may be called by several threads."""
        with self._lock, suppress(BrokenPipeError):
            os.write(self._writing, (json.dumps(announcements) + "\n").encode())

    def close(self) -> None:
        """There is nothing more to announce: the process ends after its last round."""
        os.close(self._writing)


def _become_independent(reading: int, rounds: int) -> None:
    """Leave the module's process group and its descriptors, for which its caller waits; never return."""
    try:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor, source in ((0, null), (1, null), (2, null), (3, reading)):
                os.dup2(source, descriptor)
            os.closerange(4, max(64, *(int(name) + 1 for name in os.listdir("/proc/self/fd"))))
            _serve(3, rounds)
    finally:
        os._exit(0)


def _serve(reading: int, rounds: int) -> None:
    """Read announcements as they come and send each round when it is due, until there are no more of both."""
    due: List[Tuple[float, int, List[Announcement]]] = []  # when, how often more, what
    unread: Optional[bytes] = b""
    while due or unread is not None:
        wait = max(0.0, due[0][0] - time.monotonic()) if due else None
        if unread is None:
            time.sleep(wait or 0.0)
        elif select.select([reading], [], [], wait)[0]:
            data = os.read(reading, 1 << 16)
            *lines, unread = (unread + data).split(b"\n") if data else (None,)
            due += [(time.monotonic(), rounds, [Announcement(*a) for a in json.loads(line)]) for line in lines]
        while due and due[0][0] <= time.monotonic():
            when, left, announcements = due.pop(0)
            if left == rounds:
                _wait_for_ports(announcements)
            _send(announcements)
            if left > 1:
                due.append((when + INTERVAL, left - 1, announcements))


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
