# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Neutron's routers become router data; what is wrong in them passes through and is found later, one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.router_data import routers_from_neutron

EXAMPLES = Path(__file__).parents[2] / "examples" / "neutron"


def example(form: str) -> list[dict[str, Any]]:
    return list(json.loads((EXAMPLES / f"sync_routers-{form}.json").read_text()))


def uuid(short: str) -> str:
    return f"000000{short}-1111-4222-8333-0000000000{short}"


def mapped(router: dict[str, Any]) -> dict[str, Any]:
    (result,) = routers_from_neutron([router])
    return dict(result)


def gateway(**port: Any) -> dict[str, Any]:
    return dict(mapped({"id": "r", "gw_port": {"id": "g", **port}})["gateway"])


@pytest.mark.parametrize("form", ["2013", "current", "dual-stack"])
def test_the_examples_are_correct_router_data(form: str) -> None:
    checked = check_routers(routers_from_neutron(example(form)))
    assert (len(checked.routers), checked.rejected) == (1, ())


def test_the_form_of_2013() -> None:
    assert routers_from_neutron(example("2013")) == [
        {
            "id": uuid("a0"),
            "name": "r1",
            "admin_state_up": True,
            "gateway": {
                "id": uuid("b0"),
                "network_id": uuid("ee"),
                "mac_address": "fa:16:3e:00:00:b0",
                "addresses": ["203.0.113.10/24"],
                "gateway_ips": ["203.0.113.1"],
                "extra_subnets": [],
            },
            "interfaces": [
                {
                    "id": uuid("c0"),
                    "network_id": uuid("f0"),
                    "mac_address": "fa:16:3e:00:00:c0",
                    "admin_state_up": True,
                    "addresses": ["10.0.0.1/24"],
                }
            ],
            "floating_ips": [{"id": uuid("d0"), "floating_ip_address": "203.0.113.20", "fixed_ip_address": "10.0.0.5"}],
            "routes": [],
        }
    ]


def test_the_current_form_with_both_address_families() -> None:
    assert routers_from_neutron(example("dual-stack")) == [
        {
            "id": uuid("a0"),
            "name": "r1",
            "admin_state_up": True,
            "enable_snat": True,
            "gateway": {
                "id": uuid("b0"),
                "network_id": uuid("ee"),
                "mac_address": "fa:16:3e:00:00:b0",
                "mtu": 1500,
                "addresses": ["203.0.113.10/24", "2001:db8:e::10/64"],
                "gateway_ips": ["203.0.113.1", "2001:db8:e::1"],
                "extra_subnets": [],
            },
            "interfaces": [
                {
                    "id": uuid("c0"),
                    "network_id": uuid("f0"),
                    "mac_address": "fa:16:3e:00:00:c0",
                    "mtu": 1450,
                    "admin_state_up": True,
                    "addresses": ["10.0.0.1/24"],
                },
                {
                    "id": uuid("c1"),
                    "network_id": uuid("f1"),
                    "mac_address": "fa:16:3e:00:00:c1",
                    "mtu": 1450,
                    "admin_state_up": True,
                    "addresses": ["2001:db8:1::1/64"],
                    "subnets": [
                        {"cidr": "2001:db8:1::/64", "ipv6_ra_mode": "slaac", "dns_nameservers": ["2001:4860:4860::8888"]}
                    ],
                },
            ],
            "floating_ips": [
                {"id": uuid("d0"), "floating_ip_address": "203.0.113.20", "fixed_ip_address": "10.0.0.5", "status": "DOWN"}
            ],
            "routes": [{"destination": "192.168.50.0/24", "nexthop": "10.0.0.254"}],
        }
    ]


@pytest.mark.parametrize(
    ("neutron", "expected"),
    [
        ({"4": "a", "6": None}, {"4": "a"}),
        ({4: "a", 6: "b"}, {"4": "a", "6": "b"}),  # as the plugin makes it, before it is JSON
        ({"4": None, "6": None}, None),
        (None, None),
        ("a", "a"),
    ],
)
def test_address_scopes(neutron: Any, expected: Any) -> None:
    assert gateway(address_scopes=neutron).get("address_scopes") == expected
    (interface,) = mapped({"id": "r", "_interfaces": [{"id": "p", "address_scopes": neutron}]})["interfaces"]
    assert interface.get("address_scopes") == expected


