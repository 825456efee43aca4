# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is changed by hand is seen, repaired alone, and named."""

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


def test_every_sysctl(built: Node) -> None:
    for key, value in (
        ("net.ipv4.ip_forward", "0"),
        ("net.ipv6.conf.all.forwarding", "0"),
        ("net.ipv4.conf.all.arp_ignore", "0"),
        ("net.ipv4.conf.all.arp_announce", "0"),
        ("net.ipv4.conf.all.promote_secondaries", "0"),
        ("net.netfilter.nf_conntrack_tcp_be_liberal", "0"),
        (f"net.ipv6.conf.{GATEWAY}.accept_ra", "1"),
    ):
        right = built.run("ip", "netns", "exec", NAMESPACE, "sysctl", "-n", key).stdout.strip()
        assert repair(built, "sysctl", "-q", "-w", f"{key}={value}") == [f"sysctl {key} set to {right}"]


@pytest.mark.parametrize(
    ("sabotage", "actions"),
    [
        (f"ip link set dev {WEB} address fa:16:3e:99:99:99", [f"MAC address of {WEB} set to fa:16:3e:00:00:c0"]),
        (f"ip link set dev {WEB} mtu 1400", [f"MTU of {WEB} set to 1450"]),
        (f"ip link set dev {WEB} alias other", [f"alias of {WEB} set to bbbb0000-web-port"]),
        (f"ip address add 192.0.2.9/24 dev {WEB}", [f"address 192.0.2.9/24 removed from {WEB}"]),
        (f"ip address add 192.0.2.9 peer 192.0.2.8/31 dev {WEB}", [f"address 192.0.2.9 peer 192.0.2.8/31 removed from {WEB}"]),
        (f"ip address add 2001:db8:99::9/64 dev {WEB}", [f"address 2001:db8:99::9/64 removed from {WEB}"]),
        (f"ip route add 192.0.2.0/24 dev {WEB}", [f"route 192.0.2.0/24 dev {WEB} proto boot removed"]),
        ("ip route add 192.0.2.0/24 via 10.0.0.9 metric 7", [f"route 192.0.2.0/24 via 10.0.0.9 dev {WEB} proto boot removed"]),
        ("ip route add blackhole 192.0.2.0/24", ["route blackhole 192.0.2.0/24 proto boot removed"]),
        (
            f"ip route add 192.0.2.0/24 dev {WEB} table 77",
            [f"route 192.0.2.0/24 dev {WEB} proto boot table 77 removed"],
        ),
        (
            "ip route replace 192.168.51.0/24 via 10.0.0.9 proto static",
            ["route 192.168.51.0/24 via 10.0.1.254 dev qr-cccc0000-db replaced"],
        ),
        (
            "ip route append 192.168.51.0/24 via 10.0.0.9 proto static",
            [f"route 192.168.51.0/24 via 10.0.0.9 dev {WEB} removed"],
        ),
        (
            "ip -6 route add 2001:db8:55::/48 via 2001:db8:1::9",
            [f"route 2001:db8:55::/48 via 2001:db8:1::9 dev {WEB} proto boot removed"],
        ),
        (
            "iptables -t nat -I l3-snat -j ACCEPT",
            ["rule removed from chain l3-snat of table nat: -j ACCEPT"],
        ),
        ("iptables -t nat -N l3-stray", ["chain l3-stray of table nat removed"]),
        ("iptables -P FORWARD DROP", ["policy of chain FORWARD of table filter set to ACCEPT"]),
        ("ip6tables -N l3-stray", ["chain l3-stray of table filter (IPv6) removed"]),
        (
            "iptables -t nat -A PREROUTING -j l3-PREROUTING",
            ["rules of chain PREROUTING of table nat put in order"],
        ),
    ],
)
def test_a_change_by_hand(built: Node, sabotage: str, actions: list[str]) -> None:
    assert repair(built, *sabotage.split()) == actions


@pytest.mark.parametrize(
    ("sabotage", "actions"),
    [
        ("ip link set dev tapbbbb0000-we down", ["device tapbbbb0000-we set up"]),
        ("ip link set dev tapbbbb0000-we mtu 1400", ["MTU of tapbbbb0000-we set to 1450"]),
        ("ip link set dev tapbbbb0000-we nomaster", [f"device {WEB} moved to bridge brqweb-network"]),
        ("ip link set dev tapbbbb0000-we master br-ex", [f"device {WEB} moved to bridge brqweb-network"]),
        ("ip link set dev brqweb-network down", ["bridge brqweb-network set up"]),
        ("ip link set dev tapbbbb0000-we alias x", ["alias of tapbbbb0000-we set to netnode.l3/r1/web-network"]),
    ],
)
def test_a_change_outside_of_the_namespace(built: Node, sabotage: str, actions: list[str]) -> None:
    assert repair(built, *sabotage.split(), root=True) == actions


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


def test_a_device_that_is_down_comes_up_with_all_that_the_kernel_took(built: Node) -> None:
    actions = repair(built, "ip", "link", "set", "dev", WEB, "down")
    assert actions[0] == f"device {WEB} set up"
    assert f"route 192.168.50.0/24 via 10.0.0.253 dev {WEB} and via 10.0.0.254 dev {WEB} added" in actions


def test_an_mtu_without_ipv6_is_repaired_with_what_the_kernel_took(built: Node) -> None:
    actions = repair(built, "ip", "link", "set", "dev", GATEWAY, "mtu", "1000")
    parameters = [f"sysctl net.ipv6.conf.{GATEWAY}.{key} set to 0" for key in ("addr_gen_mode", "accept_ra")]
    assert actions[:3] == [f"MTU of {GATEWAY} set to 1500", *parameters]
    assert f"address 2001:db8:e::10/64 added to {GATEWAY}" in actions


def test_a_device_that_was_renamed_or_taken_out_is_made_again(built: Node) -> None:
    before = snapshot(built)
    for sabotage, action in (
        (f"ip -n {NAMESPACE} link set dev {WEB} name was-web", "stale device tapbbbb0000-we removed"),
        (f"ip -n {NAMESPACE} link set dev {WEB} netns 1", f"device {WEB} removed"),
    ):
        built.run("ip", "-n", NAMESPACE, "link", "set", "dev", WEB, "down")
        built.run(*sabotage.split())
        [entry] = run_engine(built, [router()])["routers"]
        assert action in entry["actions"]
        assert differences(before, snapshot(built)) == []


def test_a_bridge_that_is_gone_is_made_again(built: Node) -> None:
    actions = repair(built, "ip", "link", "delete", "brqweb-network", root=True)
    assert actions == ["bridge brqweb-network created", f"device {WEB} moved to bridge brqweb-network"]


@pytest.mark.parametrize("sabotage", ["umount /run/netns/qrouter-r1", "ip netns delete qrouter-r1"])
def test_a_namespace_that_is_gone_or_dead_is_made_again(built: Node, sabotage: str) -> None:
    actions = repair(built, *sabotage.split(), root=True)
    assert "namespace qrouter-r1 created" in actions


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
