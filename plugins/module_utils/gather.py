# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From kernel objects back to router data: pure.

Names of routers, ids of floating IPs and floating IPs without a fixed address are not in the kernel and do not
come back. A device that is down comes back as a port that is administratively down.
"""

from __future__ import annotations

import ipaddress
from dataclasses import asdict
from typing import Any, Dict, List

from .bandwidth import describe_stray, gather_rules
from .firewall import firewall_from
from .firewall.firewall import Firewall
from .interface_drivers.driver import InterfaceDriver, owner
from .metadata_ipv6 import METADATA_ADDRESS_V6, is_metadata_address
from .model import EXTERNAL_PREFIX, PortForwarding
from .ndp_proxy import gather_proxies
from .plan_addresses import odd_in_words
from .plan_policy_rules import describe_policy_rule
from .plan_routes import describe_route
from .services.router_advertisements import subnets_of, without_mtu
from .state import FAMILIES, INET, IPV6, KERNEL_POLICY_RULES, Device, Route, RouterState


def gather_router(router_id: str, state: RouterState, as_meant: bool = False) -> Dict[str, Any]:
    """A router's state in the canonical form of router data.

    ``as_meant``: a device that is down is meant to be up, or it would not be there, and a floating IP that has its
    rules is meant to have its address.
    """
    firewall = firewall_from(state.firewall)
    router: Dict[str, Any] = {"id": router_id, "enable_snat": _has_snat(state, firewall), "interfaces": []}
    present = {address for addresses in state.addresses.values() for address in addresses}
    pairs = {f: fixed for f, fixed in firewall.floating_ips.items() if as_meant or f + "/32" in present}
    scopes = _scopes_of_devices(firewall)
    forwardings = [f for f in firewall.port_forwardings if as_meant or "%s/32" % f.floating_ip_address in present]
    external = {*pairs, *(str(forwarding.floating_ip_address) for forwarding in forwardings)}
    subnets, unasked = subnets_of(state.advertised), without_mtu(state.advertised)
    for name, device in sorted(state.devices.items()):
        own = [address for address in state.addresses.get(name, ()) if not is_metadata_address(address)]
        addresses = [address for address in own if address[:-3] not in external]
        port = _gather_port(device, addresses)
        port.update({"address_scopes": dict(scopes[name])} if name in scopes else {})
        if name.startswith(EXTERNAL_PREFIX):
            # The first is the one that others are translated to, and the kernel does not keep the order.
            port["addresses"].sort(key=lambda address: address.split("/")[0] != firewall.external_address)
            own = [address.split("/")[0] for address in port["addresses"]]
            router["gateway"] = {**port, **_gather_next_hops(state, name), **gather_rules(state.shaping.limits, own)}
        else:
            advertised = {"subnets": subnets[name]} if name in subnets else {}
            if name in unasked:
                port.pop("mtu", None)
            router["interfaces"].append({**port, "admin_state_up": device.up or as_meant, **advertised})
    router["floating_ips"] = [
        {"floating_ip_address": floating, "fixed_ip_address": fixed, **gather_rules(state.shaping.limits, [floating])}
        for floating, fixed in pairs.items()
    ]
    if forwardings:
        router["port_forwardings"] = [_gather_port_forwarding(forwarding) for forwarding in forwardings]
        for floating in sorted({str(forwarding.floating_ip_address) for forwarding in forwardings}):
            rules = gather_rules(state.shaping.limits, [floating])
            router["floating_ips"] += [{"floating_ip_address": floating, "fixed_ip_address": None, **rules}] if rules else []
    router["routes"] = _gather_routes(state)
    router.update(gather_proxies(state, as_meant))
    helpers = firewall.conntrack_helpers
    return {**router, "conntrack_helpers": [asdict(helper) for helper in helpers]} if helpers else router


def _gather_port_forwarding(forwarding: PortForwarding) -> Dict[str, Any]:
    entry: Dict[str, Any] = {
        "floating_ip_address": str(forwarding.floating_ip_address),
        "protocol": forwarding.protocol,
        "internal_ip_address": str(forwarding.internal_ip_address),
    }
    for side, (first, last) in (("external", forwarding.external_ports), ("internal", forwarding.internal_ports)):
        entry.update({side + "_port": first} if first == last else {side + "_port_range": "%d:%d" % (first, last)})
    return entry


def _scopes_of_devices(firewall: Firewall) -> Dict[str, Dict[str, str]]:
    """Device -> address family, as text, -> scope id."""
    found: Dict[str, Dict[str, str]] = {}
    for family, scopes in firewall.scopes.items():
        for device, scope in scopes.items():
            if scope is not None:
                found.setdefault(device, {})[str(family)] = scope
    return found


def _has_snat(state: RouterState, firewall: Firewall) -> bool:
    gateway = any(name.startswith(EXTERNAL_PREFIX) for name in state.devices)
    return not gateway or firewall.source_nat


def _gather_port(device: Device, addresses: List[str]) -> Dict[str, Any]:
    whose = owner(device.attachment.mark) if device.attachment is not None else None
    port = {
        "id": device.port_id or device.name[len(EXTERNAL_PREFIX) :],  # the L3 agent leaves no more of it than the name
        "network_id": whose.network_id if whose is not None else None,
        "mac_address": device.mac_address,
        "mtu": device.mtu,
        "addresses": addresses,
    }
    return {key: value for key, value in port.items() if value is not None}


def _gather_next_hops(state: RouterState, device: str) -> Dict[str, Any]:
    """Default routes by the gateway port, and what it has on the link."""
    gateway_ips = [hop.via for route in state.routes if _by_gateway(route) for hop in route.nexthops if hop.via]
    on_link = [
        _prefix(route.destination)
        for route in state.routes
        for hop in route.nexthops
        if hop.via is None and hop.device == device and route.destination not in gateway_ips
    ]
    return {"gateway_ips": sorted(gateway_ips, key=_address_order), "extra_subnets": sorted(on_link)}


def _gather_routes(state: RouterState) -> List[Dict[str, str]]:
    return [
        {"destination": _destination(route), "nexthop": hop.via}
        for route in sorted(state.routes, key=lambda route: (route.family, route.destination))
        if not _by_gateway(route)
        for hop in sorted(route.nexthops, key=lambda hop: hop.via or "")
        if hop.via
    ]


def _by_gateway(route: Route) -> bool:
    """A default route that gateway_ips ask for: one next hop, by the gateway port."""
    return route.destination == "default" and all(
        len(route.nexthops) == 1 and hop.device is not None and hop.device.startswith(EXTERNAL_PREFIX) for hop in route.nexthops
    )


def _destination(route: Route) -> str:
    if route.destination == "default":
        return "::/0" if route.family == IPV6 else "0.0.0.0/0"
    return _prefix(route.destination)


def _prefix(destination: str) -> str:
    return str(ipaddress.ip_network(destination)) if "/" not in destination else destination


def _address_order(address: str) -> Any:
    parsed = ipaddress.ip_address(address)
    return parsed.version, parsed


def describe_state(router_id: str, state: RouterState, driver: InterfaceDriver) -> Dict[str, Any]:
    """For a diff: router data, and what else makes the router: rule sets, sysctls, where devices are plugged in."""
    if not state.namespace:
        return {}
    connected = (r for r in state.connected if all(hop.device in state.devices for hop in r.nexthops))
    odd = list(odd_in_words(state.odd_addresses))
    strays = sorted(describe_stray(stray, state.shaping.device) for stray in state.shaping.strays)
    rules = sorted(map(describe_policy_rule, state.policy_rules)) if state.policy_rules != KERNEL_POLICY_RULES else []
    return {
        "router": gather_router(router_id, state),
        **({"addresses put right": odd} if odd else {}),
        "kernel routes": sorted(describe_route(route) for route in (*state.routes, *connected)),
        **({"policy rules": rules} if rules else {}),
        **({"stray traffic control": strays} if strays else {}),
        "devices": {name: _describe_device(device, driver) for name, device in sorted(state.devices.items())},
        "metadata proxy": _describe_metadata(state),
        **({"router advertisements": state.advertised.splitlines()} if state.advertised is not None else {}),
        "sysctls": {key.replace("/", "."): value for key, value in sorted(state.sysctls.items())},
        "rules": {
            "%s %s %s" % ("inet" if family == INET else "IPv%d" % family, table, chain): list(rules)
            for family in (*FAMILIES, INET)
            for table, chains in sorted(state.firewall.get(family, {}).items())
            for chain, rules in sorted(chains.items())
            if list(rules) != [":ACCEPT"]
        },
    }


def _describe_metadata(state: RouterState) -> str:
    served = [name for name, addresses in sorted(state.addresses.items()) if any(map(is_metadata_address, addresses))]
    by_ipv6 = ", for IPv6 too" if state.metadata_ipv6 else ""
    address = "; %s is on %s" % (METADATA_ADDRESS_V6, ", ".join(served)) if served else ""
    return ("listens" + by_ipv6 if state.metadata else "does not listen") + address


def _describe_device(device: Device, driver: InterfaceDriver) -> str:
    plugged = "not plugged in" if device.attachment is None else driver.describe(device.attachment)
    flaws = [
        ", below %s" % device.master if device.master is not None else "",
        "" if device.arp else ", without ARP",
        "" if device.multicast else ", without multicast",
        "" if device.forwards else ", without forwarding",
    ]
    return "%s%s, %s" % ("up" if device.up else "down", "".join(flaws), plugged)
