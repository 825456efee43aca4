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
from contextlib import suppress
from typing import Iterator, Optional, Tuple

_NETLINK_SOCK_DIAG, _BY_FAMILY, _DUMP = 4, 20, 0x301  # linux/netlink.h, linux/sock_diag.h; NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3  # linux/netlink.h
_LISTEN = 10  # TCP_LISTEN of net/tcp_states.h
_HEADER, _REQUEST = struct.Struct("=IHHII"), struct.Struct("=BBBBI48x")  # nlmsghdr, inet_diag_req_v2
_PORT, _INODE = (_HEADER.size + 4, "!H"), (_HEADER.size + 68, "=I")  # within inet_diag_msg


def listener(port: int) -> Optional[str]:
    """The inode of a TCP socket that listens on this port, on whatever address; None when there is none."""
    try:
        found = {number: inode for family in (socket.AF_INET6, socket.AF_INET) for number, inode in _listening(family)}
    except OSError:
        return listed_listener(port)
    return found.get(port)


def _listening(family: int) -> Iterator[Tuple[int, str]]:
    """Ports and inodes of listening TCP sockets. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as diag:
        request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << _LISTEN)
        diag.send(_HEADER.pack(_HEADER.size + len(request), _BY_FAMILY, _DUMP, 1, 0) + request)
        while True:
            data, place = diag.recv(1 << 16), 0
            while place < len(data):
                length, kind = struct.unpack_from("=IH", data, place)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise OSError(-struct.unpack_from("=i", data, place + _HEADER.size)[0], "sock_diag")
                [port] = struct.unpack_from(_PORT[1], data, place + _PORT[0])
                [inode] = struct.unpack_from(_INODE[1], data, place + _INODE[0])
                yield port, str(inode)
                place += (length + 3) & ~3


def listed_listener(port: int) -> Optional[str]:
    """The same from the kernel's list (proc_net_tcp.rst)."""
    end = ":%04X" % port
    for file in ("tcp", "tcp6"):
        with suppress(FileNotFoundError), open("/proc/thread-self/net/" + file, encoding="ascii") as lines:
            for line in lines:
                words = line.split()
                if words[3] == "%02X" % _LISTEN and words[1].endswith(end):
                    return words[9]
    return None
