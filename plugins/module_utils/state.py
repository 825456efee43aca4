# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel objects of a router, as frozen values: what is asked for and what is there, in the same types.

Addresses, prefixes and MAC addresses are text in the form that ``ip -json`` prints, so that comparing is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import AbstractSet, FrozenSet, Mapping, Optional, Tuple

from .bandwidth import Shaping

IPV4 = 4
IPV6 = 6
FAMILIES = (IPV4, IPV6)
INET = 1  # NFPROTO_INET: of nf_tables, for both

# Table name -> chain name -> rules in the form that iptables-save prints them, without "-A <chain> ". Of the family INET: table
# name -> kind and name of what is in it -> what it is, and its rules or elements, as nft prints them.
Chains = Mapping[str, Tuple[str, ...]]
Tables = Mapping[str, Chains]
RuleSets = Mapping[int, Tables]  # by address family
LINK_LOCAL = "fe80::"  # of an address to announce: the link-local ones of the device, which the kernel makes
DEFAULT_METRIC = {IPV4: 0, IPV6: 1024}  # what the kernel fills in for a route without a metric

# The kernel parameters of a device that are ours: of the gateway's whether it takes router advertisements, and of each
# whether it speaks IPv6 at all; of those that do, whether there is a link-local address, and whether it is looked for elsewhere
# first. Whether it answers for others is among the parameters only where it does.
ACCEPT_RA = "net/ipv6/conf/%s/accept_ra"
ACCEPT_DAD = "net/ipv6/conf/%s/accept_dad"
ADDR_GEN_MODE = "net/ipv6/conf/%s/addr_gen_mode"
DISABLE_IPV6 = "net/ipv6/conf/%s/disable_ipv6"
PROXY_NDP = "net/ipv6/conf/%s/proxy_ndp"


@dataclass(frozen=True)
class Attachment:
    """Where a device's other side is plugged in, outside of the router's namespace; each driver has its own kind.

    ``peer`` is the name of that other side on the node, ``mark`` the text by which it is known as ours.
    """

    bridge: Optional[str]
    peer: str
    mark: Optional[str]

    def filled_from(self, present: Optional[Attachment]) -> Attachment:  # noqa: ARG002
        """The same, with what was not asked for as it is."""
        return self


@dataclass(frozen=True)
class Device:
    """A router's device. In a desired state ``None`` for MAC and MTU means: as the kernel has it.

    ``master``: the device in the namespace that has taken hold of it, which no run asks for.
    """

    name: str
    port_id: Optional[str]
    mac_address: Optional[str]
    mtu: Optional[int]
    up: bool
    attachment: Optional[Attachment]
    master: Optional[str] = None
    arp: bool = True
    multicast: bool = True
    forwards: bool = True


@dataclass(frozen=True)
class NextHop:
    """``via`` is None for a destination that is on the link itself. ``unusual``: what a run would not give it, in words."""

    via: Optional[str]
    device: Optional[str]
    unusual: str = ""


@dataclass(frozen=True)
class Route:
    """A route as the kernel keeps it. ``metric`` is what the kernel fills in: 0 for IPv4, 1024 for IPv6.

    ``selector``: what else than the destination a packet must have (``tos 0x04``, ``from …``). ``source``: the address
    that the router itself sends from. ``unusual``: what else a run would not give it, in words.
    """

    family: int
    destination: str
    nexthops: FrozenSet[NextHop]
    protocol: str = "static"
    metric: int = 0
    table: str = "main"
    type: str = "unicast"
    selector: str = ""
    source: Optional[str] = None
    unusual: str = ""

    @property
    def key(self) -> Tuple[int, str, str, int, str]:
        """What the kernel takes for the same route: a ``replace`` hits the one with this key."""
        return (self.family, self.table, self.destination, self.metric, self.selector)


@dataclass(frozen=True)
class PolicyRule:
    """A rule that chooses a routing table. ``text`` is what ``ip rule`` prints; ``message`` is what the kernel said of it,
    by which it deletes that rule and no other.
    """

    family: int
    priority: int
    text: str
    message: bytes = field(default=b"", compare=False)


# What the kernel puts into each new namespace, and all that a router needs.
KERNEL_POLICY_RULES = frozenset(
    [
        PolicyRule(IPV4, 0, "from all lookup local"),
        PolicyRule(IPV4, 32766, "from all lookup main"),
        PolicyRule(IPV4, 32767, "from all lookup default"),
        PolicyRule(IPV6, 0, "from all lookup local"),
        PolicyRule(IPV6, 32766, "from all lookup main"),
    ]
)


@dataclass(frozen=True)
class Neighbour:
    """An address on the network of a router's device, and what it is to be asked by: the device's MAC address, and its own
    address there (``source``).
    """

    device: str
    mac_address: str
    address: str
    source: Optional[str] = None


