# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a router to the kernel objects it needs: a pure function.

What a router asks for and no kernel can give (a next hop on no network) is a problem, in words: the rest of the
router is converged all the same, and the router is reported as failed.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Sequence, Set, Tuple, Union

from .bandwidth import Shaping, shaping_of
from .connected import connected_routes
from .conntrack_helpers import helper_problems
from .firewall import DRIVERS
from .firewall.firewall import firewall_of
from .interface_drivers.driver import InterfaceDriver
from .metadata_ipv6 import devices_with_metadata_v6, with_metadata_address
from .model import (
    ExtraRoute,
    Gateway,
    IPAddress,
    IPNetwork,
    Port,
    Router,
    external_device_name,
    families,
    internal_device_name,
)
from .ndp_proxy import published
from .options import Options
from .plan_bandwidth import limits_of
from .port_forwardings import forwarded_addresses
from .services.router_advertisements import configuration
from .state import (
    ACCEPT_DAD,
    ACCEPT_RA,
    ADDR_GEN_MODE,
    DEFAULT_METRIC,
    DISABLE_IPV6,
    IPV4,
    IPV6,
    PROXY_NDP,
    Device,
    NextHop,
    Route,
    RouterState,
    RuleSets,
)

# What the L3 agent sets in every router's namespace.
IP_FORWARD = "net/ipv4/ip_forward"
FORWARDING = "net/ipv4/conf/%s/forwarding"
NAMESPACE_SYSCTLS = {
    IP_FORWARD: "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/conf/all/arp_ignore": "1",
    "net/ipv4/conf/all/arp_announce": "2",
    "net/ipv4/conf/all/promote_secondaries": "1",
    "net/netfilter/nf_conntrack_tcp_be_liberal": "1",
}
# What of these can be had for a router's devices alone, where the namespace is the node's own; IPv6 is not in it.
DEVICE_SYSCTLS = {
    FORWARDING: "1",
    "net/ipv4/conf/%s/arp_ignore": "1",
    "net/ipv4/conf/%s/arp_announce": "2",
    "net/ipv4/conf/%s/promote_secondaries": "1",
    # Else a tenant could turn away what the node itself sends. In a namespace, forwarding turns this off for all devices.
    "net/ipv4/conf/%s/accept_redirects": "0",
}
# There the bridges that its devices are on are the node's devices as well, and would answer ARP for its addresses.
BRIDGE_SYSCTLS = {"net/ipv4/conf/%s/arp_ignore": "1"}
POINT_TO_POINT = 31  # prefixes from this length on have no broadcast address (RFC 3021)
IPV6_DEFAULT = ipaddress.ip_network("::/0")


@dataclass(frozen=True)
class Desired:
    """What a router is to be in the kernel, and what of it cannot be."""

    router: Router
    state: RouterState
    problems: Tuple[str, ...]


class _OnLink:
    """The networks that a router reaches without a next hop, to find a next hop's device."""

    def __init__(self) -> None:
        self.networks: List[Tuple[IPNetwork, str]] = []
        self.own: Set[IPAddress] = set()

    def add(self, network: IPNetwork, device: str) -> None:
        self.networks.append((network, device))

    def device(self, address: IPAddress) -> Optional[str]:
        fitting = [(n.prefixlen, device) for n, device in self.networks if n.version == address.version and address in n]
        return max(fitting)[1] if fitting else None

    def why_no_next_hop(self, address: IPAddress) -> Optional[str]:
        """Why the kernel would refuse a next hop; None when it would take it."""
        if address.version == IPV6 and address in self.own:
            return "is the router's own address"
        for network, _device in self.networks:
            if network.version == IPV4 and network.prefixlen < POINT_TO_POINT and address == network.broadcast_address:
                return "is the broadcast address of a network of the router"
        return None

    def __contains__(self, network: IPNetwork) -> bool:
        return any(network == known for known, _device in self.networks)


