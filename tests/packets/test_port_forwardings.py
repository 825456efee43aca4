# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Port forwardings: whom each port reaches, from everywhere, and what becomes of connections when they change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import DB_BRIDGE, WEB_BRIDGE, forwarding, router
from .traffic import PORT, Session, Stream, serve_echo

PYTHON = "/usr/bin/python3"
OUTSIDE, ROUTER, FORWARDED = "203.0.113.1", "203.0.113.10", "203.0.113.30"
WEB, DB = "10.0.0.7", "10.0.1.7"
NAMESPACE = "qrouter-r1"
ECHO = int(PORT)

# Says its name, the port that was reached, and who did, on each of these ports, over TCP and UDP.
_SERVE = """
import selectors, socket, sys
name, selector = sys.argv[1], selectors.DefaultSelector()
for port in map(int, sys.argv[2:]):
    selector.register(socket.create_server(("", port), backlog=64), selectors.EVENT_READ, port)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("", port))
    selector.register(datagrams, selectors.EVENT_READ, port)
print("ready", flush=True)
while True:
    for key, _events in selector.select():
        if key.fileobj.type == socket.SOCK_STREAM:
            peer, address = key.fileobj.accept()
            with peer:
                peer.sendall(f"{name} {key.data} {address[0]}".encode())
        else:
            address = key.fileobj.recvfrom(99)[1]
            key.fileobj.sendto(f"{name} {key.data} {address[0]}".encode(), address)
"""

# What each of the addresses says, of pairs of protocol and port.
_ASK = """
import json, socket, sys
said = {}
for protocol, port in json.loads(sys.argv[2]):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM) as peer:
        peer.settimeout(float(sys.argv[3]))
        try:
            peer.connect((sys.argv[1], port))
            if protocol == "udp":
                peer.send(b"?")
            said[f"{protocol} {port}"] = peer.recv(99).decode()
        except OSError:
            said[f"{protocol} {port}"] = None
print(json.dumps(said))
"""

SINGLE = [forwarding(8022, 22, internal_ip_address=WEB), forwarding(53, 5353, protocol="udp", internal_ip_address=DB)]
SHIFTED = forwarding("8000:8004", "9000:9004", internal_ip_address=WEB)
SAME = forwarding("6000:6004", "6000:6004", protocol="udp", internal_ip_address=DB)
TO_ONE = forwarding("7000:7002", 80, internal_ip_address=DB)
SHIFTED_UDP = forwarding("8000:8002", "5000:5002", protocol="udp", internal_ip_address=DB)
FORWARDINGS = [*SINGLE, SHIFTED, SAME, TO_ONE, SHIFTED_UDP]
REACHED = {
    "tcp 8022": "web 22",
    "udp 53": "db 5353",
    **{f"tcp {8000 + n}": f"web {9000 + n}" for n in range(5)},
    **{f"udp {6000 + n}": f"db {6000 + n}" for n in range(5)},
    **{f"tcp {7000 + n}": "db 80" for n in range(3)},
    **{f"udp {8000 + n}": f"db {5000 + n}" for n in range(3)},
}
NOT_FORWARDED = ["udp 8022", "tcp 53", "tcp 7999", "tcp 8005", "udp 6005", "tcp 80"]
SERVED = [22, 53, 80, 5353, *range(ECHO + 1, ECHO + 5), *range(5000, 5003), *range(6000, 6006), *range(9000, 9006)]


@dataclass
class Lab:
    """A node with a router, an outside host, and a machine on each of the internal networks."""

    node: Node
    outside: Machine
    web: Machine
    db: Machine

    def forward(self, forwardings: Sequence[dict[str, Any]], **changes: Any) -> dict[str, Any]:
        """Converge the router with these port forwardings."""
        result = run_engine(self.node, [router(port_forwardings=list(forwardings), **changes)], send_arp_for_ha=1)
        assert "failed" not in result, result["msg"]
        return result

    def ask(self, namespace: str, *ways: str, address: str = FORWARDED, timeout: float = 5) -> dict[str, str | None]:
        """What ports say that are asked from a namespace."""
        pairs = json.dumps([(way.split()[0], int(way.split()[1])) for way in ways])
        asked = self.node.run("ip", "netns", "exec", namespace, PYTHON, "-c", _ASK, address, pairs, str(timeout))
        said: dict[str, str | None] = json.loads(asked.stdout)
        return said

    def flows(self) -> list[str]:
        """The connections that the router leads on from the floating IP: protocol and port."""
        dump = ("conntrack", "--dump", "--dst-nat", "--orig-dst", FORWARDED)
        listed = self.node.run("ip", "netns", "exec", NAMESPACE, *dump).stdout
        return sorted({f"{match[1]} {match[2]}" for match in re.finditer(r"^(\w+) .*? dport=(\d+) ", listed, re.MULTILINE)})


