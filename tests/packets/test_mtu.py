# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks of different MTU behind one router: who sends too much is told so, through NAT too, and TCP can be told before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import DB_BRIDGE, WEB_BRIDGE, router
from .test_ports import large, passes

SMALL = 1400
OUTSIDE, OUTSIDE6, BEHIND, FLOATING, DB_FLOATING = "203.0.113.1", "2001:db8:e::1", "198.18.0.9", "203.0.113.20", "203.0.113.21"
WEB, WEB6, DB, DB6, PLAIN = "10.0.0.5", "2001:db8:1::5", "10.0.1.5", "2001:db8:2::5", "10.0.0.7"
# Says the MSS of the SYN that came, as the router let it through, then takes a megabyte and gives one.
_SERVE = r"""
import socket, struct, threading
SAVE_SYN, SAVED_SYN = 27, 28  # linux/tcp.h
server = socket.create_server(("::", 7780), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
server.setsockopt(socket.IPPROTO_TCP, SAVE_SYN, 1)
def mss(syn):
    tcp = syn[40 if syn[0] >> 4 == 6 else (syn[0] & 15) * 4:]
    place = 20
    while place < (tcp[12] >> 4) * 4 and tcp[place]:
        if tcp[place] == 2:
            return struct.unpack_from("!H", tcp, place + 2)[0]
        place += 1 if tcp[place] == 1 else tcp[place + 1]
def converse(peer):
    syn = peer.getsockopt(socket.IPPROTO_TCP, SAVED_SYN, 512)
    with peer, peer.makefile("rwb") as stream:
        stream.write(b"%d\n" % mss(syn))
        stream.flush()
        stream.read(1 << 20)
        stream.write(b".")
        stream.flush()
        stream.write(b"x" * (1 << 20))
print("ready", flush=True)
while True:
    threading.Thread(target=converse, args=(server.accept()[0],), daemon=True).start()
"""
_STREAM = """
import socket, sys
with socket.create_connection((sys.argv[1], 7780), 3) as peer, peer.makefile("rwb") as stream:
    print(stream.readline().decode().strip(), flush=True)
    stream.write(b"x" * (1 << 20))
    stream.flush()
    if stream.read(1):
        print("there", flush=True)
    if len(stream.read(1 << 20)) == 1 << 20:
        print("back", flush=True)
"""


def data(gateway: int = 1500, db: int = SMALL) -> dict[str, Any]:
    """A router with these MTUs on its gateway and its second network; that of the first is 1500."""
    ports = [{**port, "mtu": mtu} for port, mtu in zip(router()["interfaces"], (1500, db), strict=True)]
    ports[1]["addresses"] = ["10.0.1.1/24", "2001:db8:2::1/64"]
    return router(interfaces=ports, gateway={**router()["gateway"], "mtu": gateway}, routes=[])


@dataclass
class Lab:
    """A node with a router, a host outside, machines with and without a floating IP in one network, and one in the other."""

    node: Node
    options: dict[str, Any]
    outside: Machine
    web: Machine
    plain: Machine
    db: Machine

    def converge(self, routers: dict[str, Any], **options: Any) -> None:
        result = run_engine(self.node, [routers], **{**self.options, **options})
        assert "failed" not in result, result["msg"]
        assert not run_engine(self.node, [routers], **{**self.options, **options})["changed"]
        for machine in (self.outside, self.web, self.plain, self.db):  # what it has learned of the ways before
            machine.run("ip", "route", "flush", "cache")
            machine.run("ip", "-6", "route", "flush", "cache")


def made(node: Node, **options: Any) -> Lab:
    result = run_engine(node, [data()], **options)
    assert "failed" not in result, result["msg"]
    back = [("2001:db8:1::/64", "2001:db8:e::10"), ("2001:db8:2::/64", "2001:db8:e::10")]
    default, default6 = ("default", "10.0.0.1"), ("::/0", "2001:db8:1::1")
    of_db = [("default", "10.0.1.1"), ("::/0", "2001:db8:2::1")]
    lab = Lab(
        node,
        options,
        outside=Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24", f"{OUTSIDE6}/64"], back),
        web=Machine(node, "web", WEB_BRIDGE, [f"{WEB}/24", f"{WEB6}/64"], [default, default6]),
        plain=Machine(node, "plain", WEB_BRIDGE, [f"{PLAIN}/24"], [default]),
        db=Machine(node, "db", DB_BRIDGE, [f"{DB}/24", f"{DB6}/64"], of_db, mtu=SMALL),
    )
    for machine in (lab.outside, lab.web, lab.plain, lab.db):
        # A device is given one segment at a time, as if there were a wire behind it.
        machine.run("ip", "link", "set", "dev", "eth0", "gso_max_segs", "1")
        server = machine.start("/usr/bin/python3", "-c", _SERVE)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
    return lab


@pytest.fixture
def lab(node: Node) -> Lab:
    return made(node)


def large6(machine: Machine, address: str, size: int) -> str:
    """What ping says of an IPv6 packet of this size, headers and all, which no router cuts into fragments."""
    ping = ("ping", "-6", "-i", "0.2", "-c", "1", "-w", "2", "-M", "do")
    return machine.run(*ping, "-s", str(size - 48), address, check=False).stdout


