# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which packets pass between address scopes, which are translated, and that each of the rules is needed for it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..kernel_state import differences, snapshot
from ..routers import DB_BRIDGE, WEB_BRIDGE, router, scoped_router
from .traffic import PYTHON, Session, serve_echo

NAMESPACE = ["ip", "netns", "exec", "qrouter-r1"]
OUTSIDE, ROUTER, WEB_FLOATING, DB_FLOATING = "203.0.113.1", "203.0.113.10", "203.0.113.20", "203.0.113.21"
OUTSIDE6, WEB6, APP6, DB6, FREE6 = "2001:db8:e::1", "2001:db8:1::7", "2001:db8:3::7", "2001:db8:2::7", "2001:db8:4::7"
WEB, APP, DB, FREE = "10.0.0.7", "10.0.2.7", "10.0.1.7", "10.0.3.7"
PUBLIC = {"4": "public-4", "6": "public-6"}


def data(**changes: Any) -> dict[str, Any]:
    """The scoped router with two networks more: app is in the scope of the gateway and of web, and free is in none."""
    scoped = scoped_router(**changes)
    more = [("app", 2, PUBLIC), ("free", 3, None)]
    for name, number, scopes in more:
        addresses = [f"10.0.{number}.1/24", f"2001:db8:{number + 1}::1/64"]
        port = {"id": f"{name}0000-port", "network_id": f"{name}-network", "addresses": addresses}
        scoped["interfaces"].append({**port, **({"address_scopes": scopes} if scopes else {})})
    return scoped


@dataclass
class Lab:
    """A node with that router, an outside host that has routes to all its networks, and machines in these: those with a
    floating IP (``web_floating``, ``db_floating``), and one without in each.
    """

    node: Node
    machines: dict[str, Machine]

    def converge(self, routers: dict[str, Any]) -> list[str]:
        result = run_engine(self.node, [routers])
        assert "failed" not in result, result["msg"]
        return list(result["routers"][0]["actions"])

    def seen(self, machine: str, address: str) -> str | None:
        return self.machines[machine].seen_as(address, timeout=1)


