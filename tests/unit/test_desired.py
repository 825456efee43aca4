# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a router to the kernel objects that it needs, and to the problems that no kernel can solve."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.desired import NAMESPACE_SYSCTLS
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.bridge import OuterEnd
from ansible_collections.netnode.l3.plugins.module_utils.plan_routes import describe_route
from ansible_collections.netnode.l3.plugins.module_utils.state import Device

from ..routers import router
from .engine_objects import desired

GATEWAY, WEB, DB = "qg-aaaa0000-ex", "qr-bbbb0000-we", "qr-cccc0000-db"
KEYS = ("accept_ra", "disable_ipv6", "accept_dad", "addr_gen_mode")
ACCEPT_RA, DISABLE_IPV6, ACCEPT_DAD, ADDR_GEN_MODE = (f"net/ipv6/conf/{GATEWAY}/{key}" for key in KEYS)


def with_gateway(**changes: Any) -> dict[str, Any]:
    """The router with another gateway and no extra routes."""
    return router(gateway={**router()["gateway"], "extra_subnets": [], **changes}, routes=[])


def routes(data: dict[str, Any]) -> list[str]:
    return sorted(describe_route(route) for route in desired(data).state.routes)


def extra_routes(*pairs: tuple[str, str]) -> dict[str, Any]:
    """The router with other extra routes, and no gateway."""
    return router(gateway=None, routes=[{"destination": destination, "nexthop": nexthop} for destination, nexthop in pairs])


def test_devices_have_the_ports_properties() -> None:
    state = desired(router()).state
    assert (state.namespace, state.loopback_up) == (True, True)
    assert state.devices == {
        WEB: Device(
            WEB,
            "bbbb0000-web-port",
            "fa:16:3e:00:00:c0",
            1450,
            True,
            OuterEnd("brqweb-network", "tapbbbb0000-we", "netnode.l3/r1/web-network", up=True, mtu=1450),
        ),
        DB: Device(
            DB,
            "cccc0000-db-port",
            "fa:16:3e:00:00:c1",
            1450,
            True,
            OuterEnd("brqdb-network", "tapcccc0000-db", "netnode.l3/r1/db-network", up=True, mtu=1450),
        ),
        GATEWAY: Device(
            GATEWAY,
            "aaaa0000-external-port",
            "fa:16:3e:00:00:b0",
            1500,
            True,
            OuterEnd("br-ex", "tapaaaa0000-ex", "netnode.l3/r1/external", up=True, mtu=1500),
        ),
    }


def test_what_is_not_asked_for_is_left_to_the_kernel() -> None:
    state = desired({"id": "r", "gateway": {"id": "g", "addresses": []}}).state
    assert state.devices == {
        "qg-g": Device("qg-g", "g", None, None, True, OuterEnd("br-ex", "tapg", "netnode.l3/r/", up=True, mtu=None))
    }


def test_floating_ips_are_addresses_of_the_gateway_when_installed() -> None:
    floating_ips = [
        {"floating_ip_address": "203.0.113.20", "fixed_ip_address": "10.0.0.5"},
        {"floating_ip_address": "203.0.113.21"},
    ]
    assert desired(router(floating_ips=floating_ips)).state.addresses == {
        WEB: ("10.0.0.1/24", "2001:db8:1::1/64"),
        DB: ("10.0.1.1/24",),
        GATEWAY: ("203.0.113.10/24", "2001:db8:e::10/64", "203.0.113.20/32"),
    }


def test_sysctls_of_a_router_without_gateway() -> None:
    of_devices = {f"net/ipv6/conf/{WEB}/disable_ipv6": "0", f"net/ipv6/conf/{DB}/disable_ipv6": "1"}
    of_devices.update({f"net/ipv6/conf/{WEB}/{key}": "0" for key in ("accept_dad", "addr_gen_mode")})
    assert desired(router(gateway=None)).state.sysctls == {**NAMESPACE_SYSCTLS, **of_devices}
    assert NAMESPACE_SYSCTLS == {
        "net/ipv4/ip_forward": "1",
        "net/ipv6/conf/all/forwarding": "1",
        "net/ipv4/conf/all/arp_ignore": "1",
        "net/ipv4/conf/all/arp_announce": "2",
        "net/ipv4/conf/all/promote_secondaries": "1",
        "net/netfilter/nf_conntrack_tcp_be_liberal": "1",
    }


NO_IPV6 = {"interfaces": router()["interfaces"][1:]}
TOLD_TO_TAKE, NOT_TO_TAKE, SILENT = (
    {ACCEPT_RA: "2", ACCEPT_DAD: "0", ADDR_GEN_MODE: "0", DISABLE_IPV6: "0"},
    {ACCEPT_RA: "0", ACCEPT_DAD: "0", ADDR_GEN_MODE: "0", DISABLE_IPV6: "0"},
    {ACCEPT_RA: "0", DISABLE_IPV6: "1"},
)


