# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Address text to values, and no form on which Python versions, the C library and the kernel disagree.

Python's own parser takes leading zeros (before 3.9.5), zone ids and bare integers; inet_pton(3) takes none of
them, and what it takes is what ``ip`` takes. All functions raise :class:`ValueError` with the end of a sentence
("is not an IP address"); the caller knows the value and where it stands.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Dict, List, Sequence, Set, Tuple

from .model import IPAddress, IPInterface, IPNetwork

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")
_LENGTH = re.compile(r"(0|[1-9][0-9]{0,2})\Z")  # to ip, a leading zero means octal
PAIRS = 100  # of networks that overlap
_LONGEST = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128")


def parse_address(text: object) -> IPAddress:
    """``203.0.113.1`` or ``2001:db8::1``."""
    if isinstance(text, str) and len(text) <= _LONGEST and text.isascii():
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        try:
            packed = socket.inet_pton(family, text)
        except (OSError, ValueError):  # ValueError: a null byte
            pass
        else:
            if family == socket.AF_INET:
                return ipaddress.IPv4Address(packed)
            address = ipaddress.IPv6Address(packed)
            # Forms with an IPv4 address in them (RFC 4291, section 2.5.5) are written in two ways.
            if address.ipv4_mapped is None and not 1 < int(address) < 1 << 32:
                return address
    with_length = isinstance(text, str) and "/" in text
    raise ValueError("is not an IP address (it has no prefix length here)" if with_length else "is not an IP address")


def _split(text: object) -> tuple[IPAddress, int]:
    if not isinstance(text, str):
        raise ValueError("is not an IP address with a prefix length")
    host, slash, length = text.partition("/")
    try:
        address = parse_address(host)
    except ValueError:
        raise ValueError("is not an IP address" if slash else "is not an IP address with a prefix length") from None
    if not slash:
        raise ValueError("has no prefix length (such as /%d)" % (24 if address.version == 4 else 64))
    if not (_LENGTH.match(length) and int(length) <= address.max_prefixlen):
        raise ValueError("has a prefix length that is not a number from 0 to %d" % address.max_prefixlen)
    return address, int(length)


def parse_interface(text: object) -> IPInterface:
    """``10.0.0.1/24``: an address that a router's port can have."""
    address, length = _split(text)
    if length == 0:
        raise ValueError("has prefix length 0, which would make the whole Internet this network")
    refuse_unusable(address)
    return ipaddress.ip_interface((address.packed, length))


def parse_network(text: object) -> IPNetwork:
    """``10.0.0.0/24``: a prefix without host bits, as the kernel wants it."""
    address, length = _split(text)
    try:
        return ipaddress.ip_network((address.packed, length))
    except ValueError:
        network = ipaddress.ip_network((address.packed, length), strict=False)
        raise ValueError("has host bits set (the network is %s)" % network) from None


def overlapping(networks: Sequence[IPNetwork], groups: Sequence[int]) -> List[Tuple[int, int]]:
    """Places of networks of different groups that overlap, in pairs and in order; of very many, some.

    Of two networks that overlap, one is in the other. So each is looked up with each length that there is, and not compared
    with each other one.
    """
    first: Dict[Tuple[int, int, int], Dict[int, int]] = {}  # version, length, prefix -> group -> the first place
    for place, (network, group) in enumerate(zip(networks, groups)):
        first.setdefault(_prefix(network, network.prefixlen), {}).setdefault(group, place)
    lengths = sorted({(version, length) for version, length, _bits in first})
    pairs: Set[Tuple[int, int]] = set()
    for place, (network, group) in enumerate(zip(networks, groups)):
        for version, length in lengths:
            if version != network.version or length > network.prefixlen:
                continue
            for other_group, other in first.get(_prefix(network, length), {}).items():
                if other_group != group and (length < network.prefixlen or other < place):
                    pairs.add((min(place, other), max(place, other)))
                if len(pairs) >= PAIRS:
                    return sorted(pairs, key=lambda pair: pair[::-1])
    return sorted(pairs, key=lambda pair: pair[::-1])


def _prefix(network: IPNetwork, length: int) -> Tuple[int, int, int]:
    return network.version, length, int(network.network_address) >> (network.max_prefixlen - length)


def refuse_unusable(address: IPAddress) -> None:
    """Refuse what can be no router's own address on a network (RFC 6890)."""
    for kind in ("unspecified", "loopback", "multicast", "link_local"):
        if getattr(address, "is_" + kind):
            raise ValueError("is %s %s address" % ("an" if kind == "unspecified" else "a", kind.replace("_", "-")))
    if address.version == 4 and (address.packed[0] == 0 or address.packed[0] >= 240):
        raise ValueError("is a reserved address")


def parse_mac(text: object) -> str:
    """A unicast MAC address, to lower case."""
    mac = text.lower() if isinstance(text, str) and len(text) == 17 else ""
    if not _MAC.match(mac):
        raise ValueError("is not a MAC address (such as fa:16:3e:00:00:01)")
    if int(mac[:2], 16) & 1:
        raise ValueError("is a multicast MAC address")
    if mac == "00:00:00:00:00:00":
        raise ValueError("is the zero MAC address")
    return mac
