# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The regression guard of speed: not how long a run takes, but how many processes it starts and what it has them do.

These figures are exact. One that grows makes every run on every node slower, and one that falls is to be kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.routers import benchmark_router
from sandbox import Node
from sandbox.engine import run_engine

from ..routers import advertising, scoped_router, small_router
from ..routers import router as plain_router

FEW, MANY = 3, 13
Run = Callable[[Node, list[dict[str, Any]]], dict[str, Any]]


def changed(routers: list[dict[str, Any]], **first_floating_ip: str) -> list[dict[str, Any]]:
    """The routers, each with another first floating IP."""
    return [
        {**router, "floating_ips": [{**router["floating_ips"][0], **first_floating_ip}, *router["floating_ips"][1:]]}
        for router in routers
    ]


def build(node: Node, routers: list[dict[str, Any]]) -> dict[str, Any]:
    return run_engine(node, routers)


def first_check(node: Node, routers: list[dict[str, Any]]) -> dict[str, Any]:
    build(node, routers)
    return run_engine(node, routers)


def check(node: Node, routers: list[dict[str, Any]]) -> dict[str, Any]:
    first_check(node, routers)
    return run_engine(node, routers)


def move_a_floating_ip(node: Node, routers: list[dict[str, Any]]) -> dict[str, Any]:
    first_check(node, routers)
    return run_engine(node, changed(routers, fixed_ip_address="10.0.1.99"))


def remove_a_floating_ip(node: Node, routers: list[dict[str, Any]]) -> dict[str, Any]:
    first_check(node, routers)
    return run_engine(node, [{**router, "floating_ips": router["floating_ips"][1:]} for router in routers])


def drift(node: Node, routers: list[dict[str, Any]]) -> dict[str, Any]:
    first_check(node, routers)
    for router in routers:
        node.run("ip", "-n", f"qrouter-{router['id']}", "route", "delete", "default")
    return run_engine(node, routers)


def remove(node: Node, routers: list[dict[str, Any]]) -> dict[str, Any]:
    first_check(node, routers)
    return run_engine(node, [])


UPSTREAM = "127.0.0.1:80"  # where nobody need be


