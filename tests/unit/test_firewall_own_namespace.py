# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rule sets of a router in the node's own namespace: as in one of its own, and the node's other packets let be."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.firewall import firewall_from
from ansible_collections.netnode.l3.plugins.module_utils.state import IPV4, IPV6, Chains

from ..routers import router
from .engine_objects import desired, parsed, rule_sets

DEVICES = ("qr-+", "qg-+")


def tables(metadata_port: int | None = None, **changes: Any) -> dict[str, Chains]:
    found = rule_sets(parsed(router(**changes)), metadata_port, own_namespace=True)
    assert (found[IPV6] == {}) is (metadata_port is None)
    return dict(found[IPV4])


def inside(metadata_port: int | None = None, **changes: Any) -> dict[str, Chains]:
    return dict(rule_sets(parsed(router(**changes)), metadata_port)[IPV4])


@pytest.mark.parametrize("metadata_port", [None, 9697])
def test_our_chains_translate_as_in_a_namespace(metadata_port: int | None) -> None:
    ours, expected = tables(metadata_port)["nat"], inside(metadata_port)["nat"]
    assert {**ours, "PREROUTING": expected["PREROUTING"]} == expected
    found = {IPV4: tables(metadata_port)}
    assert firewall_from(found).floating_ips == {"203.0.113.20": "10.0.0.5", "203.0.113.21": "10.0.1.5"}
    assert firewall_from(found).source_nat_address == "203.0.113.10"


def test_only_what_comes_in_by_a_device_of_the_router_is_translated() -> None:
    """With br_netfilter a packet is seen on the bridge first."""
    jumps = tuple(f"-i {device} -j l3-PREROUTING" for device in DEVICES)
    assert tables()["nat"]["PREROUTING"] == (":ACCEPT", *jumps)


def test_connections_of_the_router_are_not_those_of_the_bridges() -> None:
    zone = "-j CT --zone 65001"
    assert tables()["raw"] == {
        "PREROUTING": (":ACCEPT", "-j l3-PREROUTING"),
        "OUTPUT": (":ACCEPT", "-j l3-OUTPUT"),
        "l3-PREROUTING": tuple(f"-i {device} {zone}" for device in DEVICES),
        "l3-OUTPUT": (
            *(f"-o {device} {zone}" for device in DEVICES),
            f"-d 203.0.113.20/32 {zone}",
            f"-d 203.0.113.21/32 {zone}",
        ),
    }


@pytest.mark.parametrize(
    ("changes", "metadata_port", "expected"),
    [
        ({"gateway": None, "routes": []}, None, set()),
        ({"enable_snat": False, "floating_ips": []}, None, set()),
        ({"gateway": None, "routes": []}, 9697, {"nat", "filter", "raw"}),
        ({"floating_ips": []}, None, {"nat", "raw"}),
        ({}, 9697, {"nat", "filter", "raw"}),
    ],
)
def test_where_nothing_is_translated_nothing_is_marked(
    changes: dict[str, Any], metadata_port: int | None, expected: set[str]
) -> None:
    assert set(tables(metadata_port, **changes)) == expected


def test_without_a_gateway_floating_ips_are_on_no_device_and_in_no_rule() -> None:
    found = tables(9697, gateway=None, routes=[])
    assert not [rule for chains in found.values() for rules in chains.values() for rule in rules if "203.0.113." in rule]


def test_metadata_is_let_in_though_the_node_closes_what_it_does_not_know() -> None:
    assert tables(9697)["filter"] == {
        "INPUT": (":ACCEPT", "-j l3-INPUT"),
        "l3-INPUT": (
            "-p tcp -m tcp --dport 9697 -m conntrack ! --ctstate DNAT -j DROP",
            "-p tcp -m tcp --dport 9697 -m conntrack ! --ctorigdst 169.254.169.254 -j DROP",
            "-i qr-+ -p tcp -m tcp --dport 9697 -m conntrack --ctstate DNAT -j ACCEPT",
        ),
    }


def test_metadata_by_ipv6_is_let_in_likewise_and_kept_from_the_bridges() -> None:
    zone = "-j CT --zone 65001"
    assert rule_sets(parsed(router()), 9697, own_namespace=True)[IPV6] == {
        "nat": {
            "PREROUTING": (":ACCEPT", *(f"-i {device} -j l3-PREROUTING" for device in DEVICES)),
            "l3-PREROUTING": ("-d fe80::a9fe:a9fe/128 -i qr-+ -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697",),
        },
        "raw": {
            "PREROUTING": (":ACCEPT", "-j l3-PREROUTING"),
            "OUTPUT": (":ACCEPT", "-j l3-OUTPUT"),
            "l3-PREROUTING": tuple(f"-i {device} {zone}" for device in DEVICES),
            "l3-OUTPUT": tuple(f"-o {device} {zone}" for device in DEVICES),
        },
        "filter": {
            "INPUT": (":ACCEPT", "-j l3-INPUT"),
            "l3-INPUT": (
                "-p tcp -m tcp --dport 9697 -m conntrack ! --ctstate DNAT -j DROP",
                "-p tcp -m tcp --dport 9697 -m conntrack ! --ctorigdst fe80::a9fe:a9fe -j DROP",
                "-i qr-+ -p tcp -m tcp --dport 9697 -m conntrack --ctstate DNAT -j ACCEPT",
            ),
        },
    }


@pytest.mark.parametrize("use_namespaces", [True, False])
def test_the_option_decides(use_namespaces: bool) -> None:
    firewall = desired(router(), use_namespaces=use_namespaces).state.firewall
    assert firewall[IPV4] == (inside() if use_namespaces else tables())
