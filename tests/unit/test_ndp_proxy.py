# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inner IPv6 addresses that are published: their check, the rules, and what is done when they come and go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.gather import gather_router
from ansible_collections.netnode.l3.plugins.module_utils.plan import RouterPlan
from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers
from ansible_collections.netnode.l3.plugins.module_utils.state import ABSENT, IPV4, IPV6, PROXY_NDP, RouterState

from ..routers import publishing_router, router, scoped_router
from .engine_objects import converged, desired, is_empty, parsed, planner, rule_sets, steps

GATEWAY = "qg-aaaa0000-ex"
ONE, OTHER = "2001:db8:1::5", "2001:db8:1::6"


def errors(*proxies: Any) -> list[str]:
    checked = check_routers([router(enable_ndp_proxy=True, ndp_proxies=list(proxies))])
    return [error.removeprefix("routers[0].") for rejected in checked.rejected for error in rejected.errors]


def plan(data: dict[str, Any], observed: RouterState) -> RouterPlan:
    return planner().plan(desired(data), observed)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("10.0.0.5", "'10.0.0.5' is not an IPv6 address"),
        ("2001:db8:1::5/128", "'2001:db8:1::5/128' is not an IP address (it has no prefix length here)"),
        ("fe80::5", "'fe80::5' is a link-local address"),
        ("ff02::1", "'ff02::1' is a multicast address"),
        (None, "is required"),
    ],
)
def test_what_cannot_be_published(value: object, message: str) -> None:
    assert errors({"ip_address": value}) == [f"ndp_proxies[0].ip_address: {message}"]


def test_an_address_is_published_once() -> None:
    assert errors({"ip_address": ONE}, {"ip_address": "2001:0db8:1::5"}) == [
        "ndp_proxies[1].ip_address: 2001:db8:1::5 stands at routers[0].ndp_proxies[0].ip_address already"
    ]
    assert errors({"ip_address": ONE, "id": "n"}, {"ip_address": OTHER, "id": "n"}) == [
        "ndp_proxies[1].id: NDP proxy id n stands at routers[0].ndp_proxies[0].id already"
    ]
    assert errors({"ip_address": ONE, "port_id": "p"}) == ["ndp_proxies[0]: unknown key 'port_id' (known are id, ip_address)"]


def test_several_routers_may_publish_an_address_as_in_neutron() -> None:
    other = {"id": "r2", "ndp_proxies": [{"ip_address": ONE}]}
    assert check_routers([publishing_router(ONE), other]).rejected == ()


def test_only_published_addresses_are_reached_from_outside() -> None:
    assert rule_sets(parsed(publishing_router(OTHER, ONE)))[IPV6] == {
        "filter": {
            "FORWARD": (":ACCEPT", "-j l3-FORWARD"),
            "l3-FORWARD": (f"-d 2001:db8:1::/64 -i {GATEWAY} -j l3-ndp",),
            "l3-ndp": (
                f"-d {ONE}/128 -i {GATEWAY} -j RETURN",
                f"-d {OTHER}/128 -i {GATEWAY} -j RETURN",
                f"-i {GATEWAY} -j DROP",
            ),
        }
    }


@pytest.mark.parametrize("changes", [{"enable_ndp_proxy": False}, {"gateway": None, "routes": []}])
def test_without_a_gateway_or_the_word_nothing_is_published(changes: dict[str, Any]) -> None:
    data = {**publishing_router(ONE), **changes}
    state = converged(data)
    assert (state.proxy_neighbours, state.firewall[IPV6]) == (frozenset(), {})
    assert not any(key.endswith("proxy_ndp") for key in state.sysctls)


def test_nothing_to_do() -> None:
    assert is_empty(plan(publishing_router(ONE), converged(publishing_router(ONE))))


def test_the_gateway_speaks_ipv6_even_without_an_address() -> None:
    data = publishing_router(ONE)
    data["gateway"].update(addresses=["203.0.113.10/24"], gateway_ips=["203.0.113.1"])
    assert converged(data).sysctls[f"net/ipv6/conf/{GATEWAY}/disable_ipv6"] == "0"


