# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules of a single object make what l3_routers makes, and touch nothing else of a router."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import MetadataServer, Node
from sandbox.engine import run_engine, run_object

from ..kernel_state import differences, snapshot
from ..routers import router, scoped_router, small_router

METADATA = {"metadata_upstream": "unix:/var/lib/neutron/metadata_proxy"}


def make(node: Node, kind: str, **params: Any) -> dict[str, Any]:
    """A change, predicted by check mode and then made."""
    predicted = run_object(node, kind, check=True, diff=True, **params)
    done = run_object(node, kind, diff=True, **params)
    assert "failed" not in done, done["msg"]
    assert [predicted[key] for key in ("changed", "actions", "diff")] == [done[key] for key in ("changed", "actions", "diff")]
    return done


def make_router(node: Node, data: dict[str, Any], **options: Any) -> None:
    """A router by tasks, one for each object of it."""
    own = {key: data.get(key) for key in ("id", "gateway", "routes", "conntrack_helpers") if data.get(key)}
    # Extra routes lead through ports, which are not there at first.
    make(node, "router", **{**own, "routes": []}, **options)
    for port in data["interfaces"]:
        make(node, "interface", router_id=data["id"], **port, **options)
    for floating_ip in data["floating_ips"]:
        make(node, "floating_ip", router_id=data["id"], **floating_ip, **options)
    make(node, "router", **own, **options)


@pytest.mark.parametrize("options", [{}, METADATA])
def test_a_router_made_by_tasks_is_the_router_that_one_call_makes(node: Node, options: dict[str, Any]) -> None:
    MetadataServer(node, "/var/lib/neutron/metadata_proxy")
    with Node("other") as other:
        other.add_bridge("br-ex")
        MetadataServer(other, "/var/lib/neutron/metadata_proxy")
        run_engine(other, [router(), small_router(1)], **options)
        for data in (small_router(1), router()):
            make_router(node, data, **options)
        assert differences(snapshot(other), snapshot(node)) == []
        configs = [n.file("/run/netnode-l3/metadata-proxy.cfg") for n in (node, other)]
        assert len({config.read_text(encoding="utf-8") if config.exists() else "" for config in configs}) == 1
    assert run_engine(node, [router(), small_router(1)], **options)["changed"] is False
    for kind, params in (
        ("router", {key: router()[key] for key in ("id", "gateway", "routes")}),
        ("interface", {"router_id": "r1", **router()["interfaces"][0]}),
        ("floating_ip", {"router_id": "r1", **router()["floating_ips"][0]}),
    ):
        assert make(node, kind, **params, **options)["changed"] is False


def test_address_scopes_and_helpers_are_made_by_tasks_and_kept_by_those_of_others(node: Node) -> None:
    make_router(node, scoped_router())
    made = snapshot(node)
    assert run_engine(node, [scoped_router()])["changed"] is False
    make(node, "floating_ip", router_id="r1", floating_ip_address="203.0.113.20", state="absent")
    make(node, "floating_ip", router_id="r1", **scoped_router()["floating_ips"][0])
    assert differences(made, snapshot(node)) == []
    node.run("ip", "netns", "exec", "qrouter-r1", "iptables", "-F", "l3-scope")
    damaged = snapshot(node)
    result = run_object(node, "floating_ip", router_id="r1", floating_ip_address="203.0.113.20", state="absent")
    assert "Router r1 is not whole: rules of its table filter are gone." in result["msg"]
    assert differences(damaged, snapshot(node)) == []


