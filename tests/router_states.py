# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random router data for a node: valid, and from small pools, so that two states have much in common and contradict each
other in the rest. Ports, floating IPs, addresses and networks are another router's in the next state; ids begin alike.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from itertools import chain, permutations
from typing import Any, TypeVar

from hypothesis import strategies as st

Draw = st.DrawFn
Router = dict[str, Any]
T = TypeVar("T")

ROUTER_IDS = ["r", "r1", "r1-1", "R1"]
PORT_IDS = ["port-00000a-web", "port-00000b-web", "port-00000c", "port-0000", "0", "port-00000d.x"]  # alike in 10 of 11
NETWORK_IDS = ["network-000-a", "network-00", "n", "network-001"]
FLOATING = [f"203.0.113.{host}" for host in (20, 21, 22)] + ["198.51.100.20", "192.0.2.99"]
FIXED = ["10.1.0.5", "10.1.0.6", "10.2.0.5", "172.31.0.1"]
FORWARDED = [(protocol, port) for protocol in ("tcp", "udp") for port in (80, 90, 8000)]
ONE = 22  # to which all ports of a range can lead
DESTINATIONS = {4: ["192.168.50.0/24", "192.168.50.0/25", "192.168.51.7/32", "198.51.100.128/25", "0.0.0.0/0"],
                6: ["2001:db8:77::/48", "2001:db8:77::/64", "2001:db8:78::7/128", "::/0"]}  # fmt: skip
