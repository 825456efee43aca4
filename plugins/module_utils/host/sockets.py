# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sockets of the namespace that the calling thread is in, as the kernel tells by sock_diag(7).

Its list in /proc/net/tcp tells the same, but takes 4 ms to read: it is made by a walk over the connections of all
namespaces. It serves kernels without the module tcp_diag.
"""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import suppress
from typing import Dict, Mapping, Optional

from ..state import IPV4, IPV6
from .netlink import SOCK_DIAG, Netlink, understood

_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY of linux/sock_diag.h
_FAMILIES = {IPV6: socket.AF_INET6, IPV4: socket.AF_INET}
_LISTEN = 10  # TCP_LISTEN of net/tcp_states.h
_REQUEST = struct.Struct("=BBBBI48x")  # inet_diag_req_v2
_ENTRY = struct.Struct(">4xH62x4s")  # inet_diag_msg: of it the port, and the inode in the machine's order


def listener(port: int) -> Optional[str]:
    """The inode of a TCP socket that listens on this port, on whatever address; None when there is none."""
    found = listeners(port)
    return found.get(IPV4, found.get(IPV6))


def listeners(port: int) -> Mapping[int, str]:
    """The inodes of TCP sockets that listen on this port, on whatever address, by address family."""
    found = {}
    try:
        with Netlink(SOCK_DIAG) as diag, understood():
            for family, number in _FAMILIES.items():
                for body in diag.dump(_BY_FAMILY, _REQUEST.pack(number, socket.IPPROTO_TCP, 0, 0, 1 << _LISTEN)):
                    entry, inode = _ENTRY.unpack_from(body)
                    if entry == port:
                        found[family] = str(int.from_bytes(inode, sys.byteorder))
    except OSError:
        return listed_listeners(port)
    return found


def listed_listeners(port: int) -> Mapping[int, str]:
    """The same from the kernel's list (proc_net_tcp.rst)."""
    end = ":%04X" % port
    found: Dict[int, str] = {}
    for family, file in ((IPV4, "tcp"), (IPV6, "tcp6")):
        with suppress(FileNotFoundError), open("/proc/thread-self/net/" + file, encoding="ascii") as lines:
            for line in lines:
                words = line.split()
                if words[3] == "%02X" % _LISTEN and words[1].endswith(end):
                    found.setdefault(family, words[9])
    return found
