# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a tenant behind a router, and a host outside, can reach and do: each claim of docs/threat-model.md."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox import Machine, MetadataServer, Node
from sandbox.engine import run_engine

from ..routers import DB_BRIDGE, WEB_BRIDGE, router, small_router

SOCKET = "/var/lib/neutron/metadata_proxy"
NODE, NODE6 = "192.0.2.10", "2001:db8:99::10"  # the node's own addresses
PYTHON = "/usr/bin/python3"
TCP = [1, 22, 53, 80, 111, 443, 2375, 6640, 6653, 8775, 9697, 9797, 32768]
UDP = [53, 67, 111, 123, 161, 500, 514, 546, 4789, 6081, 9697]
INSIDE = ["10.0.0.1", "10.0.1.1", "2001:db8:1::1"]
OUTSIDE = ["203.0.113.10", "2001:db8:e::10"]
METADATA_V6 = "fe80::a9fe:a9fe%eth0"
ELSEWHERE = ["169.254.169.254", NODE, NODE6]

# What listens on the node itself, on all of its addresses, and answers.
_SERVICES = """
import select, socket, sys
kinds = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
servers = {}
for word in sys.argv[1:]:
    kind, port = word.split(":")
    server = socket.socket(socket.AF_INET6, kinds[kind])
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(("::", int(port)))
    if kind == "tcp":
        server.listen(64)
    servers[server.fileno()] = server, kind
print("ready", flush=True)
while True:
    for server in select.select(list(servers), [], [])[0]:
        server, kind = servers[server]
        if kind == "tcp":
            server.accept()[0].close()
        else:
            data, sender = server.recvfrom(99)
            server.sendto(data, sender)
"""

# Connects to every port of every address at once, sends a datagram to each, and says which of them answered.
_SCAN = """
import json, select, socket, sys, time
addresses, tcp, udp = json.loads(sys.argv[1])
poll, waiting, answered = select.poll(), {}, []
for address in addresses:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    host, _percent, device = address.partition("%")
    scope = (0, socket.if_nametoindex(device)) if device else ()
    for kind, ports, event in ((socket.SOCK_STREAM, tcp, select.POLLOUT), (socket.SOCK_DGRAM, udp, select.POLLIN)):
        for port in ports:
            peer = socket.socket(family, kind | socket.SOCK_NONBLOCK)
            try:
                peer.connect_ex((host, port, *scope))
                if kind == socket.SOCK_DGRAM:
                    peer.send(b"?" * 48)
            except OSError:
                continue
            poll.register(peer, event)
            waiting[peer.fileno()] = peer, f"{'tcp' if kind == socket.SOCK_STREAM else 'udp'} {address} {port}"
end = time.monotonic() + 1.5
while waiting and time.monotonic() < end:
    for descriptor, event in poll.poll(100):
        peer, name = waiting.pop(descriptor)
        poll.unregister(descriptor)
        if peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and not event & select.POLLERR:
            answered.append(name)
print(json.dumps(sorted(answered)))
"""

_PACKETS = """
import socket, struct, sys
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
def ip(source, target, protocol, payload):
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    head = struct.pack("!BBHHHBBH8s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, ends)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload
def icmp(kind, code, rest, payload):
    head = struct.pack("!BBH4s", kind, code, 0, rest)
    return head[:2] + struct.pack("!H", checksum(head + payload)) + head[4:] + payload
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
"""
# Sends datagrams with whatever source.
_FORGE = """
for argument in sys.argv[1:]:
    source, target, port, text = argument.split(",")
    payload = struct.pack("!HHHH", 40000, int(port), 8 + len(text), 0) + text.encode()
    raw.sendto(ip(source, target, 17, payload), (target, 0))
"""

# Tells the router, in its gateway's name, to send what is for one host outside to another one.
_REDIRECT = """
told = ip("10.0.0.1", "198.18.0.200", 1, icmp(0, 0, bytes(4), b""))
for _time in range(3):
    raw.sendto(ip("203.0.113.1", "10.0.0.1", 1, icmp(5, 1, socket.inet_aton("203.0.113.66"), told)), ("10.0.0.1", 0))
"""

