# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links, addresses, routes and policy rules of the namespace that the calling thread is in, by rtnetlink(7).

``ip -json`` tells the same and takes a process for it: 3 ms where this takes a fraction of one. What is text has the
form that ``ip`` prints.
"""

from __future__ import annotations

import errno
import struct
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..state import IPV4, IPV6, Link, NextHop, PolicyRule, Route
from . import policy_rules
from .netlink import ROUTE, Netlink, attributes, step, text, understood

_GET_LINK, _GET_ADDRESS, _GET_ROUTE = 18, 22, 26  # linux/rtnetlink.h
_U32, _I32 = struct.Struct("=I"), struct.Struct("=i")

# linux/if_link.h, linux/if.h
_LINK_HEADER = struct.Struct("=BxHiII")  # ifinfomsg: family, device type, index, flags, change mask
_LINK_ADDRESS, _NAME, _MTU, _PEER_INDEX, _MASTER, _LINK_INFO, _ALIAS, _OF_FAMILIES = 1, 3, 4, 5, 10, 18, 20, 26
_EXTENT, _PEER_NAMESPACE = 29, 37
_OF_LINK = frozenset([_LINK_ADDRESS, _NAME, _MTU, _PEER_INDEX, _MASTER, _LINK_INFO, _ALIAS, _OF_FAMILIES, _PEER_NAMESPACE])
_FIRST_PARAMETER = struct.Struct("=2xH2xHI")  # a family, what is said of it, and the first of its parameters
_IPV4_PARAMETERS = (AF_INET, 1)  # IFLA_INET_CONF, of which the first is "forwarding"
_INFO_KIND = 1
_WITHOUT_STATISTICS = struct.pack("=HHI", 8, _EXTENT, 1 << 3)  # RTEXT_FILTER_SKIP_STATS
_UP, _NO_ARP, _MULTICAST = 0x1, 0x80, 0x1000  # IFF_UP, IFF_NOARP, IFF_MULTICAST

# linux/if_addr.h
_ADDRESS_HEADER = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
_ADDRESS, _LOCAL, _BROADCAST, _ADDRESS_FLAGS, _ADDRESS_METRIC = 1, 2, 4, 8, 9
_OF_ADDRESS = frozenset([_ADDRESS, _LOCAL, _BROADCAST, _ADDRESS_FLAGS, _ADDRESS_METRIC])
_DAD_FAILED, _DEPRECATED, _PERMANENT, _NO_PREFIX_ROUTE = 0x08, 0x20, 0x80, 0x200
_POINT_TO_POINT = 31  # prefixes from this length on have no broadcast address
_SCOPE_GLOBAL, _SCOPE_LINK = 0, 253
_SCOPES = {200: "site", 253: "link", 254: "host", 255: "nowhere"}

# linux/rtnetlink.h
_ROUTE_HEADER = struct.Struct("=BBBBBBBBI")  # rtmsg: family, lengths of both prefixes, tos, table, protocol, scope, type, flags
_DESTINATION, _FROM, _DEVICE, _GATEWAY, _PRIORITY, _SOURCE, _METRICS, _MULTIPATH = 1, 2, 4, 5, 6, 7, 8, 9
_CACHE, _TABLE, _VIA, _PREFERENCE, _ENCAPSULATION, _NEXT_HOP_ID = 12, 15, 18, 20, 21, 30
_UNUSUAL = frozenset([_METRICS, _CACHE, _PREFERENCE, _NEXT_HOP_ID])
_OF_ROUTE = _UNUSUAL | {_DESTINATION, _FROM, _DEVICE, _GATEWAY, _PRIORITY, _SOURCE, _MULTIPATH, _TABLE, _VIA, _ENCAPSULATION}
_METRIC_NAMES = (
    "", "lock", "mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit", "initcwnd", "features",
    "rto_min", "initrwnd", "quickack", "congctl",
)  # fmt: skip
_PREFERENCES = {1: "high", 3: "low"}
_EVERY_METRIC = frozenset(range(2, 16))
_EXPIRES, _NEVER = slice(8, 12), bytes(4)  # of rta_cacheinfo
_UNICAST, _ON_LINK = 1, 4  # RTN_UNICAST, RTNH_F_ONLINK
_HOP_HEADER = struct.Struct("=HBBI")  # rtnexthop: length, flags, weight, index
_TABLES = {253: "default", 254: "main"}
_LOCAL_TABLE = 255
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL)  # the last two: prohibit and blackhole
_TYPES = {
    1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole", 7: "unreachable",
    8: "prohibit", 9: "throw", 10: "nat",
}  # fmt: skip
_PROTOCOLS = {
    0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 8: "gated", 9: "ra", 10: "mrt", 11: "zebra", 12: "bird",
    13: "dnrouted", 14: "xorp", 15: "ntk", 16: "dhcp", 18: "keepalived", 42: "babel", 99: "openr", 186: "bgp", 187: "isis",
    188: "ospf", 189: "rip", 192: "eigrp",
}  # fmt: skip


class Address(NamedTuple):
    """An address of a device, with prefix length, and with its peer where it has one. ``dynamic``: it has a lifetime.
    ``odd``: what else is not as it is of an address that is merely added, in words.
    """

    text: str
    link_local: bool
    dynamic: bool
    odd: Tuple[str, ...]


class Network(NamedTuple):
    """What one namespace has: links, device name -> addresses, routes but those of the table ``local``, policy rules."""

    links: List[Link]
    addresses: Mapping[str, List[Address]]
    routes: List[Route]
    policy_rules: List[PolicyRule]

    def texts(self, device: str) -> List[str]:
        """The addresses of a device, with prefix lengths."""
        return [address.text for address in self.addresses[device]]


def read() -> Network:
    """The namespace's links, addresses, routes and policy rules. Raises OSError."""
    with Netlink(ROUTE) as netlink, understood():
        found = _links(netlink)
        names = {link.index: link.name for link in found}
        addresses = _addresses(netlink, names)
        routes = [*_routes(netlink, AF_INET, names), *_routes(netlink, AF_INET6, names)]
        return Network(found, addresses, routes, policy_rules.read(netlink))


