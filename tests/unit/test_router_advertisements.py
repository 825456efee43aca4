# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Subnets that ask for router advertisements: what of them is an error, and what radvd is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.advertised_from import (
    is_told,
    own_link_local,
    with_sources,
    without_sources,
)
from ansible_collections.netnode.l3.plugins.module_utils.gather import gather_router
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.bridge import BridgeDriver
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.plan import Planner, RouterPlan
from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import MetadataProxy
from ansible_collections.netnode.l3.plugins.module_utils.services.router_advertisements import (
    Advertiser,
    Advertisers,
    configuration,
    devices_of,
    subnets_of,
)
from ansible_collections.netnode.l3.plugins.module_utils.state import ABSENT, Link, RouterState

from ..routers import WEB_SUBNET, advertising, router
from .engine_objects import converged, desired, is_empty, node, parsed, steps

WEB = "qr-bbbb0000-we"
CIDR = "2001:db8:1::/64"
PLACE = "routers[0].interfaces[0].subnets[0]"
HERE = (1, 2)


def errors(*subnets: object) -> list[str]:
    checked = check_routers([advertising(router(), *subnets)])  # type: ignore[arg-type]
    return [error for rejected in checked.rejected for error in rejected.errors]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"cidr": None}, f"{PLACE}.cidr: is required"),
        ({"cidr": "2001:db8:1::1/64"}, f"{PLACE}.cidr: '2001:db8:1::1/64' has host bits set (the network is {CIDR})"),
        ({"cidr": "2001:db8:2::/64"}, f"{PLACE}.cidr: 2001:db8:2::/64 is the network of none of the port's addresses"),
        (
            {"ipv6_ra_mode": "SLAAC"},
            f"{PLACE}.ipv6_ra_mode: 'SLAAC' is none of slaac, dhcpv6-stateful, dhcpv6-stateless",
        ),
        ({"ipv6_ra_mode": ["slaac"]}, f"{PLACE}.ipv6_ra_mode: a list is none of slaac, dhcpv6-stateful, dhcpv6-stateless"),
        ({"ipv6_address_mode": "dhcpv6-stateful"}, f"{PLACE}.ipv6_address_mode: is not the same as ipv6_ra_mode"),
        ({"dns_nameservers": "x"}, f"{PLACE}.dns_nameservers: expected a list, not 'x'"),
        ({"dns_nameservers": ["ff02::1"]}, f"{PLACE}.dns_nameservers[0]: 'ff02::1' is not an address that hosts can reach"),
        (
            {"dns_nameservers": ["192.0.2.53"]},
            f"{PLACE}.dns_nameservers: hosts of an IPv6 network can be told IPv6 addresses only",
        ),
        (
            {"gateway_ip": "x"},
            f"{PLACE}: unknown key 'gateway_ip' (known are cidr, dns_nameservers, ipv6_address_mode, ipv6_ra_mode)",
        ),
        ({"cidr": "10.0.0.0/24"}, f"{PLACE}.ipv6_ra_mode: 10.0.0.0/24 is not an IPv6 network"),
    ],
)
def test_what_is_wrong_is_found_with_its_path(changes: dict[str, Any], error: str) -> None:
    assert error in errors({**WEB_SUBNET, **changes})


def test_a_subnet_stands_there_once() -> None:
    second = "routers[0].interfaces[0].subnets[1].cidr"
    assert errors(WEB_SUBNET, WEB_SUBNET) == [f"{second}: {CIDR} stands at {PLACE}.cidr already"]


def test_hosts_make_addresses_of_64_bits_only() -> None:
    data = advertising(router(), {"cidr": "2001:db8:1::/96", "ipv6_ra_mode": "slaac"})
    data["interfaces"][0]["addresses"] = ["2001:db8:1::1/96"]
    data["routes"] = []
    wanted = f"{PLACE}.cidr: hosts make no addresses of 2001:db8:1::/96, whose prefix length is not 64"
    assert [error for rejected in check_routers([data]).rejected for error in rejected.errors] == [wanted]
    data["interfaces"][0]["subnets"][0]["ipv6_ra_mode"] = "dhcpv6-stateful"
    assert check_routers([data]).rejected == ()


def test_a_wrong_address_is_told_once() -> None:
    data = advertising(router())
    data["interfaces"][0]["addresses"] = ["2001:db8:1::1"]
    [rejected] = check_routers([data]).rejected
    assert [error for error in rejected.errors if ".interfaces[0]" in error] == [
        "routers[0].interfaces[0].addresses[0]: '2001:db8:1::1' has no prefix length (such as /64)"
    ]


