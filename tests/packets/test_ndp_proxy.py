# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inner IPv6 addresses that are reached from the external network without a route: the router answers for them there."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import DB_BRIDGE, WEB_BRIDGE, publishing_router, router, scoped_router

PUBLISHED, HIDDEN, OUTSIDE = "2001:db8:1::5", "2001:db8:1::7", "2001:db8:e::1"
GATEWAY = "qg-aaaa0000-ex"


@dataclass
class Lab:
    """A node with a router, machines behind it, and a host outside that takes their network to be on its link."""

    node: Node
    outside: Machine
    web: Machine
    hidden: Machine

    def converge(self, data: dict[str, Any], rounds: int = 0) -> list[str]:
        result = run_engine(self.node, [data], send_arp_for_ha=rounds)
        assert "failed" not in result, result["msg"]
        actions: list[str] = result["routers"][0]["actions"]
        return actions

    def mac_address(self, address: str) -> str:
        """What the host outside has for an address."""
        [entry] = json.loads(self.outside.run("ip", "-json", "neigh", "show", "to", address).stdout)
        return str(entry.get("lladdr"))

    def inside(self, *command: str) -> str:
        return self.node.run("ip", "netns", "exec", "qrouter-r1", *command).stdout


@pytest.fixture
def lab(node: Node) -> Lab:
    lab = Lab(
        node,
        outside=Machine(node, "outside", "br-ex", [f"{OUTSIDE}/64", "203.0.113.1/24"]),
        web=Machine(node, "web", "br-ex", ["2001:db8:1::5/64"]),
        hidden=Machine(node, "hidden", "br-ex", ["2001:db8:1::7/64"]),
    )
    lab.converge(publishing_router(PUBLISHED))
    for machine in (lab.web, lab.hidden):
        node.run("ip", "link", "set", "dev", machine.device, "master", WEB_BRIDGE)
        machine.run("ip", "route", "add", "::/0", "via", "2001:db8:1::1")
    lab.outside.run("ip", "route", "add", "2001:db8:1::/64", "dev", "eth0")
    # A moment later, the bridges forward from their new ports. The router's answer for another one takes up to 0.8 s by itself.
    for machine, address in ((lab.outside, "2001:db8:e::10"), (lab.web, "2001:db8:1::1"), (lab.hidden, "2001:db8:1::1")):
        assert any(machine.pings(address) for _try in range(3))
    return lab


def test_a_published_address_is_reached_on_the_link_and_no_other(lab: Lab) -> None:
    assert lab.outside.pings(PUBLISHED)
    assert not lab.outside.pings(HIDDEN)
    assert lab.web.pings(OUTSIDE)


def test_nobody_gets_in_by_a_route_either(lab: Lab) -> None:
    lab.outside.run("ip", "route", "replace", "2001:db8:1::/64", "via", "2001:db8:e::10")
    assert lab.outside.pings(PUBLISHED)
    assert not lab.outside.pings(HIDDEN)
    lab.converge(router())
    assert lab.outside.pings(HIDDEN)


ALLOWED = {
    "iptables": f"rule added to chain l3-ndp of table filter (IPv6): -d {HIDDEN}/128 -i {GATEWAY} -j RETURN",
    "nftables": f"element added to set ndp_proxies of table l3: {HIDDEN}",
}


def test_one_more_is_published_and_the_neighbours_are_told(lab: Lab, firewall_driver: str) -> None:
    assert lab.outside.pings(PUBLISHED)
    lab.outside.run("ip", "neigh", "replace", HIDDEN, "lladdr", "02:00:00:00:00:99", "nud", "stale", "dev", "eth0")
    assert not lab.outside.pings(HIDDEN)
    lab.outside.run("ip", "neigh", "replace", HIDDEN, "lladdr", "02:00:00:00:00:99", "nud", "stale", "dev", "eth0")
    assert lab.converge(publishing_router(PUBLISHED, HIDDEN), rounds=1) == [
        ALLOWED[firewall_driver],
        f"NDP proxy for {HIDDEN} added to {GATEWAY}",
    ]
    deadline = time.monotonic() + 5
    while lab.mac_address(HIDDEN) != "fa:16:3e:00:00:b0":  # it is told beside the run
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert lab.outside.pings(HIDDEN)