MACS = [None, "fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "fa:16:3e:00:00:03"]
MTUS = [None, 1280, 1400, 1500, 9000]
ADDRESS_SCOPES = [
    None,
    None,
    None,
    {"4": "scope.a"},
    {"6": "scope.a"},
    {"4": "scope-b", "6": "scope.a"},
    {"4": "scope.a", "6": "S"},
]
CONNTRACK_HELPERS = [("udp", 69, "tftp"), ("tcp", 21, "ftp"), ("tcp", 2121, "ftp"), ("tcp", 6667, "irc"), ("tcp", 1720, "h323")]

some = st.sampled_from
mostly = st.sampled_from([True] * 7 + [False])


def few(values: Sequence[T], least: int, most: int) -> st.SearchStrategy[tuple[T, ...]]:
    """So many of the values, in any order. (``lists`` has a liking for short ones, and for repeating itself.)"""
    return some(list(chain.from_iterable(permutations(values, size) for size in range(least, most + 1))))


@st.composite
def states(draw: Draw) -> list[Router]:
    """The routers of a node, none to three."""
    ids = draw(few(ROUTER_IDS, 0, 3))
    if not ids:
        return []
    owners = some([*ids, None])
    ports = {port_id: draw(owners) for port_id in PORT_IDS}
    floating = {address: draw(owners) for address in FLOATING}
    return [
        draw(routers(i, [p for p, owner in ports.items() if owner == i], [f for f, owner in floating.items() if owner == i]))
        for i in ids
    ]


@st.composite
def routers(draw: Draw, router_id: str, port_ids: list[str], floating: list[str]) -> Router:
    """A router with these ports, one of them its gateway, and floating IPs."""
    router: Router = {"id": router_id, "enable_snat": draw(mostly), "admin_state_up": draw(mostly)}
    if draw(st.booleans()):
        router["name"] = draw(some(["", "a name"]))
    if port_ids and draw(mostly):
        router["gateway"] = draw(gateways(port_ids[0]))
        port_ids = port_ids[1:]
    numbers = draw(st.permutations(range(1, 5)))
    router["interfaces"] = [draw(interfaces(port_id, number)) for port_id, number in zip(port_ids, numbers, strict=False)]
    whole, of_ports = draw(st.permutations(floating).flatmap(_in_two))
    router["floating_ips"] = [draw(floating_ips(address)) for address in whole]
    router["floating_ips"] += [
        {"floating_ip_address": address, "fixed_ip_address": None, **draw(limits())} for address in of_ports[1:]
    ]
    if of_ports:
        router["port_forwardings"] = [entry for address in of_ports for entry in draw(port_forwardings(address))]
    if draw(st.booleans()):
        chosen = draw(st.lists(some(CONNTRACK_HELPERS), max_size=3, unique=True))
        router["conntrack_helpers"] = [{"protocol": p, "port": port, "helper": helper} for p, port, helper in chosen]
    router.update(draw(ndp_proxies(router_id)))
    hops = _next_hops(router)
    if hops:
        router["routes"] = draw(st.lists(some(hops), max_size=5, unique=True).flatmap(_to_destinations))
    return router


@st.composite
def ports(draw: Draw, port_id: str) -> dict[str, Any]:
    port = {"id": port_id, "mac_address": draw(some(MACS)), "mtu": draw(some(MTUS))}
    port["address_scopes"] = draw(some(ADDRESS_SCOPES))
    return {key: value for key, value in port.items() if value is not None}


@st.composite
def interfaces(draw: Draw, port_id: str, number: int) -> dict[str, Any]:
    """An internal port on one of the router's subnets; their lengths, and the router's addresses there, differ."""
    length, length6 = draw(some([24, 25, 28])), draw(some([64, 96]))
    addresses = [f"10.{number}.0.1/{length}", f"10.{number}.0.2/{length}", f"10.{number}.1.1/24"]
    addresses += [f"2001:db8:{number}::1/{length6}", f"2001:db8:{number}::2/64"]
    chosen = list(draw(few(addresses, 1, 3)))
    advertised = draw(subnets(chosen))
    return {
        **draw(ports(port_id)),
        "network_id": draw(some(NETWORK_IDS)),
        "admin_state_up": draw(mostly),
        "addresses": chosen,
        **({"subnets": advertised} if advertised else {}),
    }


@st.composite
def subnets(draw: Draw, addresses: list[str]) -> list[dict[str, Any]]:
    """Some of the IPv6 subnets of these addresses, each with advertisements."""
    networks = {ipaddress.ip_interface(address).network for address in addresses if ":" in address}
    asking = [network for network in sorted(networks, key=str) if draw(some([True, False]))]
    modes = {network: ["slaac", "dhcpv6-stateful", "dhcpv6-stateless"] for network in asking if network.prefixlen == 64}
    servers = [[], ["2001:db8:53::1"], ["2001:db8:53::2", "2001:db8:53::1"]]
    chosen = [{"cidr": str(n), "ipv6_ra_mode": draw(some(modes.get(n, ["dhcpv6-stateful"])))} for n in asking]
    return [{**subnet, **({"dns_nameservers": s} if (s := draw(some(servers))) else {})} for subnet in chosen]


@st.composite
def gateways(draw: Draw, port_id: str) -> dict[str, Any]:
    """A port on the external network. Its next hops are on the network, or anywhere."""
    host, length, length6 = draw(some([10, 11])), draw(some([24, 25])), draw(some([64, 80]))
    addresses = [f"203.0.113.{host}/{length}", f"192.0.2.{host}/{length}", f"2001:db8:e::{host}/{length6}"]
    by_family = (["203.0.113.1", "192.0.2.1", "198.18.0.1", None], ["2001:db8:e::1", "2001:db8:f::1", "fe80::1", None])
    gateway_ips = [draw(some(hops)) for hops in by_family]
    subnets = ["198.51.100.0/24", "198.51.100.0/25", "192.0.2.0/24", "2001:db8:ee::/64"]
    return {
        **draw(ports(port_id)),
        "network_id": "external",
        "addresses": list(draw(few(addresses, 0, 3))),
        "gateway_ips": [address for address in gateway_ips if address is not None],
        "extra_subnets": list(draw(few(subnets, 0, 2))),
        **draw(limits()),
    }


@st.composite
def limits(draw: Draw) -> dict[str, Any]:
    """Bandwidth limits: mostly none; rates and bursts of which tc and the kernel keep some less exactly than others."""
    if draw(mostly):
        return {}
    directions = draw(few(["egress", "ingress"], 0, 2))
    rates, bursts = some([1, 999, 100_000, 1_000_000, 0]), some([None, 0, 1, 16, 1000, 77_777])
    rules = [{"direction": d, "max_kbps": draw(rates), "max_burst_kbps": draw(bursts)} for d in directions]
    return {"bandwidth_limit_rules": rules}


@st.composite
def ndp_proxies(draw: Draw, router_id: str) -> dict[str, Any]:
    """Inner addresses that are published, of the router's networks or of none."""
    addresses = draw(few(["2001:db8:1::5", "2001:db8:2::5", "2001:db8:9::5"], 0, 2))
    if not addresses and draw(mostly):
        return {}
    proxies = [{"ip_address": address, "id": draw(some([f"{router_id}-{address[-4]}", None]))} for address in addresses]
    return {"enable_ndp_proxy": draw(mostly), "ndp_proxies": proxies}


@st.composite
def floating_ips(draw: Draw, address: str) -> dict[str, Any]:
    entry = {"floating_ip_address": address, "fixed_ip_address": draw(some([*FIXED, None])), **draw(limits())}
    if draw(st.booleans()):
        entry["id"] = f"id-of-{address}"
    return entry


def _in_two(addresses: list[str]) -> st.SearchStrategy[tuple[list[str], list[str]]]:
    """Most of them, and the others."""
    return some([len(addresses), len(addresses), len(addresses) // 2]).map(lambda n: (addresses[:n], addresses[n:]))


@st.composite
def port_forwardings(draw: Draw, address: str) -> list[dict[str, Any]]:
    """One to three of a floating IP. To ports of the same number, to others, or to one."""
    entries = []
    for protocol, external in draw(few(FORWARDED, 1, 3)):
        internal = draw(some([external, external + 1000, ONE]))
        entry = {"floating_ip_address": address, "protocol": protocol, "internal_ip_address": draw(some(FIXED))}
        size = draw(some([1, 1, 9])) - 1
        for end, first, more in (("external", external, size), ("internal", internal, size if internal != ONE else 0)):
            if more or draw(st.booleans()):
                entry[f"{end}_port_range"] = f"{first}:{first + more}"
            else:
                entry[f"{end}_port"] = first
        entries.append(entry)
    return entries


def _next_hops(router: Router) -> list[str]:
    """Addresses on the router's networks that are nobody's."""
    up = [port for port in router["interfaces"] if port["admin_state_up"]]
    addresses = [*(a for port in up for a in port["addresses"]), *router.get("gateway", {}).get("addresses", [])]
    bases = {address.split("/")[0].rpartition(":" if ":" in address else ".")[0] for address in addresses}
    return sorted(f"{base}:{host}" if ":" in base else f"{base}.{host}" for base in bases for host in (8, 9))


def _to_destinations(hops: list[str]) -> st.SearchStrategy[list[dict[str, str]]]:
    """A route for each next hop; several get the same destination."""
    destinations = [some(DESTINATIONS[6 if ":" in hop else 4]) for hop in hops]
    return st.tuples(*destinations).map(
        lambda chosen: [{"destination": d, "nexthop": hop} for d, hop in zip(chosen, hops, strict=True)]
    )
