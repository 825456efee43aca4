# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routes with several next hops, with gateways outside of their subnet, and by networks that are still to come."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import DB_BRIDGE, WEB_BRIDGE, router

pytestmark = pytest.mark.firewall_driver("iptables")

HOPS = {"a": ("10.0.0.253", "2001:db8:1::fd"), "b": ("10.0.0.254", "2001:db8:1::fe"), "c": ("10.0.1.254", "2001:db8:2::fe")}
SENDER, SENDER6 = "10.0.2.5", "2001:db8:3::5"
DEFAULTS = [("default", "10.0.2.1"), ("::/0", "2001:db8:3::1")]
BRIDGE = "brqsenders"
DESTINATIONS = {4: "192.168.50.0/24", 6: "2001:db8:77::/48"}
FLOWS = 64  # by which of three next hops each goes is by chance: that none goes by one of them happens in one of 10^11 times
_SEND = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as sender:
    for address in sys.argv[1:]:
        sender.sendto(b"x", (address, 9))
"""


def addresses(family: int) -> list[str]:
    """Those that the flows go to, which each of the next hops has behind it."""
    return [f"192.168.50.{n}" if family == 4 else f"2001:db8:77::{n}" for n in range(1, FLOWS + 1)]


def hosts(family: int) -> list[str]:
    return [f"{address}/{32 if family == 4 else 128}" for address in addresses(family)]


def data(**changes: Any) -> dict[str, Any]:
    """The router. Who sends is on another network than the next hops: on one with them, ICMP would redirect it to them."""
    web, db = router()["interfaces"]
    db = {**db, "addresses": ["10.0.1.1/24", "2001:db8:2::1/64"]}
    senders = {"id": "eeee0000-sender-port", "network_id": "senders", "addresses": ["10.0.2.1/24", "2001:db8:3::1/64"]}
    return router(**{"interfaces": [web, senders, db], "routes": [], "floating_ips": [], **changes})


class Pings:
    """Echoes from a machine to an address, a hundred in a second, for some seconds."""

    def __init__(self, machine: Machine, address: str, count: int) -> None:
        self._process = machine.start("ping", "-q", "-i", "0.01", "-c", str(count), "-W", "2", address)

    def goes_on(self) -> bool:
        return self._process.poll() is None

    def lost(self) -> int:
        """Wait for its end; how many did not come back."""
        said = self._process.communicate(timeout=60)[0]
        found = re.search(r"(\d+) packets transmitted, (\d+) received", said)
        assert found is not None, said
        return int(found.group(1)) - int(found.group(2))


@dataclass
class Lab:
    """A router with two dual-stack networks, a machine that sends, and three machines that lead on to the same addresses."""

    node: Node
    sender: Machine
    hops: dict[str, Machine]

    def converge(self, hops: str, family: int, **changes: Any) -> None:
        """Give the router a route by these next hops."""
        routes = [{"destination": DESTINATIONS[family], "nexthop": HOPS[name][family == 6]} for name in hops]
        predicted = run_engine(self.node, [data(routes=routes, **changes)], check=True)
        result = run_engine(self.node, [data(routes=routes, **changes)])
        assert "failed" not in result, result["msg"]
        assert result["routers"] == predicted["routers"]
        assert not run_engine(self.node, [data(routes=routes, **changes)])["changed"]

    def taken(self, family: int) -> set[str]:
        """The next hops by which packets go. Each packet comes to one of them."""
        before = self._arrived(family)
        self.sender.run("/usr/bin/python3", "-c", _SEND, *addresses(family))
        after = self._arrived(family)
        counts = {name: after[name] - before[name] for name in self.hops}
        assert sum(counts.values()) == FLOWS, counts
        return {name for name, count in counts.items() if count}

    def _arrived(self, family: int) -> dict[str, int]:
        """How many datagrams came to each of the next hops, where nobody listens for them."""
        return {name: _no_ports(machine, family) for name, machine in self.hops.items()}

    def next_hop(self, address: str) -> str:
        """The one that the router has for a packet of the sender's, as the kernel says."""
        by = ["from", SENDER6 if ":" in address else SENDER, "iif", "qr-eeee0000-se"]
        found = self.node.run("ip", "-n", "qrouter-r1", "route", "get", address, *by).stdout
        return found.split(" via ")[1].split()[0]


def _no_ports(machine: Machine, family: int) -> int:
    if family == 6:
        lines = machine.run("cat", "/proc/net/snmp6").stdout.splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("Udp6NoPorts ")))
    names, values = (line.split() for line in machine.run("cat", "/proc/net/snmp").stdout.splitlines() if line.startswith("Udp:"))
    return int(values[names.index("NoPorts")])


@pytest.fixture
def lab(node: Node) -> Lab:
    assert "failed" not in run_engine(node, [data()])
    hops = {}
    for name, (hop, hop6) in HOPS.items():
        bridge, defaults = WEB_BRIDGE, [("default", "10.0.0.1"), ("::/0", "2001:db8:1::1")]
        if name == "c":
            bridge, defaults = DB_BRIDGE, [("default", "10.0.1.1"), ("::/0", "2001:db8:2::1")]
        hops[name] = Machine(node, name, bridge, [f"{hop}/24", f"{hop6}/64", *hosts(4), *hosts(6)], defaults)
    return Lab(node, Machine(node, "sender", BRIDGE, [f"{SENDER}/24", f"{SENDER6}/64"], DEFAULTS), hops)