def test_only_subnets_that_ask_matter() -> None:
    silent = [{"cidr": CIDR, "ipv6_ra_mode": None, "dns_nameservers": ["192.0.2.53"]}, {"cidr": "10.0.0.0/24"}]
    assert errors(*silent) == []
    assert parsed(advertising(router(), *silent)) == parsed(router())
    assert configuration(parsed(router()), metadata=True) is None
    down = advertising(router())
    down["interfaces"][0]["admin_state_up"] = False
    assert configuration(parsed(down), metadata=True) is None


def told(*subnets: dict[str, Any], metadata: bool = False, **port: Any) -> list[str]:
    """What radvd is told, without indentation."""
    data = advertising(router(), *subnets)
    data["interfaces"][0].update(port)
    text = configuration(parsed(data), metadata)
    assert text is not None
    return [line.strip() for line in text.splitlines() if "#" not in line]


def prefix(cidr: str, autonomous: str) -> list[str]:
    return [f"prefix {cidr}", "{", "AdvOnLink on;", f"AdvAutonomous {autonomous};", "};"]


HEAD = [f"interface {WEB}", "{", "AdvSendAdvert on;", "MinRtrAdvInterval 30;", "MaxRtrAdvInterval 100;"]


def test_what_radvd_is_told() -> None:
    rdnss = ["RDNSS 2001:db8:1::53", "{", "};"]
    metadata = ["route fe80::a9fe:a9fe/128", "{", "};"]
    assert told() == [*HEAD, "AdvLinkMTU 1450;", *prefix(CIDR, "on"), *rdnss, "};"]
    assert told(mtu=None, metadata=True) == [*HEAD, *prefix(CIDR, "on"), *rdnss, *metadata, "};"]


def test_what_advertisements_come_from() -> None:
    """The address for metadata is a link-local one as well, and the one that radvd would take."""
    text = configuration(parsed(advertising(router())), metadata=True)
    assert text is not None
    web = Link(WEB, 1, None, None, True, 1500, False, mac_address="fa:16:3e:00:00:c0")
    of_mac, other = "fe80::f816:3eff:fe00:c0", "fe80::7"
    listed = ["2001:db8:1::1/64", "fe80::a9fe:a9fe/128"]
    assert [own_link_local(web, [*listed, *more]) for more in ([], [f"{other}/64"])] == [[of_mac], [other]]
    written = with_sources(text, {WEB: [other, of_mac]})
    assert "AdvRASrcAddress { fe80::7; };" in written
    assert [is_told(each) for each in (text, written, "interface x\n{\n};\n")] == [True, True, False]
    for right in ([other], [of_mac, other]):
        assert without_sources(written, {WEB: right}) == text
    for wrong in (written, text):  # another one is told, and none
        assert without_sources(wrong, {WEB: [of_mac]}) != text
    assert without_sources(text, {}) == with_sources(text, {}) == text  # a device that is not there


@pytest.mark.parametrize(
    ("mode", "lines"),
    [
        ("dhcpv6-stateful", ["AdvManagedFlag on;", *prefix(CIDR, "off")]),
        ("dhcpv6-stateless", ["AdvOtherConfigFlag on;", *prefix(CIDR, "on")]),
    ],
)
def test_where_dhcp_is_that_tells_of_name_servers(mode: str, lines: list[str]) -> None:
    assert told({**WEB_SUBNET, "ipv6_ra_mode": mode}, mtu=None) == [*HEAD, *lines, "};"]


def test_several_subnets_of_a_port_have_one_advertisement_whatever_their_order() -> None:
    second = {"cidr": "2001:db8:2::/64", "ipv6_ra_mode": "dhcpv6-stateful"}
    third = {**WEB_SUBNET, "cidr": "2001:db8:3::/64", "dns_nameservers": [f"2001:db8:3::{n}" for n in (1, 2, 3)]}
    addresses = ["2001:db8:1::1/64", "2001:db8:2::1/64", "2001:db8:3::1/64"]
    both = told(WEB_SUBNET, second, third, mtu=None, addresses=addresses)
    assert both == [
        *HEAD,
        "AdvManagedFlag on;",
        *prefix(CIDR, "on"),
        *prefix("2001:db8:2::/64", "off"),
        *prefix("2001:db8:3::/64", "on"),
        *["RDNSS 2001:db8:1::53 2001:db8:3::1 2001:db8:3::2", "{", "};"],  # radvd takes three
        "};",
    ]
    assert told(third, second, WEB_SUBNET, mtu=None, addresses=addresses) == both