# Says of each datagram where it came from, until there was none for a while.
_RECEIVE = """
import json, socket, sys
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("", int(sys.argv[1])))
print("ready", flush=True)
sys.stdin.readline()
receiver.settimeout(0.7)
seen = {}
try:
    while True:
        data, sender = receiver.recvfrom(999)
        seen[data.decode()] = sender[0]
except TimeoutError:
    print(json.dumps(seen))
"""


@pytest.fixture
def guarded(node: Node) -> Node:
    """A node with an address of its own, services on it, two routers with metadata, and a count of what comes to it."""
    MetadataServer(node, SOCKET)
    lines = [
        "link add name mgmt0 type veth peer name mgmt1",
        f"address add {NODE}/24 dev mgmt0",
        f"address add {NODE6}/64 dev mgmt0 nodad",
        "link set dev mgmt0 up",
        "link set dev mgmt1 up",
    ]
    node.run("ip", "-batch", "-", text="\n".join(lines) + "\n")
    services = node.start(PYTHON, "-c", _SERVICES, "tcp:22", "tcp:80", "tcp:6640", "tcp:8775", "udp:53", "udp:4789")
    assert services.stdout is not None
    assert services.stdout.readline() == "ready\n"
    node.run("iptables", "-I", "INPUT", "!", "-i", "lo")
    node.run("ip6tables", "-I", "INPUT", "!", "-i", "lo")
    return node


def converge(node: Node, *routers: dict[str, Any], **options: Any) -> None:
    result = run_engine(node, list(routers), metadata_upstream=f"unix:{SOCKET}", **options)
    assert "failed" not in result, result["msg"]


def tenant(node: Node) -> Machine:
    routes = [("default", "10.0.0.1"), ("default", "2001:db8:1::1")]
    return Machine(node, "web", WEB_BRIDGE, ["10.0.0.7/24", "2001:db8:1::7/64"], routes)


def stranger(node: Node) -> Machine:
    """A host outside that sends everything it can by way of the router."""
    through = ["10.0.0.0/16", "169.254.169.254/32", f"{NODE}/32"]
    routes = [*((there, "203.0.113.10") for there in through), ("2001:db8::/32", "2001:db8:e::10")]
    return Machine(node, "outside", "br-ex", ["203.0.113.1/16", "2001:db8:e::1/64"], routes)


def link_local(node: Node) -> list[str]:
    """The addresses that the router has on one of its links alone, as they are asked for from there."""
    devices = json.loads(node.run("ip", "-n", "qrouter-r1", "-json", "-6", "address", "show", "scope", "link").stdout)
    own = {address["local"] for device in devices for address in device.get("addr_info", ()) if "local" in address}
    return sorted({f"{address}%eth0" for address in own} - {METADATA_V6})


def reached(machine: Machine, addresses: list[str]) -> list[str]:
    """What answers, as "tcp ADDRESS PORT"."""
    done = machine.run(PYTHON, "-c", _SCAN, json.dumps([addresses, TCP, UDP]))
    answered: list[str] = json.loads(done.stdout)
    return answered


def came_to(node: Node) -> int:
    """How many packets came to the node itself, and not to a router."""
    lists = [node.run(command, "-vnxL", "INPUT", "1").stdout for command in ("iptables", "ip6tables")]
    return sum(int(text.split()[0]) for text in lists)


def received(node: Node, machine: Machine, sender: Machine, *datagrams: str) -> dict[str, str]:
    """What became of forged datagrams ("SOURCE,TARGET,PORT,NAME"): name -> the source that they had on arrival."""
    receiver = node.start_with_input("ip", "netns", "exec", machine.name, PYTHON, "-c", _RECEIVE, "9999")
    assert receiver.stdout is not None
    assert receiver.stdout.readline() == "ready\n"
    sender.run(PYTHON, "-c", _PACKETS + _FORGE, *datagrams)
    seen: dict[str, str] = json.loads(receiver.communicate("go\n", timeout=30)[0])
    return seen


def test_a_scan_from_inside_finds_metadata_and_nothing_else(guarded: Node) -> None:
    converge(guarded, router(), small_router(1))
    machine = tenant(guarded)
    others = ["203.0.113.31", "203.0.213.31"]  # another router's, and a floating IP there
    scanned = [*INSIDE, *OUTSIDE, "203.0.113.20", METADATA_V6, *link_local(guarded), *ELSEWHERE, *others]
    assert reached(machine, scanned) == ["tcp 169.254.169.254 80", f"tcp {METADATA_V6} 80"]
    assert came_to(guarded) == 0
    assert [address for address in (*INSIDE, *OUTSIDE) if not machine.pings(address)] == []


