# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses, networks and next hops in router data: which are errors, where, and which are none."""

from __future__ import annotations

from typing import Any

import pytest

from ..routers import router
from .engine_objects import parsed
from .test_router_data import DB, WEB, Place, changed, errors

WEB_ADDRESS: Place = (*WEB, "addresses", 0)
NEXTHOP: Place = ("routes", 2, "nexthop")
DESTINATION: Place = ("routes", 2, "destination")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (WEB_ADDRESS, "10.0.0.300/24", "interfaces[0].addresses[0]: '10.0.0.300/24' is not an IP address"),
        (WEB_ADDRESS, "10.0.0.1", "interfaces[0].addresses[0]: '10.0.0.1' has no prefix length (such as /24)"),
        (WEB_ADDRESS, None, "interfaces[0].addresses[0]: nothing is not an IP address with a prefix length"),
        (WEB_ADDRESS, ["10.0.0.1/24"], "interfaces[0].addresses[0]: a list is not an IP address with a prefix length"),
        (WEB_ADDRESS, "224.0.0.1/24", "interfaces[0].addresses[0]: '224.0.0.1/24' is a multicast address"),
        ((*WEB, "addresses", 1), "fe80::1/64", "interfaces[0].addresses[1]: 'fe80::1/64' is a link-local address"),
        (("gateway", "addresses", 0), "127.0.0.1/8", "gateway.addresses[0]: '127.0.0.1/8' is a loopback address"),
        (
            ("gateway", "gateway_ips", 0),
            "203.0.113.1/24",
            "gateway.gateway_ips[0]: '203.0.113.1/24' is not an IP address (it has no prefix length here)",
        ),
        (("gateway", "gateway_ips", 0), "169.254.0.1", "gateway.gateway_ips[0]: '169.254.0.1' is a link-local address"),
        (("gateway", "gateway_ips", 0), 7, "gateway.gateway_ips[0]: 7 is not an IP address"),
        (
            ("gateway", "gateway_ips"),
            ["203.0.113.1", "2001:db8:e::1", "203.0.113.2"],
            "gateway.gateway_ips: has 2 IPv4 addresses; one per address family",
        ),
        (
            ("gateway", "gateway_ips"),
            ["fe80::1", "fe80::2", "2001:db8:e::1"],
            "gateway.gateway_ips: has 3 IPv6 addresses; one per address family",
        ),
        (
            ("gateway", "extra_subnets", 0),
            "198.51.100.1/24",
            "gateway.extra_subnets[0]: '198.51.100.1/24' has host bits set (the network is 198.51.100.0/24)",
        ),
        (
            ("floating_ips", 0, "floating_ip_address"),
            "203.0.113.20/32",
            "floating_ips[0].floating_ip_address: '203.0.113.20/32' is not an IP address (it has no prefix length here)",
        ),
        (
            ("floating_ips", 0, "floating_ip_address"),
            "2001:db8:e::20",
            "floating_ips[0].floating_ip_address: '2001:db8:e::20' is not an IPv4 address",
        ),
        (
            ("floating_ips", 0, "fixed_ip_address"),
            "2001:db8:1::5",
            "floating_ips[0].fixed_ip_address: '2001:db8:1::5' is not an IPv4 address",
        ),
        (
            ("floating_ips", 0, "fixed_ip_address"),
            "255.255.255.255",
            "floating_ips[0].fixed_ip_address: '255.255.255.255' is a reserved address",
        ),
        (("floating_ips", 0, "fixed_ip_address"), "", "floating_ips[0].fixed_ip_address: '' is not an IP address"),
        (DESTINATION, "192.168.51.0", "routes[2].destination: '192.168.51.0' has no prefix length (such as /24)"),
        (DESTINATION, "default", "routes[2].destination: 'default' is not an IP address with a prefix length"),
        (DESTINATION, "224.0.0.0/4", "routes[2].destination: '224.0.0.0/4' is no network that a router forwards to"),
        (DESTINATION, "127.0.0.0/8", "routes[2].destination: '127.0.0.0/8' is no network that a router forwards to"),
        (NEXTHOP, "10.0.1.254/24", "routes[2].nexthop: '10.0.1.254/24' is not an IP address (it has no prefix length here)"),
        (NEXTHOP, "224.0.0.1", "routes[2].nexthop: '224.0.0.1' is a multicast address"),
        (NEXTHOP, "2001:db8:1::fe", "routes[2].nexthop: 2001:db8:1::fe is not of the address family of 192.168.51.0/24"),
        (DESTINATION, "2001:db8:9::/64", "routes[2].nexthop: 10.0.1.254 is not of the address family of 2001:db8:9::/64"),
    ],
)
def test_wrong_addresses(place: Place, value: object, message: str) -> None:
    assert errors(changed((place, value))) == [f"routers[0].{message}"]


def test_a_long_wrong_value_is_not_repeated_whole() -> None:
    (message,) = errors(changed((NEXTHOP, "x" * 100_000)))
    assert message == "routers[0].routes[2].nexthop: '%s… is not an IP address" % ("x" * 59)


def test_an_internal_port_needs_an_address_and_the_gateway_none() -> None:
    assert errors(changed(((*DB, "addresses"), []))) == [
        "routers[0].interfaces[1].addresses: an internal port needs at least one address"
    ]
    assert errors(changed((("gateway", "addresses"), []))) == []