def test_absent_removes_exactly_that_object(node: Node) -> None:
    run_engine(node, [router(routes=[]), small_router(1)])
    with_all = snapshot(node)
    assert make(node, "floating_ip", router_id="r1", floating_ip_address="203.0.113.20", state="absent")["actions"] == [
        "rule removed from chain l3-OUTPUT of table nat: -d 203.0.113.20/32 -j DNAT --to-destination 10.0.0.5",
        "rule removed from chain l3-PREROUTING of table nat: -d 203.0.113.20/32 -j DNAT --to-destination 10.0.0.5",
        "rule removed from chain l3-float-snat of table nat: -s 10.0.0.5/32 -j SNAT --to-source 203.0.113.20 --random-fully",
        "address 203.0.113.20/32 removed from qg-aaaa0000-ex",
        "flows through 203.0.113.20 ended",
    ]
    make(node, "floating_ip", router_id="r1", **router()["floating_ips"][0])
    assert differences(with_all, snapshot(node)) == []
    removed = make(node, "interface", router_id="r1", id="bbbb0000-web-port", state="absent")
    assert removed["actions"] == ["device qr-bbbb0000-we removed"]
    make(node, "interface", router_id="r1", **router()["interfaces"][0])
    assert differences(with_all, snapshot(node)) == []
    assert make(node, "router", id="r1", state="absent")["actions"] == ["namespace qrouter-r1 removed"]
    [left] = run_engine(node, None, "gathered")["gathered"]
    assert left["id"] == "small-1"
    for kind, params in (
        ("router", {"id": "r1"}),
        ("interface", {"router_id": "r1", "id": "bbbb0000-web-port"}),
        ("floating_ip", {"router_id": "r1", "floating_ip_address": "203.0.113.20"}),
        ("floating_ip", {"router_id": "small-1", "floating_ip_address": "203.0.113.20"}),
    ):
        assert make(node, kind, **params, state="absent")["changed"] is False


def test_a_floating_ip_is_remapped_in_one_change_of_rules(node: Node) -> None:
    run_engine(node, [router()])
    before = run_object(node, "floating_ip", router_id="r1", floating_ip_address="203.0.113.20", fixed_ip_address="10.0.0.5")
    moved = make(node, "floating_ip", router_id="r1", floating_ip_address="203.0.113.20", fixed_ip_address="10.0.0.6")
    assert before["changed"] is False
    assert moved["actions"][-1] == "flows through 203.0.113.20 ended"
    assert not any(action.startswith("address") for action in moved["actions"])


def test_a_drifted_router_keeps_what_its_rules_say(node: Node) -> None:
    run_engine(node, [router()])
    before = snapshot(node)
    node.run("ip", "-n", "qrouter-r1", "address", "delete", "203.0.113.21/32", "dev", "qg-aaaa0000-ex")
    node.run("ip", "-n", "qrouter-r1", "link", "set", "dev", "lo", "down")
    make(node, "floating_ip", router_id="r1", floating_ip_address="203.0.113.20", fixed_ip_address="10.0.0.5")
    assert differences(before, snapshot(node)) == []


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        (
            "interface",
            {"router_id": "r9", "id": "p", "network_id": "n", "addresses": ["10.9.0.1/24"]},
            "Router r9 is not on this node: make it first, with l3_router.",
        ),
        (
            "floating_ip",
            {"router_id": "bare", "floating_ip_address": "203.0.113.9", "fixed_ip_address": "10.0.0.9"},
            "Router bare has no gateway, which a floating IP needs: give it one, with l3_router.",
        ),
        (
            "interface",
            {"router_id": "bare", "id": "p", "network_id": "n", "addresses": ["10.9.0.1/24", "10.9.0.300/24"]},
            "addresses[1]: '10.9.0.300/24' is not an IP address",
        ),
        (
            "interface",
            {"router_id": "r1", "id": "p", "network_id": "n", "addresses": ["10.0.1.2/24"]},
            "addresses[0]: 10.0.1.0/24 overlaps 10.0.1.0/24 at interfaces[1].addresses[0]",
        ),
        (
            "floating_ip",
            {"router_id": "r1", "floating_ip_address": "203.0.113.9/32", "fixed_ip_address": "10.0.0.9"},
            "floating_ip_address: '203.0.113.9/32' is not an IP address (it has no prefix length here)",
        ),
        ("router", {"id": "a b"}, "id: 'a b' is not"),
        ("router", {"id": "r1", "gateway": {"id": "g"}}, "gateway.addresses: is required"),
        ("router", {"id": "r1", "routes": [{"destination": "10.9.0.0/24"}]}, "routes[0].nexthop: is required"),
    ],
)
def test_what_cannot_be_is_said_in_the_modules_own_terms(node: Node, kind: str, params: dict[str, Any], message: str) -> None:
    run_engine(node, [router(), {"id": "bare"}])
    before = snapshot(node)
    result = run_object(node, kind, **params)
    assert (result["failed"], result["msg"][: len(message)]) == (True, message)
    assert differences(before, snapshot(node)) == []


