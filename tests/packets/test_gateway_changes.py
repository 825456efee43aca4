# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway that comes, goes or changes: source NAT, floating IPs, routes, devices and open connections follow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import DB_BRIDGE, WEB_BRIDGE, router
from .traffic import Session, answering, serve_echo

# Two routers outside: the first is the gateway IP, and each has a host behind it.
FIRST, BEHIND_FIRST, SECOND, BEHIND_SECOND = "203.0.113.1", "198.18.1.1", "203.0.113.2", "198.18.2.1"
FIRST6 = "2001:db8:e::1"
ROUTER, OTHER, FLOATING = "203.0.113.10", "203.0.113.11", "203.0.113.20"
ELSEWHERE, ELSEWHERE_FLOATING = "192.0.2.10", "192.0.2.20"  # on the other network, which the second router is on


def gateway(**changes: Any) -> dict[str, Any]:
    return {"gateway": {**router()["gateway"], **changes}}


NONE: dict[str, Any] = {"gateway": None}
OTHER_ADDRESS = gateway(addresses=[f"{OTHER}/24", "2001:db8:e::10/64"])
OTHER_PORT = gateway(
    id="dddd0000-other-port", mac_address="fa:16:3e:00:00:b9", addresses=[f"{ROUTER}/24"], gateway_ips=[FIRST], extra_subnets=[]
)
OTHER_NETWORK = {
    "gateway": {"id": "dddd0000-other-port", "addresses": [f"{ELSEWHERE}/24"], "gateway_ips": ["192.0.2.1"]},
    "floating_ips": [{"floating_ip_address": ELSEWHERE_FLOATING, "fixed_ip_address": "10.0.0.5"}],
}
NO_SNAT = {"enable_snat": False}

# Of the router as it is at first, what can be seen. None: not reached.
WORKING: dict[str, object] = {
    "the first router sees": ROUTER,
    "a host behind it sees": ROUTER,
    "a host behind the second sees": None,
    "of the machine with a floating IP": FLOATING,
    "of IPv6": "2001:db8:1::5",
    "by the floating IP comes": FIRST,
    "by the floating IP comes from inside": ROUTER,
    "between internal networks": "10.0.0.7",
    "answer from outside": {ROUTER, FLOATING},
    "answer on the other network": set(),
    "devices": ["qg-aaaa0000-ex", "tapaaaa0000-ex"],
}
ISOLATED: dict[str, object] = {
    **dict.fromkeys(WORKING),
    "between internal networks": "10.0.0.7",
    "answer from outside": set(),
    "answer on the other network": set(),
    "devices": [],
}
SESSIONS = {"out", "out by floating IP", "in by floating IP"}