DEVICE = "port id beginning with"


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (
            (*DB, "id"),
            "bbbb0000-web-port",
            f"interfaces[1].id: {DEVICE} bbbb0000-we stands at routers[0].interfaces[0].id already",
        ),
        (
            (*DB, "id"),
            "bbbb0000-wetlands",
            f"interfaces[1].id: {DEVICE} bbbb0000-we stands at routers[0].interfaces[0].id already",
        ),
        (
            (*DB, "id"),
            "aaaa0000-external-port",
            f"interfaces[1].id: {DEVICE} aaaa0000-ex stands at routers[0].gateway.id already",
        ),
        (
            (*WEB, "addresses"),
            ["10.0.0.1/24", "10.0.0.1/24"],
            "interfaces[0].addresses[1]: address 10.0.0.1 stands at routers[0].interfaces[0].addresses[0] already",
        ),
        (
            (*WEB, "addresses"),
            ["10.0.0.1/24", "10.0.0.1/25"],
            "interfaces[0].addresses[1]: address 10.0.0.1 stands at routers[0].interfaces[0].addresses[0] already",
        ),
        (
            ("gateway", "addresses", 1),
            "2001:0DB8:1:0::1/48",
            "interfaces[0].addresses[1]: address 2001:db8:1::1 stands at routers[0].gateway.addresses[1] already",
        ),
        (
            ("floating_ips", 1, "floating_ip_address"),
            "203.0.113.20",
            "floating_ips[1].floating_ip_address: address 203.0.113.20"
            " stands at routers[0].floating_ips[0].floating_ip_address already",
        ),
        (
            ("floating_ips", 1, "floating_ip_address"),
            "203.0.113.10",
            "floating_ips[1].floating_ip_address: address 203.0.113.10 stands at routers[0].gateway.addresses[0] already",
        ),
    ],
)
def test_the_same_twice_in_one_router(place: Place, value: object, message: str) -> None:
    assert errors(changed((place, value))) == [f"routers[0].{message}"]


def test_floating_ips_with_one_id() -> None:
    data = changed((("floating_ips", 0, "id"), "f"), (("floating_ips", 1, "id"), "f"))
    assert errors(data) == ["routers[0].floating_ips[1].id: floating IP id f stands at routers[0].floating_ips[0].id already"]


@pytest.mark.parametrize(
    ("address", "network", "other", "place"),
    [
        ("10.0.0.2/24", "10.0.0.0/24", "10.0.0.0/24", "addresses[0]"),
        ("10.0.0.129/25", "10.0.0.128/25", "10.0.0.0/24", "addresses[0]"),
        ("10.0.2.1/16", "10.0.0.0/16", "10.0.0.0/24", "addresses[0]"),
        ("2001:db8:1::2/48", "2001:db8:1::/48", "2001:db8:1::/64", "addresses[1]"),
    ],
)
def test_internal_networks_must_not_overlap(address: str, network: str, other: str, place: str) -> None:
    assert errors(changed(((*DB, "addresses"), [address]))) == [
        f"routers[0].interfaces[1].addresses[0]: {network} overlaps {other} at routers[0].interfaces[0].{place}"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"floating_ips": [{"floating_ip_address": "203.0.113.20", "fixed_ip_address": "172.16.0.5"}]}, id="fixed"),
        pytest.param({"floating_ips": [{"floating_ip_address": "203.0.113.20"}]}, id="no fixed address"),
        pytest.param({"routes": [{"destination": "192.168.50.0/24", "nexthop": "10.0.0.1"}]}, id="next hop is the router"),
        pytest.param({"routes": [{"destination": "192.168.50.0/24", "nexthop": "172.16.0.1"}]}, id="next hop is nowhere"),
        pytest.param({"routes": [{"destination": "0.0.0.0/0", "nexthop": "10.0.0.254"}]}, id="a default route"),
        pytest.param({"routes": [{"destination": "::/0", "nexthop": "2001:db8:1::fe"}]}, id="a default route of IPv6"),
        pytest.param({"routes": [{"destination": "192.168.50.0/24", "nexthop": "10.0.0.254"}] * 2}, id="a route twice"),
    ],
)
def test_what_is_no_error(changes: dict[str, Any]) -> None:
    assert errors(router(**changes)) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("gateway", "gateway_ips"), ["192.0.2.1", "2001:db8:ffff::1"]),
        (("gateway", "gateway_ips"), ["fe80::1"]),
        (("gateway", "gateway_ips"), []),
        (("gateway", "gateway_ips"), ["203.0.113.10"]),
        ((*WEB, "addresses"), ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/25"]),
        (("gateway", "addresses"), ["10.0.0.99/24"]),
    ],
    ids=[
        "outside of the subnet",
        "link-local",
        "none",
        "the router itself",
        "one port in one network twice",
        "as an internal one",
    ],
)
def test_what_is_no_error_in_a_port(place: Place, value: object) -> None:
    assert errors(changed((place, value))) == []


def test_values_come_out_in_one_form() -> None:
    data = changed(
        ((*WEB, "mac_address"), "FA:16:3E:00:00:C0"), ((*WEB, "addresses"), ["2001:0DB8:1:0:0::1/64"]), (("name",), "n" * 300)
    )
    result = parsed(data)
    assert result.interfaces[0].mac_address == "fa:16:3e:00:00:c0"
    assert str(result.interfaces[0].addresses[0]) == "2001:db8:1::1/64"
    assert (result.admin_state_up, result.enable_snat, len(result.name)) == (True, True, 255)