def desired_state(router: Router, options: Options, driver: InterfaceDriver) -> Desired:
    """The kernel objects of a router that is to be on the node."""
    devices: Dict[str, Device] = {}
    addresses: Dict[str, Tuple[str, ...]] = {}
    sysctls = dict(NAMESPACE_SYSCTLS) if options.use_namespaces else {}
    on_link = _OnLink()
    speaking: Set[str] = set()  # devices with IPv6

    def add_device(name: str, port: Union[Port, Gateway], bridge: Optional[str]) -> None:
        device = Device(name, port.id, port.mac_address, port.mtu, True, None)
        devices[name] = replace(device, attachment=driver.attachment(router.id, device, port.network_id, bridge))
        if not options.use_namespaces:
            sysctls.update({key % name: value for key, value in DEVICE_SYSCTLS.items()})
            sysctls.update({key % bridge: value for key, value in BRIDGE_SYSCTLS.items() if bridge is not None})
        addresses[name] = tuple(str(address) for address in port.addresses)
        for address in port.addresses:
            on_link.add(address.network, name)
            on_link.own.add(address.ip)

    for port in router.interfaces:
        if not port.admin_state_up:
            continue
        add_device(internal_device_name(port.id), port, driver.bridge_of(port.network_id))
    routes: Set[Route] = set()
    problems: List[str] = []
    shaping = Shaping()
    if router.gateway is not None:
        name = external_device_name(router.gateway.id)
        add_device(name, router.gateway, options.external_bridge_of(router.gateway.network_id))
        floating = [str(f.floating_ip_address) + "/32" for f in router.floating_ips if f.fixed_ip_address is not None]
        addresses[name] += (*floating, *(address + "/32" for address in forwarded_addresses(router.port_forwardings)))
        told = _with_ipv6_gateway(router, router.gateway, options.ipv6_gateway)
        from_ra = _lacks_ipv6_gateway(router, told.gateway_ips)
        sysctls[ACCEPT_RA % name] = "2" if from_ra else "0"
        speaking |= {name} if from_ra else set()
        routes, problems = _gateway_routes(told, name, on_link)
        limits, limit_problems = limits_of(router, {address.split("/")[0] for address in addresses[name]})
        shaping = shaping_of(name, limits)
        problems += limit_problems
    extra, extra_problems = _extra_routes(router.routes, on_link)
    replaced = {route.key for route in extra}
    all_routes = frozenset([route for route in routes if route.key not in replaced] + extra)
    # Where nobody asked for IPv6, none is spoken nor heard: what every device of a thousand routers says on the external
    # network at its start, and each of the others hears, took more than half of the time of building them.
    speaking |= {hop.device or "" for route in all_routes if route.family == IPV6 for hop in route.nexthops}
    speaking |= {name for name in devices if any(":" in address for address in addresses[name])}
    if router.gateway is not None and router.enable_ndp_proxy:
        speaking.add(external_device_name(router.gateway.id))
        sysctls[PROXY_NDP % external_device_name(router.gateway.id)] = "1"
    # While the kernel looks for the link-local address elsewhere, a router can ask for no neighbour and answers nobody who has
    # it for a next hop; and one that finds it there, on the node from which it moves, does not get it at all.
    sysctls.update({key % name: "0" for name in devices if name in speaking for key in (ACCEPT_DAD, ADDR_GEN_MODE)})
    sysctls.update({DISABLE_IPV6 % name: "0" if name in speaking else "1" for name in devices})
    state = RouterState(
        namespace=True,
        devices=devices,
        addresses=addresses if options.metadata_upstream is None else with_metadata_address(addresses, router),
        routes=all_routes,
        connected=connected_routes(addresses),
        proxy_neighbours=published(router),
        shaping=shaping,
        sysctls=sysctls,
        firewall=rule_sets_of(router, options),
        loopback_up=True,
        metadata=options.metadata_upstream is not None,
        metadata_ipv6=options.metadata_upstream is not None and bool(devices_with_metadata_v6(router)),
        advertised=configuration(router, options.metadata_upstream is not None),
    )
    return Desired(router, state, tuple(problems + extra_problems + helper_problems(router)))