@dataclass(frozen=True)
class Change:
    """From one router to another: what is seen then that differs from WORKING, which open connections go on."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    seen: Mapping[str, object]
    go_on: set[str] = field(default_factory=lambda: SESSIONS)


CHANGES = {
    "added": Change(NONE, {}, {}),
    "removed": Change({}, NONE, ISOLATED, set()),
    "replaced by a port with the same IPv4 address": Change(
        {}, OTHER_PORT, {"of IPv6": None, "devices": ["qg-dddd0000-ot", "tapdddd0000-ot"]}
    ),
    "replaced by a port on another network": Change(
        {},
        OTHER_NETWORK,
        {
            "the first router sees": None,
            "a host behind it sees": None,
            "a host behind the second sees": ELSEWHERE,
            "of the machine with a floating IP": None,
            "of IPv6": None,
            "by the floating IP comes": None,
            "by the floating IP comes from inside": None,
            "answer from outside": set(),
            "answer on the other network": {ELSEWHERE, ELSEWHERE_FLOATING},
            "devices": ["qg-dddd0000-ot", "tapdddd0000-ot"],
        },
        set(),
    ),
    "another address": Change(
        {},
        OTHER_ADDRESS,
        {
            "the first router sees": OTHER,
            "a host behind it sees": OTHER,
            "by the floating IP comes from inside": OTHER,
            "answer from outside": {OTHER, FLOATING},
        },
        {"out by floating IP", "in by floating IP"},
    ),
    "another gateway IP": Change(
        {},
        gateway(gateway_ips=["203.0.113.2", "2001:db8:e::1"]),
        {"a host behind it sees": None, "a host behind the second sees": ROUTER},
    ),
    "no gateway IP": Change({}, gateway(gateway_ips=[]), {"a host behind it sees": None}),
    "SNAT off": Change(
        {},
        NO_SNAT,
        {"the first router sees": "10.0.0.7", "a host behind it sees": "10.0.0.7"},
        {"out by floating IP", "in by floating IP"},
    ),
    "SNAT on": Change(NO_SNAT, {}, {}),
}


@dataclass
class Lab:
    """A node with a router, the routers outside, a machine with a floating IP and one without, one for them to talk to."""

    node: Node
    first: Machine
    second: Machine
    web: Machine
    plain: Machine
    db: Machine

    def converge(self, changes: Mapping[str, Any]) -> None:
        """Bring the router to the node, and tell the neighbours."""
        result = run_engine(self.node, [router(**{"routes": [], **changes})], send_arp_for_ha=3)
        assert "failed" not in result, result["msg"]

    def seen(self) -> dict[str, object]:
        """All that WORKING says, as it is; asked at once, for what is not answered takes its time."""
        look = {
            "the first router sees": lambda: self.plain.seen_as(FIRST, timeout=1.5),
            "a host behind it sees": lambda: self.plain.seen_as(BEHIND_FIRST, timeout=1.5),
            "a host behind the second sees": lambda: self.plain.seen_as(BEHIND_SECOND, timeout=1.5),
            "of the machine with a floating IP": lambda: self.web.seen_as(FIRST, timeout=1.5),
            "of IPv6": lambda: self.web.seen_as(FIRST6, timeout=1.5),
            "by the floating IP comes": lambda: self.first.seen_as(FLOATING, timeout=1.5),
            "by the floating IP comes from inside": lambda: self.plain.seen_as(FLOATING, timeout=1.5),
            "between internal networks": lambda: self.plain.seen_as("10.0.1.5", timeout=1.5),
            "answer from outside": lambda: answering(self.first, [ROUTER, OTHER, FLOATING]),
            "answer on the other network": lambda: answering(self.second, [ELSEWHERE, ELSEWHERE_FLOATING]),
            "devices": self.devices,
        }
        with ThreadPoolExecutor(len(look)) as pool:
            return dict(zip(look, pool.map(lambda ask: ask(), look.values()), strict=True))

    def devices(self) -> list[str]:
        """The router's external device, and what is on the external bridge but the hosts."""
        outside = json.loads(self.node.run("ip", "-json", "link", "show", "master", "br-ex").stdout)
        return sorted([*self.indexes(), *(link["ifname"] for link in outside if link["ifname"].startswith("tap"))])

    def indexes(self) -> dict[str, int]:
        """The router's external device, with what tells it from another one of the same name."""
        links = json.loads(self.node.run("ip", "-n", "qrouter-r1", "-json", "link").stdout)
        return {link["ifname"]: link["ifindex"] for link in links if link["ifname"].startswith("qg-")}


@pytest.fixture(scope="module")
def lab(firewall_driver: str) -> Iterator[Lab]:
    with Node("node") as node:
        node.add_bridge("br-ex")
        assert "failed" not in run_engine(node, [router()])
        inner, inner6 = ("10.0.0.0/24", ROUTER), ("2001:db8:1::/64", "2001:db8:e::10")
        default, default6 = ("default", "10.0.0.1"), ("::/0", "2001:db8:1::1")
        lab = Lab(
            node,
            first=Machine(node, "first", "br-ex", [f"{FIRST}/24", f"{FIRST6}/64", f"{BEHIND_FIRST}/32"], [inner, inner6]),
            second=Machine(node, "second", "br-ex", [f"{SECOND}/24", "192.0.2.1/24", f"{BEHIND_SECOND}/32"]),
            web=Machine(node, "web", WEB_BRIDGE, ["10.0.0.5/24", "2001:db8:1::5/64"], [default, default6]),
            plain=Machine(node, "plain", WEB_BRIDGE, ["10.0.0.7/24"], [default]),
            db=Machine(node, "db", DB_BRIDGE, ["10.0.1.5/24"], [("default", "10.0.1.1")]),
        )
        for machine in (lab.first, lab.second, lab.web, lab.db):
            machine.serve_whoami()
        serve_echo(lab.first)
        serve_echo(lab.web)
        yield lab


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_seen_follows_the_gateway(lab: Lab, what: str) -> None:
    change = CHANGES[what]
    lab.converge(change.before)
    before = lab.indexes()
    ways = {"out": (lab.plain, FIRST), "out by floating IP": (lab.web, FIRST), "in by floating IP": (lab.first, FLOATING)}
    sessions = {}
    if change.before is not NONE:
        sessions = {name: Session(*way, mortal=name not in change.go_on) for name, way in ways.items()}
    lab.converge(change.after)
    expected = {**WORKING, **change.seen}
    seen = lab.seen()
    if seen != expected:
        seen = lab.seen()  # the neighbours had not heard of it yet
    assert seen == expected
    assert all(before.get(name, index) == index for name, index in lab.indexes().items()), "the device was made anew"
    assert {name for name, session in sessions.items() if session.went_on()} == (change.go_on if sessions else set())