@pytest.fixture(scope="module")
def lab(firewall_driver: str) -> Iterator[Lab]:
    with Node("node") as node:
        node.add_bridge("br-ex")
        assert "failed" not in run_engine(node, [router()])
        lab = Lab(
            node,
            outside=Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24"]),
            web=Machine(node, "web", WEB_BRIDGE, [f"{WEB}/24"], [("default", "10.0.0.1")]),
            db=Machine(node, "db", DB_BRIDGE, [f"{DB}/24"], [("default", "10.0.1.1")]),
        )
        for machine in (lab.web, lab.db):
            serve_echo(machine)
            server = machine.start(PYTHON, "-c", _SERVE, machine.name, *map(str, SERVED))
            assert server.stdout is not None and server.stdout.readline() == "ready\n"
        yield lab


@pytest.mark.parametrize("enable_snat", [True, False], ids=["with source NAT", "without source NAT"])
def test_each_port_arrives_at_its_own_from_everywhere(lab: Lab, enable_snat: bool) -> None:
    lab.forward(FORWARDINGS, enable_snat=enable_snat, floating_ips=[])
    seen = {"outside": OUTSIDE, "web": ROUTER, "db": ROUTER}
    for namespace, source in seen.items():
        assert lab.ask(namespace, *REACHED) == {way: f"{whom} {source}" for way, whom in REACHED.items()}, namespace
    of_router = lab.ask(NAMESPACE, *REACHED)
    assert {way: said and said.rpartition(" ")[0] for way, said in of_router.items()} == REACHED
    for namespace in (*seen, NAMESPACE):
        assert set(lab.ask(namespace, *NOT_FORWARDED, timeout=0.5).values()) == {None}, namespace


def test_the_machines_behind_them_go_out_as_the_router_and_floating_ips_as_before(lab: Lab) -> None:
    lab.forward(FORWARDINGS)
    lab.outside.serve_whoami()
    assert lab.web.seen_as(OUTSIDE) == ROUTER
    floating = [{"floating_ip_address": "203.0.113.40", "fixed_ip_address": WEB}]
    lab.forward(FORWARDINGS, floating_ips=floating)
    assert lab.web.seen_as(OUTSIDE) == "203.0.113.40"
    assert lab.ask("outside", "tcp 22", address="203.0.113.40") == {"tcp 22": f"web 22 {OUTSIDE}"}
    assert lab.ask("outside", *REACHED) == {way: f"{whom} {OUTSIDE}" for way, whom in REACHED.items()}
    lab.forward([])
    assert set(lab.ask("outside", *REACHED, timeout=0.5).values()) == {None}


TO_WEB = forwarding(1001, ECHO, internal_ip_address=WEB)
TO_DB = forwarding(1002, ECHO, internal_ip_address=DB)
UDP_TO_WEB, UDP_TO_DB = {**TO_WEB, "protocol": "udp"}, {**TO_DB, "protocol": "udp"}
BOTH = [TO_WEB, TO_DB, UDP_TO_WEB, UDP_TO_DB]


