# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a run: what they may be, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.errors import InvalidOption
from ansible_collections.netnode.l3.plugins.module_utils.module import ENGINE_OPTIONS
from ansible_collections.netnode.l3.plugins.module_utils.options import (
    MaxDeletions,
    Options,
    parse_max_deletions,
    parse_options,
)


def params(**changes: Any) -> dict[str, Any]:
    """A module's parameters, with the defaults that its documentation names."""
    return {
        "interface_driver": "bridge",
        "external_network_bridge": "br-ex",
        "internal_bridge": "brq{network_id}",
        "integration_bridge": "br-int",
        "vlan_tags": {},
        "metadata_port": 9697,
        "metadata_upstream": None,
        "ipv6_gateway": None,
        "firewall_driver": "iptables",
        "clamp_mss_to_pmtu": False,
        "metadata_rate_limit": None,
        "use_namespaces": True,
        "router_id": None,
        "handle_internal_only_routers": True,
        "gateway_external_network_id": None,
        "send_arp_for_ha": 3,
        "lock_timeout": 60.0,
        "max_deletions": "50%",
        **changes,
    }


DEFAULTS = {name: option.get("default") for name, option in ENGINE_OPTIONS.items()}


def test_the_defaults_of_module_and_engine_are_the_same() -> None:
    assert parse_options(params()) == Options("bridge")
    assert {**params(interface_driver=None), **DEFAULTS} == params(interface_driver=None)
    assert parse_options(DEFAULTS) == Options("")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"interface_driver": None}, {"interface_driver": ""}),
        ({"external_network_bridge": "br-provider.100"}, {"external_network_bridge": "br-provider.100"}),
        ({"internal_bridge": "br-int"}, {"internal_bridge": "br-int"}),
        ({"send_arp_for_ha": 0}, {"send_arp_for_ha": 0}),
        ({"send_arp_for_ha": -1}, {"send_arp_for_ha": 0}),
        ({"max_deletions": "5"}, {"max_deletions": MaxDeletions(5, percent=False)}),
        ({"external_network_bridge": {"n": "br-a", 7: "br-b"}}, {"external_network_bridge": {"n": "br-a", "7": "br-b"}}),
        ({"external_network_bridge": {}}, {"external_network_bridge": {}}),
        ({"integration_bridge": "br-lan"}, {"integration_bridge": "br-lan"}),
        ({"vlan_tags": {"web": 1, 7: 4094}}, {"vlan_tags": {"web": 1, "7": 4094}}),
        ({"vlan_tags": {"web": "1", "db": "4094", 7: "007"}}, {"vlan_tags": {"web": 1, "db": 4094, "7": 7}}),
        ({"metadata_port": 1}, {"metadata_port": 1}),
        ({"metadata_port": 65535}, {"metadata_port": 65535}),
        ({"metadata_upstream": ""}, {"metadata_upstream": None}),
        ({"ipv6_gateway": "fe80::1"}, {"ipv6_gateway": "fe80::1"}),
        ({"ipv6_gateway": "FE80:0::00A"}, {"ipv6_gateway": "fe80::a"}),
        ({"ipv6_gateway": ""}, {"ipv6_gateway": None}),
        ({"clamp_mss_to_pmtu": True}, {"clamp_mss_to_pmtu": True}),
        ({"firewall_driver": "nftables"}, {"firewall_driver": "nftables"}),
        ({"handle_internal_only_routers": False}, {"handle_internal_only_routers": False}),
        ({"router_id": "r1"}, {"router_id": "r1", "use_namespaces": True}),
        ({"router_id": "r1", "use_namespaces": False}, {"router_id": "r1", "use_namespaces": False}),
        ({"router_id": ""}, {"router_id": None}),
        ({"gateway_external_network_id": "wan"}, {"gateway_external_network_id": "wan"}),
        ({"gateway_external_network_id": ""}, {"gateway_external_network_id": None}),
        ({"lock_timeout": -1.0}, {"lock_timeout": 0.0}),
    ],
)
def test_options_are_taken_over(change: dict[str, Any], expected: dict[str, Any]) -> None:
    options = parse_options(params(**change))
    assert {name: getattr(options, name) for name in expected} == expected


