# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Router advertisements as they arrive at a machine (RFC 4861, RFC 8106, RFC 4191)."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from sandbox import Machine

from .traffic import Controlled

# Says each that comes, when it came, and what is in it. A line "ask" has it solicit one; no answer is none of its business.
_LISTENER = """
import ipaddress, json, select, socket, struct, sys, time
heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x86DD))
heard.bind(("eth0", 0))
asking = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
address = lambda data: str(ipaddress.IPv6Address(data))
print("ready", flush=True)
while True:
    for readable in select.select([heard, sys.stdin], [], [])[0]:
        if readable is sys.stdin:
            if not sys.stdin.readline():
                sys.exit()
            while True:
                try:
                    asking.sendto(struct.pack(">BBHI", 133, 0, 0, 0), ("ff02::2%eth0", 0))
                    break
                except OSError:  # it looks whether its address is somebody else's
                    time.sleep(0.05)
            continue
        packet = heard.recv(9000)[14:]
        if packet[6] != 58 or packet[40] != 134:
            continue
        options, rest = [], packet[56:40 + int.from_bytes(packet[4:6], "big")]
        while rest:
            kind, size = rest[0], rest[1] * 8
            body, rest = rest[:size], rest[size:]
            if kind == 3:
                options.append(["prefix", f"{address(body[16:32])}/{body[2]}", bool(body[3] & 128), bool(body[3] & 64)])
            elif kind == 5:
                options.append(["mtu", int.from_bytes(body[4:8], "big")])
            elif kind == 24:
                options.append(["route", f"{address(body[8:].ljust(16, bytes(1)))}/{body[2]}"])
            elif kind == 25:
                options.append(["rdnss", *(address(body[at:at + 16]) for at in range(8, size, 16))])
        print(json.dumps({
            "time": time.time(), "source": address(packet[8:24]), "lifetime": int.from_bytes(packet[46:48], "big"),
            "managed": bool(packet[45] & 128), "other": bool(packet[45] & 64), "options": options,
        }), flush=True)
"""


class Advertisement(NamedTuple):
    """One that came. ``options``: a prefix with whether it is on the link and for addresses of hosts' own, and the like."""

    time: float
    source: str
    lifetime: int
    managed: bool
    other: bool
    options: list[list[Any]]


class Listener(Controlled):
    """Hears the router advertisements that come to a machine."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, _LISTENER)

    def ask(self) -> None:
        """Solicit an advertisement."""
        assert self._process.stdin is not None
        self._process.stdin.write("ask\n")
        self._process.stdin.flush()

    def next(self) -> Advertisement:
        """The next one that came, or comes."""
        return Advertisement(**json.loads(self.line()))

    def last(self) -> Advertisement:
        """Of all that came until it is stopped, the last."""
        return Advertisement(**json.loads(self.stop().splitlines()[-1]))
