# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""New addresses are announced by gratuitous ARP, seen on the bridge of the network that they are on."""

from __future__ import annotations

import time
from collections import Counter

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import WEB_BRIDGE, router

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


def announced(
    node: Node, witness: Machine, routers: list[dict[str, object]], rounds: int, seconds: float = 3.5
) -> tuple[Counter[str], float]:
    """The announcements that a run brings about where the witness is, and how long the run took."""
    capture = witness.start("/usr/bin/python3", "-c", _CAPTURE, str(seconds))
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
