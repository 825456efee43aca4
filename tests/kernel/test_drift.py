# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each part of a router that is taken away by hand is seen, repaired alone, and named. Foreign things stay.

The catalogue of all that people do to a router is ``tests/sabotages.py``.
"""

from __future__ import annotations

import json

import pytest

from sandbox import Node
from sandbox.engine import run_engine

from ..kernel_state import differences, snapshot
from ..routers import router

NAMESPACE = "qrouter-r1"
WEB, GATEWAY = "qr-bbbb0000-we", "qg-aaaa0000-ex"


def repair(node: Node, *sabotage: str, root: bool = False) -> list[str]:
    """Do damage, see that check mode tells it, repair it, and see that all is as before. Returns the actions."""
    before = snapshot(node)
    node.run(*([] if root else ["ip", "netns", "exec", NAMESPACE]), *sabotage)
    predicted = run_engine(node, [router()], check=True, diff=True)
    assert [d["before"] != d["after"] for d in predicted["diff"]] == [True]
    result = run_engine(node, [router()])
    assert "failed" not in result
    actions = result["routers"][0]["actions"]
    assert actions == predicted["routers"][0]["actions"]
    assert differences(before, snapshot(node)) == []
    return list(actions)


@pytest.fixture
def built(node: Node) -> Node:
    run_engine(node, [router()])
    return node


def test_every_address(built: Node) -> None:
    links = json.loads(built.run("ip", "-n", NAMESPACE, "-json", "address", "show").stdout)
    pairs = [
        (link["ifname"], f"{a['local']}/{a['prefixlen']}")
        for link in links
        if link["ifname"] != "lo"
        for a in link["addr_info"]
        if a["scope"] != "link"
    ]
    assert len(pairs) == 7
    for device, address in pairs:
        actions = repair(built, "ip", "address", "delete", address, "dev", device)
        assert actions[0] == f"address {address} added to {device}"
        # The kernel takes the routes of a network with its last address; nothing but those may follow.
        assert all(action.startswith("route ") for action in actions[1:])


def test_every_route(built: Node) -> None:
    routes = built.run("ip", "-n", NAMESPACE, "-oneline", "route", "show", "table", "all", "proto", "static").stdout.splitlines()
    assert len(routes) == 6
    for line in routes:
        family = ["-6"] if "metric 1024" in line else []
        destination = line.split()[0]
        [action] = repair(built, "ip", *family, "route", "delete", destination, "proto", "static")
        assert action.startswith(f"route {'::/0' if family and destination == 'default' else destination} ")
        assert action.endswith(" added")


def test_every_rule(built: Node) -> None:
    saved = built.run("ip", "netns", "exec", NAMESPACE, "iptables-save", "-t", "nat").stdout.splitlines()
    rules = [line[3:] for line in saved if line.startswith("-A ")]
    assert len(rules) == 3 + 12
    for rule in rules:
        chain, text = rule.split(" ", 1)
        [action] = repair(built, "iptables", "-t", "nat", "-D", *rule.split())
        assert action == f"rule added to chain {chain} of table nat: {text}"


def test_every_device(built: Node) -> None:
    for device in (WEB, GATEWAY, "qr-cccc0000-db"):
        actions = repair(built, "ip", "link", "delete", device)
        assert actions[0].startswith(f"device {device} created on bridge ")
    for peer in ("tapaaaa0000-ex", "tapbbbb0000-we"):
        actions = repair(built, "ip", "link", "delete", peer, root=True)
        assert actions[0].startswith("device q")


def test_a_foreign_chain_that_jumps_to_ours_does_not_keep_it_alive(built: Node) -> None:
    for command in ("-N l3-old", "-N THEIRS", "-A THEIRS -s 192.0.2.1/32 -j ACCEPT", "-A THEIRS -j l3-old"):
        built.run("ip", "netns", "exec", NAMESPACE, "iptables", *command.split())
    [entry] = run_engine(built, [router()])["routers"]
    assert entry["actions"] == [
        "rule removed from chain THEIRS of table filter: -j l3-old",
        "chain l3-old of table filter removed",
    ]
    assert entry["foreign"] == ["rule in chain THEIRS of table filter: -s 192.0.2.1/32 -j ACCEPT"]
    assert not run_engine(built, [router()])["changed"]


RULES_IN_OUR_CHAIN = (
    "-j ACCEPT",
    "-p tcp -m tcp --sport 1:5 --tcp-flags SYN,ACK SYN -j RETURN",
    "! -s 10.0.0.0/8 -p udp -m udp ! --dport 53 -j DNAT --to-destination 10.0.0.1-10.0.0.9:1-5 --persistent",
    "-m conntrack --ctstate NEW,ESTABLISHED --ctproto 6 -j MARK --set-xmark 0x1/0x1",
    "-i q+ -p tcp -m mark ! --mark 0x1/0xff -j REDIRECT --to-ports 1-9 --random",
    "-d 203.0.113.0/25 -g l3-OUTPUT",
    "-m limit --limit 5/sec -j ACCEPT",
    "-m statistic --mode nth --every 3 --packet 0 -j ACCEPT",
    '-m comment --comment "-j ACCEPT" -j LOG',
)


@pytest.mark.parametrize("variant", ["nft", "legacy"])
def test_rules_of_all_kinds_go_from_our_chains(node: Node, variant: str) -> None:
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            node.run("ln", "-sfn", f"/usr/sbin/{name}-{variant}{suffix}", f"/etc/alternatives/{name}{suffix}")
    run_engine(node, [router()])
    before = snapshot(node)
    for rule in RULES_IN_OUR_CHAIN:
        command = f"iptables -t nat -I l3-PREROUTING 2 {rule}"
        node.run("ip", "netns", "exec", NAMESPACE, "/bin/sh", "-c", command)
        result = run_engine(node, [router()])
        assert "failed" not in result, result["msg"]
        assert differences(before, snapshot(node)) == []


def test_foreign_things_are_left_alone_and_named(built: Node) -> None:
    for command in (
        "ip link add name own-vpn type bridge",
        "ip address add 172.30.0.1/24 dev own-vpn",
        "ip link set dev own-vpn up",
        "ip route add 172.31.0.0/16 via 172.30.0.2",
        "iptables -A FORWARD -s 192.0.2.1/32 -j DROP",
        "iptables -t nat -I PREROUTING -s 192.0.2.1/32 -j ACCEPT",
        "iptables -N theirs",
        "ip6tables -A INPUT -s 2001:db8::1/128 -j DROP",
        "ip rule add pref 1000 l3mdev protocol kernel",  # as with the first VRF
    ):
        built.run("ip", "netns", "exec", NAMESPACE, *command.split())
    before = snapshot(built)
    [entry] = run_engine(built, [router()])["routers"]
    assert entry["foreign"] == [
        "device own-vpn",
        "rule in chain FORWARD of table filter: -s 192.0.2.1/32 -j DROP",
        "rule in chain PREROUTING of table nat: -s 192.0.2.1/32 -j ACCEPT",
        "rule in chain INPUT of table filter: -s 2001:db8::1/128 -j DROP (IPv6)",
    ]
    # Our jump goes back to the first place, and nothing else changes.
    assert entry["actions"] == ["rules of chain PREROUTING of table nat put in order"]
    assert all("/rules/iptables-save" in line for line in differences(before, snapshot(built)))
    assert run_engine(built, [router()])["changed"] is False
