# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of nftables: each part of it is needed, what people do to it is repaired, and a router goes over to it and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..kernel_state import differences, snapshot
from ..routers import DB_BRIDGE, TFTP, WEB_BRIDGE, forwarding, router
from .traffic import Session, SteadyStream, serve_echo

pytestmark = pytest.mark.firewall_driver("nftables")

NAMESPACE = "qrouter-r1"
OUTSIDE, ROUTER, FLOATING, FORWARDED = "203.0.113.1", "203.0.113.10", "203.0.113.20", "203.0.113.30"
GATEWAY = "qg-aaaa0000-ex"
FORWARDINGS = [
    forwarding(7777, 7777, internal_ip_address="10.0.1.5"),
    forwarding("7000:7009", "7770:7779", internal_ip_address="10.0.1.5"),
    forwarding("7770:7776", "7770:7776", protocol="udp", internal_ip_address="10.0.1.5"),
]
DATA = router(port_forwardings=FORWARDINGS)


@dataclass
class Lab:
    """A node with a router, an outside host, and machines with and without a floating IP in its two networks."""

    node: Node
    outside: Machine
    web: Machine
    plain: Machine
    db: Machine

    def converge(self, changed: dict[str, Any] | None = None, **options: Any) -> list[str]:
        data = changed or DATA
        predicted = run_engine(self.node, [data], check=True, diff=True, **options)
        result = run_engine(self.node, [data], diff=True, **options)
        assert "failed" not in result, result["msg"]
        assert (result["routers"], result["diff"]) == (predicted["routers"], predicted["diff"])
        assert not run_engine(self.node, [data], **options)["changed"]
        return list(result["routers"][0]["actions"])

    def inside(self, *command: str) -> str:
        return self.node.run("ip", "netns", "exec", NAMESPACE, *command).stdout

    def tables(self) -> list[str]:
        return self.inside("nft", "list", "tables").splitlines()

    def handle(self, chain: str, beginning: str) -> str:
        """The number by which nft deletes a rule."""
        lines = self.inside("nft", "--handle", "list", "chain", "inet", "l3", chain).splitlines()
        [handle] = [line.rpartition(" # handle ")[2] for line in lines if line.strip().startswith(beginning)]
        return handle