@pytest.fixture(scope="module")
def lab(firewall_driver: str) -> Iterator[Lab]:
    with Node("node") as node:
        node.add_bridge("br-ex")
        inner = [("10.0.0.0/22", ROUTER), *((f"2001:db8:{number}::/64", "2001:db8:e::10") for number in (1, 2, 3, 4))]
        machines = {"outside": Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24", f"{OUTSIDE6}/64"], inner)}
        lab = Lab(node, machines)
        lab.converge(data())
        for name, bridge, address, address6 in (
            ("web", WEB_BRIDGE, WEB, WEB6),
            ("web_floating", WEB_BRIDGE, "10.0.0.5", "2001:db8:1::5"),
            ("app", "brqapp-network", APP, APP6),
            ("db", DB_BRIDGE, DB, DB6),
            ("db_floating", DB_BRIDGE, "10.0.1.5", "2001:db8:2::5"),
            ("free", "brqfree-networ", FREE, FREE6),
        ):
            router_address, router_address6 = address.rpartition(".")[0] + ".1", address6.rpartition(":")[0] + ":1"
            routes = [("default", router_address), ("::/0", router_address6)]
            machines[name] = Machine(node, name, bridge, [f"{address}/24", f"{address6}/64"], routes)
        for machine in machines.values():
            machine.serve_whoami()
        yield lab


Check = tuple[Callable[[Lab], object], object]


def check(machine: str, address: str, expected: str | None) -> Check:
    """As whom a machine is seen at an address; None when it does not get there."""
    return (lambda lab: lab.seen(machine, address), expected)


CHECKS: dict[str, Check] = {
    "to a network of the same scope": check("web", APP, WEB),
    "to a network of another scope": check("web", DB, None),
    "from a network of another scope": check("db", WEB, None),
    "from a scope to none": check("web", FREE, None),
    "from none to a scope": check("free", DB, None),
    "out from the scope of the gateway": check("web", OUTSIDE, WEB),
    "out from another network of it": check("app", OUTSIDE, APP),
    "out from another scope": check("db", OUTSIDE, ROUTER),
    "out from none": check("free", OUTSIDE, ROUTER),
    "out from the scope of the gateway with a floating IP": check("web_floating", OUTSIDE, WEB_FLOATING),
    "out from another scope with a floating IP": check("db_floating", OUTSIDE, DB_FLOATING),
    "in to the scope of the gateway": check("outside", WEB, OUTSIDE),
    "in to another scope": check("outside", DB, None),
    "in to none": check("outside", FREE, None),
    "floating IP in the scope of the gateway": check("outside", WEB_FLOATING, OUTSIDE),
    "floating IP in another scope": check("outside", DB_FLOATING, OUTSIDE),
    "floating IP in another scope, from inside": check("web", DB_FLOATING, ROUTER),
    "floating IP in another scope, from none": check("free", DB_FLOATING, ROUTER),
    "floating IP of the same network": check("db", DB_FLOATING, ROUTER),
    "IPv6 to a network of the same scope": check("web", APP6, WEB6),
    "IPv6 to a network of another scope": check("web", DB6, None),
    "IPv6 from a scope to none": check("web", FREE6, None),
    "IPv6 out from the scope of the gateway": check("web", OUTSIDE6, WEB6),
    "IPv6 out from another scope": check("db", OUTSIDE6, None),
    "IPv6 out from none": check("free", OUTSIDE6, None),
    "IPv6 in to the scope of the gateway": check("outside", WEB6, OUTSIDE6),
    "IPv6 in to another scope": check("outside", DB6, None),
}


@pytest.mark.parametrize("what", CHECKS)
def test_packets(lab: Lab, what: str) -> None:
    see, expected = CHECKS[what]
    assert see(lab) == expected


def scopes_are_chains(lab: Lab, command: str) -> dict[str, str]:
    """Device -> the chain of its scope."""
    saved = lab.node.run(*NAMESPACE, f"{command}-save", "-t", "filter").stdout.splitlines()
    return {line.split()[3]: line.split()[-1] for line in saved if line.startswith("-A l3-scope -o ")}


_RECEIVE = """
import socket
receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
receiver.bind(("::", 7780))
print("ready", flush=True)
receiver.settimeout(1)
receiver.recv(9)
print("received")
"""
_SEND = "import socket, sys; socket.socket(int(sys.argv[2]), socket.SOCK_DGRAM).sendto(b'x', (sys.argv[1], 7780))"


def arrives(lab: Lab, source: str, target: str, address: str) -> bool:
    """Whether a datagram does, whatever becomes of an answer."""
    receiver = lab.machines[target].start(PYTHON, "-c", _RECEIVE)
    assert receiver.stdout is not None
    assert receiver.stdout.readline() == "ready\n"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    lab.machines[source].run(PYTHON, "-c", _SEND, address, str(int(family)))
    return "received" in receiver.communicate(timeout=20)[0]


ONE_WAY: dict[str, Check] = {
    "one way to another scope": (lambda lab: arrives(lab, "web", "db", DB), False),
    "one way from a scope to none": (lambda lab: arrives(lab, "web", "free", FREE), False),
    "one way between networks of a scope": (lambda lab: arrives(lab, "web", "app", APP), True),
    "IPv6, one way out from another scope": (lambda lab: arrives(lab, "db", "outside", OUTSIDE6), False),
    "IPv6, one way out from the scope of the gateway": (lambda lab: arrives(lab, "web", "outside", OUTSIDE6), True),
}
CHECKS.update(ONE_WAY)


@pytest.mark.parametrize("what", ONE_WAY)
def test_datagrams(lab: Lab, what: str) -> None:
    see, expected = ONE_WAY[what]
    assert see(lab) == expected


# Table and rule, by its beginning after "-A ", and what is no longer so without it. {db} is the chain of db's scope, and so on.
NEEDED = {
    ("iptables", "filter", "FORWARD -j l3-FORWARD"): "to a network of another scope",
    ("iptables", "filter", "l3-FORWARD -j l3-scope"): "to a network of another scope",
    ("iptables", "filter", "l3-scope -m conntrack"): "floating IP in another scope",
    ("iptables", "filter", "l3-scope -o qg-aaaa0000-ex"): None,  # it says the scope of the gateway, and what would be the case
    ("iptables", "filter", "l3-scope -o qr-cccc0000-db"): "one way to another scope",
    ("iptables", "filter", "l3-scope -o qr-free0000-po"): "one way from a scope to none",
    ("iptables", "filter", "{db} -j DROP"): "in to another scope",
    ("iptables", "filter", "{web} -i qg-aaaa0000-ex"): "in to the scope of the gateway",
    ("iptables", "filter", "{web} -i qr-bbbb0000-we"): "to a network of the same scope",
    ("iptables", "nat", "l3-PREROUTING -i qr-bbbb0000-we"): "out from the scope of the gateway",
    ("iptables", "nat", "l3-snat -o qg-aaaa0000-ex -m mark"): "out from another network of it",
    ("ip6tables", "filter", "FORWARD -j l3-FORWARD"): "IPv6 to a network of another scope",
    ("ip6tables", "filter", "l3-scope -o qg-aaaa0000-ex"): "IPv6, one way out from another scope",
    ("ip6tables", "filter", "{web} -i qg-aaaa0000-ex"): "IPv6 in to the scope of the gateway",
}


@pytest.mark.firewall_driver("iptables")
@pytest.mark.parametrize("rule", NEEDED, ids=" ".join)
def test_each_rule_is_needed(lab: Lab, rule: tuple[str, str, str]) -> None:
    command, table, beginning = rule
    chains = scopes_are_chains(lab, command)
    beginning = beginning.format(web=chains["qr-bbbb0000-we"], db=chains["qr-cccc0000-db"])
    saved = lab.node.run(*NAMESPACE, f"{command}-save", "-t", table).stdout.splitlines()
    [text] = [line[3:] for line in saved if line.startswith("-A " + beginning)]
    lab.node.run(*NAMESPACE, command, "-t", table, "-D", *text.replace('"', "").split())
    what = NEEDED[rule]
    try:
        if what is not None:
            see, expected = CHECKS[what]
            assert see(lab) != expected
    finally:
        actions = lab.converge(data())
    assert actions == [f"rule added to chain {text.partition(' ')[0]} of table {table}{' (IPv6)' * (command == 'ip6tables')}: "
                       + text.partition(" ")[2]]  # fmt: skip


def test_without_source_nat_nothing_but_floating_ips_leaves_for_another_scope(lab: Lab) -> None:
    lab.converge(data(enable_snat=False))
    try:
        assert lab.seen("web", OUTSIDE) == WEB
        assert lab.seen("db", OUTSIDE) is None
        assert lab.seen("free", OUTSIDE) is None
        assert lab.seen("db_floating", OUTSIDE) == DB_FLOATING
        assert lab.seen("outside", DB_FLOATING) == OUTSIDE
        assert lab.seen("db_floating", WEB) is None
        assert lab.converge(data(enable_snat=False)) == []
    finally:
        lab.converge(data())


def test_a_gateway_without_a_scope(lab: Lab) -> None:
    changed = data()
    del changed["gateway"]["address_scopes"]
    lab.converge(changed)
    try:
        assert lab.seen("web", OUTSIDE) == ROUTER
        assert lab.seen("free", OUTSIDE) == ROUTER
        assert lab.seen("outside", WEB) is None
        assert lab.seen("outside", FREE) == OUTSIDE
        assert lab.seen("web", OUTSIDE6) is None
        assert lab.seen("free", OUTSIDE6) == FREE6
    finally:
        lab.converge(data())


def test_a_connection_into_a_scope_that_becomes_another_ends(lab: Lab) -> None:
    together = data()
    together["interfaces"][1]["address_scopes"] = {4: "public-4", 6: "public-6"}  # YAML takes them for numbers
    serve_echo(lab.machines["db"])
    lab.converge(together)
    try:
        kept = Session(lab.machines["db_floating"], DB)  # in one network, which is not the router's business
        between, into = Session(lab.machines["web"], DB, mortal=True), Session(lab.machines["outside"], DB, mortal=True)
    finally:
        lab.converge(data())
    assert not between.went_on()
    assert not into.went_on()
    assert kept.went_on()


# UDP from a port that stays, so that what connection tracking knows of it holds.
_WHOAMI = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 7779))
print("ready", flush=True)
while True:
    _data, sender = server.recvfrom(9)
    server.sendto(sender[0].encode(), sender)
