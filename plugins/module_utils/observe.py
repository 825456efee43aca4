# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel has, in the same types as what is asked for."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .host import ip, iptables, netns, sysctl
from .interface_drivers.bridge import BridgeDriver
from .model import EXTERNAL_PREFIX, INTERNAL_PREFIX, NAMESPACE_PREFIX
from .rule_set import parse_save
from .state import ACCEPT_RA, FAMILIES, IPV4, IPV6, Device, NextHop, NodeState, RootLink, Route, RouterState, Tables

# Who else puts routes into a namespace: the kernel itself, and router advertisements that it was told to accept.
KERNEL_PROTOCOLS = ("kernel", "ra", "redirect")


def observe_node() -> NodeState:
    """Read what is outside of the routers' namespaces."""
    links = {}
    found, bridges = ip.links_and_bridges()
    down = {link["ifname"] for link in found if "UP" not in link["flags"]}
    for link in found:
        links[link["ifname"]] = RootLink(
            name=link["ifname"],
            index=link["ifindex"],
            bridge=link.get("master"),
            alias=link.get("ifalias"),
            up="UP" in link["flags"],
            mtu=link["mtu"],
            is_bridge=link["ifname"] in bridges,
            peer_index=link.get("link_index"),
            bridge_up=link.get("master") not in down,
        )
    return NodeState(frozenset(netns.names(NAMESPACE_PREFIX)), links)


def observe_router(namespace: str, sysctls: Sequence[str], driver: BridgeDriver, links: Mapping[int, RootLink]) -> RouterState:
    """Read one router's namespace. ``sysctls``: the keys that matter. Raises host.command.CommandError."""
    try:
        with netns.entered(namespace):
            found_links, found_routes = ip.links_and_routes()
            gateways = [link["ifname"] for link in found_links if link["ifname"].startswith(EXTERNAL_PREFIX)]
            keys = [*sysctls, *(ACCEPT_RA % name for name in gateways)]
            values = {key: sysctl.read(key) for key in keys}
            saved = {family: parse_save(iptables.save(family)) for family in FAMILIES}
    except netns.DeadNamespace:
        return RouterState(namespace=False, dead=True)
    devices, foreign_devices = _devices(found_links, driver, links)
    firewall: Dict[int, Tables] = {family: saved[family].ours for family in FAMILIES}
    return RouterState(
        namespace=True,
        devices=devices,
        addresses={link["ifname"]: _addresses(link) for link in found_links if link["ifname"] in devices},
        routes=frozenset(_routes(found_routes, foreign_devices)),
        sysctls={key: value for key, value in values.items() if value is not None},
        firewall=firewall,
        loopback_up=any("UP" in link["flags"] for link in found_links if link["ifname"] == "lo"),
        foreign=(
            *("device " + name for name in sorted(foreign_devices - {"lo"})),
            *saved[IPV4].foreign,
            *(rule + " (IPv6)" for rule in saved[IPV6].foreign),
        ),
    )


def _devices(
    found: Sequence[Dict[str, Any]], driver: BridgeDriver, links: Mapping[int, RootLink]
) -> Tuple[Dict[str, Device], set[str]]:
    devices, foreign = {}, set()
    for link in found:
        name = link["ifname"]
        if not name.startswith((INTERNAL_PREFIX, EXTERNAL_PREFIX)):
            foreign.add(name)
            continue
        devices[name] = Device(
            name=name,
            port_id=link.get("ifalias"),
            mac_address=link.get("address"),
            mtu=link["mtu"],
            up="UP" in link["flags"],
            attachment=driver.observe(link["ifindex"], link.get("link_index"), links),
        )
    return devices, foreign


def _addresses(link: Mapping[str, Any]) -> Tuple[str, ...]:
    """Addresses with prefix length, without those that the kernel makes by itself: link-local, and from RAs."""
    addresses = []
    by_ra = link["ifname"].startswith(EXTERNAL_PREFIX)
    for entry in link["addr_info"]:
        if entry["family"] == "inet6" and (entry["scope"] == "link" or (by_ra and entry.get("dynamic"))):
            continue
        peer = entry.get("address")
        addresses.append("%s%s/%d" % (entry["local"], " peer " + peer if peer else "", entry["prefixlen"]))
    return tuple(addresses)


def _routes(found: Sequence[Mapping[str, Any]], foreign_devices: set[str]) -> List[Route]:
    routes = []
    for entry in found:
        if entry["table"] == "local" or entry["protocol"] in KERNEL_PROTOCOLS:
            continue
        hops = entry.get("nexthops", [entry])
        devices = {hop.get("dev") for hop in hops}
        if devices & foreign_devices - {"lo"} or _is_link_local(entry["dst"]):
            continue
        routes.append(
            Route(
                family=_family(entry),
                destination=entry["dst"],
                nexthops=frozenset(NextHop(_via(hop), hop.get("dev")) for hop in hops),
                protocol=entry["protocol"],
                metric=entry.get("metric", 0),
                table=entry["table"],
                type=entry["type"],
            )
        )
    return routes


def _is_link_local(destination: str) -> bool:
    return destination.startswith(("fe80:", "ff00:"))


def _via(hop: Mapping[str, Any]) -> Optional[str]:
    via = hop.get("via")  # a next hop of the other address family
    return hop.get("gateway") or (via["host"] if via else None)


def _family(entry: Mapping[str, Any]) -> int:
    # Only IPv6 routes have a router preference (RFC 4191), and each of them has.
    return IPV6 if "pref" in entry or ":" in entry["dst"] else IPV4
