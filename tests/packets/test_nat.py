# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What NAT does to real packets, and that each of our rules is needed for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import Machine, Node, OpenVSwitch
from sandbox.engine import run_engine

from ..routers import DB, DB_BRIDGE, WEB, WEB_BRIDGE, router

NAMESPACE = ["ip", "netns", "exec", "qrouter-r1"]
OUTSIDE, ROUTER, WEB_FLOATING, DB_FLOATING = "203.0.113.1", "203.0.113.10", "203.0.113.20", "203.0.113.21"


TAGS = {WEB: 7, DB: 8}
DRIVERS: dict[str, dict[str, Any]] = {
    "bridge": {},
    "openvswitch": {"interface_driver": "openvswitch", "vlan_tags": TAGS},
}


@dataclass
class Lab:
    """A node with a router, an outside host, and machines with and without a floating IP in its two networks."""

    node: Node
    outside: Machine
    web: Machine
    plain: Machine
    db: Machine
    options: dict[str, Any]

    def converge(self, data: dict[str, Any]) -> dict[str, Any]:
        """Run the engine with this lab's driver."""
        result = run_engine(self.node, [data], **self.options)
        assert "failed" not in result, result["msg"]
        return result


@pytest.fixture(scope="module", params=DRIVERS)
def lab(request: pytest.FixtureRequest, firewall_driver: str) -> Iterator[Lab]:
    with Node("node") as node:
        options = DRIVERS[request.param]
        if request.param == "openvswitch":
            switch = OpenVSwitch(node)
            switch.add_bridge("br-ex")
            switch.add_bridge("br-int")
            external, web, db = switch.port("br-ex"), switch.port("br-int", TAGS[WEB]), switch.port("br-int", TAGS[DB])
        else:
            node.add_bridge("br-ex")
            external, web, db = "br-ex", WEB_BRIDGE, DB_BRIDGE
        result = run_engine(node, [router()], **options)
        assert "failed" not in result, result["msg"]
        inner = [("2001:db8:1::/64", "2001:db8:e::10"), ("10.0.0.0/23", ROUTER)]
        lab = Lab(
            node,
            outside=Machine(node, "outside", external, [f"{OUTSIDE}/24", "198.51.100.9/24", "2001:db8:e::1/64"], inner),
            web=Machine(
                node, "web", web, ["10.0.0.5/24", "2001:db8:1::5/64"], [("default", "10.0.0.1"), ("::/0", "2001:db8:1::1")]
            ),
            plain=Machine(node, "plain", web, ["10.0.0.7/24"], [("default", "10.0.0.1")]),
            db=Machine(node, "db", db, ["10.0.1.5/24"], [("default", "10.0.1.1")]),
            options=options,
        )
        for machine in (lab.outside, lab.web, lab.db):
            machine.serve_whoami()
        yield lab


Check = tuple[Callable[[Lab], object], object]

CHECKS: dict[str, Check] = {
    "outbound": (lambda lab: lab.plain.seen_as(OUTSIDE), ROUTER),
    "outbound with a floating IP": (lambda lab: lab.web.seen_as(OUTSIDE), WEB_FLOATING),
    "inbound by floating IP": (lambda lab: lab.outside.seen_as(WEB_FLOATING), OUTSIDE),
    "inbound by the other floating IP": (lambda lab: lab.outside.seen_as(DB_FLOATING), OUTSIDE),
    "hairpin, same network": (lambda lab: lab.plain.seen_as(WEB_FLOATING), ROUTER),
    "hairpin, other network": (lambda lab: lab.plain.seen_as(DB_FLOATING), ROUTER),
    "hairpin to itself": (lambda lab: lab.web.seen_as(WEB_FLOATING), WEB_FLOATING),
    "hairpin between floating IPs": (lambda lab: lab.web.seen_as(DB_FLOATING), WEB_FLOATING),
    "between internal networks": (lambda lab: lab.plain.seen_as("10.0.1.5"), "10.0.0.7"),
    "between internal networks, with floating IPs": (lambda lab: lab.web.seen_as("10.0.1.5"), "10.0.0.5"),
    "from the router to a floating IP": (lambda lab: reached_from_router(lab, WEB_FLOATING), True),
    "IPv6 is not translated": (lambda lab: lab.web.seen_as("2001:db8:e::1"), "2001:db8:1::5"),
    "a further subnet of the external network": (lambda lab: lab.plain.seen_as("198.51.100.9"), ROUTER),
}


def reached_from_router(lab: Lab, address: str) -> bool:
    ask = f"import socket; s = socket.create_connection(('{address}', 7777), 2); raise SystemExit(not s.recv(9))"
    return lab.node.run(*NAMESPACE, "/usr/bin/python3", "-c", ask, check=False).returncode == 0


@pytest.mark.parametrize("what", CHECKS)
def test_packets(lab: Lab, what: str) -> None:
    see, expected = CHECKS[what]
    assert see(lab) == expected


# The rule, by its beginning after "-A ", and what no longer works without it.
NEEDED = {
    "PREROUTING -j l3-PREROUTING": "inbound by floating IP",
    "OUTPUT -j l3-OUTPUT": "from the router to a floating IP",
    "POSTROUTING -j l3-POSTROUTING": "outbound",
    "l3-PREROUTING -i qg-aaaa0000-ex -j MARK": "inbound by floating IP",
    "l3-PREROUTING -d 203.0.113.20/32": "inbound by floating IP",
    "l3-PREROUTING -d 203.0.113.21/32": "inbound by the other floating IP",
    "l3-OUTPUT -d 203.0.113.20/32": "from the router to a floating IP",
    "l3-POSTROUTING -o qg-aaaa0000-ex": "outbound",
    "l3-POSTROUTING -o qr-+": "hairpin, same network",
    "l3-snat -j l3-float-snat": "outbound with a floating IP",
    "l3-snat -o qg-aaaa0000-ex": "outbound",
    "l3-snat -m mark": "hairpin, same network",
    "l3-float-snat -s 10.0.0.5/32": "outbound with a floating IP",
}


@pytest.mark.firewall_driver("iptables")
@pytest.mark.parametrize("rule", NEEDED)
def test_each_rule_is_needed(lab: Lab, rule: str) -> None:
    saved = lab.node.run(*NAMESPACE, "iptables-save", "-t", "nat").stdout.splitlines()
    [text] = [line[3:] for line in saved if line.startswith("-A " + rule)]
    see, expected = CHECKS[NEEDED[rule]]
    lab.node.run(*NAMESPACE, "iptables", "-t", "nat", "-D", *text.split())
    try:
        assert see(lab) != expected
    finally:
        result = lab.converge(router())
    assert [entry["actions"] for entry in result["routers"]] != [[]]
    assert see(lab) == expected


def test_without_snat_only_floating_ips_are_translated(lab: Lab) -> None:
    lab.converge(router(enable_snat=False))
    try:
        assert lab.plain.seen_as(OUTSIDE) == "10.0.0.7"
        assert lab.web.seen_as(OUTSIDE) == WEB_FLOATING
        assert lab.outside.seen_as(WEB_FLOATING) == OUTSIDE
        assert lab.plain.seen_as(WEB_FLOATING) == ROUTER
    finally:
        lab.converge(router())


def test_extra_routes_lead_through_their_next_hop(lab: Lab) -> None:
    behind = Machine(lab.node, "behind", lab.db.bridge, ["10.0.1.254/24", "192.168.51.9/32"], [("default", "10.0.1.1")])
    assert lab.plain.pings("192.168.51.9")
    assert not lab.plain.pings("192.168.52.9")
    assert behind.pings("10.0.0.7")