def test_subnets_come_back_from_the_configuration() -> None:
    subnets = [WEB_SUBNET, {"cidr": "2001:db8:2::/64", "ipv6_ra_mode": "dhcpv6-stateful"}]
    data = advertising(router(), *subnets)
    data["interfaces"][0]["addresses"] = ["2001:db8:1::1/64", "2001:db8:2::1/64"]
    state = converged(data)
    assert (devices_of(state.advertised), subnets_of(state.advertised)) == ([WEB], {WEB: subnets})
    web, db = gather_router("r1", state)["interfaces"]
    assert (web["subnets"], "subnets" in db) == (subnets, False)
    assert subnets_of("") == subnets_of(None) == {}


def test_an_mtu_that_nobody_asked_for_does_not_come_back() -> None:
    """To converge with what was gathered would tell machines of it."""
    data = advertising(router())
    assert gather_router("r1", converged(data))["interfaces"][0]["mtu"] == 1450
    del data["interfaces"][0]["mtu"]
    state = converged(data)
    present = replace(state, devices={name: replace(device, mtu=1500) for name, device in state.devices.items()})
    web, db = gather_router("r1", present)["interfaces"]
    assert ("mtu" in web, db["mtu"]) == (False, 1500)


def plan(
    data: dict[str, Any],
    observed: RouterState,
    known: Mapping[str, Advertiser] | None = None,
    missing: str | None = None,
    agents: Mapping[str, int] | None = None,
) -> RouterPlan:
    driver = BridgeDriver(Options("bridge"), node())
    advertisers = Advertisers(known or {}, agents or {}, missing)
    return Planner(driver, MetadataProxy(driver.options), (), advertisers).plan(desired(data, driver), observed)


ASKING = advertising(router())
THERE = converged(ASKING)
STARTED = f"router advertisements on {WEB} started"
AGAIN = f"router advertisements on {WEB} put right"


def running(pid: int | None = 7) -> dict[str, Advertiser]:
    return {"r1": Advertiser(pid, THERE.advertised or "", HERE)}


def test_radvd_is_started_last_and_only_where_it_is_asked_for() -> None:
    made = plan(ASKING, ABSENT)
    assert [step for step in steps(made) if not step.startswith("announce")][-1] == "advertise for r1 by None"
    assert made.actions[-1] == STARTED
    assert not [step for step in steps(plan(router(), ABSENT)) if "advertise" in step]
    assert is_empty(plan(ASKING, THERE, running()))


def test_one_that_was_killed_or_edited_is_put_right() -> None:
    gone = replace(THERE, advertised=None)
    for known, ended in (({}, []), (running(None), ["end advertisements of r1 by None"])):
        killed = plan(ASKING, gone, known)
        assert (steps(killed), killed.actions) == ([*ended, "advertise for r1 by None"], [STARTED])
    edited = plan(ASKING, replace(THERE, advertised="other"), running())
    assert (steps(edited), edited.actions) == (["advertise for r1 by 7"], [AGAIN])


def test_one_in_another_namespace_is_ended_first() -> None:
    moved = plan(ASKING, replace(THERE, advertised=None), running())
    assert steps(moved) == ["end advertisements of r1 by 7", "advertise for r1 by None"]
    known = Advertisers(running())
    assert (known.told("r1", HERE), known.told("r1", (1, 3)), known.told("r2", HERE)) == (THERE.advertised, None, None)
    assert Advertisers({"r1": Advertiser(7, "text", None)}).told("r1", HERE) == "text"  # which may not be seen


def test_it_ends_when_no_subnet_asks_any_more() -> None:
    ended = plan(router(), THERE, running())
    assert ended.actions == ["router advertisements ended"]
    assert steps(ended) == ["end advertisements of r1 by 7"]


def test_without_radvd_the_rest_is_done_and_it_is_told() -> None:
    made = plan(ASKING, ABSENT, missing="no radvd")
    assert (made.problems, made.after.advertised) == (("no radvd",), None)
    assert STARTED not in made.actions and "namespace qrouter-r1 created" in made.actions
    assert is_empty(plan(ASKING, THERE, running(), missing="no radvd"))


def test_that_of_the_agent_gives_way() -> None:
    there = replace(THERE, advertised=None, agents_radvd=9)
    taken = plan(ASKING, there, agents={"r1": 9})
    assert (steps(taken), taken.actions) == (
        ["advertise for r1 by None"],
        ["radvd of the L3 agent ended (process 9)", STARTED],
    )
    unasked = plan(router(), replace(converged(router()), agents_radvd=9), agents={"r1": 9})
    assert unasked.actions == ["radvd of the L3 agent ended (process 9)"]


def test_a_device_that_is_made_anew_is_told_to_radvd() -> None:
    devices = {name: device for name, device in THERE.devices.items() if name != WEB}
    assert AGAIN in plan(ASKING, replace(THERE, devices=devices), running()).actions
