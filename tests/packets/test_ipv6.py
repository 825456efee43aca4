# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dual stack: IPv6 is routed between a router's networks and out by each kind of gateway, untranslated and at once."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine, run_probe

from ..routers import DB_BRIDGE, WEB_BRIDGE, router

DEVICE = "qg-aaaa0000-ex"
OWN_LINK_LOCAL, OUTSIDE_LINK_LOCAL = "fe80::f816:3eff:fe00:b0", "fe80::1"
BEHIND, BEHIND4, OFF_SUBNET, OFF_SUBNET4 = "2001:db8:99::9", "198.18.0.9", "2001:db8:f::1", "192.0.2.1"
WEB, DB = "2001:db8:1::5", "2001:db8:2::5"
# To everybody on the link, with a lifetime of half an hour, and a network for addresses where one is given.
_ADVERTISE = """
import socket, struct, sys
raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
index = socket.if_nametoindex("eth0")
raw.bind((sys.argv[1], 0, 0, index))
packet = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, int(sys.argv[2]), 0, 0)
for network in sys.argv[3:]:
    packet += struct.pack("!BBBBIII16s", 3, 4, 64, 0xC0, 3600, 3600, 0, socket.inet_pton(socket.AF_INET6, network))
raw.sendto(packet, ("ff02::1", 0, 0, index))
"""

# A router that is only asked.
_ANSWER = """
import socket, struct, sys
raw, index = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6), socket.if_nametoindex("eth0")
routers = socket.inet_pton(socket.AF_INET6, "ff02::2")
raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, routers + struct.pack("@I", index))
raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
print("ready", flush=True)
while True:
    packet, source = raw.recvfrom(999)
    if packet[0] == 133:
        raw.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), ("ff02::1", 0, 0, index))
"""
SOON = 3.0  # seconds; the kernel asks again after 4


@dataclass(frozen=True)
class Way:
    """How a router gets its IPv6 default route. ``back``: how the host outside comes to the router's networks."""

    gateway: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    advertised: Sequence[str] | None = None
    back: str = f"{OWN_LINK_LOCAL} dev eth0"


V4 = {"addresses": ["203.0.113.10/24"], "gateway_ips": ["203.0.113.1"]}
BOTH = {"addresses": ["203.0.113.10/24", "2001:db8:e::10/64"]}
WAYS = {
    "a global next hop": Way({}, back="2001:db8:e::10"),
    "a link-local next hop": Way({"gateway_ips": ["203.0.113.1", OUTSIDE_LINK_LOCAL]}),
    "a link-local next hop, and no IPv6 subnet": Way({**V4, "gateway_ips": ["203.0.113.1", OUTSIDE_LINK_LOCAL]}),
    "next hops outside of the subnets": Way({**BOTH, "gateway_ips": [OFF_SUBNET4, OFF_SUBNET]}),
    "ipv6_gateway": Way(V4, {"ipv6_gateway": OUTSIDE_LINK_LOCAL}),
    "ipv6_gateway, and a subnet without gateway IP": Way(
        {**BOTH, "gateway_ips": ["203.0.113.1"]}, {"ipv6_gateway": OUTSIDE_LINK_LOCAL}
    ),
    "router advertisements": Way({**BOTH, "gateway_ips": ["203.0.113.1"]}, advertised=[]),
    "router advertisements, and no IPv6 subnet": Way(V4, advertised=[]),
    "router advertisements with a network": Way(V4, advertised=["2001:db8:ee::"]),
    "no IPv4": Way({"addresses": ["2001:db8:e::10/64"], "gateway_ips": ["2001:db8:e::1"]}),
}


def data(**gateway: Any) -> dict[str, Any]:
    """A router with two dual-stack networks, of which one has two subnets of IPv6."""
    web, db = router()["interfaces"]
    web = {**web, "addresses": [*web["addresses"], "2001:db8:3::1/64"]}
    db = {**db, "addresses": ["10.0.1.1/24", "2001:db8:2::1/64"]}
    return router(interfaces=[web, db], gateway={**router()["gateway"], **gateway}, routes=[], floating_ips=[])


