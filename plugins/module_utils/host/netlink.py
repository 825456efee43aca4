# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking the kernel by netlink(7): one socket, belonging to the namespace that the calling thread is in when it is made."""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import contextmanager
from typing import AbstractSet, Dict, Iterator, List, Tuple, Type

ROUTE, SOCK_DIAG, NETFILTER = 0, 4, 12  # linux/netlink.h
_REQUEST, _ACKNOWLEDGE, _DUMP = 0x001, 0x004, 0x300  # NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP
CREATE = 0x600  # NLM_F_CREATE, NLM_F_EXCL
_INTERRUPTED = 0x10  # NLM_F_DUMP_INTR: what is dumped changed meanwhile
_ERROR, _DONE = 2, 3  # NLMSG_ERROR, NLMSG_DONE
_TYPE = 0x3FFF  # NLA_TYPE_MASK
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence number, port
_ATTRIBUTE = struct.Struct("=HH")  # nlattr: length, type
_LONGEST = 1 << 16  # bytes of a reply; the kernel fills 32 KiB at the most
_SO_NETNS_COOKIE = 71  # asm-generic/socket.h, since Linux 5.14
TRIES = 20  # of a dump that is interrupted


@contextmanager
def understood() -> Iterator[None]:
    """Have what cannot be read as the messages that are expected be an OSError, as all that goes wrong with netlink."""
    try:
        yield
    except (struct.error, LookupError, ValueError) as error:
        raise OSError(errno.EBADMSG, "the kernel's answer is not understood (%s)" % error) from None


class Netlink:
    """A netlink socket; a context manager. What it says it raises is OSError with the kernel's error number."""

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, _kind: Type[BaseException], _error: BaseException, _traceback: object) -> None:
        self._socket.close()

    def namespace_cookie(self) -> int:
        """The number of the namespace, which no other has until the machine is started anew. Raises OSError."""
        [cookie] = struct.unpack("=Q", self._socket.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8))
        return int(cookie)

    def ask(self, kind: int, body: bytes) -> bytes:
        """The body of the one message that answers a request. Raises OSError."""
        self._send(kind, _REQUEST, body)
        data = self._socket.recv(_LONGEST)
        with understood():
            length, answer = struct.unpack_from("=IH", data)
            if answer == _ERROR:
                raise _error(data, 0)
            return data[_HEADER.size : length]

    def change(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Have the kernel change something. Raises OSError."""
        self._send(kind, _REQUEST | _ACKNOWLEDGE | flags, body)
        error = _error(self._socket.recv(_LONGEST), 0)
        if error.errno:
            raise error

    def dump(self, kind: int, body: bytes) -> List[bytes]:
        """The bodies of all messages of a dump, as they are at one moment. Raises OSError."""
        for _try in range(TRIES):
            self._send(kind, _REQUEST | _DUMP, body)
            with understood():
                bodies, whole = self._receive()
            if whole:
                return bodies
        raise InterruptedError("what the kernel was to list changed %d times while it did" % TRIES)

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)

    def _receive(self) -> Tuple[List[bytes], bool]:
        """The bodies of a dump, and whether nothing changed meanwhile."""
        bodies: List[bytes] = []
        whole = True
        while True:
            data, place = self._socket.recv(_LONGEST), 0
            while place < len(data):
                length, kind, flags, _sequence, _port = _HEADER.unpack_from(data, place)
                whole = whole and not flags & _INTERRUPTED
                if kind == _DONE:
                    return bodies, whole
                if kind == _ERROR:
                    raise _error(data, place)
                bodies.append(data[place + _HEADER.size : place + length])
                place += step(length, _HEADER.size)


def _error(data: bytes, place: int) -> OSError:
    [number] = struct.unpack_from("=i", data, place + _HEADER.size)
    return OSError(-number, os.strerror(-number))


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute as it is sent."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes, place: int, wanted: AbstractSet[int]) -> Dict[int, bytes]:
    """Those attributes from ``place`` to the end that are wanted: type -> value. Raises ValueError or struct.error."""
    found = {}
    end = len(data)
    read = _ATTRIBUTE.unpack_from
    while place < end:
        length, kind = read(data, place)
        if kind & _TYPE in wanted:
            found[kind & _TYPE] = data[place + 4 : place + length]
        place += step(length, _ATTRIBUTE.size)
    return found


def step(length: int, least: int) -> int:
    """How far it is to what comes next; a length of less than its own head would lead nowhere, for ever."""
    if length < least:
        raise ValueError("a length of %d" % length)
    return (length + 3) & ~3


def text(value: bytes) -> str:
    """A string attribute, which ends with a null byte."""
    return value.rstrip(b"\0").decode(errors="replace")