@pytest.fixture(scope="module")
def lab(firewall_driver: str) -> Iterator[Lab]:
    with Node("node") as node:
        node.add_bridge("br-ex")
        assert "failed" not in run_engine(node, [DATA])
        lab = Lab(
            node,
            outside=Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24"]),
            web=Machine(node, "web", WEB_BRIDGE, ["10.0.0.5/24"], [("default", "10.0.0.1")]),
            plain=Machine(node, "plain", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")]),
            db=Machine(node, "db", DB_BRIDGE, ["10.0.1.5/24"], [("default", "10.0.1.1")]),
        )
        for machine in (lab.outside, lab.web, lab.db):
            machine.serve_whoami()
        for machine in (lab.outside, lab.web):
            serve_echo(machine)
        yield lab


def from_router(lab: Lab) -> str | None:
    ask = f"import socket; print(socket.create_connection(('{FLOATING}', 7777), 2).recv(99).decode())"
    command = ("ip", "netns", "exec", NAMESPACE, "/usr/bin/python3", "-c", ask)
    return lab.node.run(*command, check=False).stdout.strip() or None


CHECKS = {
    "out": (lambda lab: lab.plain.seen_as(OUTSIDE), ROUTER),
    "out with a floating IP": (lambda lab: lab.web.seen_as(OUTSIDE), FLOATING),
    "in": (lambda lab: lab.outside.seen_as(FLOATING), OUTSIDE),
    "in from the same network": (lambda lab: lab.plain.seen_as(FLOATING), ROUTER),
    "in from the router": (from_router, ROUTER),
    "in by a port": (lambda lab: lab.outside.seen_as(FORWARDED), OUTSIDE),
    "in by a port of a range": (lambda lab: lab.outside.seen_as(FORWARDED, 7007), OUTSIDE),
}
# A chain and the beginning of a rule in it, or a map and an element; and what no longer works without it.
NEEDED = {
    ("prerouting", "jump destination_nat"): "in",
    ("output", "jump destination_nat"): "in from the router",
    ("destination_nat", "dnat ip to ip daddr map @floating_ips"): "in",
    ("destination_nat", "dnat ip to ip daddr . meta l4proto . th dport map @forwarded_ports"): "in by a port",
    ("postrouting", f'oifname "{GATEWAY}"'): "out",
    ("postrouting", 'oifname "qr-*"'): "in from the same network",
    ("source_nat", "snat ip to ip saddr map @fixed_ips"): "out with a floating IP",
    ("source_nat", f'oifname "{GATEWAY}" snat'): "out",
    ("source_nat", 'iifname != "qg-*"'): "in from the same network",
    ("floating_ips", FLOATING): "in",
    ("fixed_ips", "10.0.0.5"): "out with a floating IP",
    ("forwarded_ports", f"{FORWARDED} . tcp . 7777"): "in by a port",
    ("forwarded_ports", f"{FORWARDED} . tcp . 7007"): "in by a port of a range",
}


@pytest.mark.parametrize("what", CHECKS)
def test_packets(lab: Lab, what: str) -> None:
    see, expected = CHECKS[what]
    assert see(lab) == expected


@pytest.mark.parametrize("part", NEEDED, ids=" ".join)
def test_each_rule_and_each_element_is_needed(lab: Lab, part: tuple[str, str]) -> None:
    place, what = part
    see, expected = CHECKS[NEEDED[part]]
    if place.endswith(("_ips", "_ports")):
        lab.inside("nft", f"delete element inet l3 {place} {{ {what} }}")
    else:
        lab.inside("nft", f"delete rule inet l3 {place} handle {lab.handle(place, what)}")
    try:
        assert see(lab) != expected
    finally:
        action, *more = lab.converge()
    kind = "map" if place.endswith(("_ips", "_ports")) else "chain"
    assert action.startswith(f"{'element' if kind == 'map' else 'rule'} added to {kind} {place} of table l3: {what}")
    assert all(sentence.startswith(("flows", "stale flows")) for sentence in more)
    assert see(lab) == expected


def test_a_range_that_keeps_its_ports(lab: Lab) -> None:
    echo = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 7773)); print('ready', flush=True)"
    server = lab.db.start("/usr/bin/python3", "-c", f"{echo}; data, peer = s.recvfrom(9); s.sendto(data, peer)")
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    ask = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.settimeout(5)"
    said = lab.outside.run("/usr/bin/python3", "-c", f"{ask}; s.sendto(b'hello', ('{FORWARDED}', 7773)); print(s.recv(9))").stdout
    assert said == "b'hello'\n"


_L3 = "of table l3"
SABOTAGES: dict[str, tuple[str, list[str]]] = {
    "element added": (
        "add element inet l3 floating_ips { 203.0.113.66 : 10.0.0.66 }",
        [f"element removed from map floating_ips {_L3}: 203.0.113.66 : 10.0.0.66", "flows through 203.0.113.66 ended"],
    ),
    "element that leads elsewhere": (
        "delete element inet l3 fixed_ips { 10.0.0.5 }; add element inet l3 fixed_ips { 10.0.0.5 : 203.0.113.21 }",
        [
            f"element removed from map fixed_ips {_L3}: 10.0.0.5 : 203.0.113.21",
            f"element added to map fixed_ips {_L3}: 10.0.0.5 : 203.0.113.20",
        ],
    ),
    "rule added": ("insert rule inet l3 source_nat drop", [f"rule removed from chain source_nat {_L3}: drop"]),
    "comment of a chain": (
        'add chain inet l3 theirs { comment "x, { y }"; }',
        [f"chain theirs {_L3} removed"],
    ),
    "set added": (
        'add set inet l3 theirs { type ipv4_addr; flags interval; comment "a, b"; elements = { 10.0.0.0/8 comment "c } d" } }',
        [f"set theirs {_L3} removed"],
    ),
    "rule with a comment that looks like a chain": (
        'insert rule inet l3 source_nat drop comment "a\n\t}\n\tchain theirs {\n\t\tdrop\n"',
        [f'rule removed from chain source_nat {_L3}: drop comment "a\n\t}}\n\tchain theirs {{\n\t\tdrop\n"'],
    ),
    "element with a comment that looks like a chain": (
        'add element inet l3 floating_ips { 203.0.113.66 comment "a\n\t}\n\tchain theirs {\n\t\tdrop\n" : 10.0.0.66 }',
        [
            f"element removed from map floating_ips {_L3}: 203.0.113.66"
            ' comment "a\n\t}\n\tchain theirs {\n\t\tdrop\n" : 10.0.0.66',
            "flows through 203.0.113.66 ended",
        ],
    ),
    "counter added": ("add counter inet l3 theirs", [f"counter theirs {_L3} removed"]),
    "base chain that drops": (
        "add chain inet l3 theirs { type filter hook forward priority 5; policy drop; }",
        [f"chain theirs {_L3} removed"],
    ),
    "map of another kind": (
        "flush chain inet l3 source_nat; delete map inet l3 fixed_ips;"
        " add map inet l3 fixed_ips { type ipv4_addr : ipv4_addr; flags interval; }",
        [
            f"rule added to chain source_nat {_L3}: snat ip to ip saddr map @fixed_ips fully-random",
            f'rule added to chain source_nat {_L3}: oifname "{GATEWAY}" snat ip to 203.0.113.10 fully-random',
            f'rule added to chain source_nat {_L3}: iifname != "qg-*" ct status dnat snat ip to 203.0.113.10 fully-random',
            f"map fixed_ips {_L3} made anew with 2 elements",
        ],
    ),
    "table that sleeps": ("add table inet l3 { flags dormant; }", [f"flags dormant {_L3} removed"]),
}