@pytest.mark.parametrize(
    ("addresses", "gateway_ips", "changes", "expected"),
    [
        (["203.0.113.10/24", "2001:db8:e::10/64"], ["203.0.113.1", "2001:db8:e::1"], {}, NOT_TO_TAKE),
        (["203.0.113.10/24", "2001:db8:e::10/64"], ["203.0.113.1", "fe80::1"], {}, NOT_TO_TAKE),
        (["203.0.113.10/24"], ["fe80::1"], {}, NOT_TO_TAKE),
        (["203.0.113.10/24"], ["203.0.113.1"], NO_IPV6, SILENT),
        ([], [], NO_IPV6, SILENT),
        (["203.0.113.10/24"], ["203.0.113.1"], {}, TOLD_TO_TAKE),
        ([], [], {}, TOLD_TO_TAKE),
        (["203.0.113.10/24", "2001:db8:e::10/64"], ["203.0.113.1"], {}, TOLD_TO_TAKE),
        (["2001:db8:e::10/64"], [], NO_IPV6, TOLD_TO_TAKE),
        ([], [], {"routes": [{"destination": "::/0", "nexthop": "2001:db8:1::9"}]}, SILENT),
    ],
)
def test_router_advertisements_are_taken_where_nothing_else_gives_a_gateway(
    addresses: list[str], gateway_ips: list[str], changes: dict[str, Any], expected: dict[str, str]
) -> None:
    """And a device speaks IPv6 only where it is asked for."""
    state = desired({**with_gateway(addresses=addresses, gateway_ips=gateway_ips), **changes}).state
    assert {key: value for key, value in state.sysctls.items() if GATEWAY in key} == expected


@pytest.mark.parametrize(
    ("addresses", "gateway_ips", "changes", "expected"),
    [
        (["203.0.113.10/24"], ["203.0.113.1"], {}, ["fe80::9"]),
        ([], [], {}, ["fe80::9"]),
        (["2001:db8:e::10/64"], [], NO_IPV6, ["fe80::9"]),
        (["2001:db8:e::10/64"], ["2001:db8:e::1"], {}, ["2001:db8:e::1"]),
        (["2001:db8:e::10/64"], ["fe80::1"], {}, ["fe80::1"]),
        (["203.0.113.10/24"], ["203.0.113.1"], NO_IPV6, []),
        ([], [], {"routes": [{"destination": "::/0", "nexthop": "2001:db8:1::9"}]}, ["2001:db8:1::9"]),
        ([], [], {"interfaces": [{**router()["interfaces"][0], "admin_state_up": False}]}, []),
    ],
)
def test_the_option_gives_the_next_hop_of_ipv6_where_nothing_else_does(
    addresses: list[str], gateway_ips: list[str], changes: dict[str, Any], expected: list[str]
) -> None:
    data = {**with_gateway(addresses=addresses, gateway_ips=gateway_ips), **changes}
    state = desired(data, ipv6_gateway="fe80::9").state
    assert [hop.via for route in state.routes if route.key[:3] == (6, "main", "default") for hop in route.nexthops] == expected
    assert state.sysctls[ACCEPT_RA] == "0"


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [
        ({}, [f"::/0 via 2001:db8:e::1 dev {GATEWAY}", f"default via 203.0.113.1 dev {GATEWAY}"]),
        ({"gateway_ips": []}, []),
        ({"gateway_ips": ["192.0.2.1"]}, [f"192.0.2.1 dev {GATEWAY}", f"default via 192.0.2.1 dev {GATEWAY}"]),
        (
            {"gateway_ips": ["2001:db8:ffff::1"]},
            [f"2001:db8:ffff::1 dev {GATEWAY}", f"::/0 via 2001:db8:ffff::1 dev {GATEWAY}"],
        ),
        ({"gateway_ips": ["10.0.0.254"]}, [f"10.0.0.254 dev {GATEWAY}", f"default via 10.0.0.254 dev {GATEWAY}"]),
        ({"gateway_ips": ["fe80::1"]}, [f"::/0 via fe80::1 dev {GATEWAY}"]),
        (
            {"gateway_ips": ["198.51.100.1"], "extra_subnets": ["198.51.100.0/24"]},
            [f"198.51.100.0/24 dev {GATEWAY}", f"default via 198.51.100.1 dev {GATEWAY}"],
        ),
        (
            {"gateway_ips": [], "extra_subnets": ["198.51.100.0/24", "198.51.100.7/32", "2001:db8:5::/48", "198.51.100.0/24"]},
            [f"198.51.100.0/24 dev {GATEWAY}", f"198.51.100.7 dev {GATEWAY}", f"2001:db8:5::/48 dev {GATEWAY}"],
        ),
        # The kernel has these as networks of the router's own addresses.
        ({"gateway_ips": [], "extra_subnets": ["203.0.113.0/24", "10.0.0.0/24"]}, []),
    ],
    ids=["usual", "none", "off-subnet", "off-subnet IPv6", "inside", "link-local", "in extra subnet", "extra subnets", "known"],
)
def test_routes_by_the_gateway(gateway: dict[str, Any], expected: list[str]) -> None:
    assert routes(with_gateway(**gateway)) == sorted(expected)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("192.168.50.0/24", "10.0.0.253")], [f"192.168.50.0/24 via 10.0.0.253 dev {WEB}"]),
        ([("192.168.50.7/32", "10.0.0.253")], [f"192.168.50.7 via 10.0.0.253 dev {WEB}"]),
        (
            [("192.168.50.0/24", "10.0.1.254"), ("192.168.60.0/24", "10.0.0.254"), ("192.168.50.0/24", "10.0.0.254")],
            [
                f"192.168.50.0/24 via 10.0.0.254 dev {WEB} and via 10.0.1.254 dev {DB}",
                f"192.168.60.0/24 via 10.0.0.254 dev {WEB}",
            ],
        ),
        ([("192.168.50.0/24", "10.0.0.254")] * 2, [f"192.168.50.0/24 via 10.0.0.254 dev {WEB}"]),
        ([("192.168.50.0/24", "10.0.0.1")], [f"192.168.50.0/24 via 10.0.0.1 dev {WEB}"]),
        ([("2001:db8:77::/48", "2001:db8:1::fe")], [f"2001:db8:77::/48 via 2001:db8:1::fe dev {WEB}"]),
    ],
    ids=["usual", "a host", "ECMP", "twice", "the router itself", "IPv6"],
)
def test_extra_routes(pairs: list[tuple[str, str]], expected: list[str]) -> None:
    assert routes(extra_routes(*pairs)) == expected
    assert desired(extra_routes(*pairs)).problems == ()