@dataclass
class Lab:
    """A node that has the bridges already, so that machines wait there for the router."""

    node: Node
    outside: Machine
    web: Machine
    db: Machine

    def converge(self, gateway: dict[str, Any], **options: Any) -> dict[str, Any]:
        result = run_engine(self.node, [data(**gateway)], **options)
        assert "failed" not in result, result["msg"]
        assert not run_engine(self.node, [data(**gateway)], **options)["changed"]
        return result

    def lead_back(self, way: str) -> None:
        """The way from outside to the router's networks."""
        for network in ("2001:db8:1::/64", "2001:db8:2::/64"):
            self.outside.run("ip", "-6", "route", "replace", network, *f"via {way}".split())

    def advertise(self, networks: Sequence[str] = (), seconds: int = 1800) -> None:
        self.outside.run("/usr/bin/python3", "-c", _ADVERTISE, OUTSIDE_LINK_LOCAL, str(seconds), *networks)

    def told(self) -> list[str]:
        """The next hops of the router's IPv6 default route, but those from advertisements."""
        return [default.split()[0] for default in self.defaults() if default.endswith(" static")]

    def defaults(self) -> list[str]:
        """The router's IPv6 default routes: next hop and protocol."""
        found = json.loads(self.node.run("ip", "-n", "qrouter-r1", "-6", "-json", "route", "show", "default").stdout)
        return [f"{route['gateway']} {route['protocol']}" for route in found]


@pytest.fixture
def lab(node: Node) -> Lab:
    for bridge in (WEB_BRIDGE, DB_BRIDGE):
        node.add_bridge(bridge)
    outside = ["203.0.113.1/24", f"{BEHIND4}/32", f"{OFF_SUBNET4}/32", f"{OFF_SUBNET}/128", "2001:db8:e::1/64", "fe80::1/64"]
    lab = Lab(
        node,
        outside=Machine(node, "outside", "br-ex", [*outside, f"{BEHIND}/128"]),
        web=Machine(node, "web", WEB_BRIDGE, ["10.0.0.5/24", f"{WEB}/64"], [("default", "10.0.0.1"), ("::/0", "2001:db8:1::1")]),
        db=Machine(node, "db", DB_BRIDGE, ["10.0.1.5/24", f"{DB}/64"], [("default", "10.0.1.1"), ("::/0", "2001:db8:2::1")]),
    )
    lab.outside.run("sysctl", "--quiet", "--write", "net.ipv6.conf.all.forwarding=1")  # who says that it is none is believed
    for machine in (lab.outside, lab.web, lab.db):
        machine.serve_whoami()
    return lab


@pytest.mark.parametrize("what", WAYS)
def test_packets_go_between_the_networks_and_out_untranslated(lab: Lab, what: str) -> None:
    way = WAYS[what]
    lab.converge(way.gateway, **way.options)
    lab.lead_back(way.back)
    if way.advertised is not None:
        lab.advertise(way.advertised)
        assert lab.defaults() == [f"{OUTSIDE_LINK_LOCAL} ra"]
    assert lab.web.seen_as(BEHIND) == WEB
    assert lab.db.seen_as(BEHIND) == DB
    assert lab.web.seen_as(DB) == WEB
    assert lab.outside.seen_as(WEB) is not None
    if "no IPv4" not in what:
        assert lab.web.seen_as(BEHIND4) == "203.0.113.10"
    assert not run_engine(lab.node, [data(**way.gateway)], **way.options)["changed"]
    [health] = run_probe(lab.node, [data(**way.gateway)], **way.options)["routers"]
    assert (health["healthy"], health["reasons"]) == (True, [])
    assert [gateway["gateway_ip"] for gateway in health["gateways"] if ":" in gateway["gateway_ip"]] == lab.told()
    gathered = run_engine(lab.node, None, "gathered")["gathered"]
    assert not run_engine(lab.node, gathered, **way.options)["changed"]


def test_the_second_subnet_of_a_port_is_routed_as_well(lab: Lab) -> None:
    lab.converge({})
    lab.web.run("ip", "address", "add", "2001:db8:3::5/64", "dev", "eth0", "nodad")
    assert lab.db.seen_as("2001:db8:3::5") == DB