def read_links() -> List[Link]:
    """The namespace's links alone. Raises OSError."""
    with Netlink(ROUTE) as netlink, understood():
        return _links(netlink)


def route_to(address: str, links: Sequence[Link]) -> Optional[NextHop]:
    """How the kernel would send a packet to an address; None when it has no route there. Raises OSError otherwise.

    ``links``: the namespace's, as read before.
    """
    family = AF_INET6 if ":" in address else AF_INET
    packed = inet_pton(family, address)
    header = _ROUTE_HEADER.pack(family, len(packed) * 8, 0, 0, 0, 0, 0, 0, 0)
    question = header + struct.pack("=HH", 4 + len(packed), _DESTINATION) + packed
    try:
        with Netlink(ROUTE) as netlink, understood():
            answer = netlink.ask(_GET_ROUTE, question)
    except OSError as error:
        if error.errno in _NO_ROUTE:
            return None
        raise
    found = attributes(answer, _ROUTE_HEADER.size, _OF_ROUTE)
    return next(iter(_hops(family, found, {link.index: link.name for link in links}, 0)))


def _links(netlink: Netlink) -> List[Link]:
    raw = []
    for body in netlink.dump(_GET_LINK, _LINK_HEADER.pack(0, 0, 0, 0, 0) + _WITHOUT_STATISTICS):
        _family, _type, index, flags, _change = _LINK_HEADER.unpack_from(body)
        raw.append((index, flags, attributes(body, _LINK_HEADER.size, _OF_LINK)))
    names = {index: text(found[_NAME]) for index, _flags, found in raw}
    up = {index for index, flags, _found in raw if flags & _UP}
    links = []
    for index, flags, found in raw:
        master = _U32.unpack(found[_MASTER])[0] if _MASTER in found else None
        peer = _U32.unpack(found[_PEER_INDEX])[0] if _PEER_INDEX in found else None
        elsewhere = _PEER_NAMESPACE in found
        mac_address = found.get(_LINK_ADDRESS)
        links.append(
            Link(
                name=names[index],
                index=index,
                bridge=names.get(master),
                alias=text(found[_ALIAS]) if _ALIAS in found else None,
                up=bool(flags & _UP),
                mtu=_U32.unpack(found[_MTU])[0],
                is_bridge=_LINK_INFO in found and _kind(found[_LINK_INFO]) == "bridge",
                peer_index=peer if elsewhere else None,
                bridge_up=master is None or master in up,
                peer=names.get(peer) if not elsewhere else None,
                mac_address=":".join("%02x" % byte for byte in mac_address) if mac_address else None,
                arp=not flags & _NO_ARP,
                multicast=bool(flags & _MULTICAST),
                forwards=_forwards(found.get(_OF_FAMILIES, b"")),
            )
        )
    return links