def test_conntrack_helpers() -> None:
    helper = {"protocol": "udp", "port": 69, "helper": "tftp"}
    found = mapped({"id": "r", "conntrack_helpers": [{**helper, "id": "h", "router_id": "r"}, helper, "x"]})
    assert found["conntrack_helpers"] == [{"id": "h", **helper}, helper, "x"]
    for nothing in ([], None):
        assert "conntrack_helpers" not in mapped({"id": "r", "conntrack_helpers": nothing})


def test_the_answer_of_a_running_neutron() -> None:
    (router,) = routers_from_neutron(example("current"))
    assert (router["id"], router["enable_snat"]) == ("26fc574d-28c5-4ea7-974f-92a80dc0fed9", True)
    assert router["gateway"]["addresses"] == ["198.18.0.172/16"]
    assert router["gateway"]["gateway_ips"] == ["198.18.255.254"]
    assert [(port["addresses"], port["mtu"]) for port in router["interfaces"]] == [
        (["fd00:20::/64"], 1450),
        (["10.0.0.1/24"], 1450),
    ]
    assert [(f["floating_ip_address"], f["fixed_ip_address"]) for f in router["floating_ips"]] == [
        ("198.18.0.216", "10.0.0.238"),
        ("198.18.3.49", None),  # it is there for its port forwarding
    ]
    assert router["port_forwardings"] == [
        {
            "id": "e790ec43-89a6-4498-be2d-935037573792",
            "floating_ip_address": "198.18.3.49",
            "protocol": "tcp",
            "external_port": 2222,
            "internal_ip_address": "10.0.0.82",
            "internal_port": 22,
        }
    ]
    assert router["routes"] == [{"destination": "10.99.0.0/16", "nexthop": "10.0.0.254"}]


def test_port_forwardings_as_objects_of_neutron() -> None:
    """A single port is there as a range too. What is not for the node is left out."""
    forwarding = {
        "id": "p",
        "floatingip_id": "f",
        "router_id": "r",
        "floating_ip_address": "203.0.113.30",
        "protocol": "udp",
        "external_port": 80,
        "external_port_range": "80:80",
        "internal_ip_address": "10.0.0.5",
        "internal_port": None,
        "internal_port_range": "90:99",
        "internal_port_id": "x",
        "description": "",
    }
    of_floating_ip = {"id": "f", "floating_ip_address": "203.0.113.31", "port_forwardings": [{"external_port": 1}]}
    for router in (
        {"id": "r", "port_forwardings": [forwarding], "_pf_floatingips": [of_floating_ip]},
        {"id": "r", "_pf_floatingips": [{**of_floating_ip, "port_forwardings": [forwarding]}]},
    ):
        assert mapped(router)["port_forwardings"] == [
            {
                "id": "p",
                "floating_ip_address": "203.0.113.30",
                "protocol": "udp",
                "external_port": 80,
                "internal_ip_address": "10.0.0.5",
                "internal_port_range": "90:99",
            }
        ]


def test_broken_port_forwardings_are_for_the_check() -> None:
    of_floating_ip = {"id": "f", "floating_ip_address": "203.0.113.31", "port_forwardings": ["broken"]}
    assert mapped({"id": "r", "_pf_floatingips": [of_floating_ip, {"port_forwardings": "broken"}]})["port_forwardings"] == [
        "broken",
        "broken",
    ]
    assert mapped({"id": "r", "port_forwardings": "broken"})["port_forwardings"] == "broken"
    assert "port_forwardings" not in mapped({"id": "r", "_pf_floatingips": [{"id": "f"}]})


@pytest.mark.parametrize(
    ("association", "fixed"),
    [
        ({"port_id": "p", "fixed_ip_address": "10.0.0.5"}, "10.0.0.5"),
        ({"fixed_ip_address": "10.0.0.5"}, "10.0.0.5"),
        ({"port_id": None, "fixed_ip_address": "10.0.0.5"}, None),
        ({"port_id": "", "fixed_ip_address": "10.0.0.5"}, None),
        ({"port_id": "p", "fixed_ip_address": None}, None),
        ({"port_id": "p", "fixed_ip_address": ""}, None),
        ({"port_id": "p"}, None),
        ({}, None),
    ],
)
def test_a_floating_ip_is_installed_with_both_port_and_fixed_address(association: dict[str, Any], fixed: str | None) -> None:
    floating_ip = {"id": "f", "floating_ip_address": "203.0.113.20", **association}
    (result,) = mapped({"id": "r", "_floatingips": [floating_ip]})["floating_ips"]
    assert result == {"id": "f", "floating_ip_address": "203.0.113.20", "fixed_ip_address": fixed}