def test_ipv6_works_the_moment_that_the_run_is_over(lab: Lab) -> None:
    """Nobody looks for duplicates first, which takes seconds, in which a router could ask for no neighbour."""
    lab.lead_back(f"{OWN_LINK_LOCAL} dev eth0")
    lab.outside.run("ip", "-6", "neigh", "flush", "dev", "eth0")
    result = run_engine(lab.node, [data(**V4)], ipv6_gateway=OUTSIDE_LINK_LOCAL)
    assert lab.node.run("ip", "-n", "qrouter-r1", "-6", "address", "show", "tentative").stdout == ""
    assert "failed" not in result
    assert lab.web.run("ping", "-c", "1", "-W", "1", BEHIND, check=False).returncode == 0


def test_a_router_that_is_still_on_another_node_gets_its_addresses_all_the_same(lab: Lab) -> None:
    """The other one answers who looks for duplicates, and the link-local address would be given up for good."""
    Machine(lab.node, "elsewhere", "br-ex", [f"{OWN_LINK_LOCAL}/64", "2001:db8:e::10/64"])
    lab.converge({})
    found = json.loads(lab.node.run("ip", "-n", "qrouter-r1", "-6", "-json", "address", "show", "dev", DEVICE).stdout)
    own = {a["local"]: {key for key in ("tentative", "dadfailed") if a.get(key)} for a in found[0]["addr_info"]}
    time.sleep(2)
    assert own == {OWN_LINK_LOCAL: set(), "2001:db8:e::10": set()}


@pytest.mark.parametrize("way", [WAYS["a global next hop"], WAYS["ipv6_gateway"]], ids=["gateway IP", "ipv6_gateway"])
def test_a_gateway_that_is_told_takes_the_place_of_one_from_advertisements(lab: Lab, way: Way) -> None:
    untold = WAYS["router advertisements, and no IPv6 subnet"].gateway
    lab.converge(untold)
    for address in ("fe80::2", "fe80::3"):  # there can be several
        lab.outside.run("ip", "address", "add", f"{address}/64", "dev", "eth0", "nodad")
        lab.outside.run("/usr/bin/python3", "-c", _ADVERTISE, address, "1800")
    assert sorted(lab.defaults()) == ["fe80::2 ra", "fe80::3 ra"]
    predicted = run_engine(lab.node, [data(**way.gateway)], check=True, **way.options)
    result = lab.converge(way.gateway, **way.options)
    assert result["routers"] == predicted["routers"]
    hop = way.options.get("ipv6_gateway", "2001:db8:e::1")
    assert lab.defaults() == [f"{hop} static"]
    lab.advertise()
    assert lab.defaults() == [f"{hop} static"], "no more are taken"
    lab.lead_back(way.back)
    assert lab.web.seen_as(BEHIND) == WEB
    lab.converge(untold)
    assert lab.defaults() == []
    lab.advertise()
    assert lab.defaults() == [f"{OUTSIDE_LINK_LOCAL} ra"]


@pytest.mark.parametrize("before", [None, 4], ids=["new", "with IPv4 before"])
def test_who_advertises_only_when_asked_is_asked_at_once(node: Node, before: int | None) -> None:
    outside = Machine(node, "outside", "br-ex", ["203.0.113.1/24", "fe80::1/64"])
    server = outside.start("/usr/bin/python3", "-c", _ANSWER)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    wanted = data(**V4)
    found = ""
    for _attempt in range(3):  # on a busy machine, a question can come before the bridge lets it through
        run_engine(node, [])
        if before is not None:
            ports = [{**port, "addresses": [a for a in port["addresses"] if ":" not in a]} for port in wanted["interfaces"]]
            assert "failed" not in run_engine(node, [{**wanted, "interfaces": ports}])
        assert "failed" not in run_engine(node, [wanted])
        deadline = time.monotonic() + SOON
        while time.monotonic() < deadline and not found:
            found = node.run("ip", "-n", "qrouter-r1", "-6", "route", "show", "default").stdout
            time.sleep(0.02)
        if found:
            break
    assert f"dev {DEVICE} proto ra" in found