"""
_ASK = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(1)
    asking.bind(("", 5555))
    asking.sendto(b"who", (sys.argv[1], 7779))
    print(asking.recvfrom(99)[0].decode())
"""


def test_a_flow_that_is_to_be_translated_from_now_on_is_answered(lab: Lab) -> None:
    server = lab.machines["outside"].start(PYTHON, "-c", _WHOAMI)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"

    def seen() -> str:
        return lab.machines["web"].run(PYTHON, "-c", _ASK, OUTSIDE, check=False).stdout.strip()

    changed = data()
    changed["interfaces"][0]["address_scopes"] = {"4": "private.4"}
    assert seen() == WEB
    try:
        assert "flows from 10.0.0.0/24 that were not translated ended" in lab.converge(changed)
        assert seen() == ROUTER
    finally:
        lab.converge(data())


def test_scopes_go_without_a_trace(lab: Lab) -> None:
    plain = data()
    for port in (plain["gateway"], *plain["interfaces"]):
        port.pop("address_scopes", None)
    with_scopes = snapshot(lab.node, "qrouter-*")
    lab.converge(plain)
    assert "scope" not in lab.node.run(*NAMESPACE, "sh", "-c", "iptables-save; ip6tables-save; nft list ruleset").stdout
    assert lab.seen("web", DB) == WEB
    assert lab.seen("web", OUTSIDE) == ROUTER
    lab.converge(data())
    assert differences(with_scopes, snapshot(lab.node, "qrouter-*")) == []


def test_what_is_gathered_makes_the_same_router(lab: Lab) -> None:
    gathered = run_engine(lab.node, None, "gathered")["gathered"]
    assert gathered[0]["gateway"]["address_scopes"] == PUBLIC
    assert {port["id"]: port.get("address_scopes") for port in gathered[0]["interfaces"]} == {
        port["id"]: port.get("address_scopes") for port in data()["interfaces"]
    }
    assert run_engine(lab.node, gathered)["changed"] is False


def test_a_router_without_scopes_has_no_rule_of_theirs(node: Node) -> None:
    run_engine(node, [router()])
    assert "*filter" not in "".join(differences({}, {"rules": snapshot(node, "qrouter-*")["qrouter-r1"]}))
