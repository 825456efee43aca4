# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The subnets of an internal port as they are written to those that are advertised, with what is wrong in them. Pure."""

from __future__ import annotations

import ipaddress
from typing import Dict, List, Optional, Sequence, Tuple

from .addresses import parse_address, parse_network
from .fields import Fields
from .model import DHCPV6_STATEFUL, RA_MODES, IPAddress, IPInterface, IPNetwork, Subnet

_SLAAC_LENGTH = 64  # of a prefix that hosts make addresses of (RFC 4862, RFC 2464)


def read_subnets(port: Fields, addresses: Sequence[IPInterface]) -> Tuple[Subnet, ...]:
    """The subnets of the port with these addresses. Those that do not ask for advertisements are checked, and left out."""
    networks = [address.network for address in addresses]
    given = port.values.get("addresses")
    if not isinstance(given, (list, tuple)) or len(given) != len(networks):
        networks = []  # which is told already
    seen: Dict[IPNetwork, str] = {}
    found: List[Subnet] = []
    for fields in port.children("subnets"):
        subnet = _read_subnet(fields, networks, seen)
        found += [subnet] if subnet is not None else []
    return tuple(found)


def _read_subnet(fields: Fields, networks: Sequence[IPNetwork], seen: Dict[IPNetwork, str]) -> Optional[Subnet]:
    cidr = fields.parsed("cidr", parse_network, required=True)
    mode = fields.parsed("ipv6_ra_mode", _parse_mode)
    address_mode = fields.parsed("ipv6_address_mode", _parse_mode)
    nameservers = fields.parsed_entries("dns_nameservers", _parse_nameserver)
    fields.refuse_unknown()
    if cidr is None:
        return None
    if networks and cidr not in networks:
        fields.wrong("cidr", "%s is the network of none of the port's addresses" % cidr)
    if cidr in seen:
        fields.wrong("cidr", "%s stands at %s already" % (cidr, seen[cidr]))
    seen.setdefault(cidr, fields.path + ".cidr")
    if mode is not None and address_mode is not None and mode != address_mode:
        fields.wrong("ipv6_address_mode", "is not the same as ipv6_ra_mode")
    if mode is None:
        return None
    if not isinstance(cidr, ipaddress.IPv6Network):
        fields.wrong("ipv6_ra_mode", "%s is not an IPv6 network" % cidr)
        return None
    if mode != DHCPV6_STATEFUL and cidr.prefixlen != _SLAAC_LENGTH:
        fields.wrong("cidr", "hosts make no addresses of %s, whose prefix length is not %d" % (cidr, _SLAAC_LENGTH))
    own = tuple(address for address in nameservers if isinstance(address, ipaddress.IPv6Address))
    if len(own) < len(nameservers):
        fields.wrong("dns_nameservers", "hosts of an IPv6 network can be told IPv6 addresses only")
    return Subnet(cidr, mode, own)


def _parse_mode(value: object) -> str:
    for mode in RA_MODES:
        if value == mode:
            return mode
    raise ValueError("is none of %s" % ", ".join(RA_MODES))


def _parse_nameserver(value: object) -> IPAddress:
    address = parse_address(value)
    if address.is_unspecified or address.is_multicast or address.is_loopback:
        raise ValueError("is not an address that hosts can reach")
    return address
