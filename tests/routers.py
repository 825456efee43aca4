# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Router data that tests share."""

from __future__ import annotations

from typing import Any

WEB, DB = "web-network", "db-network"
TFTP = {"protocol": "udp", "port": 69, "helper": "tftp"}
WEB_BRIDGE, DB_BRIDGE = "brqweb-network", "brqdb-network"


def router(**changes: Any) -> dict[str, Any]:
    """A router with everything: two dual-stack networks, gateway in both families, floating IPs, routes of all kinds."""
    return {
        "id": "r1",
        "enable_snat": True,
        "gateway": {
            "id": "aaaa0000-external-port",
            "network_id": "external",
            "mac_address": "fa:16:3e:00:00:b0",
            "mtu": 1500,
            "addresses": ["203.0.113.10/24", "2001:db8:e::10/64"],
            "gateway_ips": ["203.0.113.1", "2001:db8:e::1"],
            "extra_subnets": ["198.51.100.0/24"],
        },
        "interfaces": [
            {
                "id": "bbbb0000-web-port",
                "network_id": WEB,
                "mac_address": "fa:16:3e:00:00:c0",
                "mtu": 1450,
                "admin_state_up": True,
                "addresses": ["10.0.0.1/24", "2001:db8:1::1/64"],
            },
            {
                "id": "cccc0000-db-port",
                "network_id": DB,
                "mac_address": "fa:16:3e:00:00:c1",
                "mtu": 1450,
                "admin_state_up": True,
                "addresses": ["10.0.1.1/24"],
            },
        ],
        "floating_ips": [
            {"floating_ip_address": "203.0.113.20", "fixed_ip_address": "10.0.0.5"},
            {"floating_ip_address": "203.0.113.21", "fixed_ip_address": "10.0.1.5"},
        ],
        "routes": [
            {"destination": "192.168.50.0/24", "nexthop": "10.0.0.253"},
            {"destination": "192.168.50.0/24", "nexthop": "10.0.0.254"},
            {"destination": "192.168.51.0/24", "nexthop": "10.0.1.254"},
            {"destination": "2001:db8:77::/48", "nexthop": "2001:db8:1::fe"},
        ],
        **changes,
    }


def scoped_router(**changes: Any) -> dict[str, Any]:
    """The same with address scopes, the web network in that of the gateway and db in another, and with helpers of connection
    tracking.
    """
    data = router(conntrack_helpers=[{"protocol": "tcp", "port": 21, "helper": "ftp"}, TFTP], **changes)
    web, db = data["interfaces"]
    db["addresses"] = ["10.0.1.1/24", "2001:db8:2::1/64"]
    for port in (data["gateway"], web):
        port["address_scopes"] = {"4": "public-4", "6": "public-6"}
    db["address_scopes"] = {"4": "private.4", "6": "private.6"}
    return data


def forwarding(external: int | str, internal: int | str, **changes: Any) -> dict[str, Any]:
    """A port forwarding; a port is a number, and a range is text."""
    ends = {"external": external, "internal": internal}
    ports = {f"{end}_port_range" if isinstance(port, str) else f"{end}_port": port for end, port in ends.items()}
    return {"floating_ip_address": "203.0.113.30", "protocol": "tcp", "internal_ip_address": "10.0.0.5", **ports, **changes}


WEB_SUBNET = {"cidr": "2001:db8:1::/64", "ipv6_ra_mode": "slaac", "dns_nameservers": ["2001:db8:1::53"]}


def advertising(router: dict[str, Any], *subnets: dict[str, Any]) -> dict[str, Any]:
    """The router with advertisements on its first internal network, of these subnets or of ``WEB_SUBNET``."""
    first, *others = router["interfaces"]
    return {**router, "interfaces": [{**first, "subnets": list(subnets or (WEB_SUBNET,))}, *others]}


def small_router(number: int, **changes: Any) -> dict[str, Any]:
    """One of many routers: a gateway, one internal network that overlaps with all others', a floating IP."""
    return {
        "id": f"small-{number}",
        "gateway": {
            "id": f"{number:04}gw-port",
            "mac_address": f"fa:16:3e:01:{number // 256:02x}:{number % 256:02x}",
            "addresses": [f"203.0.{113 + number // 200}.{number % 200 + 30}/16"],
            "gateway_ips": ["203.0.113.1"],
        },
        "interfaces": [
            {
                "id": f"{number:04}in-port",
                "network_id": f"net{number:04}",
                "mac_address": f"fa:16:3e:02:{number // 256:02x}:{number % 256:02x}",
                "addresses": ["10.0.0.1/24"],
            }
        ],
        "floating_ips": [
            {"floating_ip_address": f"203.0.{213 + number // 200}.{number % 200 + 30}", "fixed_ip_address": "10.0.0.5"}
        ],
        **changes,
    }


def publishing_router(*addresses: str, **changes: Any) -> dict[str, Any]:
    """The router with everything, which answers for some inner IPv6 addresses on the external network."""
    return router(enable_ndp_proxy=True, ndp_proxies=[{"ip_address": address} for address in addresses], **changes)


def limited_router(limits: dict[str, list[dict[str, Any]]], **changes: Any) -> dict[str, Any]:
    """The router with everything, and bandwidth limits of some of its external addresses."""
    data = router(**changes)
    for entry in data["floating_ips"]:
        if entry["floating_ip_address"] in limits:
            entry["bandwidth_limit_rules"] = limits[entry["floating_ip_address"]]
    if data["gateway"] is not None and "203.0.113.10" in limits:
        data["gateway"]["bandwidth_limit_rules"] = limits["203.0.113.10"]
    return data