def test_a_scan_from_outside_finds_nothing(guarded: Node) -> None:
    converge(guarded, router(), small_router(1))
    host = stranger(guarded)
    scanned = [*INSIDE, *OUTSIDE, "203.0.113.20", "203.0.113.31", METADATA_V6, *link_local(guarded), *ELSEWHERE]
    assert reached(host, scanned) == []
    assert came_to(guarded) == 0
    assert host.pings("203.0.113.10")


def test_the_scan_sees_what_is_open(guarded: Node) -> None:
    """So that the scans above are not good by being blind."""
    converge(guarded, router())
    guarded.run("ip", "link", "set", "mgmt1", "netns", "qrouter-r1")
    for line in ("link set mgmt1 up", f"address add {NODE[:-2]}99/24 dev mgmt1", "route flush cache"):
        guarded.run("ip", "-n", "qrouter-r1", *line.split())
    guarded.run("ip", "route", "add", "10.0.0.0/24", "via", f"{NODE[:-2]}99")
    found = ["tcp", "udp"]
    expected = [f"{found[0]} {NODE} {port}" for port in (22, 6640, 80, 8775)] + [
        f"{found[1]} {NODE} {port}" for port in (4789, 53)
    ]
    assert reached(tenant(guarded), [NODE]) == expected
    assert came_to(guarded) > 0


def test_a_floating_ip_that_leads_to_the_router_itself_does_not_open_the_metadata_port(guarded: Node) -> None:
    floating = [{"floating_ip_address": "203.0.113.20", "fixed_ip_address": "10.0.0.1"}]
    converge(guarded, router(floating_ips=floating))
    assert reached(stranger(guarded), ["203.0.113.20"]) == []
    assert reached(tenant(guarded), ["203.0.113.20", "169.254.169.254"]) == ["tcp 169.254.169.254 80"]


def test_the_nodes_own_addresses_are_not_reached_by_the_bridge(guarded: Node) -> None:
    """Linux has its addresses on all of its devices at once, and so on the bridge that a tenant is on."""
    converge(guarded, router())
    machine = tenant(guarded)
    bridge = guarded.run("cat", f"/sys/class/net/{WEB_BRIDGE}/address").stdout.strip()
    machine.run("ip", "route", "add", f"{NODE}/32", "dev", "eth0")
    machine.run("ping", "-c", "1", "-W", "0.3", NODE, check=False)  # by asking who has it
    assert "lladdr" not in machine.run("ip", "neigh", "show", NODE).stdout
    for address in (NODE, NODE6):  # by knowing
        machine.run("ip", "route", "replace", f"{address}/{128 if ':' in address else 32}", "dev", "eth0")
        machine.run("ip", "neigh", "replace", address, "lladdr", bridge, "dev", "eth0")
        assert machine.run("ping", "-c", "1", "-W", "0.3", address, check=False).returncode != 0
    assert reached(machine, [NODE, NODE6]) == []
    assert came_to(guarded) == 0


@pytest.mark.parametrize("parameter", ["net.ipv4.conf.%s.rp_filter=0", "net.ipv6.conf.%s.disable_ipv6=0"])
def test_a_bridge_that_was_opened_by_hand_is_closed_again(guarded: Node, parameter: str) -> None:
    converge(guarded, router())
    key, _equals, value = (parameter % WEB_BRIDGE).partition("=")
    guarded.run("sysctl", "-w", f"{key}={value}")
    predicted = run_engine(guarded, [router()], check=True, metadata_upstream=f"unix:{SOCKET}")
    result = run_engine(guarded, [router()], metadata_upstream=f"unix:{SOCKET}")
    closed = "1"
    assert result["routers"][0]["actions"] == [f"sysctl {key} set to {closed}"] == predicted["routers"][0]["actions"]
    assert guarded.run("sysctl", "-n", key).stdout.strip() == closed


