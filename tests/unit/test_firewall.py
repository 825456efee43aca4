# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rule sets a router needs. What they do to packets is for other tests; here it is the exact text."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.firewall import firewall_from
from ansible_collections.netnode.l3.plugins.module_utils.firewall.iptables_rules import with_jumps
from ansible_collections.netnode.l3.plugins.module_utils.state import IPV4, IPV6, Tables

from ..routers import router
from .engine_objects import parsed, rule_sets

NOTHING: dict[int, Tables] = {IPV4: {}, IPV6: {}}
JUMPS = {
    "PREROUTING": (":ACCEPT", "-j l3-PREROUTING"),
    "OUTPUT": (":ACCEPT", "-j l3-OUTPUT"),
    "POSTROUTING": (":ACCEPT", "-j l3-POSTROUTING"),
}
TO_FIXED = (
    "-d 203.0.113.20/32 -j DNAT --to-destination 10.0.0.5",
    "-d 203.0.113.21/32 -j DNAT --to-destination 10.0.1.5",
)
TO_FLOATING = (
    "-s 10.0.0.5/32 -j SNAT --to-source 203.0.113.20 --random-fully",
    "-s 10.0.1.5/32 -j SNAT --to-source 203.0.113.21 --random-fully",
)
MARK = "-i qg-aaaa0000-ex -j MARK --set-xmark 0x2/0xffff"
TO_SNAT = ("-o qg-aaaa0000-ex -j l3-snat", "-o qr-+ -m conntrack --ctstate DNAT -j l3-snat")
SNAT = "-o qg-aaaa0000-ex -j SNAT --to-source 203.0.113.10 --random-fully"
HAIRPIN = "-m mark ! --mark 0x2/0xffff -m conntrack --ctstate DNAT -j SNAT --to-source 203.0.113.10 --random-fully"


def rules(gateway: dict[str, Any] | None = None, metadata_port: int | None = None, **changes: Any) -> dict[int, Tables]:
    """The rule sets of the router with everything, some of it changed."""
    data = router(**changes)
    if data["gateway"] is not None:
        data["gateway"].update(gateway or {})
    return dict(rule_sets(parsed(data), metadata_port))


def nat(chains: dict[str, tuple[str, ...]]) -> dict[int, Tables]:
    return {IPV4: {"nat": {**JUMPS, **chains}}, IPV6: {}}


FULL = {
    "l3-PREROUTING": (MARK, *TO_FIXED),
    "l3-OUTPUT": TO_FIXED,
    "l3-POSTROUTING": TO_SNAT,
    "l3-snat": ("-j l3-float-snat", SNAT, HAIRPIN),
    "l3-float-snat": TO_FLOATING,
}
WITHOUT_FLOATING_IPS = {
    "l3-PREROUTING": (MARK,),
    "l3-OUTPUT": (),
    "l3-POSTROUTING": TO_SNAT,
    "l3-snat": ("-j l3-float-snat", SNAT),
    "l3-float-snat": (),
}


def test_a_full_router() -> None:
    assert rules() == nat(FULL)


def test_source_nat_alone() -> None:
    assert rules(floating_ips=[]) == nat(WITHOUT_FLOATING_IPS)


def test_without_source_nat_floating_ips_work_all_the_same() -> None:
    assert rules(enable_snat=False) == nat({**FULL, "l3-snat": ("-j l3-float-snat", HAIRPIN)})


def test_without_source_nat_and_floating_ips_there_is_nothing() -> None:
    assert rules(enable_snat=False, floating_ips=[]) == NOTHING


def test_without_a_gateway_there_is_nothing() -> None:
    assert rule_sets(parsed(router(gateway=None))) == NOTHING


@pytest.mark.parametrize(
    "floating_ip", [{"floating_ip_address": "203.0.113.20"}, {"floating_ip_address": "203.0.113.20", "fixed_ip_address": None}]
)
def test_a_floating_ip_without_fixed_address_is_not_installed(floating_ip: dict[str, Any]) -> None:
    assert rules(floating_ips=[floating_ip]) == nat(WITHOUT_FLOATING_IPS)
    assert rules(floating_ips=[floating_ip], enable_snat=False) == NOTHING
    installed = {"floating_ip_address": "203.0.113.21", "fixed_ip_address": "10.0.1.5"}
    assert rules(floating_ips=[floating_ip, installed])[IPV4]["nat"]["l3-OUTPUT"] == TO_FIXED[1:]


def test_a_gateway_of_ipv6_only_needs_no_nat() -> None:
    assert rules({"addresses": ["2001:db8:e::10/64"]}, floating_ips=[]) == NOTHING


def test_floating_ips_on_a_gateway_of_ipv6_only_have_no_address_for_a_hairpin() -> None:
    assert rules({"addresses": ["2001:db8:e::10/64"]}) == nat({**FULL, "l3-snat": ("-j l3-float-snat",)})


def test_the_first_address_of_ipv4_is_the_source() -> None:
    addresses = ["2001:db8:e::10/64", "203.0.113.30/24", "203.0.113.10/24"]
    assert rules({"addresses": addresses}, floating_ips=[])[IPV4]["nat"]["l3-snat"] == (
        "-j l3-float-snat",
        "-o qg-aaaa0000-ex -j SNAT --to-source 203.0.113.30 --random-fully",
    )


def test_ipv6_is_not_translated() -> None:
    assert rules()[IPV6] == {}