def lost(flows: Sequence[Pings]) -> list[int]:
    """How much each of the flows lost, all of which went on until now."""
    assert all(flow.goes_on() for flow in flows)
    return [flow.lost() for flow in flows]


@pytest.mark.parametrize("family", [4, 6])
def test_next_hops_come_and_go_one_by_one_and_traffic_goes_on_by_the_others(lab: Lab, family: int) -> None:
    lab.converge("a", family)
    flows = [Pings(lab.sender, address, 500) for address in addresses(family)[:8]]
    for hops in ("ab", "abc", "bc", "c", "ca", "a"):
        lab.converge(hops, family)
        assert lab.taken(family) == set(hops)
    assert lost(flows) == [0] * 8


@pytest.mark.parametrize("family", [4, 6])
def test_a_next_hop_that_goes_with_its_port_leaves_the_others(lab: Lab, family: int) -> None:
    lab.converge("ac", family)
    assert lab.taken(family) == {"a", "c"}
    by_a = [address for address in addresses(family) if lab.next_hop(address) == HOPS["a"][family == 6]]
    flows = [Pings(lab.sender, address, 300) for address in by_a[:4]]
    lab.converge("a", family, interfaces=data()["interfaces"][:2])
    assert lost(flows) == [0] * 4
    assert lab.taken(family) == {"a"}


LATE = {
    4: ("10.0.5.254", "10.0.5.1/24", "192.168.60.9/32", "0.0.0.0/0"),
    6: ("2001:db8:5::fe", "2001:db8:5::1/64", "2001:db8:60::9/128", "::/0"),
}


@pytest.mark.parametrize("family", [4, 6])
def test_a_next_hop_on_a_network_that_is_still_to_come_fails_alone_and_heals_with_it(lab: Lab, family: int) -> None:
    hop, inner, beyond, default = LATE[family]
    routes = [
        {"destination": beyond, "nexthop": hop},
        {"destination": DESTINATIONS[family], "nexthop": hop},
        {"destination": DESTINATIONS[family], "nexthop": HOPS["a"][family == 6]},
    ]
    outside = Machine(lab.node, "outside", "br-ex", ["203.0.113.1/24"])
    outside.serve_whoami()
    lab.sender.serve_whoami()
    changes: dict[str, Any] = {
        "routes": routes,
        "floating_ips": [{"floating_ip_address": "203.0.113.20", "fixed_ip_address": SENDER}],
    }
    result = run_engine(lab.node, [data(**changes)])
    error = f"routes[0].nexthop: {hop} is on no network of the router; routes[1].nexthop: {hop} is on no network of the router"
    assert (result["failed"], result["routers"][0]["error"]) == (True, error)
    # All else is in place, and the other next hop of the same destination.
    assert lab.taken(family) == {"a"}
    assert (lab.sender.seen_as("203.0.113.1"), outside.seen_as("203.0.113.20")) == ("203.0.113.20", "203.0.113.1")
    again = run_engine(lab.node, [data(**changes)])
    assert (again["changed"], again["routers"][0]["error"]) == (False, error)
    late = {"id": "dddd0000-late-port", "network_id": "late", "addresses": [inner]}
    healed = run_engine(lab.node, [data(interfaces=[*data()["interfaces"], late], **changes)])
    assert "failed" not in healed, healed["msg"]
    own, length = inner.split("/")
    lab.hops["late"] = Machine(lab.node, "late", "brqlate", [f"{hop}/{length}", beyond, *hosts(family)], [(default, own)])
    assert lab.sender.pings(beyond.split("/")[0])
    assert lab.taken(family) == {"a", "late"}


def test_what_a_missing_external_bridge_keeps_away_comes_with_it(node: Node) -> None:
    node.run("ip", "link", "delete", "br-ex")
    result = run_engine(node, [data()])
    assert result["routers"][0]["error"].startswith("The external bridge br-ex does not exist on this node")
    sender = Machine(node, "sender", BRIDGE, [f"{SENDER}/24"], DEFAULTS[:1])
    assert sender.pings("10.0.1.1")
    node.add_bridge("br-ex")
    result = run_engine(node, [data()])
    assert "failed" not in result, result["msg"]
    outside = Machine(node, "outside", "br-ex", ["203.0.113.1/24"])
    outside.serve_whoami()
    assert sender.seen_as("203.0.113.1") == "203.0.113.10"


def test_gateways_outside_of_the_subnets_of_the_port(node: Node) -> None:
    gateway = {**router()["gateway"], "gateway_ips": ["192.0.2.1", "2001:db8:f::1"], "extra_subnets": []}
    result = run_engine(node, [data(gateway=gateway)])
    assert "failed" not in result, result["msg"]
    own = ["192.0.2.1/32", "2001:db8:f::1/128", "198.18.0.9/32", "2001:db8:99::9/128"]
    outside = Machine(node, "outside", "br-ex", own)
    for destination in ("203.0.113.10/32", "2001:db8:e::10/128"):
        outside.run("ip", "route", "add", destination, "dev", "eth0")
    outside.run("ip", "route", "add", "2001:db8:3::/64", "via", "2001:db8:e::10")
    outside.serve_whoami()
    sender = Machine(node, "sender", BRIDGE, [f"{SENDER}/24", f"{SENDER6}/64"], DEFAULTS)
    assert sender.seen_as("198.18.0.9") == "203.0.113.10"
    assert sender.seen_as("2001:db8:99::9") == SENDER6