@pytest.mark.parametrize("key", ["ha", "distributed"])
def test_what_is_on_several_nodes_at_once_keeps_the_mark_of_it(key: str) -> None:
    assert mapped({"id": "r", key: True})[key] is True
    assert key not in mapped({"id": "r", key: False})


@pytest.mark.parametrize(
    ("subnets", "gateway_ips"),
    [
        ([], []),
        (["203.0.113.1", "198.51.100.1"], ["203.0.113.1"]),
        (["2001:db8::1", "203.0.113.1", "2001:db8:1::1", "198.51.100.1"], ["2001:db8::1", "203.0.113.1"]),
        ([None, "198.51.100.1"], ["198.51.100.1"]),
        ([""], []),
        ([7], [7]),
    ],
)
def test_of_several_subnets_the_first_gateway_of_each_family_counts(subnets: list[Any], gateway_ips: list[Any]) -> None:
    assert gateway(subnets=[{"gateway_ip": address} for address in subnets])["gateway_ips"] == gateway_ips


def test_extra_subnets_are_the_gateways() -> None:
    port = {"extra_subnets": [{"cidr": "198.51.100.0/24"}, {"cidr": "2001:db8:5::/48"}]}
    assert gateway(**port)["extra_subnets"] == ["198.51.100.0/24", "2001:db8:5::/48"]
    (interface,) = mapped({"id": "r", "_interfaces": [{"id": "p", **port}]})["interfaces"]
    assert "extra_subnets" not in interface


@pytest.mark.parametrize(
    ("router", "enable_snat"),
    [
        ({}, None),
        ({"enable_snat": False}, False),
        ({"external_gateway_info": {"enable_snat": False}}, False),
        ({"enable_snat": True, "external_gateway_info": {"enable_snat": False}}, True),
        ({"external_gateway_info": None}, None),
        ({"external_gateway_info": "none"}, None),
    ],
)
def test_enable_snat_is_the_routers_or_its_gateways(router: dict[str, Any], enable_snat: bool | None) -> None:
    assert mapped({"id": "r", **router}).get("enable_snat") is enable_snat


@pytest.mark.parametrize("data", [None, "error", 7, {"routers": []}])
def test_what_is_no_list_passes_through(data: object) -> None:
    assert routers_from_neutron(data) == data


@pytest.mark.parametrize("entry", [None, "r1", 7, ["r1"]])
def test_what_is_no_router_passes_through(entry: object) -> None:
    good = {"id": "r", "interfaces": [], "floating_ips": [], "routes": []}
    assert routers_from_neutron([entry, {"id": "r"}]) == [entry, good]


def test_what_is_no_mapping_inside_of_a_router_passes_through() -> None:
    """Left out, it would look like a port or a floating IP that is to go."""
    router = {
        "id": "r",
        "_interfaces": ["broken", None],
        "_floatingips": "broken",
        "routes": [7],
        "gw_port": {"id": "g", "fixed_ips": [1]},
    }
    assert mapped(router) == {
        "id": "r",
        "gateway": {"id": "g", "addresses": [1], "gateway_ips": [], "extra_subnets": []},
        "interfaces": ["broken", None],
        "floating_ips": "broken",
        "routes": [7],
    }


@pytest.mark.parametrize(
    ("fixed_ip", "subnets", "address"),
    [
        ({"ip_address": "10.0.0.1", "prefixlen": 24}, [], "10.0.0.1/24"),
        ({"ip_address": "10.0.0.1", "prefixlen": 24, "subnet_id": "s"}, [{"id": "s", "cidr": "10.0.0.0/16"}], "10.0.0.1/24"),
        (
            {"ip_address": "10.0.0.1", "subnet_id": "s"},
            [{"id": "t", "cidr": "10.0.0.0/8"}, {"id": "s", "cidr": "10.0.0.0/16"}],
            "10.0.0.1/16",
        ),
        ({"ip_address": "10.0.0.1", "subnet_id": "s"}, [{"id": "t", "cidr": "10.0.0.0/16"}], "10.0.0.1"),
        ({"ip_address": "10.0.0.1", "subnet_id": "s"}, [{"id": "s", "cidr": "broken"}], "10.0.0.1"),
        ({"ip_address": "10.0.0.1", "subnet_id": "s"}, [{"id": "s", "cidr": None}], "10.0.0.1"),
        ({"ip_address": "10.0.0.1"}, [], "10.0.0.1"),
        ({"ip_address": "broken", "prefixlen": 24}, [], "broken/24"),
        ({"ip_address": "10.0.0.1", "prefixlen": "x"}, [], "10.0.0.1/x"),
        ({}, [], None),
    ],
)
def test_addresses_and_their_prefix_lengths(fixed_ip: dict[str, Any], subnets: list[dict[str, Any]], address: str | None) -> None:
    assert gateway(fixed_ips=[fixed_ip], subnets=subnets)["addresses"] == [address]


