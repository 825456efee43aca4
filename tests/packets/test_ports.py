# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An internal port that goes, comes back or changes in place, beside another one that nothing happens to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import DB_BRIDGE, WEB_BRIDGE, router
from .traffic import Stream, answering, serve_echo

pytestmark = pytest.mark.firewall_driver("iptables")

OUTSIDE, BEHIND = "203.0.113.1", "192.168.50.9"
DEVICE, TAP = "qr-bbbb0000-we", "tapbbbb0000-we"
# By a machine on the network of the port that changes, so that it must outlast that.
ROUTE = {"destination": "192.168.50.0/24", "nexthop": "10.0.0.7"}


@dataclass
class Lab:
    """A router whose port on the web network changes, while datagrams go from the other one to outside."""

    node: Node
    outside: Machine
    web: Machine
    db: Machine

    def converge(self, web: Sequence[dict[str, Any]], routes: Sequence[dict[str, Any]] = (ROUTE,)) -> None:
        """Bring the router to the node with these instead of its port on the web network, and tell the neighbours."""
        interfaces = [{**router()["interfaces"][0], **changes} for changes in web]
        data = router(interfaces=[*interfaces, router()["interfaces"][1]], routes=list(routes))
        result = run_engine(self.node, [data], send_arp_for_ha=1)
        assert "failed" not in result, result["msg"]

    def index(self) -> int:
        """What tells the port's device from another one of the same name."""
        return int(json.loads(self.node.run("ip", "-n", "qrouter-r1", "-json", "link", "show", DEVICE).stdout)[0]["ifindex"])


@pytest.fixture
def lab(node: Node) -> Iterator[Lab]:
    assert "failed" not in run_engine(node, [router(routes=[ROUTE])])
    lab = Lab(
        node,
        outside=Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24"]),
        web=Machine(node, "web", WEB_BRIDGE, ["10.0.0.7/24", f"{BEHIND}/32"], [("default", "10.0.0.1")], mtu=9000),
        db=Machine(node, "db", DB_BRIDGE, ["10.0.1.7/24"], [("default", "10.0.1.1")]),
    )
    serve_echo(lab.outside)
    assert answering(lab.web, ["10.0.0.1", "10.0.1.7", OUTSIDE]) == {"10.0.0.1", "10.0.1.7", OUTSIDE}
    stream = Stream(lab.db, OUTSIDE)
    yield lab
    assert stream.lost() == 0, "the port that nothing was to happen to was disturbed"


@pytest.mark.parametrize("gone", [[{"admin_state_up": False}], []], ids=["down", "removed"])
def test_a_port_that_goes_is_unplugged_and_comes_back(lab: Lab, gone: list[dict[str, Any]]) -> None:
    lab.converge(gone, routes=[])
    assert DEVICE not in lab.node.run("ip", "-n", "qrouter-r1", "link").stdout
    assert TAP not in lab.node.run("ip", "link").stdout
    assert answering(lab.web, ["10.0.0.1", "10.0.1.7", OUTSIDE]) == set()
    assert answering(lab.db, ["10.0.1.1", OUTSIDE]) == {"10.0.1.1", OUTSIDE}
    lab.converge([{}])
    assert answering(lab.web, ["10.0.0.1", "10.0.1.7", OUTSIDE]) == {"10.0.0.1", "10.0.1.7", OUTSIDE}


def test_another_mac_address(lab: Lab) -> None:
    index = lab.index()
    lab.converge([{"mac_address": "fa:16:3e:00:00:ee"}])
    # It would find out by itself after 5 seconds.
    assert answering(lab.web, ["10.0.0.1", "10.0.1.7", OUTSIDE], seconds=4) == {"10.0.0.1", "10.0.1.7", OUTSIDE}
    [gateway] = json.loads(lab.web.run("ip", "-json", "neigh", "show", "10.0.0.1").stdout)
    assert gateway["lladdr"] == "fa:16:3e:00:00:ee"
    assert answering(lab.db, [BEHIND]) == {BEHIND}
    assert lab.index() == index


def test_other_addresses(lab: Lab) -> None:
    index = lab.index()
    lab.converge([{"addresses": ["10.0.0.1/24", "10.0.5.1/24"]}])
    lab.web.run("ip", "address", "add", "10.0.5.7/24", "dev", "eth0")
    assert answering(lab.web, ["10.0.0.1", "10.0.5.1"]) == {"10.0.0.1", "10.0.5.1"}
    assert answering(lab.db, ["10.0.0.7", "10.0.5.7", BEHIND]) == {"10.0.0.7", "10.0.5.7", BEHIND}
    lab.converge([{"addresses": ["10.0.0.254/24"]}])
    lab.web.run("ip", "route", "replace", "default", "via", "10.0.0.254")
    assert answering(lab.web, ["10.0.0.1", "10.0.0.254", "10.0.5.1", "10.0.1.7", OUTSIDE]) == {"10.0.0.254", "10.0.1.7", OUTSIDE}
    assert answering(lab.db, ["10.0.0.7", BEHIND]) == {"10.0.0.7", BEHIND}
    assert lab.index() == index


def test_another_mtu(lab: Lab) -> None:
    index = lab.index()
    assert not passes(lab.web, "10.0.0.1", 8000)
    assert passes(lab.db, "10.0.0.7", 1450)
    lab.converge([{"mtu": 8000}])
    assert passes(lab.web, "10.0.0.1", 8000)
    lab.converge([{"mtu": 1300}])
    assert passes(lab.db, "10.0.0.7", 1300)
    assert "From 10.0.1.1" in (told := large(lab.db, "10.0.0.7", 1301)) and "mtu = 1300" in told
    assert lab.index() == index


def test_another_network(lab: Lab) -> None:
    index = lab.index()
    lab.node.add_bridge("brqother-netwo")
    moved = Machine(lab.node, "moved", "brqother-netwo", ["10.0.0.8/24"], [("default", "10.0.0.1")])
    lab.converge([{"network_id": "other-network"}])
    assert answering(moved, ["10.0.0.1", "10.0.1.7", OUTSIDE]) == {"10.0.0.1", "10.0.1.7", OUTSIDE}
    assert answering(lab.web, ["10.0.0.1"]) == set()
    assert lab.index() == index


def large(machine: Machine, address: str, size: int) -> str:
    """What ping says of a packet of this size, headers and all, that must not be cut into fragments."""
    ping = ("ping", "-i", "0.2", "-c", "1", "-w", "2", "-M", "do")
    return machine.run(*ping, "-s", str(size - 28), address, check=False).stdout


def passes(machine: Machine, address: str, size: int) -> bool:
    return " 1 received" in large(machine, address, size)
