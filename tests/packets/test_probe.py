# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module l3_probe tells whether routers do their work: by what the kernel has, and by who answers."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine, run_probe

from ..kernel_state import differences, snapshot
from ..routers import WEB_BRIDGE, router, small_router

pytestmark = pytest.mark.firewall_driver("iptables")

GATEWAY, WEB, NAMESPACE = "qg-aaaa0000-ex", "qr-bbbb0000-we", "qrouter-r1"


@pytest.fixture
def built(node: Node) -> Node:
    """A node with a router, its gateways outside, and one of the two machines behind floating IPs."""
    run_engine(node, [router()])
    Machine(node, "outside", "br-ex", ["203.0.113.1/24", "2001:db8:e::1/64"])
    Machine(node, "web", WEB_BRIDGE, ["10.0.0.5/24"])
    return node


def reasons(result: dict[str, Any]) -> dict[str, list[str]]:
    return {entry["id"]: entry["reasons"] for entry in result["routers"] if entry["reasons"]}


def test_a_router_that_works(built: Node) -> None:
    before = snapshot(built)
    result = run_probe(built, [router()])
    assert "failed" not in result, result["msg"]
    [entry] = result["routers"]
    assert entry["healthy"] and entry["converged"] and entry["due"] == []
    assert entry["gateways"] == [
        {"gateway_ip": "2001:db8:e::1", "answers": True},
        {"gateway_ip": "203.0.113.1", "answers": True},
    ]
    assert [fip["answers"] for fip in entry["floating_ips"]] == [True, False]
    assert result["msg"] == "1 router: 0 unhealthy. 2 of 2 gateways answer, and 1 of the machines behind 2 floating IPs."
    assert differences(before, snapshot(built)) == []
    assert not run_engine(built, [router()])["changed"]


def test_without_router_data_what_is_there_is_asked(built: Node) -> None:
    [entry] = run_probe(built)["routers"]
    assert entry["healthy"]
    assert "converged" not in entry


@pytest.mark.parametrize(
    ("sabotage", "why"),
    [
        ("ip -n outside address delete 203.0.113.1/24 dev eth0", f"gateway 203.0.113.1 does not answer on {GATEWAY}"),
        ("ip -n outside address delete 2001:db8:e::1/64 dev eth0", f"gateway 2001:db8:e::1 does not answer on {GATEWAY}"),
        (
            f"ip -n {NAMESPACE} address delete 203.0.113.20/32 dev {GATEWAY}",
            f"is not converged, a run would do this: address 203.0.113.20/32 added to {GATEWAY}",
        ),
        (
            f"ip -n {NAMESPACE} address delete 203.0.113.20/32 dev {GATEWAY}",
            "floating IP 203.0.113.20 is not an address of the router",
        ),
        (
            f"ip -n {NAMESPACE} address delete 10.0.0.1/24 dev {WEB}",
            f"floating IP 203.0.113.20: the way to 10.0.0.5 is by {GATEWAY}, which is no internal port",
        ),
        (f"ip -n {NAMESPACE} route add blackhole 10.0.0.5", "floating IP 203.0.113.20: there is no route to 10.0.0.5"),
    ],
)
def test_what_is_wrong_is_said(built: Node, sabotage: str, why: str) -> None:
    built.run(*sabotage.split())
    result = run_probe(built, [router()])
    assert result["failed"] and not result["healthy"]
    assert why in reasons(result)["r1"]
    assert f"router r1: {reasons(result)['r1'][0]}" in result["msg"]


@pytest.mark.parametrize("mac_address", ["fa:16:3e:00:00:b0", "fa:16:3e:00:00:b1"])  # that of the router, and another
def test_addresses_that_somebody_else_has_too_are_said(built: Node, mac_address: str) -> None:
    assert run_probe(built, [router()])["healthy"]
    Machine(built, "twin", "br-ex", ["203.0.113.10/24", "203.0.113.21/32"])
    built.run("ip", "-n", "twin", "link", "set", "dev", "eth0", "address", mac_address)
    found = reasons(run_probe(built, [router()]))
    assert found["r1"] == [f"{ip} is another's too, who answers for it on {GATEWAY}" for ip in ("203.0.113.10", "203.0.113.21")]


def test_a_gateway_that_no_longer_answers_is_not_taken_for_alive(built: Node) -> None:
    """The kernel remembers a neighbour for a while; the probe does not."""
    assert run_probe(built, [router()])["healthy"]
    built.run("ip", "netns", "exec", NAMESPACE, "ping", "-c", "1", "-W", "2", "203.0.113.1")
    built.run("ip", "-n", "outside", "link", "set", "dev", "eth0", "down")
    found = reasons(run_probe(built, [router()]))
    assert len([reason for reason in found["r1"] if "does not answer" in reason]) == 2


def test_a_floating_ip_on_a_network_behind_another_router(node: Node) -> None:
    data = router(
        floating_ips=[{"floating_ip_address": "203.0.113.20", "fixed_ip_address": "192.168.51.5"}],
        routes=[{"destination": "192.168.51.0/24", "nexthop": "10.0.0.254"}],
    )
    run_engine(node, [data])
    Machine(node, "outside", "br-ex", ["203.0.113.1/24", "2001:db8:e::1/64"])
    Machine(node, "other-router", WEB_BRIDGE, ["10.0.0.254/24"])
    [entry] = run_probe(node, [data])["routers"]
    assert entry["healthy"]
    assert [fip["answers"] for fip in entry["floating_ips"]] == [True]  # the next hop on the way


def test_routers_too_many_too_few_and_wrong(built: Node) -> None:
    wrong = {**small_router(2), "enable_snat": "perhaps"}
    result = run_probe(built, [small_router(1), wrong])
    found = reasons(result)
    assert found["r1"] == ["is on the node, where the router data does not want it"]
    assert found["small-1"][0].startswith("is not converged, a run would do this: bridge brqnet0001 created; ")
    assert found["small-2"] == ["routers[1].enable_snat: 'perhaps' is not true or false"]
    assert [entry["id"] for entry in run_probe(built, [router()], "replaced")["routers"]] == ["r1"]


def test_many_routers_whose_gateways_are_silent_are_asked_at_once(node: Node) -> None:
    count = 30
    data = [small_router(number) for number in range(count)]
    run_engine(node, data)
    result = run_probe(node, data, timeout=0.5)
    assert result["figures"]["unhealthy"] == count
    assert result["cost"]["seconds"] < 5  # one after the other, it would be 15
    assert result["msg"].splitlines()[-1] == f"and {count - 10} more, see routers in the result"


@pytest.fixture
def outside_of_namespaces(node: Node) -> Node:
    options = {"use_namespaces": False, "router_id": "r1"}
    node.run("sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1")
    assert "failed" not in run_engine(node, [router()], **options)
    Machine(node, "outside", "br-ex", ["203.0.113.1/24", "2001:db8:e::1/64"])
    return node


def test_a_router_in_the_nodes_own_namespace(outside_of_namespaces: Node) -> None:
    result = run_probe(outside_of_namespaces, [router()], use_namespaces=False, router_id="r1")
    assert result["healthy"], result["msg"]
    assert result["figures"]["gateways_answering"] == 2
