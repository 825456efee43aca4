# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change must not disturb: streams through other routers, and through the same one."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Machine, MetadataServer, Node
from sandbox.engine import run_engine

from ..routers import DB_BRIDGE, WEB_BRIDGE, router, small_router
from .traffic import Session, SteadyStream, serve_echo

METADATA = {"metadata_upstream": "unix:/var/lib/neutron/metadata_proxy"}
A, B = router(), small_router(1)


def test_a_stream_between_internal_networks_loses_nothing_while_all_around_it_changes(node: Node) -> None:
    run_engine(node, [router()])
    web = Machine(node, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    serve_echo(Machine(node, "db", DB_BRIDGE, ["10.0.1.7/24"], [("default", "10.0.1.1")]))
    stream = SteadyStream(web, "10.0.1.7")
    other_gateway = {
        **router()["gateway"],
        "id": "dddd0000-new",
        "addresses": ["203.0.113.99/24"],
        "gateway_ips": ["203.0.113.1"],
    }
    for routers in (
        [router(floating_ips=[])],
        [router(gateway=other_gateway, routes=[])],
        [router(gateway=None, floating_ips=[]), small_router(1), small_router(2)],
        [router(enable_snat=False), small_router(2)],
        [router()],
    ):
        assert "failed" not in run_engine(node, routers)
    tally = stream.tally()
    assert tally.lost == 0, tally
    assert tally.sent > 100


def grown(**more: list[dict[str, Any]]) -> dict[str, Any]:
    """Router A with more of something."""
    return {**A, **{key: [*A[key], *entries] for key, entries in more.items()}}


FLOATING_IPS = [{"floating_ip_address": f"203.0.113.{n}", "fixed_ip_address": f"10.0.1.{n}"} for n in range(100, 120)]
PORT = {"id": "dddd0000-app", "network_id": "app", "addresses": ["10.0.2.1/24", "2001:db8:2::1/64"]}
ROUTES = [
    {"destination": "192.168.60.0/24", "nexthop": "10.0.1.9"},
    {"destination": "2001:db8:99::/48", "nexthop": "2001:db8:1::9"},
]
OTHERS = [small_router(number) for number in range(2, 7)]
CHANGES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "others are built": ([A, B, *OTHERS], METADATA),
    "others are changed": ([A, B, *(small_router(n, enable_snat=False, floating_ips=[]) for n in range(2, 7))], METADATA),
    "one of them is purged": ([A, B, *OTHERS[1:]], METADATA),
    "floating IPs for A": ([grown(floating_ips=FLOATING_IPS), B, *OTHERS[1:]], METADATA),
    "one of them led elsewhere": (
        [grown(floating_ips=[{**FLOATING_IPS[0], "fixed_ip_address": "10.0.1.99"}, *FLOATING_IPS[1:]]), B, *OTHERS[1:]],
        METADATA,
    ),
    "some of them taken away": ([grown(floating_ips=FLOATING_IPS[:3]), B, *OTHERS[1:]], METADATA),
    "an interface for A": ([grown(interfaces=[PORT], floating_ips=FLOATING_IPS[:3]), B, *OTHERS[1:]], METADATA),
    "routes for A": ([grown(interfaces=[PORT], routes=ROUTES), B, *OTHERS[1:]], METADATA),
    "all others are purged": ([grown(interfaces=[PORT], routes=ROUTES), B], METADATA),
    "the interface and the routes taken away": ([A, B], METADATA),
    "no metadata": ([A, B], {}),
    "metadata again": ([A, B], METADATA),
    "a router beside": ([A, B, OTHERS[0]], METADATA),
    "as at first": ([A, B], METADATA),
}


@pytest.fixture
def networked(node: Node) -> Node:
    """A node with routers A and B, and metadata."""
    MetadataServer(node, "/var/lib/neutron/metadata_proxy")
    assert "failed" not in run_engine(node, [A, B], **METADATA)
    return node


def counters(node: Node, router_id: str) -> dict[tuple[str, str], int]:
    """Table and rule -> packets that it matched."""
    lines = node.run("ip", "netns", "exec", f"qrouter-{router_id}", "iptables-save", "-c").stdout.splitlines()
    table, found = "", {}
    for line in lines:
        if line.startswith("*"):
            table = line
        elif line.startswith("["):
            count, rule = line[1:].split("] ", 1)
            found[table, rule] = int(count.split(":")[0])
    return found


def test_streams_through_two_routers_lose_nothing_while_everything_else_changes(networked: Node, firewall_driver: str) -> None:
    node = networked
    outside = Machine(node, "outside", "br-ex", ["203.0.113.1/16"])
    client = Machine(node, "client", "br-ex", ["203.0.113.2/16"])
    web = Machine(node, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    server = Machine(node, "server", WEB_BRIDGE, ["10.0.0.5/24"], [("default", "10.0.0.1")])
    of_b = Machine(node, "of-b", "brqnet0001", ["10.0.0.5/24"], [("default", "10.0.0.1")])
    for machine in (outside, server):
        serve_echo(machine)
    ways = {
        "out of A": (web, "203.0.113.1"),
        "to a floating IP of A": (client, "203.0.113.20"),
        "out of B": (of_b, "203.0.113.1"),
    }
    sessions = {way: Session(*ends) for way, ends in ways.items()}
    streams = {way: SteadyStream(*ends) for way, ends in ways.items()}
    before = {router_id: counters(node, router_id) for router_id in ("r1", "small-1")}
    # Rules of nftables do not count.
    assert {sum(counts.values()) > 0 for counts in before.values()} == {firewall_driver == "iptables"}
    reset = []
    for name, (routers, options) in CHANGES.items():
        result = run_engine(node, routers, **options)
        assert "failed" not in result, result["msg"]
        assert result["changed"], name
        for router_id, counts in before.items():
            after = counters(node, router_id)
            reset += [f"{name}: {r[1]} of {router_id}" for r, count in counts.items() if after.get(r, count) < count]
            before[router_id] = after
    tallies = {way: stream.tally() for way, stream in streams.items()}
    print(tallies)
    assert {way: tally.lost for way, tally in tallies.items()} == dict.fromkeys(ways, 0)
    assert {way: session.went_on() for way, session in sessions.items()} == dict.fromkeys(ways, True)
    assert min(tally.sent for tally in tallies.values()) > 1000
    assert reset == []