def test_one_bad_record_is_reported_with_its_path_and_blocks_no_other() -> None:
    bad = example("2013")[0]
    bad["_interfaces"][0]["subnet"] = None
    bad["_interfaces"][0]["mac_address"] = "broken"
    bad["gw_port"] = "broken"
    bad["_floatingips"][0]["floating_ip_address"] = None
    checked = check_routers(routers_from_neutron([bad, {"id": "good"}, "broken"]))
    assert [router.id for router in checked.routers] == ["good"]
    assert [error for rejected in checked.rejected for error in rejected.errors] == [
        "routers[0].gateway: expected a mapping, not 'broken'",
        "routers[0].interfaces[0].addresses[0]: '10.0.0.1' has no prefix length (such as /24)",
        "routers[0].interfaces[0].mac_address: 'broken' is not a MAC address (such as fa:16:3e:00:00:01)",
        "routers[0].floating_ips[0].floating_ip_address: is required",
        "routers[2]: expected a mapping, not 'broken'",
    ]


def test_only_subnets_that_are_advertised_come_along() -> None:
    subnets = [
        {"id": "s1", "cidr": "2001:db8:1::/64", "ipv6_ra_mode": "slaac", "dns_nameservers": ["2001:db8::53"], "gateway_ip": "x"},
        {"id": "s2", "cidr": "2001:db8:2::/64", "ipv6_ra_mode": "dhcpv6-stateful", "dns_nameservers": []},
        {"id": "s3", "cidr": "2001:db8:3::/64", "ipv6_ra_mode": None, "dns_nameservers": []},
        {"id": "s4", "cidr": "10.0.0.0/24"},
    ]
    ports = [{"id": "p1", "subnets": subnets}, {"id": "p2", "subnets": subnets[2:]}]
    (router,) = routers_from_neutron([{"id": "r", "_interfaces": ports, "gw_port": {"id": "g", "subnets": subnets}}])
    assert [port.get("subnets") for port in router["interfaces"]] == [
        [
            {"cidr": "2001:db8:1::/64", "ipv6_ra_mode": "slaac", "dns_nameservers": ["2001:db8::53"]},
            {"cidr": "2001:db8:2::/64", "ipv6_ra_mode": "dhcpv6-stateful"},
        ],
        None,
    ]
    assert "subnets" not in router["gateway"]


def test_ndp_proxies() -> None:
    proxy = {"id": "n", "ip_address": "2001:db8:1::5", "router_id": "r", "port_id": "p", "name": "", "description": ""}
    assert (
        mapped({"id": "r", "enable_ndp_proxy": True, "ndp_proxies": [proxy, "wrong"]}).items()
        >= {
            "enable_ndp_proxy": True,
            "ndp_proxies": [{"id": "n", "ip_address": "2001:db8:1::5"}, "wrong"],
        }.items()
    )


@pytest.mark.parametrize("known", [{}, {"enable_ndp_proxy": False, "ndp_proxies": []}, {"enable_ndp_proxy": True}])
def test_ndp_proxies_that_are_not_enabled_or_not_named_close_nothing(known: dict[str, Any]) -> None:
    assert not {"enable_ndp_proxy", "ndp_proxies"} & mapped({"id": "r", **known}).keys()


def test_bandwidth_limits() -> None:
    rule = {"id": "q", "type": "bandwidth_limit", "direction": "egress", "max_kbps": 1000, "max_burst_kbps": 0, "tags": []}
    limits = {"bandwidth_limit_rules": [{"direction": "egress", "max_kbps": 1000, "max_burst_kbps": 0}]}
    assert gateway(qos_policy_id="p", bandwidth_limit_rules=[rule]).items() >= limits.items()
    router = mapped(
        {"id": "r", "_floatingips": [{"id": "f", "bandwidth_limit_rules": [rule]}, {"id": "g", "qos_policy_id": "p"}]}
    )
    assert router["floating_ips"][0].items() >= limits.items()
    assert "bandwidth_limit_rules" not in router["floating_ips"][1]
