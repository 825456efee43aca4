# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of nftables as text, and what it says of a router."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from ansible_collections.netnode.l3.plugins.module_utils import converge
from ansible_collections.netnode.l3.plugins.module_utils.errors import Refused
from ansible_collections.netnode.l3.plugins.module_utils.firewall import DRIVERS, firewall_from, why_damaged
from ansible_collections.netnode.l3.plugins.module_utils.firewall.firewall import Firewall, firewall_of
from ansible_collections.netnode.l3.plugins.module_utils.firewall.nftables_table import describe, parse_table, script
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.state import INET, Chains, RuleSets, Tables

from ..router_states import states
from ..routers import TFTP, forwarding, publishing_router, router, scoped_router
from .engine_objects import converged, desired, parsed, planner

IPTABLES, NFTABLES = DRIVERS["iptables"], DRIVERS["nftables"]
WEB, DB, GATEWAY = "qr-bbbb0000-we", "qr-cccc0000-db", "qg-aaaa0000-ex"


def firewall(data: dict[str, Any], **options: Any) -> Firewall:
    return firewall_of(parsed(data), **options)


def table(data: dict[str, Any], **options: Any) -> Chains:
    return NFTABLES.rule_sets(firewall(data, **options))[INET].get("l3", {})


LISTED = """\
table inet l3 {
\tmap floating_ips {
\t\ttype ipv4_addr : ipv4_addr
\t\telements = { 203.0.113.20 : 10.0.0.5, 203.0.113.21 : 10.0.1.5 }
\t}
\tmap fixed_ips {
\t\ttype ipv4_addr : ipv4_addr
\t\telements = { 10.0.0.5 : 203.0.113.20, 10.0.1.5 : 203.0.113.21 }
\t}
\tchain destination_nat {
\t\tdnat ip to ip daddr map @floating_ips
\t}
\tchain output {
\t\ttype nat hook output priority -100; policy accept;
\t\tjump destination_nat
\t}
\tchain prerouting {
\t\ttype nat hook prerouting priority -100; policy accept;
\t\tjump destination_nat
\t}
\tchain postrouting {
\t\ttype nat hook postrouting priority 100; policy accept;
\t\toifname "qg-aaaa0000-ex" jump source_nat
\t\toifname "qr-*" ct status dnat jump source_nat
\t}
\tchain source_nat {
\t\tsnat ip to ip saddr map @fixed_ips fully-random
\t\toifname "qg-aaaa0000-ex" snat ip to 203.0.113.10 fully-random
\t\tiifname != "qg-*" ct status dnat snat ip to 203.0.113.10 fully-random
\t}
}
"""


