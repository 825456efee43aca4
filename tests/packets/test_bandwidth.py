# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast machines are when their external addresses are limited, and that nobody else is slower."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import DB_BRIDGE, WEB_BRIDGE, forwarding, limited_router, router
from .traffic import PYTHON

pytestmark = pytest.mark.firewall_driver("iptables")

OUTSIDE, OWN, LIMITED, FREE, FORWARDED = "203.0.113.1", "203.0.113.10", "203.0.113.20", "203.0.113.21", "203.0.113.30"
GATEWAY = "qg-aaaa0000-ex"
PORT = "7779"
SECONDS = "2.5"
BURST = 200  # kbit
RATES = {(LIMITED, "egress"): 4000, (LIMITED, "ingress"): 9000, (OWN, "egress"): 3000, (OWN, "ingress"): 6000}

# Whoever receives measures, from the first byte on. A client that sends is told what came.
_SERVE = """
import socket, sys, threading, time
def received(peer):
    peer.recv(1)
    begun, count = time.monotonic(), 0
    while time.monotonic() < begun + SECONDS:
        count += len(peer.recv(1 << 16))
    return count * 8 / 1000 / (time.monotonic() - begun)
def converse(peer):
    with peer:
        try:
            if peer.recv(1) == b"u":
                peer.sendall(b"%d\\n" % received(peer))
            else:
                while True:
                    peer.sendall(bytes(1 << 14))
        except OSError:
            pass
""".replace("SECONDS", SECONDS)
_SERVER = (
    _SERVE
    + """
server = socket.create_server(("", int(sys.argv[1])))
print("ready", flush=True)
while True:
    threading.Thread(target=converse, args=(server.accept()[0],), daemon=True).start()
"""
)
_CLIENT = (
    _SERVE
    + """
def send(peer):
    try:
        while True:
            peer.sendall(bytes(1 << 14))
    except OSError:
        pass
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as peer:
    peer.settimeout(30)
    peer.sendall(sys.argv[3].encode())
    if sys.argv[3] == "u":
        threading.Thread(target=send, args=(peer,), daemon=True).start()
        print(int(peer.makefile("rb").readline()), flush=True)
    else:
        print(int(received(peer)), flush=True)
"""
)


def kbps(client: Machine, address: str, way: str, port: str = PORT) -> int:
    """How fast a client sends (``u``) or gets (``d``) data by TCP, in kbit/s."""
    return int(client.run(PYTHON, "-c", _CLIENT, address, port, way).stdout)


def rules(limits: dict[tuple[str, str], int]) -> dict[str, list[dict[str, Any]]]:
    by_address: dict[str, list[dict[str, Any]]] = {}
    for (address, direction), rate in limits.items():
        by_address.setdefault(address, []).append({"direction": direction, "max_kbps": rate, "max_burst_kbps": BURST})
    return by_address


@dataclass
class Lab:
    """A node with a router, an outside host, and machines: with a floating IP that is limited, with another one, with none."""

    node: Node
    outside: Machine
    web: Machine
    db: Machine
    plain: Machine

    def converge(self, limits: dict[tuple[str, str], int], **changes: Any) -> list[str]:
        result = run_engine(self.node, [limited_router(rules(limits), **changes)])
        assert "failed" not in result, result["msg"]
        actions: list[str] = result["routers"][0]["actions"]
        return actions

    def tc(self, *arguments: str) -> str:
        return self.node.run("ip", "netns", "exec", "qrouter-r1", "tc", *arguments).stdout


@pytest.fixture(scope="module")
def lab(firewall_driver: str) -> Iterator[Lab]:
    with Node("node") as node:
        node.add_bridge("br-ex")
        lab = Lab(
            node,
            outside=Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24"]),
            **{
                name: Machine(node, name, "br-ex", [f"{address}/24"], mtu=1450)
                for name, address in (("web", "10.0.0.5"), ("db", "10.0.1.5"), ("plain", "10.0.0.7"))
            },
        )
        lab.converge(RATES)
        for machine, bridge, router in ((lab.web, WEB_BRIDGE, 0), (lab.db, DB_BRIDGE, 1), (lab.plain, WEB_BRIDGE, 0)):
            node.run("ip", "link", "set", "dev", machine.device, "master", bridge)
            machine.run("ip", "route", "add", "default", "via", f"10.0.{router}.1")
        for machine in (lab.outside, lab.web, lab.db, lab.plain):
            server = machine.start(PYTHON, "-c", _SERVER, PORT)
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
        yield lab


def is_about(rate: int) -> Any:
    """What TCP makes of a limit, between 0.6 and 1.1 of it: its headers count as well, the burst at the beginning comes on top,
    and it needs time to find its pace.
    """
    return pytest.approx(rate * 0.85, rel=0.3)