@pytest.mark.parametrize("name", SABOTAGES)
def test_what_is_done_to_the_table_is_repaired_and_named(lab: Lab, name: str) -> None:
    before = snapshot(lab.node)
    commands, expected = SABOTAGES[name]
    lab.inside("nft", commands)
    assert differences(before, snapshot(lab.node)) != []
    assert lab.converge() == expected
    assert differences(before, snapshot(lab.node)) == []


def test_a_table_that_is_gone_comes_back(lab: Lab) -> None:
    before = snapshot(lab.node)
    lab.inside("nft", "delete table inet l3")
    made = [action for action in lab.converge() if not action.startswith("stale flows")]
    assert made
    assert all(" of table l3 created with " in action for action in made)
    assert differences(before, snapshot(lab.node)) == []


def test_foreign_tables_are_left_alone_and_named(lab: Lab) -> None:
    for command in ("add table inet theirs", "add table ip nat", "add chain ip nat OWN", "add rule ip nat OWN accept"):
        lab.inside("nft", command)
    [entry] = run_engine(lab.node, [DATA])["routers"]
    assert entry["foreign"] == ["rule in chain OWN of table nat: -j ACCEPT", "table inet theirs"]
    assert entry["actions"] == []
    assert lab.tables() == ["table inet l3", "table inet theirs", "table ip nat"]
    for table in ("inet theirs", "ip nat"):
        lab.inside("nft", f"delete table {table}")


def test_a_router_goes_over_and_back_and_no_connection_notices(lab: Lab) -> None:
    """In between, sessions go on and new ones come to be; afterwards nothing is left of the other driver's rules."""
    before = snapshot(lab.node)
    ways = {"out": (lab.plain, OUTSIDE), "in": (lab.outside, FLOATING), "out with a floating IP": (lab.web, OUTSIDE)}
    sessions = {way: Session(*ends) for way, ends in ways.items()}
    streams = {way: SteadyStream(*ends) for way, ends in ways.items()}
    for _round in range(3):
        away = lab.converge(firewall_driver="iptables")
        assert away[-1] == "table l3 removed"
        assert {table for table in lab.tables() if "l3" in table} == set()
        assert all(see(lab) == expected for see, expected in CHECKS.values())
        back = lab.converge()
        assert back[-1] == "table nat removed"
        assert lab.tables() == ["table inet l3"]
        assert all(see(lab) == expected for see, expected in CHECKS.values())
    tallies = {way: stream.tally() for way, stream in streams.items()}
    assert {way: tally.lost for way, tally in tallies.items()} == dict.fromkeys(ways, 0)
    assert {way: session.went_on() for way, session in sessions.items()} == dict.fromkeys(ways, True)
    assert differences(before, snapshot(lab.node)) == []


