# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``gathered`` is to return for a node that has been given router data: docs/router-data.md, once more and on its own."""

from __future__ import annotations

import ipaddress
from typing import Any

Router = dict[str, Any]
ALWAYS = ("admin_state_up", "address_scopes", "bandwidth_limit_rules", "subnets")  # what comes back must have been asked for
DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}


def family(text: str) -> int:
    return 6 if ":" in text else 4


def expected(routers: list[Router], ipv6_gateway: str | None = None) -> list[Router]:
    """The routers as they come back, with lists in the order of their text. ``ipv6_gateway``: the option."""
    up = [router for router in routers if router.get("admin_state_up", True)]
    return [_expected(router, ipv6_gateway) for router in sorted(up, key=lambda router: str(router["id"]))]


def comparable(gathered: list[Router], routers: list[Router]) -> list[Router]:
    """What was gathered, without what nobody asked for: MAC addresses and MTUs, which are always there."""
    ports = {port["id"]: port for router in routers for port in _ports(router)}

    def asked(port: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in port.items() if key in ports[port["id"]] or key in ALWAYS}
        return _in_order(kept)

    return [_sorted({**router, **_map_ports(router, asked)}) for router in gathered]


def _ports(router: Router) -> list[dict[str, Any]]:
    return [*router.get("interfaces", []), *([router["gateway"]] if router.get("gateway") else [])]


def _map_ports(router: Router, change: Any) -> Router:
    changed: Router = {"interfaces": sorted((change(port) for port in router["interfaces"]), key=str)}
    return {**changed, "gateway": change(router["gateway"])} if "gateway" in router else changed


def _sorted(router: Router) -> Router:
    lists = ("floating_ips", "port_forwardings", "routes", "conntrack_helpers", "ndp_proxies")
    return {**router, **{key: sorted(router[key], key=_text) for key in lists if key in router}}


def _text(entry: Any) -> str:
    return str(sorted(entry.items()))


def _expected(router: Router, ipv6_gateway: str | None) -> Router:
    gateway = router.get("gateway")
    result: Router = {
        "id": router["id"],
        "enable_snat": router["enable_snat"] if gateway else True,
        "interfaces": [port for port in router["interfaces"] if port.get("admin_state_up", True)],
        "floating_ips": [],
        "routes": router.get("routes", []),
    }
    if router.get("conntrack_helpers"):
        result["conntrack_helpers"] = router["conntrack_helpers"]
    if gateway:
        result["gateway"] = dict(gateway)
        if ipv6_gateway is not None and _lacks_ipv6_gateway(result):
            result["gateway"]["gateway_ips"] = [*gateway["gateway_ips"], ipv6_gateway]
        if not any(family(address) == 4 for address in gateway["addresses"]):
            result["enable_snat"] = False
        rules = result["gateway"].pop("bandwidth_limit_rules", [])
        if any(family(address) == 4 for address in gateway["addresses"]):
            result["gateway"].update(_limits(rules))
        result["floating_ips"] = [
            {
                **{key: entry[key] for key in ("floating_ip_address", "fixed_ip_address")},
                **_limits(entry.get("bandwidth_limit_rules", [])),
            }
            for entry in router["floating_ips"]
            if entry["fixed_ip_address"] is not None
        ]
        forwarded = {entry["floating_ip_address"] for entry in router.get("port_forwardings", [])}
        for entry in router["floating_ips"]:
            limits = _limits(entry.get("bandwidth_limit_rules", []))
            if limits and entry["floating_ip_address"] in forwarded:
                address = entry["floating_ip_address"]
                result["floating_ips"].append({"floating_ip_address": address, "fixed_ip_address": None, **limits})
        if router.get("port_forwardings"):
            result["port_forwardings"] = [_forwarding(entry) for entry in router["port_forwardings"]]
        _move_next_hops(result)
        if router.get("enable_ndp_proxy"):
            result["enable_ndp_proxy"] = True
            result["ndp_proxies"] = [{"ip_address": proxy["ip_address"]} for proxy in router["ndp_proxies"]]
    return _sorted({**result, **_map_ports(result, _in_order)})


def _in_order(port: dict[str, Any]) -> dict[str, Any]:
    return {key: sorted(value, key=str) if isinstance(value, list) else value for key, value in port.items()}


def _limits(rules: list[dict[str, Any]]) -> dict[str, Any]:
    """Without rules that limit nothing, and bursts that are the usual ones; those beyond what can be come back as what is."""
    limits = []
    for rule in sorted((rule for rule in rules if rule["max_kbps"]), key=lambda rule: str(rule["direction"])):
        rate = rule["max_kbps"]
        bursts = [min(max(burst or rate * 4 // 5, 16), rate * 250, 16_000_000) for burst in (rule["max_burst_kbps"], 0)]
        limit = {"direction": rule["direction"], "max_kbps": rate}
        limits.append(limit if bursts[0] == bursts[1] else {**limit, "max_burst_kbps": bursts[0]})
    return {"bandwidth_limit_rules": limits} if limits else {}


def _lacks_ipv6_gateway(router: Router) -> bool:
    """Whether a router has IPv6 on a port, and nothing said of the way out."""
    addresses = [address for port in (*router["interfaces"], router["gateway"]) for address in port["addresses"]]
    told = [*router["gateway"]["gateway_ips"], *(route["destination"] for route in router["routes"])]
    return any(":" in a for a in addresses) and not any(t == DEFAULT[6] or (":" in t and "/" not in t) for t in told)


def _forwarding(entry: dict[str, Any]) -> dict[str, Any]:
    """A range of one port comes back as a port."""
    found = {key: value for key, value in entry.items() if key != "id"}
    for end in ("external", "internal"):
        first, colon, last = str(found.get(f"{end}_port_range", "")).partition(":")
        if colon and first == last:
            del found[f"{end}_port_range"]
            found[f"{end}_port"] = int(first)
    return found


def _move_next_hops(router: Router) -> None:
    """A default route comes back where it looks as if it came from, and a gateway IP without one as what is on the link."""
    gateway = router["gateway"]
    networks = [ipaddress.ip_interface(address).network for address in gateway["addresses"]]
    subnets = [ipaddress.ip_network(text) for text in gateway["extra_subnets"]]
    on_link = {str(subnet) for subnet in subnets if subnet not in networks}
    reached = [*networks, *subnets]
    gateway_ips = []
    for text in gateway["gateway_ips"]:
        address = ipaddress.ip_address(text)
        extra = [route for route in router["routes"] if route["destination"] == DEFAULT[address.version]]
        on_network = address.is_link_local or any(address in network for network in reached if network.version == address.version)
        if not extra:
            gateway_ips.append(text)
        elif not on_network:
            on_link.add(str(ipaddress.ip_network(text)))
    routes = list(router["routes"])
    for default in DEFAULT.values():
        extra = [route for route in routes if route["destination"] == default]
        hop = extra[0]["nexthop"] if len(extra) == 1 else None
        if hop is not None and any(ipaddress.ip_address(hop) in n for n in reached if n.version == family(hop)):
            gateway_ips.append(hop)
            routes.remove(extra[0])
            on_link.discard(str(ipaddress.ip_network(hop)))
    gateway["gateway_ips"], gateway["extra_subnets"], router["routes"] = gateway_ips, sorted(on_link), routes