def with_ipv6(routers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The routers, each with an IPv6 address on one of its two internal networks."""
    for router in routers:
        router["interfaces"][0]["addresses"].append("2001:db8::1/64")
    return routers


def build_with_metadata(node: Node, routers: list[dict[str, Any]]) -> dict[str, Any]:
    return run_engine(node, routers, metadata_upstream=UPSTREAM)


def build_with_metadata_by_ipv6(node: Node, routers: list[dict[str, Any]]) -> dict[str, Any]:
    return build_with_metadata(node, with_ipv6(routers))


def check_with_metadata_by_ipv6(node: Node, routers: list[dict[str, Any]]) -> dict[str, Any]:
    build_with_metadata_by_ipv6(node, routers)
    build_with_metadata(node, routers)
    return build_with_metadata(node, routers)


def per_router(run: Run) -> dict[str, float]:
    """What a router more costs: processes by command, and lines of ``ip``."""
    costs = []
    for count in (FEW, MANY):
        with Node(f"node-{count}") as node:
            node.add_bridge("br-ex")
            cost = run(node, [benchmark_router(number) for number in range(count)])["cost"]
            costs.append({**cost["commands"], "lines of ip": cost["ip_lines"]})
    grown = {key: (costs[1].get(key, 0) - costs[0].get(key, 0)) / (MANY - FEW) for key in {**costs[0], **costs[1]}}
    return {key: value for key, value in grown.items() if value}


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        # One ip for all outsides (32 routers at once); 10 lines there, 13 inside.
        (build, {"ip": 1, "iptables-restore": 1, "lines of ip": 23}),
        (build_with_metadata, {"ip": 1, "iptables-restore": 1, "lines of ip": 23}),
        # The address, that for metadata, and the rules that lead to the proxy.
        (build_with_metadata_by_ipv6, {"ip": 1, "iptables-restore": 1, "ip6tables-restore": 1, "lines of ip": 25}),
        (check_with_metadata_by_ipv6, {}),
        (first_check, {"iptables-save": 1}),
        (check, {}),
        (move_a_floating_ip, {"iptables-save": 1, "iptables-restore": 1, "conntrack": 1}),
        (
            remove_a_floating_ip,
            {"iptables-save": 1, "iptables-restore": 1, "ip": 1, "conntrack": 1, "lines of ip": 1},
        ),
        (drift, {"ip": 1, "lines of ip": 1}),
        (remove, {"lines of ip": 1}),
    ],
)
def test_what_a_router_more_costs(run: Run, expected: dict[str, float]) -> None:
    assert per_router(run) == expected


def test_what_a_run_costs_on_a_node_that_is_as_it_should_be(node: Node) -> None:
    cost = check(node, [benchmark_router(number) for number in range(3)])["cost"]
    assert (cost["commands"], cost["ip_lines"]) == ({}, 0)


def test_what_address_scopes_and_helpers_cost(node: Node) -> None:
    costs = [run_engine(node, [data])["cost"]["commands"] for data in [scoped_router()] * 3 + [plain_router()]]
    read = {"iptables-save": 1, "ip6tables-save": 1}
    assert costs == [
        {"ip": 2, "iptables-restore": 2, "ip6tables-restore": 2},
        read,
        {},
        # To be without: db is on no IPv6 network then, and what left web untranslated is ended.
        {**read, "iptables-restore": 1, "ip6tables-restore": 1, "ip": 1, "conntrack": 1},
    ]


def test_what_a_hundred_floating_ips_cost(node: Node) -> None:
    """They come and go by as many processes as one does."""
    router = benchmark_router(0)
    many = [{"floating_ip_address": f"198.19.100.{n}", "fixed_ip_address": f"10.0.0.{n}"} for n in range(1, 101)]
    costs = []
    for floating_ips in (router["floating_ips"], many, many, router["floating_ips"]):
        costs.append(run_engine(node, [{**router, "floating_ips": floating_ips}])["cost"]["commands"])
    assert costs == [
        {"ip": 2, "iptables-restore": 1},
        {"iptables-save": 1, "iptables-restore": 1, "ip": 1, "conntrack": 1},
        {"iptables-save": 1},
        {"iptables-save": 1, "iptables-restore": 1, "ip": 1, "conntrack": 1},
    ]


def test_what_nftables_costs(node: Node) -> None:
    """Half of the processes, as one rule set is for both address families; and what is right is not read again."""
    router = benchmark_router(0)
    options = {"firewall_driver": "nftables"}
    [moved] = changed([router], fixed_ip_address="10.0.1.99")
    costs = [run_engine(node, [data], **options)["cost"]["commands"] for data in (router, router, router, moved, moved, moved)]
    assert costs == [{"ip": 2, "nft": 1}, {"nft": 1}, {}, {"nft": 2, "conntrack": 1}, {"nft": 1}, {}]
    run_engine(node, [router])
    # Over from iptables in one transaction: what is there is read, and no process but that is needed.
    assert run_engine(node, [router], **options)["cost"]["commands"] == {"iptables-save": 1, "nft": 1}


def test_what_the_clamping_of_the_mss_costs(node: Node) -> None:
    """Rules of IPv6 are made where there is IPv6, and what is right is not read again."""
    router = benchmark_router(0)
    [first, second] = router["interfaces"]
    dual_stack = {**router, "interfaces": [{**first, "addresses": [*first["addresses"], "2001:db8:1::1/64"]}, second]}
    costs = []
    for data in (router, router, router, dual_stack, dual_stack, dual_stack):
        costs.append(run_engine(node, [data], clamp_mss_to_pmtu=True)["cost"]["commands"])
    reading = {"iptables-save": 1}
    assert costs == [
        *[{"ip": 2, "iptables-restore": 1}, reading, {}],
        *[{**reading, "ip6tables-restore": 1, "ip": 1}, {**reading, "ip6tables-save": 1}, {}],
    ]


def test_what_router_advertisements_cost(node: Node) -> None:
    """A process of radvd for each router that asks, once, and nothing for the others."""
    silent = [small_router(n) for n in range(3)]
    asking = [_with_addresses_of_their_own(router) for router in silent]
    run_engine(node, silent)
    assert run_engine(node, asking[:1] + silent[1:])["cost"]["commands"].get("radvd") == 1
    run_engine(node, asking)
    run_engine(node, asking)
    assert run_engine(node, asking)["cost"]["commands"] == {}
    assert run_engine(node, silent)["cost"]["commands"].keys() == {"ip"}


def _with_addresses_of_their_own(router: dict[str, Any]) -> dict[str, Any]:
    [port] = router["interfaces"]
    return advertising({**router, "interfaces": [{**port, "addresses": [*port["addresses"], "2001:db8:1::1/64"]}]})
