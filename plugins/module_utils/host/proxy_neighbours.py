# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IPv6 addresses that the namespace of the calling thread answers neighbour solicitations for, by rtnetlink(7)."""

from __future__ import annotations

import socket
import struct
from typing import FrozenSet, Iterator, Mapping, Tuple

from .netlink import ROUTE, Netlink, attributes, understood

_GET_NEIGHBOUR = 30  # linux/rtnetlink.h
_HEADER = struct.Struct("=BxxxiHBB")  # ndmsg: family, index, state, flags, type
_PROXY, _DESTINATION = 0x08, 1  # NTF_PROXY, NDA_DST of linux/neighbour.h


def read(names: Mapping[int, str]) -> FrozenSet[Tuple[str, str]]:
    """Device and address of each. ``names``: of the namespace's devices that count, by their index. Raises OSError."""
    with Netlink(ROUTE) as netlink, understood():
        return frozenset(_proxies(netlink, names))


def _proxies(netlink: Netlink, names: Mapping[int, str]) -> Iterator[Tuple[str, str]]:
    for body in netlink.dump(_GET_NEIGHBOUR, _HEADER.pack(socket.AF_INET6, 0, 0, _PROXY, 0)):
        _family, index, _state, _flags, _type = _HEADER.unpack_from(body)
        address = attributes(body, _HEADER.size, {_DESTINATION})[_DESTINATION]
        if index in names:
            yield names[index], socket.inet_ntop(socket.AF_INET6, address)