def test_nat() -> None:
    want = NFTABLES.rule_sets(firewall(router()))
    assert script(want[INET], {}) == LISTED
    assert parse_table(LISTED) == want[INET]


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(states())
def test_both_drivers_tell_the_same_of_a_router(routers: list[dict[str, Any]]) -> None:
    for data in routers:
        what = firewall_of(parsed(data), 9697, False, True)
        by_iptables, by_nftables = (firewall_from(driver.rule_sets(what)) for driver in (IPTABLES, NFTABLES))
        assert by_iptables == by_nftables
        assert (by_nftables.floating_ips, by_nftables.port_forwardings) == (what.floating_ips, what.port_forwardings)


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(states(), states())
def test_what_is_made_is_what_is_read_and_changes_end(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    for old, new in zip(before, after, strict=False):
        had, want = ({"l3": table(data, metadata_port=9697)} for data in (old, new))
        assert parse_table(script(want, {})) == want
        assert (script(want, had) == "") == (describe(want, had) == []) == (want == had)


def test_a_router_without_any_has_no_table() -> None:
    assert NFTABLES.rule_sets(firewall(router(gateway=None, floating_ips=[]))) == {INET: {}}


@pytest.mark.parametrize(
    "data",
    [
        router(port_forwardings=[forwarding("7000:7009", "8000:8009"), forwarding("90:95", "90:95"), forwarding("100:110", 22)]),
        router(conntrack_helpers=[TFTP]),
        scoped_router(enable_snat=False),
        publishing_router("2001:db8:1::5"),
        publishing_router(),
        router(enable_snat=False),
    ],
)
def test_nothing_in_the_table_is_empty(data: dict[str, Any]) -> None:
    parts = table(data, metadata_port=9697, clamp_mss=True)
    assert [name for name, lines in parts.items() if len(lines) < 2 and not name.startswith("ct helper ")] == []
    rule_sets: RuleSets = {INET: {"l3": parts}}
    devices = [WEB, DB, GATEWAY] if "map scopes_ipv4" in parts else []
    assert why_damaged(rule_sets, devices) is None
    assert parse_table(script(rule_sets[INET], {})) == rule_sets[INET]


def test_ranges() -> None:
    data = router(
        port_forwardings=[forwarding("7000:7002", "8000:8002"), forwarding("90:95", "90:95"), forwarding("100:101", 22)]
    )
    parts = table(data)
    assert parts["map forwarded_ranges"][1:] == ("203.0.113.30 . tcp . 90-95 : 10.0.0.5",)
    assert parts["map forwarded_ports"][1:] == (
        '203.0.113.30 . tcp . 100 comment "100-101" : 10.0.0.5 . 22',
        '203.0.113.30 . tcp . 101 comment "100-101" : 10.0.0.5 . 22',
        '203.0.113.30 . tcp . 7000 comment "7000-7002" : 10.0.0.5 . 8000',
        '203.0.113.30 . tcp . 7001 comment "7000-7002" : 10.0.0.5 . 8001',
        '203.0.113.30 . tcp . 7002 comment "7000-7002" : 10.0.0.5 . 8002',
    )
    assert firewall_from({INET: {"l3": parts}}).port_forwardings == firewall(data).port_forwardings


def test_a_range_that_is_an_element_for_each_port_is_told_in_one_sentence() -> None:
    at_first, then, damaged = (
        {"l3": {"map forwarded_ports": table(router(port_forwardings=ports))["map forwarded_ports"]}}
        for ports in (
            [forwarding("7000:7002", "8000:8002"), forwarding(80, 8080)],
            [forwarding("1:65534", "2:65535"), forwarding("100:101", 22, protocol="udp"), forwarding(80, 8080, protocol="udp")],
            [forwarding("7000:7001", "8000:8001")],
        )
    )
    place = "map forwarded_ports of table l3"
    assert describe(then, at_first) == [
        f"element removed from {place}: 203.0.113.30 . tcp . 7000-7002 : 10.0.0.5 . 8000-8002",
        f"element removed from {place}: 203.0.113.30 . tcp . 80 : 10.0.0.5 . 8080",
        f"element added to {place}: 203.0.113.30 . tcp . 1-65534 : 10.0.0.5 . 2-65535",
        f"element added to {place}: 203.0.113.30 . udp . 100-101 : 10.0.0.5 . 22",
        f"element added to {place}: 203.0.113.30 . udp . 80 : 10.0.0.5 . 8080",
    ]
    [head, first, *_others] = at_first["l3"]["map forwarded_ports"]
    damaged["l3"]["map forwarded_ports"] = (head, first)
    assert describe(damaged, {"l3": {"map forwarded_ports": at_first["l3"]["map forwarded_ports"][:3]}}) == [
        f'element removed from {place}: 203.0.113.30 . tcp . 7001 comment "7000-7002" : 10.0.0.5 . 8001'
    ]


def test_in_the_nodes_own_namespace_only_the_routers_devices_are_concerned() -> None:
    parts = table(router(), metadata_port=9697, own_namespace=True, clamp_mss=True)
    assert parts["chain prerouting"][-2:] == ('iifname "qr-*" jump destination_nat', 'iifname "qg-*" jump destination_nat')
    assert parts["chain raw_output"][-1] == "ip daddr @external_ips ct zone set 65001"
    assert parts["set external_ips"][1:] == ("203.0.113.20", "203.0.113.21")
    assert all(rule.startswith(("iifname", "oifname")) for rule in parts["chain forward"][1:])


def changed(**parts: tuple[str, ...] | None) -> Tables:
    """The table of the router, with some parts otherwise or without them."""
    found = {**table(router()), **{name.replace("__", " "): lines for name, lines in parts.items()}}
    return {"l3": {name: lines for name, lines in found.items() if lines is not None}}


HAVE = changed()
FLOATING = HAVE["l3"]["map floating_ips"]


@pytest.mark.parametrize(
    ("want", "lines", "sentences"),
    [
        (
            changed(map__floating_ips=(*FLOATING[:2], "203.0.113.21 : 10.0.1.6", "203.0.113.9 : 10.0.0.9")),
            [
                "delete element inet l3 floating_ips { 203.0.113.21 }",
                "add element inet l3 floating_ips { 203.0.113.21 : 10.0.1.6, 203.0.113.9 : 10.0.0.9 }",
            ],
            [
                "element removed from map floating_ips of table l3: 203.0.113.21 : 10.0.1.5",
                "element added to map floating_ips of table l3: 203.0.113.21 : 10.0.1.6",
                "element added to map floating_ips of table l3: 203.0.113.9 : 10.0.0.9",
            ],
        ),
        (
            changed(chain__source_nat=(":", "accept")),
            ["flush chain inet l3 source_nat", "add rule inet l3 source_nat accept"],
            [*(f"rule removed from chain source_nat of table l3: {rule}" for rule in HAVE["l3"]["chain source_nat"][1:]),
             "rule added to chain source_nat of table l3: accept"],
        ),
        (
            changed(chain__source_nat=(":", *reversed(HAVE["l3"]["chain source_nat"][1:]))),
            ["flush chain inet l3 source_nat",
             *(f"add rule inet l3 source_nat {rule}" for rule in reversed(HAVE["l3"]["chain source_nat"][1:]))],
            ["rules of chain source_nat of table l3 put in order"],
        ),
        ({}, ["delete table inet l3"], ["table l3 removed"]),
    ],
)  # fmt: skip
def test_only_what_differs_is_changed(want: Tables, lines: list[str], sentences: list[str]) -> None:
    assert script(want, HAVE).splitlines() == lines
    assert describe(want, HAVE) == sentences


@pytest.mark.parametrize("part", ["map floating_ips", "chain source_nat", "flags dormant", "set theirs"])
def test_for_all_else_the_table_is_made_anew_in_one_transaction(part: str) -> None:
    have: Tables = {"l3": {**HAVE["l3"], part: (":other",)}}
    assert script(HAVE, have) == "delete table inet l3\n" + LISTED


def test_what_people_write_does_not_break_the_reading() -> None:
    text = """\
table inet l3 { # handle 3
\tcomment "elements = { x }"
\tset theirs {
\t\ttype ipv4_addr
\t\tflags interval
\t\tcomment "a } b, c"
\t\telements = { 10.0.0.0/8 comment "d } e, f",
\t\t\t     192.0.2.1 }
\t}

\tcounter visits {
\t\tpackets 0 bytes 0
\t}

\tchain theirs {
\t\tcomment "x"
\t\ttype filter hook input priority 0; policy drop;
\t\tcomment_is_no_keyword
\t}
}
"""
    assert parse_table(text) == {
        "l3": {
            'comment "elements = { x }"': (":",),
            "set theirs": (
                ':type ipv4_addr; flags interval; comment "a } b, c"',
                '10.0.0.0/8 comment "d } e, f"',
                "192.0.2.1",
            ),
            "counter visits": (":packets 0 bytes 0",),
            "chain theirs": (':comment "x"; type filter hook input priority 0; policy drop;', "comment_is_no_keyword"),
        }
    }


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("chain source_nat", "what was in its chain source_nat is gone"),
        ("map floating_ips", "what was in its map floating_ips is gone"),
    ],
)
def test_what_is_empty_was_whole_once(part: str, reason: str) -> None:
    assert why_damaged({INET: {"l3": {**HAVE["l3"], part: HAVE["l3"][part][:1]}}}, []) == reason