def _kind(link_info: bytes) -> str:
    return text(attributes(link_info, 0, {_INFO_KIND}).get(_INFO_KIND, b""))


def _forwards(of_families: bytes) -> bool:
    """Whether the device forwards IPv4, which is said first; one that has none of IPv4 yet does not refuse to."""
    if len(of_families) < _FIRST_PARAMETER.size:
        return True
    family, kind, forwarding = _FIRST_PARAMETER.unpack_from(of_families)
    return (family, kind) != _IPV4_PARAMETERS or forwarding != 0


def _addresses(netlink: Netlink, names: Mapping[int, str]) -> Mapping[str, List[Address]]:
    addresses: Dict[str, List[Address]] = {name: [] for name in names.values()}
    for body in netlink.dump(_GET_ADDRESS, _ADDRESS_HEADER.pack(0, 0, 0, 0, 0)):
        family, length, flags, scope, index = _ADDRESS_HEADER.unpack_from(body)
        if family not in (AF_INET, AF_INET6) or index not in names:
            continue
        found = attributes(body, _ADDRESS_HEADER.size, _OF_ADDRESS)
        if _ADDRESS_FLAGS in found:
            [flags] = _U32.unpack(found[_ADDRESS_FLAGS])
        address = found[_ADDRESS]
        local = found.get(_LOCAL, address)
        peer = " peer " + inet_ntop(family, address) if local != address else ""
        addresses[names[index]].append(
            Address(
                text="%s%s/%d" % (inet_ntop(family, local), peer, length),
                link_local=scope == _SCOPE_LINK,
                dynamic=not flags & _PERMANENT,
                odd=tuple(_oddities(family, length, flags, scope, found)),
            )
        )
    return addresses


def _oddities(family: int, length: int, flags: int, scope: int, found: Mapping[int, bytes]) -> Iterable[str]:
    if flags & _DEPRECATED:
        yield "deprecated"
    if flags & _NO_PREFIX_ROUTE:
        yield "noprefixroute"
    if _ADDRESS_METRIC in found:
        yield "metric %d" % _U32.unpack(found[_ADDRESS_METRIC])[0]
    if family != AF_INET:
        if flags & _DAD_FAILED:
            yield "dadfailed"
        return
    if scope != _SCOPE_GLOBAL:
        yield "scope " + _SCOPES.get(scope, str(scope))
    broadcast = found.get(_BROADCAST)
    if length < _POINT_TO_POINT:
        last = int.from_bytes(found[_ADDRESS], "big") | ((1 << (32 - length)) - 1)
        if broadcast != last.to_bytes(4, "big"):
            yield "broadcast " + inet_ntop(family, broadcast) if broadcast else "no broadcast"
    elif broadcast not in (None, found[_ADDRESS]):  # the L3 agent gives a single address itself, which does no harm
        yield "broadcast " + inet_ntop(family, broadcast)


