# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Flows from port to port, as conntrack(8) lists them. They are deleted by netlink, one by one, for which conntrack(8) would
take a process each.
"""

from __future__ import annotations

import re
import struct
from contextlib import suppress
from socket import AF_INET, inet_pton
from typing import Iterable, NamedTuple, Optional

from .netlink import NETFILTER, Netlink, attribute

_PROTOCOLS = {"tcp": 6, "udp": 17, "dccp": 33, "sctp": 132}
# The addresses and ports of the first packet, and those of the replies.
_FLOW = re.compile(
    r"(?P<protocol>\w+) .*? src=(?P<from>\S+) dst=(?P<to>\S+) sport=(?P<from_port>[0-9]{1,5}) dport=(?P<to_port>[0-9]{1,5}) "
    r".*?src=(?P<reply_from>\S+) dst=\S+ sport=(?P<reply_port>[0-9]{1,5}) dport=[0-9]+(?:.* zone=(?P<zone>[0-9]{1,5}))?"
)

# linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h
_DELETE = 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
_HEADER = struct.Struct("!BBH")  # nfgenmsg: family, version, resource
_U16 = struct.Struct("!H")
_NESTED = 1 << 15  # NLA_F_NESTED
_TUPLE, _ZONE = 1, 18  # CTA_TUPLE_ORIG, CTA_ZONE
_ADDRESSES, _PORTS = 1, 2  # CTA_TUPLE_IP, CTA_TUPLE_PROTO
_SOURCE, _DESTINATION = 1, 2  # CTA_IP_V4_SRC, CTA_IP_V4_DST
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3  # CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT


class PortFlow(NamedTuple):
    """A flow: where its first packet was sent, whom that led to, and the message that deletes it."""

    protocol: str
    address: str
    port: int
    internal_address: str
    internal_port: int
    message: bytes


def port_flow(line: str) -> Optional[PortFlow]:
    """The IPv4 flow that a line of the list tells of; None when it tells of something else."""
    match = _FLOW.match(line)
    if match is None or match["protocol"] not in _PROTOCOLS:
        return None
    try:
        message = _message(match)
    except (OSError, ValueError, struct.error):
        return None
    return PortFlow(
        match["protocol"], match["to"], int(match["to_port"]), match["reply_from"], int(match["reply_port"]), message
    )  # fmt: skip


def delete(flows: Iterable[PortFlow]) -> None:
    """Delete these flows. Raises OSError."""
    with Netlink(NETFILTER) as netlink:
        for flow in flows:
            with suppress(FileNotFoundError):  # it has ended meanwhile
                netlink.change(_DELETE, flow.message)


def _message(match: re.Match[str]) -> bytes:
    addresses = attribute(_SOURCE, inet_pton(AF_INET, match["from"])) + attribute(_DESTINATION, inet_pton(AF_INET, match["to"]))
    ports = attribute(_NUMBER, bytes([_PROTOCOLS[match["protocol"]]]))
    ports += attribute(_SOURCE_PORT, _U16.pack(int(match["from_port"])))
    ports += attribute(_DESTINATION_PORT, _U16.pack(int(match["to_port"])))
    flow = attribute(_ADDRESSES | _NESTED, addresses) + attribute(_PORTS | _NESTED, ports)
    zone = attribute(_ZONE, _U16.pack(int(match["zone"]))) if match["zone"] else b""
    return _HEADER.pack(AF_INET, 0, 0) + attribute(_TUPLE | _NESTED, flow) + zone