def test_a_device_without_its_scope() -> None:
    assert why_damaged({INET: {"l3": table(scoped_router())}}, ["qr-new"]) == "elements of its map scopes_ipv4 are gone"


def test_helpers_are_a_step_of_their_own_that_may_fail() -> None:
    planning = planner(firewall_driver="nftables")
    options: dict[str, Any] = {"firewall_driver": "nftables"}
    plan = planning.plan(desired(router(conntrack_helpers=[TFTP]), **options), converged(router(), **options))
    [change] = plan.operations
    assert (change.family, change.trouble) == (
        INET,
        "conntrack_helpers are not in place, which need the kernel modules nf_conntrack_tftp",
    )
    assert plan.actions == [
        "chain conntrack_helpers of table l3 created with 1 rule",
        "ct helper tftp-udp of table l3 created",
    ]


@pytest.mark.parametrize(
    ("release", "refused"), [("5.6.19-generic", True), ("5.7.0", False), ("6.1", False), ("4.18.0-5.7", True)]
)
def test_an_old_kernel_is_refused(monkeypatch: pytest.MonkeyPatch, release: str, refused: bool) -> None:
    """There, what comes from outside to a floating IP would be seen with the router's address."""
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(release=release))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(converge, "require", lambda _commands: None)
    converge.require_node(Options("bridge"))
    if not refused:
        converge.require_node(Options("bridge", firewall_driver="nftables"))
        return
    with pytest.raises(Refused) as told:
        converge.require_node(Options("bridge", firewall_driver="nftables"))
    assert str(told.value) == f"firewall_driver: nftables needs Linux 5.7, and this is {release}."