@dataclass(frozen=True)
class RouterState:
    """Everything of one router that is in the kernel, or is to be there.

    ``addresses``: device name -> addresses with prefix length, in order. ``odd_addresses``: device name and address -> in
    what an address that is there is not as a run makes it. ``connected``: routes that the kernel makes with addresses.
    ``proxy_neighbours``: device and IPv6 address that it answers for.
    ``sysctls``: key with slashes -> value. ``firewall``: rule sets, and ``own_tables``: family and name of the tables of iptables
    in which nothing is not ours. ``metadata``: whether the metadata
    proxy listens, and ``metadata_ipv6``: for IPv6 too; ``port_taken``: whether somebody else does; ``agents_proxy``: the
    process of the L3 agent, if it is that which does. ``advertised``: what radvd was told for the router, which is empty
    when that is not known; None: there is none in its namespace. ``agents_radvd``: the process of that which the L3 agent
    started. ``foreign``: what is in the
    namespace and not ours, in words; ``foreign_defaults``: address families that have a default route which is not ours.
    ``forwards_ipv6``: whether the node does, where that is not ours to say. ``dead``: the namespace's name is there and
    nothing behind it.
    """

    namespace: bool
    devices: Mapping[str, Device] = field(default_factory=dict)
    addresses: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
    odd_addresses: Mapping[Tuple[str, str], Tuple[str, ...]] = field(default_factory=dict)
    routes: FrozenSet[Route] = frozenset()
    connected: FrozenSet[Route] = frozenset()
    policy_rules: FrozenSet[PolicyRule] = KERNEL_POLICY_RULES
    proxy_neighbours: FrozenSet[Tuple[str, str]] = frozenset()
    shaping: Shaping = field(default_factory=Shaping)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    firewall: RuleSets = field(default_factory=dict)
    own_tables: FrozenSet[Tuple[int, str]] = frozenset()
    loopback_up: bool = False
    metadata: bool = False
    metadata_ipv6: bool = False
    port_taken: bool = False
    agents_proxy: Optional[int] = None
    advertised: Optional[str] = None
    agents_radvd: Optional[int] = None
    foreign: Tuple[str, ...] = ()
    foreign_defaults: FrozenSet[int] = frozenset()
    forwards_ipv6: bool = True
    dead: bool = False

    def serves(self, wanted: RouterState) -> bool:
        """Whether the metadata proxy listens as it is wanted to, where it is."""
        return self.metadata and (self.metadata_ipv6 or not wanted.metadata_ipv6)

    def without_devices(self, names: AbstractSet[str]) -> RouterState:
        """The same without some devices, and without the addresses and routes that need them."""
        return replace(
            self,
            devices={name: device for name, device in self.devices.items() if name not in names},
            addresses={name: addresses for name, addresses in self.addresses.items() if name not in names},
            routes=frozenset(r for r in self.routes if not any(hop.device in names for hop in r.nexthops)),
            connected=frozenset(r for r in self.connected if not any(hop.device in names for hop in r.nexthops)),
            proxy_neighbours=frozenset((device, address) for device, address in self.proxy_neighbours if device not in names),
            shaping=Shaping() if self.shaping.device in names else self.shaping,
            sysctls={key: value for key, value in self.sysctls.items() if not any("/%s/" % name in key for name in names)},
        )

    def filled_from(self, present: RouterState) -> RouterState:
        """The same, with what was not asked for as the kernel has it."""
        devices = {}
        for name, device in self.devices.items():
            have = present.devices.get(name, device)
            devices[name] = replace(
                device,
                mac_address=device.mac_address or have.mac_address,
                mtu=device.mtu or have.mtu,
                attachment=device.attachment.filled_from(have.attachment) if device.attachment else None,
            )
        return replace(self, devices=devices)


ABSENT = RouterState(namespace=False)


@dataclass(frozen=True)
class Link:
    """A device as the kernel has it. ``bridge``: its master, whatever that is. ``peer_index``: a veth's other end's ifindex,
    in another namespace; ``peer``: the name of a lower device, or of the other end, in the same namespace. ``forwards``: IPv4.
    """

    name: str
    index: int
    bridge: Optional[str]
    alias: Optional[str]
    up: bool
    mtu: int
    is_bridge: bool
    peer_index: Optional[int] = None
    bridge_up: bool = True
    peer: Optional[str] = None
    mac_address: Optional[str] = None
    arp: bool = True
    multicast: bool = True
    forwards: bool = True
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NodeState:
    """What the node has outside of the routers' namespaces, and which of those there are."""

    namespaces: FrozenSet[str]
    links: Mapping[str, Link]

    def link_by_index(self) -> Mapping[int, Link]:
        """Root-side links by ifindex, to find the other end of a veth."""
        return {link.index: link for link in self.links.values()}
