# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routers of the design's size (two internal networks, a gateway, five floating IPs), and one with many floating IPs."""

from __future__ import annotations

from typing import Any

FLOATING_IPS = 5


def benchmark_router(number: int) -> dict[str, Any]:
    """The router of this number (0 to 9,999); all have the same internal networks."""
    high, low = divmod(number, 250)
    return {
        "id": f"{number:08x}-0000-4000-8000-000000000000",
        "gateway": {
            "id": f"{number:08x}-e0-external-port",
            "network_id": "external",
            "mac_address": f"fa:16:3e:0e:{high:02x}:{low:02x}",
            "mtu": 1500,
            "addresses": [f"198.18.{high}.{low + 1}/15"],
            "gateway_ips": ["198.19.255.254"],
        },
        "interfaces": [
            {
                "id": f"{number:08x}-0{port}-internal-port",
                "network_id": f"n{number // 100:04}-{port}",  # a Linux bridge takes 1,023 ports
                "mac_address": f"fa:16:3e:0{port}:{high:02x}:{low:02x}",
                "mtu": 1450,
                "addresses": [f"10.0.{port}.1/24"],
            }
            for port in range(2)
        ],
        "floating_ips": [
            {
                "floating_ip_address": f"198.19.{number * FLOATING_IPS // 250}.{number * FLOATING_IPS % 250 + n + 1}",
                "fixed_ip_address": f"10.0.0.{n + 5}",
            }
            for n in range(FLOATING_IPS)
        ],
    }


def large_router(floating_ips: int) -> dict[str, Any]:
    """One router with this many floating IPs (up to 50,000), for machines of its first internal network."""
    router = benchmark_router(0)
    router["interfaces"][0]["addresses"] = ["10.1.0.1/16"]
    router["floating_ips"] = [
        {
            "floating_ip_address": f"198.19.{number // 250}.{number % 250 + 1}",
            "fixed_ip_address": f"10.1.{number // 250}.{number % 250 + 2}",
        }
        for number in range(floating_ips)
    ]
    return router


def with_other_fixed_address(router: dict[str, Any]) -> dict[str, Any]:
    """The same router; its first floating IP is that of another machine."""
    first, *others = router["floating_ips"]
    fixed = first["fixed_ip_address"].rpartition(".")[0] + ".254"
    return {**router, "floating_ips": [{**first, "fixed_ip_address": fixed}, *others]}
