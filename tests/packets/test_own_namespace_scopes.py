# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A router with address scopes in the node's own namespace: what the node forwards between it and its other devices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import DB_BRIDGE, WEB_BRIDGE, router, scoped_router
from .traffic import PYTHON

OFFICE, OFFICE6, NODE, NODE6 = "192.0.2.7", "2001:db8:f::7", "192.0.2.9", "2001:db8:f::9"
WEB, WEB6, DB, DB6 = "10.0.0.7", "2001:db8:1::7", "10.0.1.7", "2001:db8:2::7"
INNER = (WEB, WEB6, DB, DB6)
_ASK = "import socket, sys; raise SystemExit(not socket.create_connection((sys.argv[1], 7777), 20).recv(9))"


@dataclass
class Lab:
    """A node that forwards between its own network, where the office is, and the networks of its router: web in the scope of the
    gateway, and db in another.
    """

    node: Node
    office: Machine
    web: Machine
    db: Machine

    def reached(self, machine: Machine, *addresses: str, within: float = 20) -> list[str]:
        return [address for address in addresses if machine.seen_as(address, timeout=within) is not None]


@pytest.fixture(scope="module")
def lab(firewall_driver: str) -> Iterator[Lab]:
    with Node("node") as node:
        node.add_bridge("br-ex")
        node.add_bridge("uplink")
        for address in (f"{NODE}/24", f"{NODE6}/64"):
            node.run("ip", "address", "add", address, "dev", "uplink", *(["nodad"] if ":" in address else []))
        node.run("sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        converge(node, scoped=True)
        lab = Lab(
            node,
            office=Machine(node, "office", "uplink", [f"{OFFICE}/24", f"{OFFICE6}/64"], [("default", NODE), ("::/0", NODE6)]),
            web=Machine(
                node, "web", WEB_BRIDGE, [f"{WEB}/24", f"{WEB6}/64"], [("default", "10.0.0.1"), ("::/0", "2001:db8:1::1")]
            ),
            db=Machine(node, "db", DB_BRIDGE, [f"{DB}/24", f"{DB6}/64"], [("default", "10.0.1.1"), ("::/0", "2001:db8:2::1")]),
        )
        for machine in (lab.office, lab.web, lab.db):
            machine.serve_whoami()
        yield lab


def converge(node: Node, *, scoped: bool) -> None:
    data = scoped_router() if scoped else router()
    if not scoped:
        data["interfaces"][1]["addresses"] = scoped_router()["interfaces"][1]["addresses"]
    result = run_engine(node, [data], use_namespaces=False, router_id="r1")
    assert "failed" not in result, result["msg"]


def test_what_the_node_forwards_to_networks_of_scopes_is_dropped(lab: Lab) -> None:
    converge(lab.node, scoped=False)
    assert lab.reached(lab.office, *INNER) == [*INNER]
    assert lab.reached(lab.web, OFFICE, OFFICE6) == lab.reached(lab.db, OFFICE, OFFICE6) == [OFFICE, OFFICE6]
    converge(lab.node, scoped=True)
    assert lab.reached(lab.office, *INNER, within=1) == []
    for machine in (lab.web, lab.db):  # the answers are dropped
        assert lab.reached(machine, OFFICE, OFFICE6, within=1) == []


def test_what_the_node_itself_sends_arrives(lab: Lab) -> None:
    converge(lab.node, scoped=True)
    for address in INNER:
        assert lab.node.run(PYTHON, "-c", _ASK, address, check=False).returncode == 0, address