def stream(machine: Machine, address: str) -> list[str]:
    """The MSS that the other side was told, and whether a megabyte went there, and one came back."""
    return machine.run("timeout", "6", "/usr/bin/python3", "-c", _STREAM, address, check=False).stdout.split()


ALL = ("there", "back")
FRAGMENTATION_NEEDED = f"Frag needed and DF set (mtu = {SMALL})"
TOO_BIG = f"Packet too big: mtu={SMALL}"


def test_between_networks(lab: Lab) -> None:
    assert stream(lab.web, DB) == ["1460", *ALL]
    assert stream(lab.db, WEB) == [str(SMALL - 40), *ALL]
    assert stream(lab.web, DB6) == ["1440", *ALL]
    assert passes(lab.web, DB, SMALL)
    assert f"From 10.0.0.1 icmp_seq=1 {FRAGMENTATION_NEEDED}" in large(lab.web, DB, SMALL + 1)
    assert " 1 received" in large6(lab.web, DB6, SMALL)
    assert f"From 2001:db8:1::1 icmp_seq=1 {TOO_BIG}" in large6(lab.web, DB6, SMALL + 1)


@pytest.mark.parametrize("sender", ["plain", "web"], ids=["source NAT", "floating IP"])
def test_out_by_a_gateway_of_a_smaller_mtu(lab: Lab, sender: str) -> None:
    lab.converge(data(gateway=SMALL))
    machine: Machine = getattr(lab, sender)
    assert passes(machine, OUTSIDE, SMALL)
    assert f"From 10.0.0.1 icmp_seq=1 {FRAGMENTATION_NEEDED}" in large(machine, OUTSIDE, SMALL + 1)
    assert f"From 2001:db8:1::1 icmp_seq=1 {TOO_BIG}" in large6(lab.web, OUTSIDE6, SMALL + 1)


@pytest.mark.parametrize("sender", ["plain", "web"], ids=["source NAT", "floating IP"])
def test_a_router_further_on_is_heard_through_nat(lab: Lab, sender: str) -> None:
    """It says so to the router's address or to the floating IP, and of a packet that was from there."""
    lab.outside.run("sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1")
    lab.outside.run("ip", "route", "add", BEHIND, "via", "203.0.113.9", "mtu", "lock", str(SMALL))
    assert f"From {OUTSIDE} icmp_seq=1 {FRAGMENTATION_NEEDED}" in large(getattr(lab, sender), BEHIND, SMALL + 1)


def test_in_by_a_floating_ip_to_a_network_of_a_smaller_mtu(lab: Lab) -> None:
    assert stream(lab.outside, DB_FLOATING) == ["1460", *ALL]
    assert stream(lab.web, DB_FLOATING) == ["1460", *ALL], "by a hairpin"
    assert passes(lab.outside, DB_FLOATING, SMALL)
    assert FRAGMENTATION_NEEDED in large(lab.outside, DB_FLOATING, SMALL + 1)
    assert TOO_BIG in large6(lab.outside, DB6, SMALL + 1)


def test_tcp_is_told_before_where_it_is_asked_for(lab: Lab) -> None:
    """A host outside with another idea of the network sends what the gateway does not take, and nobody says so to it."""
    small = data(gateway=SMALL)
    lab.converge(small)
    assert stream(lab.web, OUTSIDE) == ["1460", "there"]
    assert stream(lab.plain, OUTSIDE) == ["1460", "there"]
    assert stream(lab.web, OUTSIDE6) == ["1440", "there"]
    lab.converge(small, clamp_mss_to_pmtu=True)
    see_clamped(lab)
    lab.converge(small)
    assert stream(lab.web, OUTSIDE) == ["1460", "there"]


def see_clamped(lab: Lab) -> None:
    """A gateway of the smaller MTU is heeded in both directions, and so is a network of it."""
    assert stream(lab.web, OUTSIDE) == [str(SMALL - 40), *ALL]
    assert stream(lab.web, OUTSIDE6) == [str(SMALL - 60), *ALL]
    assert stream(lab.outside, FLOATING) == [str(SMALL - 40), *ALL]
    assert stream(lab.outside, WEB6) == [str(SMALL - 60), *ALL]
    assert stream(lab.web, DB) == [str(SMALL - 40), *ALL]


def test_what_is_small_enough_is_left_as_it_is(lab: Lab) -> None:
    lab.converge(data(db=9000), clamp_mss_to_pmtu=True)
    assert stream(lab.web, OUTSIDE) == ["1460", *ALL]
    assert stream(lab.web, OUTSIDE6) == ["1440", *ALL]
    assert stream(lab.db, WEB) == [str(SMALL - 40), *ALL]


def test_in_the_nodes_own_namespace(node: Node) -> None:
    node.run("sysctl", "--quiet", "--write", "net.ipv6.conf.all.forwarding=1")
    lab = made(node, use_namespaces=False, router_id="r1")
    lab.converge(data(gateway=SMALL), clamp_mss_to_pmtu=True)
    see_clamped(lab)
    lab.converge(data(gateway=SMALL))
    assert "l3-FORWARD" not in node.run("iptables-save").stdout + node.run("ip6tables-save").stdout
