# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses that are there and not as a run makes them, and what the kernel does to routes meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.plan_addresses import misplaced

from ..routers import router
from .engine_objects import converged, steps
from .test_plan import DB, GATEWAY, WEB, plan

STATE = converged(router())


def steps_when(device: str, address: str, *words: str) -> list[str]:
    """The steps when an address is there and has this."""
    return steps(plan(router(), replace(STATE, odd_addresses={(device, address): words})))


@pytest.mark.parametrize("words", [["dynamic"], ["deprecated"], ["dynamic", "deprecated"], ["metric 7"]])
def test_what_the_kernel_changes_is_changed_where_it_is(words: list[str]) -> None:
    assert steps_when(DB, "10.0.1.1/24", *words) == [f"address change 10.0.1.1/24 broadcast + dev {DB}"]


@pytest.mark.parametrize("words", [["dynamic"], ["deprecated"], ["noprefixroute"]])
def test_what_the_kernel_changes_of_ipv6_is_changed_where_it_is(words: list[str]) -> None:
    assert steps_when(WEB, "2001:db8:1::1/64", *words) == [f"address change 2001:db8:1::1/64 nodad dev {WEB}"]


@pytest.mark.parametrize("words", [["dadfailed"], ["metric 7"], ["dynamic", "metric 7"]])
def test_an_ipv6_address_that_cannot_be_changed_goes_and_comes(words: list[str]) -> None:
    assert steps_when(WEB, "2001:db8:1::1/64", *words) == [
        f"address delete 2001:db8:1::1/64 dev {WEB}",
        f"address add 2001:db8:1::1/64 nodad dev {WEB}",
        f"announce 2001:db8:1::1 {WEB}",
    ]


@pytest.mark.parametrize(
    "words", [["broadcast 10.0.1.9"], ["no broadcast"], ["scope host"], ["noprefixroute"], ["dynamic", "scope link"]]
)
def test_the_only_ipv4_address_of_a_device_takes_its_routes_with_it(words: list[str]) -> None:
    assert steps_when(DB, "10.0.1.1/24", *words) == [
        f"address delete 10.0.1.1/24 dev {DB}",
        f"address add 10.0.1.1/24 broadcast + dev {DB}",
        f"route add 192.168.51.0/24 proto static via 10.0.1.254 dev {DB}",
        f"announce 10.0.1.1 {DB}",
    ]


def test_one_of_several_addresses_takes_no_routes_with_it() -> None:
    assert steps_when(GATEWAY, "203.0.113.10/24", "no broadcast") == [
        f"address delete 203.0.113.10/24 dev {GATEWAY}",
        f"address add 203.0.113.10/24 broadcast + dev {GATEWAY}",
        f"announce 203.0.113.10 {GATEWAY}",
    ]


def test_what_was_wrong_is_said() -> None:
    odd = {(DB, "10.0.1.1/24"): ("dynamic",), (WEB, "10.0.0.1/24"): ("scope host", "broadcast 10.0.0.9")}
    actions = plan(router(), replace(STATE, odd_addresses=odd)).actions
    assert f"address 10.0.1.1/24 on {DB} put right: it had a lifetime" in actions
    assert f"address 10.0.0.1/24 on {WEB} put right: it had scope host and broadcast 10.0.0.9" in actions


@pytest.mark.parametrize(
    ("device", "present", "wanted"),
    [
        (DB, "10.0.1.1 peer 10.0.1.9/24", "10.0.1.1/24"),
        (WEB, "2001:db8:1::1 peer 2001:db8:1::9/64", "2001:db8:1::1/64"),
        (WEB, "2001:db8:1::1/60", "2001:db8:1::1/64"),
    ],
)
def test_what_the_kernel_takes_for_the_same_address_makes_room(device: str, present: str, wanted: str) -> None:
    addresses = {**STATE.addresses, device: tuple(present if a == wanted else a for a in STATE.addresses[device])}
    lines = steps(plan(router(), replace(STATE, addresses=addresses)))
    assert lines[0] == f"address delete {present} dev {device}"
    assert lines[1].startswith(f"address add {wanted} ")


