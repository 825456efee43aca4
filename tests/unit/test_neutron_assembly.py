# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists as Neutron's API returns them, put together."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.assembly import GATEWAY, Assembly, Incomplete, Lists

INTERFACE = "network:router_interface"


def subnet(name: str, network: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "network_id": network, "cidr": f"{name}/24", **more}


def port(name: str, router: str, network: str, *subnets: str, owner: str = INTERFACE) -> dict[str, Any]:
    fixed_ips = [{"subnet_id": subnet, "ip_address": "x"} for subnet in subnets]
    return {"id": name, "device_id": router, "device_owner": owner, "network_id": network, "fixed_ips": fixed_ips}


def whole(ports: list[dict[str, Any]], subnets: list[dict[str, Any]], **router: Any) -> dict[str, Any]:
    networks = [{"id": "n1", "mtu": 1450}, {"id": "n2", "mtu": 1500}]
    lists = Lists(ports=ports, networks=networks, subnets=subnets, floating_ips=router.pop("floating_ips", ()))
    return Assembly(lists).whole({"id": "r", **router})


def test_ndp_proxies_are_their_routers() -> None:
    proxies = [{"id": "1", "router_id": "r"}, {"id": "2", "router_id": "q"}]
    lists = Lists(ports=(), networks=(), subnets=(), floating_ips=(), ndp_proxies=proxies)
    assert Assembly(lists).whole({"id": "r"})["ndp_proxies"] == proxies[:1]


def limited(*policies: dict[str, Any]) -> dict[str, Any]:
    floating_ip = {"id": "f", "router_id": "r", "port_id": "p", "qos_policy_id": "slow"}
    of_ports = {**floating_ip, "id": "pf", "port_id": None}
    lists = Lists(ports=(), networks=(), subnets=(), floating_ips=[floating_ip, of_ports], qos_policies=policies)
    return Assembly(lists).whole({"id": "r"})


def test_a_floating_ip_has_the_bandwidth_limits_of_its_policy_the_first_of_each_direction() -> None:
    kinds = ["bandwidth_limit", "dscp_marking", "bandwidth_limit", "bandwidth_limit"]
    directions = ["egress", "egress", "egress", "ingress"]
    rules = [{"type": kind, "direction": d, "max_kbps": n} for n, (kind, d) in enumerate(zip(kinds, directions, strict=True), 1)]
    policy = {"id": "slow", "rules": rules}
    router = limited(policy, {"id": "fast", "rules": []})
    for key in ("_floatingips", "_pf_floatingips"):
        [floating_ip] = router[key]
        assert sorted(rule["max_kbps"] for rule in floating_ip["bandwidth_limit_rules"]) == [1, 4]


def test_a_policy_that_is_not_to_be_seen() -> None:
    with pytest.raises(Incomplete, match=r"^The QoS policy slow is not to be seen"):
        limited()


def gateway_info(*subnets: str) -> dict[str, Any]:
    fixed_ips = [{"subnet_id": subnet, "ip_address": "x"} for subnet in subnets]
    return {"network_id": "n1", "external_fixed_ips": fixed_ips}


def test_ports_have_the_subnets_of_their_addresses_and_the_others_of_the_network() -> None:
    subnets = [subnet("s3", "n2"), subnet("s2", "n1"), subnet("s1", "n1")]
    router = whole([port("p", "r", "n1", "s2"), port("other's", "q", "n1", "s1"), port("p2", "r", "n2", "s3")], subnets)
    first, second = router["_interfaces"]
    assert (first["mtu"], second["mtu"]) == (1450, 1500)
    assert [s["id"] for s in first["subnets"]] == ["s2"]
    assert [s["id"] for s in first["extra_subnets"]] == ["s1"]
    assert second["extra_subnets"] == []
    assert "gw_port" not in router


def test_ports_have_the_address_scopes_of_their_network() -> None:
    networks = [{"id": "n1", "mtu": 1450, "ipv4_address_scope": "a", "ipv6_address_scope": None}, {"id": "n2", "mtu": 1450}]
    ports = [port("p1", "r", "n1"), port("p2", "r", "n2")]
    router = Assembly(Lists(ports=ports, networks=networks, subnets=[], floating_ips=[])).whole({"id": "r"})
    assert [p["address_scopes"] for p in router["_interfaces"]] == [{"4": "a", "6": None}, {"4": None, "6": None}]


def test_subnets_are_as_they_were_listed() -> None:
    advertised = subnet("s1", "n1", ipv6_ra_mode="slaac", dns_nameservers=["x"])
    assert whole([port("p", "r", "n1", "s1")], [advertised])["_interfaces"][0]["subnets"] == [advertised]


def test_subnets_of_other_segments_are_not_on_link() -> None:
    subnets = [subnet("s1", "n1", segment_id="a"), subnet("s2", "n1", segment_id="b"), subnet("s3", "n1", segment_id="a")]
    router = whole([port("g", "r", "n1", "s1", owner=GATEWAY)], subnets, external_gateway_info=gateway_info("s1"))
    assert [s["id"] for s in router["gw_port"]["extra_subnets"]] == ["s3"]


def test_a_gateway_without_addresses_has_no_subnets() -> None:
    router = whole([port("g", "r", "n1", owner=GATEWAY)], [subnet("s1", "n1")], external_gateway_info=gateway_info())
    assert (router["gw_port"]["subnets"], router["gw_port"]["extra_subnets"]) == ([], [])
    assert router["_interfaces"] == []


def test_floating_ips_without_a_port_belong_to_port_forwardings() -> None:
    floating_ips = [{"id": "f1", "router_id": "r", "port_id": "p"}, {"id": "f2", "router_id": "r", "port_id": None}]
    router = whole([], [], floating_ips=[*floating_ips, {"id": "f3", "router_id": "q"}])
    assert [[f["id"] for f in router[key]] for key in ("_floatingips", "_pf_floatingips")] == [["f1"], ["f2"]]


def test_a_gateway_port_is_as_the_router_says_whoever_made_others() -> None:
    subnets = [subnet("s1", "n1"), subnet("s2", "n2"), subnet("s3", "n1")]
    rogues = [port("a", "r", "n2", "s2", owner=GATEWAY), port("b", "r", "n1", "s3", owner=GATEWAY)]
    real = port("g", "r", "n1", "s1", owner=GATEWAY)
    router = whole([*rogues, real], subnets, external_gateway_info=gateway_info("s1"))
    assert (router["gw_port"]["id"], router["_interfaces"]) == ("g", [])
    assert "gw_port" not in whole(rogues, subnets)
    with pytest.raises(Incomplete, match="The gateway port of router r is not to be seen"):
        whole(rogues, subnets, external_gateway_info=gateway_info("s1"))


def test_what_the_account_does_not_see_is_not_left_out() -> None:
    with pytest.raises(Incomplete, match="The network of port p of router r is not to be seen"):
        whole([port("p", "r", "n1", "s1")], [subnet("s2", "n1")])
    with pytest.raises(Incomplete, match="The network of port p of router r is not to be seen"):
        whole([port("p", "r", "n3", "s1")], [subnet("s1", "n3")])
