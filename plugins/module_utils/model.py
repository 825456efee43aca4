# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a router is: the canonical router data as frozen values, already checked.

Nothing here does I/O and nothing here judges: :mod:`router_data` makes these values out of what a person or
Neutron wrote, and is the one place where wrong data is found.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import FrozenSet, Optional, Tuple, Union

IPAddress = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
IPInterface = Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]
IPNetwork = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
AddressScopes = Tuple[Tuple[int, str], ...]  # address family and scope id, for each family that has one

NAMESPACE_PREFIX = "qrouter-"
INTERNAL_PREFIX = "qr-"
EXTERNAL_PREFIX = "qg-"
NETWORK_ID_SHOWN = 11  # characters of a network id in a bridge name, as the linuxbridge agent cuts it
FORWARDED_PROTOCOLS = ("tcp", "udp", "sctp", "dccp")  # those of Neutron that have ports
DEVICE_NAME_LENGTH = 14  # the agent's DEV_NAME_LEN: one less than the kernel's limit

SLAAC, DHCPV6_STATEFUL, DHCPV6_STATELESS = RA_MODES = ("slaac", "dhcpv6-stateful", "dhcpv6-stateless")


@dataclass(frozen=True)
class Subnet:
    """An IPv6 subnet of an internal port that the router advertises to hosts there. ``ipv6_ra_mode``: how hosts get their
    addresses, one of ``RA_MODES``.
    """

    cidr: ipaddress.IPv6Network
    ipv6_ra_mode: str
    dns_nameservers: Tuple[ipaddress.IPv6Address, ...] = ()


@dataclass(frozen=True)
class BandwidthLimitRule:
    """A limit in one direction; 0 for ``max_kbps``: none, for ``max_burst_kbps``: the usual one."""

    direction: str
    max_kbps: int
    max_burst_kbps: int = 0


@dataclass(frozen=True)
class Port:
    """An internal port of a router. ``None`` means: not asked for, whatever the kernel has is right."""

    id: str
    addresses: Tuple[IPInterface, ...]
    network_id: Optional[str] = None
    mac_address: Optional[str] = None
    mtu: Optional[int] = None
    admin_state_up: bool = True
    address_scopes: AddressScopes = ()
    subnets: Tuple[Subnet, ...] = ()


@dataclass(frozen=True)
class Gateway:
    """The port on the external network, with the next hops of the default routes (one per address family)."""

    id: str
    addresses: Tuple[IPInterface, ...]
    network_id: Optional[str] = None
    mac_address: Optional[str] = None
    mtu: Optional[int] = None
    gateway_ips: Tuple[IPAddress, ...] = ()
    extra_subnets: Tuple[IPNetwork, ...] = ()
    address_scopes: AddressScopes = ()
    bandwidth_limit_rules: Tuple[BandwidthLimitRule, ...] = ()


@dataclass(frozen=True)
class FloatingIP:
    """A floating IP; without a fixed address it is not installed."""

    floating_ip_address: ipaddress.IPv4Address
    fixed_ip_address: Optional[ipaddress.IPv4Address] = None
    id: Optional[str] = None
    bandwidth_limit_rules: Tuple[BandwidthLimitRule, ...] = ()


@dataclass(frozen=True)
class PortForwarding:
    """Ports of a floating IP that lead to ports of one address: each to its own, or all to one. Both ends are in a range."""

    floating_ip_address: ipaddress.IPv4Address
    protocol: str
    external_ports: Tuple[int, int]
    internal_ip_address: ipaddress.IPv4Address
    internal_ports: Tuple[int, int]

    def internal_port(self, external_port: int) -> int:
        """Where a port leads to."""
        first, last = self.internal_ports
        return first if first == last else first + external_port - self.external_ports[0]


@dataclass(frozen=True)
class NDPProxy:
    """An inner IPv6 address that the router answers for on the external network."""

    ip_address: ipaddress.IPv6Address
    id: Optional[str] = None


@dataclass(frozen=True)
class ExtraRoute:
    """An extra route of the router; several next hops of one destination are several of these."""

    destination: IPNetwork
    nexthop: IPAddress


@dataclass(frozen=True)
class ConntrackHelper:
    """A helper of connection tracking, for what goes to a port; by Neutron's name."""

    protocol: str
    port: int
    helper: str


@dataclass(frozen=True)
class Router:
    """One virtual router."""

    id: str
    name: str = ""
    admin_state_up: bool = True
    enable_snat: bool = True
    gateway: Optional[Gateway] = None
    interfaces: Tuple[Port, ...] = ()
    floating_ips: Tuple[FloatingIP, ...] = ()
    port_forwardings: Tuple[PortForwarding, ...] = ()
    routes: Tuple[ExtraRoute, ...] = ()
    conntrack_helpers: Tuple[ConntrackHelper, ...] = ()
    enable_ndp_proxy: bool = False
    ndp_proxies: Tuple[NDPProxy, ...] = ()


def families(router: Router) -> FrozenSet[int]:
    """The address families (4, 6) of which a router has an address, on any port that is up."""
    addresses = [address for port in router.interfaces if port.admin_state_up for address in port.addresses]
    addresses += router.gateway.addresses if router.gateway is not None else ()
    return frozenset(address.version for address in addresses)


# To a batch of ip, a "#" begins a comment and quotes are taken away: "link delete dev a#b" deletes the device a. The kernel
# takes such names, and runs do not.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\Z")


def is_plain(device: str) -> bool:
    """Whether a device has a name that means the same wherever it is written; others are never ours."""
    return _PLAIN_NAME.match(device) is not None


def namespace_name(router_id: str) -> str:
    """The router's network namespace."""
    return NAMESPACE_PREFIX + router_id


def internal_device_name(port_id: str) -> str:
    """The device of an internal port in the router's namespace."""
    return (INTERNAL_PREFIX + port_id)[:DEVICE_NAME_LENGTH]


def external_device_name(port_id: str) -> str:
    """The device of the gateway port in the router's namespace."""
    return (EXTERNAL_PREFIX + port_id)[:DEVICE_NAME_LENGTH]
