# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Port forwardings in the kernel: they come back as they were given, change rule by rule, and go without a trace."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Node
from sandbox.engine import run_engine, run_object

from ..gathered import comparable, expected
from ..kernel_state import differences, snapshot
from ..routers import forwarding, router, small_router

SAVE = ("ip", "netns", "exec", "qrouter-r1", "iptables-save", "-t", "nat")
ALL = [
    forwarding(80, 8080),
    forwarding(1, 65535),
    forwarding("8000:8009", "9000:9009"),
    forwarding("1:65535", "1:65535", protocol="udp"),
    forwarding("2:65535", 22, floating_ip_address="203.0.113.31"),
    forwarding("443:443", 443, floating_ip_address="203.0.113.31", protocol="udp", id="web"),
]
OF_ADDRESS = "address 203.0.113.30/32 %s qg-aaaa0000-ex"


def run(node: Node, forwardings: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    predicted = run_engine(node, [router(port_forwardings=forwardings)], check=True, diff=True, **options)
    result = run_engine(node, [router(port_forwardings=forwardings)], diff=True, **options)
    assert "failed" not in result, result["msg"]
    assert [predicted[key] for key in ("routers", "diff")] == [result[key] for key in ("routers", "diff")]
    return result


def actions(result: dict[str, Any]) -> list[str]:
    [entry] = result["routers"]
    return list(entry["actions"])


def test_they_come_back_change_nothing_again_and_go_without_a_trace(node: Node) -> None:
    run(node, [])
    without = snapshot(node)
    assert OF_ADDRESS % "added to" in actions(run(node, ALL))
    gathered = run_engine(node, None, state="gathered")["gathered"]
    data = [router(port_forwardings=ALL)]
    assert comparable(gathered, data) == expected(data)
    for routers in ([router(port_forwardings=ALL[::-1])], gathered):
        again = run_engine(node, routers)
        assert (again["changed"], again["cost"]["commands"].get("iptables-restore")) == (False, None)
    gone = actions(run(node, []))
    assert OF_ADDRESS % "removed from" in gone
    assert "stale flows to 203.0.113.30 tcp 1 ended" in gone
    assert differences(without, snapshot(node)) == []


@pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp", "dccp"])
def test_each_protocol_is_added_and_removed_by_its_own_rules(node: Node, protocol: str) -> None:
    if node.run("iptables", "-A", "OUTPUT", "-p", protocol, "--dport", "1", check=False).returncode != 0:
        pytest.skip(f"this kernel cannot match ports of {protocol}")
    kept, other = forwarding(80, 81, protocol=protocol), forwarding("90:99", "190:199", protocol=protocol)
    run(node, [kept])
    before = node.run(*SAVE).stdout.splitlines()
    added = actions(run(node, [kept, other]))
    rule = f"-d 203.0.113.30/32 -p {protocol} -m {protocol} --dport 90:99 -j DNAT --to-destination 10.0.0.5:190-199/90"
    assert added == [
        f"rule added to chain l3-OUTPUT of table nat: {rule}",
        f"rule added to chain l3-PREROUTING of table nat: {rule}",
        f"stale flows to 203.0.113.30 {protocol} 90:99 ended",
    ]
    assert not run_engine(node, [router(port_forwardings=[other, kept])])["changed"]
    assert len(actions(run(node, [kept]))) == len(added)
    after = node.run(*SAVE).stdout.splitlines()
    assert [line for line in after if line.startswith("-A")] == [line for line in before if line.startswith("-A")]


def test_a_floating_ip_becomes_one_for_an_address_and_back_without_going(node: Node) -> None:
    run(node, [forwarding(80, 80)])
    floating_ip = {"floating_ip_address": "203.0.113.30", "fixed_ip_address": "10.0.0.5"}
    whole = run_engine(node, [router(floating_ips=[*router()["floating_ips"], floating_ip])])
    assert "failed" not in whole
    back = run(node, [forwarding(80, 80)])
    assert not [action for action in (*actions(whole), *actions(back)) if "address" in action.split()]


def test_a_hundred_cost_no_more_processes_than_one(node: Node) -> None:
    def cost(forwardings: list[dict[str, Any]]) -> dict[str, int]:
        done: dict[str, int] = run_engine(node, [small_router(1, port_forwardings=forwardings)])["cost"]["commands"]
        return done

    cost([forwarding(1, 1)])
    many = [forwarding(n, n + 1) for n in range(1, 101)]
    changed = {"iptables-save": 1, "iptables-restore": 1, "conntrack": 1}
    assert [cost(many), cost(many), cost(many), cost(many[:1])] == [
        changed,
        {"iptables-save": 1},
        {},
        changed,
    ]


def test_the_modules_of_single_objects_leave_them_as_they_are(node: Node) -> None:
    run(node, ALL)
    before = run_engine(node, None, state="gathered")["gathered"]
    own = {key: router()[key] for key in ("id", "gateway", "routes")}
    assert run_object(node, "router", **own)["changed"] is False
    made = run_object(node, "floating_ip", router_id="r1", floating_ip_address="203.0.113.50", fixed_ip_address="10.0.0.6")
    assert made["changed"] and "failed" not in made
    run_object(node, "floating_ip", router_id="r1", floating_ip_address="203.0.113.50", state="absent")
    assert run_engine(node, None, state="gathered")["gathered"] == before
    refused = run_object(node, "floating_ip", router_id="r1", floating_ip_address="203.0.113.30", fixed_ip_address="10.0.0.6")
    assert refused["failed"] and "all ports of 203.0.113.30 lead to its fixed address 10.0.0.6" in refused["msg"]


def test_with_errors_the_router_is_left_as_it_is(node: Node) -> None:
    run(node, [forwarding(80, 80)])
    before = snapshot(node)
    result = run_engine(node, [router(port_forwardings=[forwarding(80, 81), forwarding("70:80", 80)])])
    assert result["routers"][0]["error"] == (
        "routers[0].port_forwardings[0]: tcp port 80 of this floating IP stands at routers[0].port_forwardings[1] already"
    )
    assert differences(before, snapshot(node)) == []


def test_what_builds_them_is_rendered(node: Node) -> None:
    [entry] = run_engine(node, [router(port_forwardings=ALL[:1])], state="rendered")["rendered"]
    assert "ip -n qrouter-r1 address add 203.0.113.30/32 dev qg-aaaa0000-ex" in entry["commands"]
    rule = "-A l3-PREROUTING -d 203.0.113.30/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.5:8080"
    assert rule in entry["rules"]["iptables-restore"].splitlines()
