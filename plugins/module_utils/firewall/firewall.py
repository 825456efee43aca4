# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a router's firewall does, in the terms of router data: pure. The drivers write it as rules, and read it back from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Mapping, NamedTuple, Optional, Tuple

from ..metadata_ipv6 import devices_with_metadata_v6
from ..model import (
    ConntrackHelper,
    PortForwarding,
    Router,
    external_device_name,
    families,
    internal_device_name,
)
from ..port_forwardings import in_order
from ..state import FAMILIES, IPV4, IPV6

OURS = ("qr-", "qg-")  # what the names of a router's devices begin with, internal and external
ZONE = 65001  # of connection tracking, for a router in the node's own namespace
METADATA_ADDRESS = "169.254.169.254"

Scope = Optional[str]


class Published(NamedTuple):
    """Of what is inside, only these ``addresses`` are reached by IPv6 from outside, which is by the ``device``."""

    device: str
    networks: Tuple[str, ...]
    addresses: Tuple[str, ...]


@dataclass(frozen=True)
class Firewall:
    """``external_address``: the first IPv4 address of the gateway's device. ``source_nat``: whether what leaves there is
    translated to it. ``floating_ips``: floating IP -> fixed IP.

    ``metadata_port``: where the metadata proxy listens. ``scopes``: address family -> device -> address scope, where any device
    has one. ``untranslated``: internal devices of the external device's scope, from which nothing is translated.
    ``clamp_mss``: the address families of which TCP connections are told what passes. ``own_namespace``: whether the router is in
    the node's own namespace. There, packets are seen on the bridges as well, before they come to the router and after
    (br_netfilter, where it is loaded): they must neither be translated there nor be taken for the same connections.
    """

    external_device: Optional[str] = None
    external_address: Optional[str] = None
    source_nat: bool = False
    floating_ips: Mapping[str, str] = field(default_factory=dict)
    port_forwardings: Tuple[PortForwarding, ...] = ()
    metadata_port: Optional[int] = None
    metadata_ipv6: bool = False
    scopes: Mapping[int, Mapping[str, Scope]] = field(default_factory=dict)
    untranslated: Tuple[str, ...] = ()
    published: Optional[Published] = None
    conntrack_helpers: Tuple[ConntrackHelper, ...] = ()
    clamp_mss: Tuple[int, ...] = ()
    own_namespace: bool = False

    @property
    def source_nat_address(self) -> Optional[str]:
        """The address to which the source of all that leaves by the gateway is translated."""
        return self.external_address if self.source_nat else None

    @property
    def is_translating(self) -> bool:
        """Whether there is any NAT, the way to the metadata proxy aside."""
        return bool(self.floating_ips or self.port_forwardings or self.source_nat)

    @property
    def fixed_ips(self) -> Mapping[str, str]:
        """Fixed IP -> the floating IP that it is seen as outside: the first of several."""
        return {fixed: floating for floating, fixed in reversed(list(self.floating_ips.items()))}


def firewall_of(
    router: Router, metadata_port: Optional[int] = None, own_namespace: bool = False, clamp_mss: bool = False
) -> Firewall:
    """What a router asks for. Everything is in an order of its own, since sources list it in any: that must not rewrite rules."""
    gateway = router.gateway
    own = [str(address.ip) for address in gateway.addresses if address.version == IPV4] if gateway is not None else []
    source_nat = bool(own) and router.enable_snat
    scopes = {family: _scopes(router, family) for family in FAMILIES}
    return Firewall(
        external_device=external_device_name(gateway.id) if gateway is not None else None,
        external_address=own[0] if own else None,
        source_nat=source_nat,
        floating_ips=_floating_ips(router) if gateway is not None else {},
        port_forwardings=tuple(in_order(router.port_forwardings)) if gateway is not None else (),
        metadata_port=metadata_port,
        metadata_ipv6=metadata_port is not None and bool(devices_with_metadata_v6(router)),
        scopes={family: of_family for family, of_family in scopes.items() if any(of_family.values())},
        untranslated=tuple(_untranslated(router, scopes[IPV4])) if source_nat else (),
        published=_published(router),
        conntrack_helpers=tuple(sorted(router.conntrack_helpers, key=lambda each: (each.protocol, each.port, each.helper))),
        clamp_mss=tuple(families(router)) if clamp_mss else (),
        own_namespace=own_namespace,
    )


def _floating_ips(router: Router) -> Dict[str, str]:
    """Those that are installed."""
    return {
        str(fip.floating_ip_address): str(fip.fixed_ip_address)
        for fip in sorted(router.floating_ips, key=lambda fip: fip.floating_ip_address)
        if fip.fixed_ip_address is not None
    }


def _scopes(router: Router, family: int) -> Dict[str, Scope]:
    """Device -> its scope, in the order of names."""
    scopes = {
        internal_device_name(port.id): dict(port.address_scopes).get(family) for port in router.interfaces if port.admin_state_up
    }
    if router.gateway is not None:
        scopes[external_device_name(router.gateway.id)] = dict(router.gateway.address_scopes).get(family)
    return dict(sorted(scopes.items()))


def _untranslated(router: Router, scopes: Mapping[str, Scope]) -> List[str]:
    external = external_device_name(router.gateway.id) if router.gateway is not None else ""
    scope = scopes.get(external)
    return [device for device, other in scopes.items() if device != external and other == scope and scope is not None]


def _published(router: Router) -> Optional[Published]:
    if router.gateway is None or not router.enable_ndp_proxy:
        return None
    inner = {a.network for port in router.interfaces if port.admin_state_up for a in port.addresses if a.version == IPV6}
    addresses = sorted(proxy.ip_address for proxy in router.ndp_proxies)
    device = external_device_name(router.gateway.id)
    return Published(device, tuple(map(str, sorted(inner))), tuple(map(str, addresses)))