def rule_sets_of(router: Router, options: Options) -> RuleSets:
    """The rule sets that a router asks for."""
    port = options.metadata_port if options.metadata_upstream else None
    firewall = firewall_of(router, port, not options.use_namespaces, options.clamp_mss_to_pmtu)
    return DRIVERS[options.firewall_driver].rule_sets(firewall)


def _lacks_ipv6_gateway(router: Router, gateway_ips: Sequence[IPAddress]) -> bool:
    """IPv6 on the router and nothing said of the way out: routers outside announce themselves (RFC 4861)."""
    told = any(address.version == IPV6 for address in gateway_ips)
    return IPV6 in families(router) and not told and not any(route.destination == IPV6_DEFAULT for route in router.routes)


def _with_ipv6_gateway(router: Router, gateway: Gateway, ipv6_gateway: Optional[str]) -> Gateway:
    """The gateway of a router, with the next hop that the option gives where nothing else does."""
    if ipv6_gateway is None or not _lacks_ipv6_gateway(router, gateway.gateway_ips):
        return gateway
    return replace(gateway, gateway_ips=(*gateway.gateway_ips, ipaddress.ip_address(ipv6_gateway)))


def _route(destination: str, family: int, hops: Sequence[Tuple[Optional[str], Optional[str]]]) -> Route:
    return Route(family, destination, frozenset(NextHop(*hop) for hop in hops), metric=DEFAULT_METRIC[family])


def _gateway_routes(gateway: Gateway, device: str, on_link: _OnLink) -> Tuple[Set[Route], List[str]]:
    """Further prefixes on the link, and the default routes, with a host route first where the gateway is off-subnet."""
    routes: Set[Route] = set()
    problems: List[str] = []
    for subnet in gateway.extra_subnets:
        if subnet not in on_link:
            routes.add(_route(prefix_text(subnet), subnet.version, [(None, device)]))
            on_link.add(subnet, device)
    for index, address in enumerate(gateway.gateway_ips):
        refusal = on_link.why_no_next_hop(address)
        if refusal is not None:
            problems.append("gateway.gateway_ips[%d]: %s %s" % (index, address, refusal))
            continue
        if not address.is_link_local and on_link.device(address) != device:
            routes.add(_route(str(address), address.version, [(None, device)]))
            on_link.add(_host(address), device)
        routes.add(_route("default", address.version, [(str(address), device)]))
    return routes, problems


def _host(address: IPAddress) -> IPNetwork:
    return ipaddress.ip_network((address.packed, address.max_prefixlen))


def _extra_routes(routes: Sequence[ExtraRoute], on_link: _OnLink) -> Tuple[List[Route], List[str]]:
    """Extra routes, equal destinations joined to one route with several next hops (ECMP)."""
    hops: Dict[IPNetwork, List[Tuple[Optional[str], Optional[str]]]] = {}
    problems = []
    for index, route in enumerate(routes):
        device = on_link.device(route.nexthop)
        refusal = on_link.why_no_next_hop(route.nexthop)
        if refusal is not None:
            problems.append("routes[%d].nexthop: %s %s" % (index, route.nexthop, refusal))
        elif route.destination in on_link:
            problems.append("routes[%d].destination: %s is a network of the router itself" % (index, route.destination))
        elif device is None:
            problems.append("routes[%d].nexthop: %s is on no network of the router" % (index, route.nexthop))
        else:
            hops.setdefault(route.destination, []).append((str(route.nexthop), device))
    return [_route(prefix_text(network), network.version, several) for network, several in hops.items()], problems


def prefix_text(network: IPNetwork) -> str:
    """A prefix as ``ip`` prints it: ``default``, a host without its length, else with it."""
    if network.prefixlen == 0:
        return "default"
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)