def test_check_mode_of_a_playbook_that_makes_a_router_does_not_fail(node: Node) -> None:
    result = run_object(node, "interface", check=True, router_id="r9", id="p", network_id="n", addresses=["10.9.0.1/24"])
    assert (result["changed"], result.get("failed")) == (True, None)
    assert result["warnings"] == [
        "Router r9 is not on this node: make it first, with l3_router. In check mode it is taken for granted that a task"
        " before this one does."
    ]


@pytest.mark.parametrize("firewall_driver", ["iptables", "nftables"])
def test_a_router_of_which_all_rules_were_flushed_is_not_edited(node: Node, firewall_driver: str) -> None:
    run_engine(node, [router()], firewall_driver=firewall_driver)
    node.run("ip", "netns", "exec", "qrouter-r1", "nft", "flush ruleset")
    change = {"router_id": "r1", "floating_ip_address": "203.0.113.22", "firewall_driver": firewall_driver}
    result = run_object(node, "floating_ip", fixed_ip_address="10.0.0.9", **change)
    assert result["msg"].startswith("Router r1 is not whole: the rules of its floating IPs are gone. Converge it with l3_routers")
    assert not run_object(node, "floating_ip", state="absent", check=True, **change).get("changed")
    run_engine(node, [router()], firewall_driver=firewall_driver)
    assert run_object(node, "floating_ip", fixed_ip_address="10.0.0.9", **change)["changed"]


@pytest.mark.parametrize("own_namespace", [True, False])
def test_absent_in_the_other_place_removes_nothing(node: Node, own_namespace: bool) -> None:
    run_engine(node, [router()], use_namespaces=not own_namespace, router_id="r1")
    before = snapshot(node)
    for kind, params in (("interface", {"id": "bbbb0000-web-port"}), ("floating_ip", {"floating_ip_address": "203.0.113.20"})):
        result = run_object(node, kind, router_id="r1", state="absent", use_namespaces=own_namespace, **params)
        assert result["changed"] is False
    assert differences(before, snapshot(node)) == []


@pytest.mark.parametrize(
    ("sabotage", "reason"),
    [
        ("ip link delete dev tapaaaa0000-ex", "the device of its gateway is gone"),
        ("ip netns exec qrouter-r1 iptables -t nat -F", "rules of its table nat are gone"),
        ("ip -n qrouter-r1 link set dev qg-aaaa0000-ex down", "device qg-aaaa0000-ex is down"),
        ("ip -n qrouter-r1 address flush dev qr-cccc0000-db", "device qr-cccc0000-db has no address"),
        ("ip link set dev tapbbbb0000-we alias other", "device qr-bbbb0000-we is not plugged in as a run does it"),
    ],
)
def test_a_router_that_is_not_whole_is_not_edited(node: Node, sabotage: str, reason: str) -> None:
    run_engine(node, [router()])
    node.run(*sabotage.split())
    before = snapshot(node)
    for kind, params in (
        ("interface", {"id": "dddd0000-x", "network_id": "x", "addresses": ["10.9.0.1/24"]}),
        ("floating_ip", {"floating_ip_address": "203.0.113.20", "state": "absent"}),
    ):
        result = run_object(node, kind, router_id="r1", **params)
        assert result["msg"].startswith(f"Router r1 is not whole: {reason}. Converge it with l3_routers first")
    assert differences(before, snapshot(node)) == []
    assert "failed" not in run_engine(node, [router()])


def test_a_router_that_lives_elsewhere_is_not_moved_by_the_way(node: Node) -> None:
    run_engine(node, [router()], use_namespaces=False, router_id="r1")
    before = snapshot(node)
    result = run_object(node, "router", id="r1", gateway=router()["gateway"])
    assert result["msg"].startswith("Router r1 lives in the node's own namespace: use_namespaces says otherwise")
    assert differences(before, snapshot(node)) == []
