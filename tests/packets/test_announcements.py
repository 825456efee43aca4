# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New addresses are announced, of IPv4 by gratuitous ARP, of IPv6 by advertisements: seen on the bridge of their network."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import WEB_BRIDGE, router

pytestmark = pytest.mark.firewall_driver("iptables")

MAC = "fa:16:3e:00:00:b0"
_CAPTURE = """
import socket, sys, time
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
raw.bind(("eth0", 0))
raw.settimeout(0.1)
print("ready", flush=True)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    try:
        frame = raw.recv(99)
    except TimeoutError:
        continue
    source, hardware, sender, target = frame[6:12], frame[22:28], frame[28:32], frame[38:42]
    if sender == target:
        kind = {1: "request", 2: "reply"}[frame[21]]
        print(kind, socket.inet_ntoa(sender), source.hex(":"), *{hardware.hex(":")} - {source.hex(":")}, flush=True)
"""


# The kernel has checked hop limit and checksum of what comes here. Flags: 0x80 router, 0x40 solicited, 0x20 override.
_CAPTURE6 = """
import socket, struct, sys, time
raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, "ff02::1") + struct.pack("@I", 2))
raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
raw.settimeout(0.1)
print("ready", flush=True)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    try:
        packet, control, _flags, source = raw.recvmsg(999, 999)
    except TimeoutError:
        continue
    if packet[0] != 136:
        continue
    told = {kind: data for _level, kind, data in control}
    to = socket.inet_ntop(socket.AF_INET6, told[socket.IPV6_PKTINFO][:16])
    hops, target = struct.unpack("i", told[socket.IPV6_HOPLIMIT])[0], socket.inet_ntop(socket.AF_INET6, packet[8:24])
    own = "from itself" if source[0].split("%")[0] == target else f"from {source[0]}"
    if to == "ff02::1":
        print(f"{target} {packet[26:32].hex(':')} {own} flags {packet[4]:02x} hops {hops}", flush=True)
"""


def announced(
    node: Node, witness: Machine, routers: list[dict[str, object]], rounds: int, seconds: float = 3.5, capture_by: str = _CAPTURE
) -> tuple[Counter[str], float]:
    """The announcements that a run brings about where the witness is, and how long the run took."""
    capture = witness.start("/usr/bin/python3", "-c", capture_by, str(seconds))
    assert capture.stdout is not None
    assert capture.stdout.readline() == "ready\n"
    started = time.monotonic()
    assert "failed" not in run_engine(node, routers, send_arp_for_ha=rounds)
    took = time.monotonic() - started
    return Counter(capture.stdout.read().splitlines()), took


def test_each_new_address_is_announced_and_no_other(node: Node) -> None:
    outside = Machine(node, "outside", "br-ex", ["203.0.113.1/24"])
    fewer = router(floating_ips=router()["floating_ips"][:1])
    seen, took = announced(node, outside, [fewer], 3)
    expected = {f"{kind} {address} {MAC}": 3 for kind in ("request", "reply") for address in ("203.0.113.10", "203.0.113.20")}
    assert seen == expected
    assert took < 1.5, "the run waited for the announcements"
    seen, _took = announced(node, outside, [router()], 2)
    assert seen == {f"{kind} 203.0.113.21 {MAC}": 2 for kind in ("request", "reply")}
    assert announced(node, outside, [router()], 3)[0] == {}
    run_engine(node, [])
    assert announced(node, outside, [router()], 0)[0] == {}


def test_addresses_of_an_internal_port_are_announced_on_its_network_alone(node: Node) -> None:
    port, other = router()["interfaces"]
    run_engine(node, [router(floating_ips=[])])
    inside = Machine(node, "inside", WEB_BRIDGE, ["10.0.0.7/24"])
    more = {**port, "addresses": [*port["addresses"], "10.0.0.2/24"]}
    seen, _took = announced(node, inside, [router(interfaces=[more, other])], 1, seconds=2)
    assert seen == {f"{kind} 10.0.0.2 {port['mac_address']}": 1 for kind in ("request", "reply")}
    # With another MAC address, all that the port has is new to its neighbours.
    changed = {**more, "mac_address": "fa:16:3e:00:00:ee"}
    seen, _took = announced(node, inside, [router(interfaces=[changed, other], floating_ips=[])], 1, seconds=2)
    expected = [f"{kind} {address} fa:16:3e:00:00:ee" for kind in ("request", "reply") for address in ("10.0.0.1", "10.0.0.2")]
    assert seen == dict.fromkeys(expected, 1)


def test_an_address_that_is_gone_is_not_announced_again(node: Node) -> None:
    outside = Machine(node, "outside", "br-ex", ["203.0.113.1/24"])
    run_engine(node, [router(floating_ips=[])])
    capture = outside.start("/usr/bin/python3", "-c", _CAPTURE, "4")
    assert capture.stdout is not None
    assert capture.stdout.readline() == "ready\n"
    run_engine(node, [router()], send_arp_for_ha=3)
    run_engine(node, [router(floating_ips=router()["floating_ips"][:1])], send_arp_for_ha=3)
    seen = Counter(line.split()[1] for line in capture.stdout.read().splitlines())
    assert seen["203.0.113.20"] == 6
    assert seen["203.0.113.21"] < 6, "announced after the second run, which is done before the third round"