REDIRECT = "-d 169.254.169.254/32 -i qr-+ -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697"
ONLY_REDIRECTED = {
    "INPUT": (":ACCEPT", "-j l3-INPUT"),
    "l3-INPUT": (
        "-p tcp -m tcp --dport 9697 -m conntrack ! --ctstate DNAT -j DROP",
        "-p tcp -m tcp --dport 9697 -m conntrack ! --ctorigdst 169.254.169.254 -j DROP",
    ),
}


# Of IPv6 nothing else is translated.
METADATA_V6 = {
    "nat": {
        "PREROUTING": (":ACCEPT", "-j l3-PREROUTING"),
        "l3-PREROUTING": ("-d fe80::a9fe:a9fe/128 -i qr-+ -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9697",),
    },
    "filter": {
        "INPUT": (":ACCEPT", "-j l3-INPUT"),
        "l3-INPUT": (
            "-p tcp -m tcp --dport 9697 -m conntrack ! --ctstate DNAT -j DROP",
            "-p tcp -m tcp --dport 9697 -m conntrack ! --ctorigdst fe80::a9fe:a9fe -j DROP",
        ),
    },
}


def test_metadata_is_redirected_before_anything_else_and_its_port_closed_to_all_others() -> None:
    chains = {**FULL, "l3-PREROUTING": (REDIRECT, *FULL["l3-PREROUTING"])}
    expected = {IPV4: {"nat": {**JUMPS, **chains}, "filter": ONLY_REDIRECTED}, IPV6: METADATA_V6}
    assert rules(metadata_port=9697) == expected


@pytest.mark.parametrize("number", [0, 1], ids=["no IPv6 inside", "its port is down"])
def test_without_ipv6_inside_there_are_no_rules_for_it(number: int) -> None:
    data = router(routes=[])
    data["interfaces"][0].update([{"addresses": ["10.0.0.1/24"]}, {"admin_state_up": False}][number])
    found = rule_sets(parsed(data), 9697)
    assert (found[IPV6], found[IPV4]["filter"]) == ({}, ONLY_REDIRECTED)


@pytest.mark.parametrize(
    "changes",
    [{"gateway": None, "routes": []}, {"enable_snat": False, "floating_ips": []}],
    ids=["without gateway", "without NAT"],
)
def test_metadata_needs_no_gateway_and_no_nat(changes: dict[str, Any]) -> None:
    nat = {"PREROUTING": (":ACCEPT", "-j l3-PREROUTING"), "l3-PREROUTING": (REDIRECT,)}
    expected = {IPV4: {"nat": nat, "filter": ONLY_REDIRECTED}, IPV6: METADATA_V6}
    assert rule_sets(parsed(router(**changes)), 9697) == expected


def test_metadata_on_another_port() -> None:
    tables = rules(metadata_port=80)[IPV4]
    assert tables["nat"]["l3-PREROUTING"][0].endswith("-j REDIRECT --to-ports 80")
    assert tables["filter"]["l3-INPUT"] == (
        "-p tcp -m tcp --dport 80 -m conntrack ! --ctstate DNAT -j DROP",
        "-p tcp -m tcp --dport 80 -m conntrack ! --ctorigdst 169.254.169.254 -j DROP",
    )


@pytest.mark.parametrize("metadata_port", [None, 9697])
def test_what_is_translated_is_read_back_from_the_rules(metadata_port: int | None) -> None:
    found = rules(metadata_port=metadata_port)
    assert firewall_from(found).floating_ips == {"203.0.113.20": "10.0.0.5", "203.0.113.21": "10.0.1.5"}
    assert firewall_from(found).source_nat_address == "203.0.113.10"
    without = rules(metadata_port=metadata_port, enable_snat=False, floating_ips=[])
    assert (firewall_from(without).floating_ips, firewall_from(without).source_nat_address) == ({}, None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "203.0.113.10"),
        ({"enable_snat": False}, "203.0.113.10"),
        ({"enable_snat": False, "floating_ips": []}, None),
    ],
)
def test_so_is_the_first_address_without_source_nat_too(changes: dict[str, Any], expected: str | None) -> None:
    assert firewall_from(rules(**changes)).external_address == expected


@pytest.mark.parametrize("rule", ["", "-j RETURN", "-d 203.0.113.9 -j ACCEPT", "-m comment --comment x"])
def test_rules_by_hand_among_ours_are_no_translation(rule: str) -> None:
    """Also one without match and target, which iptables-save prints as nothing behind the chain's name."""
    full = rules()[IPV4]["nat"]
    by_hand = {**full, "l3-PREROUTING": (rule, *full["l3-PREROUTING"]), "l3-snat": (rule, *full["l3-snat"])}
    found: dict[int, Tables] = {IPV4: {"nat": by_hand}}
    read = firewall_from(found)
    assert (read.floating_ips, read.source_nat_address) == (firewall_from(rules()).floating_ips, "203.0.113.10")


def test_built_in_chains_jump_to_ours_of_the_same_name_and_to_no_other() -> None:
    chains = {"l3-FORWARD": ("-j l3-scope",), "l3-scope": ()}
    assert with_jumps(chains) == {"FORWARD": (":ACCEPT", "-j l3-FORWARD"), **chains}
    assert with_jumps({}) == {}


def test_of_two_rules_for_a_floating_ip_the_first_holds() -> None:
    rules = ("-d 203.0.113.9/32 -j DNAT --to-destination 10.0.0.66", "-d 203.0.113.9/32 -j DNAT --to-destination 10.0.0.5")
    assert firewall_from({4: {"nat": {"l3-PREROUTING": rules}}}).floating_ips == {"203.0.113.9": "10.0.0.66"}