@pytest.mark.parametrize(
    "after",
    [
        [TO_DB, UDP_TO_WEB, UDP_TO_DB],
        [{**TO_WEB, "internal_ip_address": DB}, TO_DB, UDP_TO_WEB, UDP_TO_DB],
        [{**TO_WEB, "external_port": 1003}, TO_DB, UDP_TO_WEB, UDP_TO_DB],
    ],
    ids=["removed", "led to another machine", "at another port"],
)
def test_one_that_goes_or_changes_takes_its_connections_along_and_no_others(lab: Lab, after: list[dict[str, Any]]) -> None:
    lab.forward(BOTH)
    ending = [Session(machine, FORWARDED, mortal=True, port=1001) for machine in (lab.outside, lab.db)]
    staying = [Session(machine, FORWARDED, port=1002) for machine in (lab.outside, lab.web)]
    streams = [Stream(lab.outside, FORWARDED, port=port) for port in (1001, 1002)]
    assert lab.flows() == ["tcp 1001", "tcp 1002", "udp 1001", "udp 1002"]
    lab.forward(after)
    assert "tcp 1001" not in lab.flows() or any(entry["external_port"] == 1001 for entry in after if entry["protocol"] == "tcp")
    assert [session.went_on() for session in staying] == [True, True]
    assert [stream.lost() for stream in streams] == [0, 0]
    assert [session.went_on() for session in ending] == [False, False]


def test_a_range_that_moves_takes_along_only_the_ports_that_lead_elsewhere(lab: Lab) -> None:
    def of(first: int, last: int) -> dict[str, Any]:
        return forwarding(f"{first}:{last}", f"{ECHO - 1000 + first}:{ECHO - 1000 + last}", internal_ip_address=WEB)

    lab.forward([of(1000, 1004)])
    session = Session(lab.outside, FORWARDED, port=1000)
    lab.ask("outside", "tcp 1001", "tcp 1004")
    assert lab.flows() == ["tcp 1000", "tcp 1001", "tcp 1004"]
    assert "stale flows to 203.0.113.30 tcp 999:1004 ended" in lab.forward([of(999, 1002)])["routers"][0]["actions"]
    assert lab.flows() == ["tcp 1000", "tcp 1001"]
    assert session.went_on()


def test_a_port_that_is_forwarded_while_packets_come_to_it(lab: Lab) -> None:
    """The router has noted where they lead when nobody wanted them, and would go on so as long as they come."""
    lab.forward([TO_DB])
    assert lab.ask("outside", "udp 1001", timeout=0.5) == {"udp 1001": None}
    sending = lab.outside.start(PYTHON, "-c", _KEEP_SENDING)
    lab.forward([TO_DB, UDP_TO_WEB])
    assert sending.communicate(timeout=30)[0] == "answered\n"


_KEEP_SENDING = f"""
import socket, time
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.bind(("", 4321))
peer.settimeout(0.05)
end = time.monotonic() + 20
while time.monotonic() < end:
    try:
        peer.sendto(b"x", ("{FORWARDED}", 1001))
        if peer.recv(9):
            print("answered")
            break
    except OSError:
        pass
"""


@pytest.mark.firewall_driver("iptables")
def test_connections_outlive_a_rule_that_is_taken_away_and_comes_back(lab: Lab) -> None:
    lab.forward(BOTH)
    # Those from inside have a port of the router, and could not be noted anew with the same.
    sessions = [Session(machine, FORWARDED, port=1001) for machine in (lab.outside, lab.db)]
    lab.node.run("ip", "netns", "exec", NAMESPACE, "iptables", "-t", "nat", "-F", "l3-PREROUTING")
    lab.ask("outside", "udp 1001", timeout=0.5)  # to the router itself
    actions = lab.forward(BOTH)["routers"][0]["actions"]
    assert "stale flows to 203.0.113.30 tcp 1001:1002 ended" in actions
    assert [session.went_on() for session in sessions] == [True, True]
    assert Stream(lab.outside, FORWARDED, port=1001).lost() == 0


def test_many_connections_end_by_one_process(lab: Lab, firewall_driver: str) -> None:
    ports = range(2000, 2050)
    lab.forward([forwarding("2000:2049", 80, internal_ip_address=WEB)])
    assert len([said for said in lab.ask("outside", *(f"tcp {port}" for port in ports)).values() if said]) == len(ports)
    cost = lab.forward([forwarding("2000:2049", 80, internal_ip_address=DB)])["cost"]["commands"]
    rules = {"iptables": {"iptables-save": 1, "iptables-restore": 1}, "nftables": {"nft": 2}}
    assert cost == {**rules[firewall_driver], "conntrack": 1}
    assert lab.flows() == []