def test_an_address_is_announced_though_something_else_of_its_router_fails(node: Node) -> None:
    outside = Machine(node, "outside", "br-ex", ["203.0.113.1/24"])
    run_engine(node, [router()])
    node.run(
        "/bin/sh", "-c", "printf '#!/bin/sh\\nexit 2' > /run/fail; chmod +x /run/fail; mount --bind /run/fail /usr/sbin/conntrack"
    )
    capture = outside.start("/usr/bin/python3", "-c", _CAPTURE, "2")
    assert capture.stdout is not None
    assert capture.stdout.readline() == "ready\n"
    moved = [{"floating_ip_address": "203.0.113.77", "fixed_ip_address": "10.0.0.5"}]
    result = run_engine(node, [router(floating_ips=moved)], send_arp_for_ha=1)
    assert result["routers"][0]["error"].startswith("conntrack --dump")
    assert Counter(line.split()[1] for line in capture.stdout.read().splitlines()) == {"203.0.113.77": 2}


LINK_LOCAL = "fe80::f816:3eff:fe00:b0"  # of the gateway's MAC address


def advertised(address: str, mac_address: str = MAC) -> str:
    return f"{address} {mac_address} from itself flags a0 hops 255"


def test_new_ipv6_addresses_are_advertised_and_no_others(node: Node) -> None:
    outside = Machine(node, "outside", "br-ex", ["2001:db8:e::1/64"])
    gateway = router()["gateway"]
    seen, took = announced(node, outside, [router()], 3, capture_by=_CAPTURE6)
    assert seen == {advertised(address): 3 for address in ("2001:db8:e::10", LINK_LOCAL)}
    assert took < 1.5, "the run waited for the announcements"
    more = {**gateway, "addresses": [*gateway["addresses"], "2001:db8:e::11/64"]}
    assert announced(node, outside, [router(gateway=more)], 2, capture_by=_CAPTURE6)[0] == {advertised("2001:db8:e::11"): 2}
    assert announced(node, outside, [router(gateway=more)], 2, 1, _CAPTURE6)[0] == {}
    run_engine(node, [])
    assert announced(node, outside, [router(gateway=more)], 0, 1, _CAPTURE6)[0] == {}


def test_neighbours_learn_another_mac_address(node: Node) -> None:
    """What they knew of the router is wrong at once, and of IPv6 it would be for some 10 seconds more."""
    run_engine(node, [router()])
    outside = Machine(node, "outside", "br-ex", ["2001:db8:e::1/64"])
    addresses = ["2001:db8:e::10", f"{LINK_LOCAL}%eth0"]
    assert [outside.pings(address) for address in addresses] == [True, True]
    gateway = {**router()["gateway"], "mac_address": "fa:16:3e:00:00:ee"}
    seen, _took = announced(node, outside, [router(gateway=gateway)], 1, 1.5, _CAPTURE6)
    assert seen == {advertised(address, "fa:16:3e:00:00:ee"): 1 for address in ("2001:db8:e::10", LINK_LOCAL)}
    entries = json.loads(outside.run("ip", "-6", "-json", "neigh", "show", "dev", "eth0").stdout)
    assert {entry["dst"]: entry["lladdr"] for entry in entries} == dict.fromkeys(
        ["2001:db8:e::10", LINK_LOCAL], "fa:16:3e:00:00:ee"
    )
    assert [outside.pings(address) for address in addresses] == [True, True]


def test_an_ipv6_address_that_is_gone_is_not_announced_again(node: Node) -> None:
    outside = Machine(node, "outside", "br-ex", ["2001:db8:e::1/64"])
    capture = outside.start("/usr/bin/python3", "-c", _CAPTURE6, "4")
    assert capture.stdout is not None
    assert capture.stdout.readline() == "ready\n"
    gateway = router()["gateway"]
    more = {**gateway, "addresses": [*gateway["addresses"], "2001:db8:e::11/64"]}
    run_engine(node, [router(gateway=more)], send_arp_for_ha=3)
    run_engine(node, [router()], send_arp_for_ha=3)
    seen = Counter(line.split()[0] for line in capture.stdout.read().splitlines())
    assert seen["2001:db8:e::10"] == 3
    assert seen["2001:db8:e::11"] < 3, "announced after the second run, which is done before the third round"


def test_the_address_for_metadata_is_not_announced(node: Node) -> None:
    """Every router of a network has it."""
    node.add_bridge(WEB_BRIDGE)
    inside = Machine(node, "inside", WEB_BRIDGE, ["2001:db8:1::7/64"])
    port, other = router()["interfaces"]
    wanted = ["2001:db8:1::1", "fe80::f816:3eff:fe00:c0"]
    for mac_address in (port["mac_address"], "fa:16:3e:00:00:ee"):
        capture = inside.start("/usr/bin/python3", "-c", _CAPTURE6, "2")
        assert capture.stdout is not None
        assert capture.stdout.readline() == "ready\n"
        routers = [router(interfaces=[{**port, "mac_address": mac_address}, other])]
        assert "failed" not in run_engine(node, routers, metadata_upstream="127.0.0.1:80", send_arp_for_ha=1)
        seen = Counter(capture.stdout.read().splitlines())
        assert seen == {advertised(address, mac_address): 1 for address in wanted}