@pytest.mark.parametrize("who_connects", ["the machine", "the host outside"])
def test_a_floating_ip_is_limited_in_each_direction(lab: Lab, who_connects: str) -> None:
    lab.converge(RATES)
    if who_connects == "the machine":
        sent, got = kbps(lab.web, OUTSIDE, "u"), kbps(lab.web, OUTSIDE, "d")
    else:
        sent, got = kbps(lab.outside, LIMITED, "d"), kbps(lab.outside, LIMITED, "u")
    assert (sent, got) == (is_about(RATES[LIMITED, "egress"]), is_about(RATES[LIMITED, "ingress"]))


def test_what_leaves_by_source_nat_is_limited_by_the_gateways_address(lab: Lab) -> None:
    lab.converge(RATES)
    assert kbps(lab.plain, OUTSIDE, "u") == is_about(RATES[OWN, "egress"])
    assert kbps(lab.plain, OUTSIDE, "d") == is_about(RATES[OWN, "ingress"])


def test_what_comes_by_a_port_forwarding_is_limited_by_its_floating_ip(lab: Lab) -> None:
    limits = {(FORWARDED, "egress"): 4000, (FORWARDED, "ingress"): 9000}
    floating_ips = [*router()["floating_ips"], {"floating_ip_address": FORWARDED}]
    to_plain = forwarding(80, int(PORT), internal_ip_address="10.0.0.7")
    lab.converge(limits, floating_ips=floating_ips, port_forwardings=[to_plain])
    sent, got = kbps(lab.outside, FORWARDED, "d", port="80"), kbps(lab.outside, FORWARDED, "u", port="80")
    assert (sent, got) == (is_about(limits[FORWARDED, "egress"]), is_about(limits[FORWARDED, "ingress"]))
    # What the machine itself begins leaves by the gateway's address.
    assert min(kbps(lab.plain, OUTSIDE, "u"), kbps(lab.plain, OUTSIDE, "d")) > 100_000


def test_another_floating_ip_is_not_limited_nor_is_what_stays_inside(lab: Lab) -> None:
    lab.converge(RATES)
    assert min(kbps(lab.db, OUTSIDE, "u"), kbps(lab.db, OUTSIDE, "d")) > 100_000
    assert min(kbps(lab.plain, "10.0.1.5", "u"), kbps(lab.web, "10.0.1.5", "d")) > 100_000


def test_a_limit_changes_and_goes_and_others_stay_as_they_are(lab: Lab) -> None:
    lab.converge(RATES)
    kbps(lab.plain, OUTSIDE, "u")
    before = sent(lab, RATES[OWN, "egress"])
    assert before > 10_000
    assert lab.converge({**RATES, (LIMITED, "egress"): 8000}) == [
        f"egress of {LIMITED} limited to 8000 kbit/s with bursts of {BURST} kbit"
    ]
    assert kbps(lab.web, OUTSIDE, "u") == is_about(8000)
    only_own = {key: rate for key, rate in RATES.items() if key[0] == OWN}
    assert lab.converge(only_own) == [f"{way} of {LIMITED} no longer limited" for way in ("egress", "ingress")]
    assert min(kbps(lab.web, OUTSIDE, "u"), kbps(lab.web, OUTSIDE, "d")) > 100_000
    assert sent(lab, RATES[OWN, "egress"]) >= before


def sent(lab: Lab, rate: int) -> int:
    """How many bytes went through the class with this rate."""
    [count] = re.findall(
        rf"rate {rate // 1000}Mbit .*?Sent (\d+) bytes", lab.tc("-s", "class", "show", "dev", GATEWAY), re.DOTALL
    )
    return int(count)


@pytest.mark.parametrize(
    ("damage", "way"),
    [
        (f"tc qdisc delete dev {GATEWAY} root", "u"),
        (f"tc qdisc delete dev {GATEWAY} ingress", "d"),
        ("ip link delete l3-ifb; sleep 0.1", None),
        (f"tc filter delete dev {GATEWAY} parent 1: prio 2", "u"),
    ],
)
def test_each_part_is_needed_and_comes_back(lab: Lab, damage: str, way: str | None) -> None:
    lab.converge({})
    lab.converge({key: rate for key, rate in RATES.items() if key[0] == LIMITED})
    damage = damage.replace("prio 2", "prio 1")
    lab.node.run("ip", "netns", "exec", "qrouter-r1", "/bin/sh", "-ec", damage)
    if way is not None:
        assert kbps(lab.web, OUTSIDE, way) > 100_000
    assert lab.converge({key: rate for key, rate in RATES.items() if key[0] == LIMITED}) != []
    assert kbps(lab.web, OUTSIDE, "u") == is_about(RATES[LIMITED, "egress"])
    assert kbps(lab.web, OUTSIDE, "d") == is_about(RATES[LIMITED, "ingress"])


def test_without_limits_nothing_of_it_is_left(lab: Lab) -> None:
    lab.converge(RATES)
    lab.converge({})
    assert "htb" not in lab.tc("qdisc", "show") + lab.tc("qdisc", "show", "ingress")
    assert "l3-ifb" not in lab.node.run("ip", "-n", "qrouter-r1", "link", "show").stdout
