# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules by which the namespace that the calling thread is in chooses a routing table, by rtnetlink(7).

They are deleted by netlink as well: the kernel takes what it said of a rule for its description, so that nothing of it has to
be known. A batch of ``ip`` could not even say that it means IPv6.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Iterable, Iterator, List, Mapping, Optional

from ..state import IPV4, IPV6, PolicyRule
from .netlink import CREATE, ROUTE, Netlink, attributes, text

_NEW_RULE, _DELETE_RULE, _GET_RULE = 32, 33, 34  # linux/rtnetlink.h
_U32, _RANGE, _PORTS = struct.Struct("=I"), struct.Struct("=II"), struct.Struct("=HH")
_ATTRIBUTE = struct.Struct("=HHI")

# linux/fib_rules.h
_HEADER = struct.Struct("=BBBBBBBBI")  # fib_rule_hdr: family, lengths of both prefixes, tos, table, two unused, action, flags
_TO, _FROM, _IIF, _GOTO, _PRIORITY, _MARK, _TUNNEL = 1, 2, 3, 4, 6, 10, 12
_GROUP, _SUPPRESS, _TABLE, _MASK, _OIF = 13, 14, 15, 16, 17
_L3MDEV, _UIDS, _PROTOCOL, _IP_PROTOCOL, _SPORT, _DPORT = 19, 20, 21, 22, 23, 24
_WANTED = frozenset(range(1, 25))
_LOOKUP = 1
_ACTIONS = {2: "goto", 3: "nop", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_INVERTED = 2  # FIB_RULE_INVERT
_BY_KERNEL = 2  # RTPROT_KERNEL
_TABLES = {253: "default", 254: "main", 255: "local"}
_ALL = 0xFFFFFFFF


def read(netlink: Netlink) -> List[PolicyRule]:
    """The rules of both families, but for what the kernel makes for a VRF. Raises OSError."""
    rules = map(_rule, netlink.dump(_GET_RULE, _HEADER.pack(0, 0, 0, 0, 0, 0, 0, 0, 0)))
    return [rule for rule in rules if rule is not None]


@lru_cache(maxsize=100)  # in a thousand namespaces the kernel says the same of its own
def _rule(body: bytes) -> Optional[PolicyRule]:
    family = body[0]
    found = attributes(body, _HEADER.size, _WANTED)
    if family not in (AF_INET, AF_INET6) or (found.get(_L3MDEV) == b"\1" and found.get(_PROTOCOL) == bytes([_BY_KERNEL])):
        return None
    priority = _number(found, _PRIORITY) or 0
    version = IPV4 if family == AF_INET else IPV6
    return PolicyRule(version, priority, " ".join(_words(family, body, found)), body)


def delete(rule: PolicyRule) -> None:
    """Delete a rule that was read. Raises OSError."""
    with Netlink(ROUTE) as netlink:
        netlink.change(_DELETE_RULE, rule.message)


def restore(rule: PolicyRule) -> None:
    """Put one of the kernel's own rules, which look a table up for every packet, back. Raises OSError."""
    [table] = [number for number, name in _TABLES.items() if rule.text.endswith(" " + name)]
    family = AF_INET if rule.family == IPV4 else AF_INET6
    body = _HEADER.pack(family, 0, 0, 0, table, 0, 0, _LOOKUP, 0)
    body += _ATTRIBUTE.pack(8, _PRIORITY, rule.priority) + _ATTRIBUTE.pack(8, _TABLE, table)
    body += struct.pack("=HHB3x", 5, _PROTOCOL, _BY_KERNEL)
    with Netlink(ROUTE) as netlink:
        netlink.change(_NEW_RULE, body, CREATE)


def _number(found: Mapping[int, bytes], kind: int) -> Optional[int]:
    return int(_U32.unpack(found[kind])[0]) if kind in found else None


def _words(family: int, body: bytes, found: Mapping[int, bytes]) -> Iterator[str]:
    """What ``ip rule`` prints behind the priority."""
    _family, to_length, from_length, tos, _table, _res1, _res2, action, flags = _HEADER.unpack_from(body)
    if flags & _INVERTED:
        yield "not"
    yield "from " + _prefix(family, found.get(_FROM), from_length)
    if _TO in found:
        yield "to " + _prefix(family, found[_TO], to_length)
    if tos:
        yield "tos 0x%02x" % tos
    yield from _matches(found)
    if action == _LOOKUP:
        table = _number(found, _TABLE) or 0
        if found.get(_L3MDEV) == b"\1":
            yield "lookup [l3mdev-table]"
        elif table:
            yield "lookup " + _TABLES.get(table, str(table))
        suppressed = _number(found, _SUPPRESS)
        if suppressed not in (None, _ALL):
            yield "suppress_prefixlength %d" % suppressed
        group = _number(found, _GROUP)
        if group not in (None, _ALL):
            yield "suppress_ifgroup %d" % group
        return
    target = " %d" % (_number(found, _GOTO) or 0) if _GOTO in found else ""
    yield _ACTIONS.get(action, "action %d" % action) + target


def _matches(found: Mapping[int, bytes]) -> Iterable[str]:
    mark, mask = _number(found, _MARK), _number(found, _MASK)
    if mark is not None and (mark or mask):
        yield "fwmark 0x%x" % mark + ("" if mask in (None, _ALL) else "/0x%x" % mask)
    for kind, word in ((_IIF, "iif"), (_OIF, "oif")):
        if kind in found:
            yield "%s %s" % (word, text(found[kind]))
    if _UIDS in found:
        yield "uidrange %d-%d" % _RANGE.unpack(found[_UIDS])
    if _TUNNEL in found:
        yield "tun_id %d" % int.from_bytes(found[_TUNNEL], "big")
    if _IP_PROTOCOL in found:
        yield "ipproto " + _protocol(found[_IP_PROTOCOL][0])
    for kind, word in ((_SPORT, "sport"), (_DPORT, "dport")):
        if kind in found:
            first, last = _PORTS.unpack(found[kind])
            yield "%s %d" % (word, first) + ("-%d" % last if last != first else "")


def _protocol(number: int) -> str:
    return {6: "tcp", 17: "udp", 1: "icmp", 58: "ipv6-icmp"}.get(number, str(number))


def _prefix(family: int, address: Optional[bytes], length: int) -> str:
    if address is None:
        return "all"
    host = inet_ntop(family, address)
    return host if length == len(address) * 8 else "%s/%d" % (host, length)