def test_routes_have_the_protocol_and_the_metrics_of_ours() -> None:
    found = {(r.family, r.protocol, r.metric, r.table, r.type) for r in desired(router()).state.routes}
    assert found == {(4, "static", 0, "main", "unicast"), (6, "static", 1024, "main", "unicast")}


def test_an_extra_default_route_replaces_the_gateways() -> None:
    data = with_gateway(gateway_ips=["192.0.2.1", "2001:db8:e::1"])
    data["routes"] = [
        {"destination": "0.0.0.0/0", "nexthop": "10.0.0.254"},
        {"destination": "0.0.0.0/0", "nexthop": "10.0.1.254"},
    ]
    assert routes(data) == [
        f"192.0.2.1 dev {GATEWAY}",
        f"::/0 via 2001:db8:e::1 dev {GATEWAY}",
        f"default via 10.0.0.254 dev {WEB} and via 10.0.1.254 dev {DB}",
    ]


def test_the_longest_prefix_finds_the_next_hops_device() -> None:
    data = with_gateway(gateway_ips=[], extra_subnets=["10.0.0.128/25"])
    data["routes"] = [{"destination": "192.168.50.0/24", "nexthop": "10.0.0.200"}]
    assert f"192.168.50.0/24 via 10.0.0.200 dev {GATEWAY}" in routes(data)


def test_impossible_routes_are_problems_and_the_others_are_made() -> None:
    data = extra_routes(
        ("192.168.50.0/24", "172.16.0.1"),
        ("10.0.1.0/24", "10.0.0.254"),
        ("192.168.51.0/24", "10.0.1.254"),
        ("2001:db8:77::/48", "2001:db8:2::1"),
    )
    assert desired(data).problems == (
        "routes[0].nexthop: 172.16.0.1 is on no network of the router",
        "routes[1].destination: 10.0.1.0/24 is a network of the router itself",
        "routes[3].nexthop: 2001:db8:2::1 is on no network of the router",
    )
    assert routes(data) == [f"192.168.51.0/24 via 10.0.1.254 dev {DB}"]


def test_a_port_that_is_admin_down_is_not_there() -> None:
    data = extra_routes(("192.168.50.0/24", "10.0.0.254"), ("192.168.51.0/24", "10.0.1.254"))
    data["interfaces"][1]["admin_state_up"] = False
    assert set(desired(data).state.devices) == set(desired(data).state.addresses) == {WEB}
    assert desired(data).problems == ("routes[1].nexthop: 10.0.1.254 is on no network of the router",)


def test_one_bridge_for_all_networks_needs_no_network() -> None:
    data = router(routes=[])
    for port in (data["gateway"], *data["interfaces"]):
        del port["network_id"]
    result = desired(data, internal_bridge="br-lan", external_network_bridge="br-wan")
    assert result.problems == ()
    bridges = {name: d.attachment.bridge for name, d in result.state.devices.items() if d.attachment is not None}
    assert bridges == {WEB: "br-lan", DB: "br-lan", GATEWAY: "br-wan"}