def test_a_bridge_that_others_made_is_as_they_made_it(guarded: Node) -> None:
    guarded.add_bridge(WEB_BRIDGE)
    converge(guarded, router())
    assert guarded.run("sysctl", "-n", f"net.ipv4.conf.{WEB_BRIDGE}.rp_filter").stdout.strip() == "0"


def test_what_a_forged_source_becomes(guarded: Node) -> None:
    """Which sources a machine may have is for its port to say; the router sends no address out that is not the tenants'."""
    converge(guarded, router())
    host = stranger(guarded)
    forged = ["10.0.0.9", "10.0.1.5", "198.51.100.77", "10.0.0.1", "203.0.113.10", "203.0.113.20", "127.0.0.1", "224.0.0.1", NODE]
    seen = received(guarded, host, tenant(guarded), *(f"{source},203.0.113.1,9999,{source}" for source in forged))
    assert seen == {
        "10.0.0.9": "203.0.113.10",
        "10.0.1.5": "203.0.113.21",  # it has this floating IP, wherever it comes from
        "198.51.100.77": "203.0.113.10",
        NODE: "203.0.113.10",
    }
    assert came_to(guarded) == 0


def test_a_forged_source_leaves_as_it_is_where_there_is_no_nat(guarded: Node) -> None:
    converge(guarded, router(enable_snat=False, floating_ips=[]))
    seen = received(guarded, stranger(guarded), tenant(guarded), "198.51.100.77,203.0.113.1,9999,forged")
    assert seen == {"forged": "198.51.100.77"}


def test_networks_of_one_router_reach_each_other(guarded: Node) -> None:
    converge(guarded, router())
    db = Machine(guarded, "db", DB_BRIDGE, ["10.0.1.7/24"], [("default", "10.0.1.1")])
    seen = received(guarded, db, tenant(guarded), "10.0.0.7,10.0.1.7,9999,plain", "10.0.1.9,10.0.1.7,9999,forged")
    assert seen == {"plain": "10.0.0.7", "forged": "10.0.1.9"}


def test_networks_of_other_routers_are_not_reached(guarded: Node) -> None:
    other = small_router(1)
    other["interfaces"][0]["addresses"] = ["10.77.0.1/24"]
    converge(guarded, router(), other)
    vm = Machine(guarded, "vm", "brqnet0001", ["10.77.0.5/24"], [("default", "10.77.0.1")])
    assert received(guarded, vm, tenant(guarded), "10.0.0.7,10.77.0.5,9999,plain", "10.77.0.9,10.77.0.5,9999,forged") == {}


def test_who_is_on_the_external_network_reaches_machines_by_their_own_addresses(guarded: Node) -> None:
    """As with the L3 agent: a router forwards. Who may send there is for the security groups of the machines' ports."""
    converge(guarded, router())
    tenant(guarded)
    assert stranger(guarded).pings("10.0.0.7")


def redirect(machine: Machine) -> None:
    """Have the machine forge redirections; they have come, and were taken or not, once a ping of the router did."""
    machine.run(PYTHON, "-c", _PACKETS + _REDIRECT)
    assert machine.pings("10.0.0.1")


def test_a_router_does_not_believe_redirections(guarded: Node) -> None:
    converge(guarded, router())
    Machine(guarded, "thief", "br-ex", ["203.0.113.66/24"])
    stranger(guarded)
    redirect(tenant(guarded))
    assert "via 203.0.113.1 " in guarded.run("ip", "-n", "qrouter-r1", "route", "get", "198.18.0.200").stdout


def test_a_router_in_the_nodes_own_namespace_is_the_node(guarded: Node) -> None:
    converge(guarded, router(floating_ips=[]), use_namespaces=False, router_id="r1")
    assert "tcp 10.0.0.1 22" in reached(tenant(guarded), ["10.0.0.1"])


def test_nor_does_it_believe_redirections_in_the_nodes_own_namespace(guarded: Node) -> None:
    converge(guarded, router(floating_ips=[]), use_namespaces=False, router_id="r1")
    Machine(guarded, "thief", "br-ex", ["203.0.113.66/24"])
    stranger(guarded)
    machine = tenant(guarded)
    guarded.run("ip", "route", "replace", "198.18.0.200/32", "via", "203.0.113.1")
    redirect(machine)
    assert "via 203.0.113.1 " in guarded.run("ip", "route", "get", "198.18.0.200").stdout