def _routes(netlink: Netlink, family: int, names: Mapping[int, str]) -> Iterable[Route]:
    for body in netlink.dump(_GET_ROUTE, _ROUTE_HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)):
        _family, length, from_length, tos, table, protocol, scope, kind, flags = _ROUTE_HEADER.unpack_from(body)
        if table == _LOCAL_TABLE:
            continue
        found = attributes(body, _ROUTE_HEADER.size, _OF_ROUTE)
        if _TABLE in found:
            [table] = _U32.unpack(found[_TABLE])
        yield Route(
            family=IPV4 if family == AF_INET else IPV6,
            destination=_destination(family, found.get(_DESTINATION), length),
            nexthops=frozenset(_hops(family, found, names, flags)),
            protocol=_PROTOCOLS.get(protocol, str(protocol)),
            metric=_U32.unpack(found[_PRIORITY])[0] if _PRIORITY in found else 0,
            table=_TABLES.get(table, str(table)),
            type=_TYPES.get(kind, str(kind)),
            selector=_selector(family, tos, found.get(_FROM), from_length) if tos or from_length else "",
            source=inet_ntop(family, found[_SOURCE]) if _SOURCE in found else None,
            unusual=" ".join(_unusual(family, found, scope if kind == _UNICAST else None)),
        )


def _selector(family: int, tos: int, address: Optional[bytes], length: int) -> str:
    words = ["from " + _destination(family, address, length)] if length else []
    return " ".join([*words, *(["tos 0x%02x" % tos] if tos else [])])


def _unusual(family: int, found: Mapping[int, bytes], scope: Optional[int]) -> Iterable[str]:
    """What a route has that one which is merely added has not. ``scope``: where it is to be that of the way it takes."""
    if family == AF_INET:
        usual = _SCOPE_GLOBAL if _GATEWAY in found or _VIA in found or _MULTIPATH in found else _SCOPE_LINK
        if scope not in (None, usual):
            yield "scope " + _SCOPES.get(scope or 0, "global")
    if not found.keys().isdisjoint(_UNUSUAL):
        if _NEXT_HOP_ID in found:
            yield "nhid %d" % _U32.unpack(found[_NEXT_HOP_ID])[0]
        for number, value in attributes(found.get(_METRICS, b""), 0, _EVERY_METRIC).items():
            yield "%s %d" % (_METRIC_NAMES[number], _U32.unpack(value)[0])
        if _CACHE in found and found[_CACHE][_EXPIRES] != _NEVER:
            yield "expires"
        if _PREFERENCE in found and found[_PREFERENCE][0] in _PREFERENCES:
            yield "pref " + _PREFERENCES[found[_PREFERENCE][0]]


def _destination(family: int, address: Optional[bytes], length: int) -> str:
    if length == 0 or address is None:
        return "default"
    host = inet_ntop(family, address)
    return host if length == len(address) * 8 else "%s/%d" % (host, length)


def _hops(family: int, found: Mapping[int, bytes], names: Mapping[int, str], flags: int) -> Iterable[NextHop]:
    several = found.get(_MULTIPATH)
    if several is None:
        yield _hop(family, found, _I32.unpack(found[_DEVICE])[0] if _DEVICE in found else 0, names, flags, 0)
        return
    place = 0
    while place < len(several):
        length, flags, weight, index = _HOP_HEADER.unpack_from(several, place)
        found = attributes(several[place : place + length], _HOP_HEADER.size, _OF_ROUTE)
        yield _hop(family, found, index, names, flags, weight)
        place += step(length, _HOP_HEADER.size)


def _hop(
    family: int, found: Mapping[int, bytes], index: int, names: Mapping[int, str], flags: int, weight: int
) -> NextHop:  # fmt: skip
    if _GATEWAY in found:
        via: Optional[str] = inet_ntop(family, found[_GATEWAY])
    elif _VIA in found:  # a next hop of the other address family: its family, then the address
        [other] = struct.unpack_from("=H", found[_VIA])
        via = inet_ntop(other, found[_VIA][2:])
    else:
        via = None
    unusual = ["weight %d" % (weight + 1)] if weight else []  # the kernel counts from 0
    if flags & _ON_LINK:
        unusual.append("onlink")
    if _ENCAPSULATION in found:
        unusual.append("encap")
    return NextHop(via, names.get(index), " ".join(unusual))
