# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Floating IPs that come, go and move: whom they reach, who goes out by them, and what becomes of open connections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import DB_BRIDGE, WEB_BRIDGE, router
from .traffic import PATIENCE, PORT, Controlled, Session, Stream, answering, serve_echo

OUTSIDE, ROUTER, FLOATING, OTHER = "203.0.113.1", "203.0.113.10", "203.0.113.20", "203.0.113.21"
OTHER_STAYS = {"floating_ip_address": OTHER, "fixed_ip_address": "10.0.1.5"}


def to(fixed: str) -> list[dict[str, Any]]:
    """Floating IPs of the router, FLOATING leading to this address."""
    return [{"floating_ip_address": FLOATING, "fixed_ip_address": fixed}, OTHER_STAYS]


WEB, PLAIN = to("10.0.0.5"), to("10.0.0.7")
GONE: dict[str, list[dict[str, Any]]] = {
    "removed": [OTHER_STAYS],
    "without a fixed address": [{"floating_ip_address": FLOATING}, OTHER_STAYS],
    "with none as its fixed address": [{"floating_ip_address": FLOATING, "fixed_ip_address": None}, OTHER_STAYS],
}


@dataclass
class Lab:
    """A node with a router, an outside host, two machines that a floating IP can lead to, one with another."""

    node: Node
    outside: Machine
    web: Machine
    plain: Machine
    db: Machine

    def floating_ips(self, floating_ips: list[dict[str, Any]]) -> None:
        """Converge the router with these, and tell the neighbours."""
        assert "failed" not in run_engine(self.node, [router(floating_ips=floating_ips)], send_arp_for_ha=1)

    def reached(self) -> str | None:
        """The name of the machine that is reached by FLOATING from outside."""
        program = "import socket; print(socket.create_connection(('%s', %s), 2).makefile().readline(), end='')"
        return self.outside.run("/usr/bin/python3", "-c", program % (FLOATING, PORT), check=False).stdout.strip() or None


@pytest.fixture(scope="module")
def lab(firewall_driver: str) -> Iterator[Lab]:
    with Node("node") as node:
        node.add_bridge("br-ex")
        assert "failed" not in run_engine(node, [router()])
        lab = Lab(
            node,
            outside=Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24"]),
            web=Machine(node, "web", WEB_BRIDGE, ["10.0.0.5/24"], [("default", "10.0.0.1")]),
            plain=Machine(node, "plain", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")]),
            db=Machine(node, "db", DB_BRIDGE, ["10.0.1.5/24"], [("default", "10.0.1.1")]),
        )
        for machine in (lab.outside, lab.web, lab.plain, lab.db):
            serve_echo(machine)
        lab.outside.serve_whoami()
        yield lab


def test_a_floating_ip_that_comes_works_and_ends_nothing(lab: Lab) -> None:
    lab.floating_ips([OTHER_STAYS])
    assert answering(lab.outside, [FLOATING, OTHER]) == {OTHER}
    assert lab.web.seen_as(OUTSIDE) == ROUTER
    sessions = [Session(lab.web, OUTSIDE), Session(lab.outside, OTHER)]
    lab.floating_ips(WEB)
    assert lab.reached() == "web"
    assert lab.web.seen_as(OUTSIDE) == FLOATING
    assert lab.plain.seen_as(OUTSIDE) == ROUTER
    assert [session.went_on() for session in sessions] == [True, True]


@pytest.mark.parametrize("how", GONE)
def test_a_floating_ip_that_goes_takes_its_connections_along_and_no_others(lab: Lab, how: str) -> None:
    lab.floating_ips(WEB)
    ending, staying, stream = connections(lab)
    lab.floating_ips(GONE[how])
    assert [session.went_on() for session in staying] == [True] * len(staying)
    assert stream.lost() == 0
    assert answering(lab.outside, [FLOATING, OTHER]) == {OTHER}
    assert lab.web.seen_as(OUTSIDE) == ROUTER
    assert [session.went_on() for session in ending] == [False, False]


def test_a_floating_ip_that_moves_takes_no_connections_along(lab: Lab) -> None:
    lab.floating_ips(WEB)
    ending, staying, stream = connections(lab)
    lab.floating_ips(PLAIN)
    assert [session.went_on() for session in staying] == [True] * len(staying)
    assert stream.lost() == 0
    assert [session.went_on() for session in ending] == [False, False]
    assert lab.plain.seen_as(OUTSIDE) == FLOATING
    assert lab.web.seen_as(OUTSIDE) == ROUTER
    assert lab.db.seen_as(OUTSIDE) == OTHER


def connections(lab: Lab) -> tuple[list[Session], list[Session], Stream]:
    """Those through FLOATING, from outside and from inside; and others."""
    ending = [Session(lab.outside, FLOATING, mortal=True), Session(lab.web, OUTSIDE, mortal=True)]
    staying = [Session(lab.outside, OTHER), Session(lab.db, OUTSIDE), Session(lab.plain, OUTSIDE), Session(lab.web, "10.0.1.5")]
    return ending, staying, Stream(lab.outside, OTHER)


# One connection after the other, each a new one. Says the name that it was told when it is another than before, and
# whatever else became of a connection. One that is open when the floating IP moves is to be cut off.
_CONNECT = f"""
import select, socket, sys, time
print("ready", flush=True)
last, end = None, time.monotonic() + 60
while time.monotonic() < end and not select.select([sys.stdin], [], [], 0.001)[0]:
    try:
        with socket.create_connection(("{FLOATING}", {PORT}), {PATIENCE}) as peer:
            peer.settimeout(1)
            try:
                name = peer.recv(99).decode().strip() or "cut off"
            except OSError:
                name = "cut off"
    except OSError as error:
        name = f"not reached: {{error}}"
    if name != last or " " in name:
        print(name, flush=True)
    last = name
"""


def test_a_floating_ip_leads_to_the_old_or_the_new_machine_while_it_moves(lab: Lab) -> None:
    lab.floating_ips(WEB)
    connecting = Controlled(lab.outside, _CONNECT)
    seen = [connecting.line()]
    moves = {"plain": PLAIN, "web": WEB}
    for name in ("plain", "web", "plain"):
        lab.floating_ips(moves[name])
        while seen[-1] != name:
            seen.append(connecting.line())
    seen += connecting.stop().splitlines()
    assert [name for name, _again in groupby(line for line in seen if line != "cut off")] == ["web", "plain", "web", "plain"]
    assert seen.count("cut off") <= 3