def test_another_prefix_length_of_ipv4_stays_until_the_right_one_came() -> None:
    observed = replace(STATE, addresses={**STATE.addresses, DB: ("10.0.1.1/20",)})
    lines = [line for line in steps(plan(router(), observed)) if line.startswith("address")]
    assert lines == [f"address add 10.0.1.1/24 broadcast + dev {DB}", f"address delete 10.0.1.1/20 dev {DB}"]


@pytest.mark.parametrize(
    ("wanted", "present", "expected"),
    [
        (["10.0.0.1/24", "10.0.0.2/24"], ["10.0.0.1/24", "10.0.0.2/24"], []),
        (["10.0.0.1/24", "10.0.0.2/24"], ["10.0.0.1/24"], []),
        (["10.0.0.1/24", "10.0.0.2/24"], [], []),
        (["10.0.0.1/24", "10.0.0.2/24"], ["10.0.0.2/24", "10.0.0.1/24"], ["10.0.0.2/24"]),
        (["10.0.0.1/24", "10.0.0.2/24"], ["10.0.0.9/24", "10.0.0.2/24", "10.0.0.1/24"], ["10.0.0.2/24"]),
        (["10.0.0.1/24", "10.0.0.2/24"], ["10.0.0.9/24", "10.0.0.2/24"], ["10.0.0.2/24"]),
        # Those behind the first have no order.
        (["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24"], ["10.0.0.1/24", "10.0.0.3/24", "10.0.0.2/24"], []),
        (["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24"], ["10.0.0.3/24", "10.0.0.1/24", "10.0.0.2/24"], ["10.0.0.3/24"]),
        # Each of these is the first of its own network, and IPv6 has no first.
        (["10.0.0.1/24", "10.0.1.1/24"], ["10.0.1.1/24", "10.0.0.1/24"], []),
        (["10.0.0.1/24", "10.0.0.2/25"], ["10.0.0.2/25", "10.0.0.1/24"], []),
        (["10.0.0.1/24", "10.0.0.2/32"], ["10.0.0.2/32", "10.0.0.1/24"], []),
        (["2001:db8::1/64", "2001:db8::2/64"], ["2001:db8::2/64", "2001:db8::1/64"], []),
    ],
)
def test_which_addresses_have_the_place_of_the_first(wanted: list[str], present: list[str], expected: list[str]) -> None:
    assert list(misplaced(wanted, dict.fromkeys(present, ()))) == expected


@pytest.mark.parametrize(("words", "expected"), [(("dynamic",), []), (("no broadcast",), ["10.0.0.2/24"])])
def test_the_others_come_again_behind_a_first_that_does(words: tuple[str, ...], expected: list[str]) -> None:
    present = {"10.0.0.1/24": words, "10.0.0.2/24": ()}
    assert list(misplaced(["10.0.0.1/24", "10.0.0.2/24"], present)) == expected


def test_an_address_that_has_the_place_of_the_first_comes_again_behind_it() -> None:
    two = router(interfaces=[{**router()["interfaces"][1], "addresses": ["10.0.1.9/24", "10.0.1.1/24"]}], routes=[])
    observed = converged(router(interfaces=router()["interfaces"][1:], routes=[]))
    assert steps(plan(two, replace(observed, odd_addresses={(DB, "10.0.1.1/24"): ("first",)}))) == [
        f"address add 10.0.1.9/24 broadcast + dev {DB}",
        f"address delete 10.0.1.1/24 dev {DB}",
        f"address add 10.0.1.1/24 broadcast + dev {DB}",
        f"announce 10.0.1.9 {DB}",
        f"announce 10.0.1.1 {DB}",
    ]