def test_foreign_rules_of_iptables_keep_their_table(lab: Lab) -> None:
    lab.converge(firewall_driver="iptables")
    lab.inside("iptables", "-t", "nat", "-A", "POSTROUTING", "-s", "192.0.2.1/32", "-j", "ACCEPT")
    actions = lab.converge()
    assert "chain l3-snat of table nat removed" in actions
    saved = lab.inside("iptables-save")
    assert [line for line in saved.splitlines() if line.startswith("-A")] == ["-A POSTROUTING -s 192.0.2.1/32 -j ACCEPT"]
    assert "l3-" not in saved
    lab.inside("iptables", "-t", "nat", "-D", "POSTROUTING", "-s", "192.0.2.1/32", "-j", "ACCEPT")
    assert lab.converge() == ["table nat removed"]


def test_from_the_legacy_variant(node: Node) -> None:
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            node.run("ln", "-sfn", f"/usr/sbin/{name}-legacy{suffix}", f"/etc/alternatives/{name}{suffix}")
    lab = Lab(node, *[Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24"])] * 4)
    lab.converge(firewall_driver="iptables")
    assert "l3-snat" in lab.inside("iptables-legacy-save")
    assert "chain l3-snat of table nat removed" in lab.converge()
    assert "l3-" not in lab.inside("iptables-legacy-save")
    lab.converge(firewall_driver="iptables")
    assert lab.tables() == []


def test_without_the_commands_of_iptables(node: Node) -> None:
    """They are not needed, but where there are rules that they made: these would go on translating."""
    lab = Lab(node, *[Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24"])] * 4)
    lab.converge(firewall_driver="iptables")
    before = lab.inside("nft", "--stateless", "list", "ruleset")
    paths = [f"/etc/alternatives/{name}{suffix}" for name in ("iptables", "ip6tables") for suffix in ("", "-save", "-restore")]
    targets = {path: node.run("readlink", path).stdout.strip() for path in paths}
    node.run("rm", *paths)
    assert run_engine(node, [DATA])["msg"].splitlines()[1] == (
        "router r1: iptables-save: the node lacks it, and has rules that were made by it. Install the package iptables until they"
        " are gone"
    )
    assert lab.inside("nft", "--stateless", "list", "ruleset") == before
    for path, target in targets.items():
        node.run("ln", "-s", target, path)
    lab.converge()
    node.run("rm", *paths)
    lab.inside("nft", "add table ip nat")
    lab.converge(router(floating_ips=[]))
    assert run_engine(node, [DATA])["routers"][0]["foreign"] == ["table ip nat"]


def test_protocols_are_known_where_nothing_tells_their_names(node: Node) -> None:
    """nft then tells their numbers."""
    node.run("rm", "/etc/protocols")
    lab = Lab(node, *[Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24"])] * 4)
    others = [forwarding(9, 9, protocol=protocol) for protocol in ("sctp", "dccp")]
    lab.converge(router(port_forwardings=[*FORWARDINGS, *others], conntrack_helpers=[TFTP]))
    [gathered] = run_engine(node, None, "gathered")["gathered"]
    assert {entry["protocol"] for entry in gathered["port_forwardings"]} == {"tcp", "udp", "sctp", "dccp"}


def test_the_data_comes_back(lab: Lab) -> None:
    [gathered] = run_engine(lab.node, None, "gathered")["gathered"]
    assert [entry["external_port_range"] for entry in gathered["port_forwardings"] if "external_port_range" in entry] == [
        "7000:7009",
        "7770:7776",
    ]
    assert lab.converge(gathered) == []


def test_one_floating_ip_of_many_is_one_element(lab: Lab) -> None:
    many = [{"floating_ip_address": f"203.0.113.{n}", "fixed_ip_address": f"10.0.0.{n}"} for n in range(100, 200)]
    lab.converge(router(floating_ips=many))
    moved = [{**many[0], "fixed_ip_address": "10.0.0.99"}, *many[1:]]
    result = run_engine(lab.node, [router(floating_ips=moved)])
    assert result["cost"]["commands"] == {"nft": 2, "conntrack": 1}
    assert result["routers"][0]["actions"] == [
        f"element removed from map fixed_ips {_L3}: 10.0.0.100 : 203.0.113.100",
        f"element added to map fixed_ips {_L3}: 10.0.0.99 : 203.0.113.100",
        f"element removed from map floating_ips {_L3}: 203.0.113.100 : 10.0.0.100",
        f"element added to map floating_ips {_L3}: 203.0.113.100 : 10.0.0.99",
        "flows through 203.0.113.100 ended",
    ]
    assert json.loads(lab.inside("nft", "--json", "list", "map", "inet", "l3", "floating_ips"))
    lab.converge()