def test_what_is_not_published_any_more_is_not_announced_in_later_rounds(lab: Lab) -> None:
    lab.converge(publishing_router(PUBLISHED, HIDDEN), rounds=3)
    lab.converge(publishing_router(PUBLISHED))
    lab.outside.run("ip", "neigh", "replace", HIDDEN, "lladdr", "02:00:00:00:00:99", "nud", "stale", "dev", "eth0")
    time.sleep(3)
    assert lab.mac_address(HIDDEN) == "02:00:00:00:00:99"


def test_what_is_no_longer_published_is_no_longer_reached(lab: Lab) -> None:
    assert lab.outside.pings(PUBLISHED)
    lab.converge(router())
    lab.outside.run("ip", "neigh", "flush", "all")
    assert not lab.outside.pings(PUBLISHED)
    assert lab.inside("ip", "-6", "neigh", "show", "proxy") == ""


@pytest.mark.firewall_driver("iptables")
@pytest.mark.parametrize(
    ("damage", "reached"),
    [
        (f"ip neigh delete proxy {PUBLISHED} dev {GATEWAY}", (False, False)),
        (f"sysctl -q -w net.ipv6.conf.{GATEWAY}.proxy_ndp=0", (False, False)),
        (f"ip6tables -D l3-ndp -d {PUBLISHED}/128 -i {GATEWAY} -j RETURN", (False, False)),
        (f"ip neigh add proxy {HIDDEN} dev {GATEWAY}; ip6tables -D l3-ndp -i {GATEWAY} -j DROP", (True, True)),
        (f"ip neigh add proxy {HIDDEN} dev {GATEWAY}; ip6tables -F l3-FORWARD", (True, True)),
    ],
)
def test_each_part_is_needed(lab: Lab, damage: str, reached: tuple[bool, bool]) -> None:
    lab.inside("/bin/sh", "-ec", damage)
    assert (lab.outside.pings(PUBLISHED), lab.outside.pings(HIDDEN)) == reached
    assert lab.converge(publishing_router(PUBLISHED)) != []
    lab.outside.run("ip", "neigh", "flush", "all")
    assert (lab.outside.pings(PUBLISHED), lab.outside.pings(HIDDEN)) == (True, False)


FLUSH = {
    "iptables": ("ip6tables -F l3-scope", "ip6tables -F l3-ndp"),
    "nftables": ("nft flush chain inet l3 scopes_ipv6", "nft flush chain inet l3 published"),
}


def test_with_address_scopes_both_hold(node: Node, firewall_driver: str) -> None:
    flush_scopes, flush_published = FLUSH[firewall_driver]
    other_scope = "2001:db8:2::5"
    outside = Machine(node, "outside", "br-ex", [f"{OUTSIDE}/64", "203.0.113.1/24"])
    published = [{"ip_address": address} for address in (PUBLISHED, other_scope)]
    lab = Lab(node, outside, outside, outside)
    data = scoped_router(enable_ndp_proxy=True, ndp_proxies=published)
    lab.converge(data)
    Machine(node, "web", WEB_BRIDGE, [f"{PUBLISHED}/64"], [("::/0", "2001:db8:1::1")])
    Machine(node, "hidden", WEB_BRIDGE, [f"{HIDDEN}/64"], [("::/0", "2001:db8:1::1")])
    Machine(node, "db", DB_BRIDGE, [f"{other_scope}/64"], [("::/0", "2001:db8:2::1")])
    outside.run("ip", "route", "add", "2001:db8:1::/64", "via", "2001:db8:e::10")
    outside.run("ip", "route", "add", "2001:db8:2::/64", "via", "2001:db8:e::10")

    def reached() -> list[str]:
        return [address for address in (PUBLISHED, HIDDEN, other_scope) if any(outside.pings(address) for _try in range(3))]

    assert reached() == [PUBLISHED]
    lab.inside(*flush_scopes.split())
    assert reached() == [PUBLISHED, other_scope]
    lab.converge(data)
    lab.inside(*flush_published.split())
    assert reached() == [PUBLISHED, HIDDEN]
    lab.converge(data)
    assert reached() == [PUBLISHED]
    assert lab.converge(data) == []
    [gathered] = run_engine(node, None, "gathered")["gathered"]
    assert [entry["ip_address"] for entry in gathered["ndp_proxies"]] == [PUBLISHED, other_scope]
    assert gathered["gateway"]["address_scopes"] == data["gateway"]["address_scopes"]
