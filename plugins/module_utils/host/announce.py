# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Announcing addresses: gratuitous ARP (RFC 5227, section 3), request and reply, as arping -U and -A send it.

The first round goes out at once; later rounds are sent by a process of their own, which the run does not wait for.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from dataclasses import dataclass
from typing import Sequence

from . import netns

INTERVAL = 1.0  # seconds between rounds
_BROADCAST = b"\xff" * 6
_ETHERTYPE_ARP = 0x0806
_REQUEST, _REPLY = 1, 2


@dataclass(frozen=True)
class Announcement:
    """An IPv4 address that a device in a namespace has from now on."""

    namespace: str
    device: str
    address: str


def _frames(mac: bytes, address: str) -> Sequence[bytes]:
    ip = socket.inet_aton(address)
    frames = []
    for operation, target in ((_REQUEST, _BROADCAST), (_REPLY, mac)):
        arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac + ip + target + ip
        frames.append(_BROADCAST + mac + struct.pack("!H", _ETHERTYPE_ARP) + arp)
    return frames


def send(announcement: Announcement) -> None:
    """Send one request and one reply, from inside of the namespace. Raises OSError."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((announcement.device, 0))
        mac = raw.getsockname()[4]
        for frame in _frames(mac, announcement.address):
            raw.send(frame)


def _require_local(address: str) -> None:
    """Raise OSError unless the namespace still has the address: only to a local one can a socket be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))


def repeat_in_background(announcements: Sequence[Announcement], rounds: int) -> None:
    """Send ``rounds`` further rounds from a detached process. What is gone by then is passed over."""
    if not announcements or rounds < 1:
        return
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            _detach()
            for _round in range(rounds):
                time.sleep(INTERVAL)
                for announcement in announcements:
                    try:
                        with netns.entered(announcement.namespace):
                            _require_local(announcement.address)
                            send(announcement)
                    except (OSError, netns.DeadNamespace, netns.Inaccessible):
                        pass
    finally:
        os._exit(0)


def _detach() -> None:
    """Let go of what the module's caller waits for: its standard streams and every other descriptor."""
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 65536 else 65536)