@pytest.mark.parametrize("name", ["", "br ex", "br/ex", "-br", ".br", "br-ex\n", "sixteen-letters-", "br-éx"])
def test_a_name_that_no_bridge_can_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidOption) as error:
        parse_options(params(external_network_bridge=name))
    assert str(error.value) == f"external_network_bridge: {name!r} cannot be the name of a bridge."


@pytest.mark.parametrize(
    "pattern", ["", "brq{network}", "brq{}", "brq{network_id", "br q", "seventeen-letters", "internal-net-{network_id}"]
)
def test_a_pattern_that_makes_no_bridge_name_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidOption) as error:
        parse_options(params(internal_bridge=pattern))
    assert str(error.value) == (
        f"internal_bridge: {pattern!r} cannot be the name of a bridge, which has at most 15 characters; '{{network_id}}' is"
        " the only pattern and stands for 11."
    )


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("0", MaxDeletions(0, percent=False), "0"),
        ("5", MaxDeletions(5, percent=False), "5"),
        ("007", MaxDeletions(7, percent=False), "7"),
        (" 5 ", MaxDeletions(5, percent=False), "5"),
        ("0%", MaxDeletions(0, percent=True), "0%"),
        ("50%", MaxDeletions(50, percent=True), "50%"),
        ("100%", MaxDeletions(100, percent=True), "100%"),
    ],
)
def test_max_deletions_is_a_count_or_a_percentage(text: str, limit: MaxDeletions, shown: str) -> None:
    assert parse_max_deletions(text) == limit
    assert str(limit) == shown


@pytest.mark.parametrize("text", ["", "%", "-1", "+1", "1.5", "5 %", "5%%", "all", "5\n6", "1e3", "٥", "10000000000"])
def test_max_deletions_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidOption) as error:
        parse_max_deletions(text)
    assert str(error.value) == f"max_deletions: {text!r} is neither a count (5) nor a percentage (50%)."


@pytest.mark.parametrize(
    ("text", "deletions", "on_node", "allowed"),
    [
        ("0", 0, 10, True),
        ("0", 1, 10, False),
        ("5", 5, 5, True),
        ("5", 6, 1000, False),
        ("50%", 5, 10, True),
        ("50%", 6, 10, False),
        ("50%", 1, 1, False),
        ("50%", 0, 0, True),
        ("0%", 0, 10, True),
        ("0%", 1, 1000, False),
        ("33%", 33, 99, False),  # 33 % of 99 are 32.67
        ("34%", 33, 99, True),
        ("100%", 1000, 1000, True),
    ],
)
def test_max_deletions_allows(text: str, deletions: int, on_node: int, allowed: bool) -> None:
    assert parse_max_deletions(text).allows(deletions, on_node) is allowed


def test_a_hundred_percent_is_no_limit() -> None:
    assert all(parse_max_deletions("100%").allows(number, number) for number in range(1001))


@pytest.mark.parametrize(
    ("pattern", "network_id", "bridge"),
    [
        ("brq{network_id}", "7d1a64bd-1111-4222-8333-000000000000", "brq7d1a64bd-11"),
        ("brq{network_id}", "web", "brqweb"),
        ("{network_id}", "web-network-of-tenant", "web-network"),
        ("br-int", "web", "br-int"),
        ("br-int", None, "br-int"),
    ],
)
def test_internal_bridge_of_a_network(pattern: str, network_id: str | None, bridge: str) -> None:
    assert Options("bridge", internal_bridge=pattern).internal_bridge_of(network_id) == bridge


@pytest.mark.parametrize(("pattern", "needed"), [("brq{network_id}", True), ("{network_id}", True), ("br-int", False)])
def test_whether_a_port_must_say_its_network(pattern: str, needed: bool) -> None:
    assert Options("bridge", internal_bridge=pattern).needs_network_ids is needed