def test_the_parameter_is_set_before_the_first_proxy_and_back_after_the_last() -> None:
    with_proxy, without = publishing_router(ONE), router()
    assert steps(plan(with_proxy, converged(without))) == [
        f"sysctl {PROXY_NDP % GATEWAY} 1",
        "rules of IPv6",
        f"neigh add proxy {ONE} dev {GATEWAY}",
        f"announce {ONE} {GATEWAY}",
    ]
    back = plan(without, converged(with_proxy))
    assert steps(back) == ["rules of IPv6", f"neigh delete proxy {ONE} dev {GATEWAY}", f"sysctl {PROXY_NDP % GATEWAY} 0"]
    assert back.actions[-2:] == [
        f"NDP proxy for {ONE} removed from {GATEWAY}",
        f"sysctl net.ipv6.conf.{GATEWAY}.proxy_ndp set to 0",
    ]


def test_one_proxy_changes_without_the_other() -> None:
    assert steps(plan(publishing_router(OTHER), converged(publishing_router(OTHER, ONE)))) == [
        "rules of IPv6",
        f"neigh delete proxy {ONE} dev {GATEWAY}",
    ]


def test_proxies_go_with_their_device_and_come_with_a_new_one() -> None:
    observed = converged(publishing_router(ONE))
    moved = publishing_router(ONE)
    moved["gateway"]["id"] = "dddd0000-external-port"
    done = steps(plan(moved, observed))
    assert f"neigh add proxy {ONE} dev qg-dddd0000-ex" in done
    assert not any("delete proxy" in step for step in done)
    assert f"neigh add proxy {ONE} dev {GATEWAY}" in steps(plan(publishing_router(ONE), ABSENT))
    assert observed.without_devices({GATEWAY}).proxy_neighbours == frozenset()


def test_with_another_mac_address_all_are_announced() -> None:
    moved = publishing_router(OTHER, ONE)
    moved["gateway"]["mac_address"] = "fa:16:3e:00:00:99"
    done = steps(plan(moved, converged(publishing_router(OTHER, ONE))))
    assert [step for step in done if ONE in step or OTHER in step] == [f"announce {a} {GATEWAY}" for a in (ONE, OTHER)]


def test_with_address_scopes_both_hold() -> None:
    published = {"enable_ndp_proxy": True, "ndp_proxies": [{"ip_address": ONE}]}
    alone = rule_sets(parsed(scoped_router()))
    firewall = rule_sets(parsed(scoped_router(**published)))
    rules = firewall[IPV6]["filter"]
    assert rules["l3-FORWARD"] == (
        f"-d 2001:db8:1::/64 -i {GATEWAY} -j l3-ndp",
        f"-d 2001:db8:2::/64 -i {GATEWAY} -j l3-ndp",
        "-j l3-scope",
    )
    assert {chain: rules[chain] for chain in rules if chain.startswith("l3-scope")} == {
        chain: alone[IPV6]["filter"][chain] for chain in alone[IPV6]["filter"] if chain.startswith("l3-scope")
    }
    assert firewall[IPV4] == alone[IPV4]
    gathered = gather_router("r1", converged(scoped_router(**published)))
    assert gathered.items() >= published.items()
    assert gathered["gateway"]["address_scopes"] == {"4": "public-4", "6": "public-6"}


def test_what_is_gathered() -> None:
    state = converged(publishing_router(OTHER, ONE))
    published = {"enable_ndp_proxy": True, "ndp_proxies": [{"ip_address": ONE}, {"ip_address": OTHER}]}
    for as_meant in (False, True):
        assert gather_router("r1", state, as_meant).items() >= published.items()
    damaged = replace(state, proxy_neighbours=frozenset())
    assert gather_router("r1", damaged)["ndp_proxies"] == []
    assert gather_router("r1", damaged, as_meant=True).items() >= published.items()
    assert "ndp_proxies" not in gather_router("r1", converged(router()))
