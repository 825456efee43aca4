# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read by rtnetlink is what ``ip -json`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from sandbox import Node
from sandbox.engine import run_engine, run_python

from ..routers import router, small_router

PEOPLES_DOING = """
link add name v0 mtu 1400 type veth peer name v1
link add name vv type veth peer name inner netns other
link add name br0 address 02:00:00:00:00:01 type bridge
link set dev v0 master br0 alias somebody/else's/é up
link set dev v1 up
link set dev vv up
link set dev br0 up
address add 10.1.0.1/24 broadcast + dev v1
address add 10.1.0.2/32 dev v1
address add 10.2.0.1 peer 10.2.0.2/30 dev v1
address add 10.3.0.1/24 dev v1 valid_lft 1000 preferred_lft 1000
address add 2001:db8::1/64 dev v1 nodad
address add 2001:db8:1::1 peer 2001:db8:1::2/128 dev v1
address add 2001:db8:2::1/64 dev v1 valid_lft 1000 preferred_lft 1000
address add 10.4.0.1/24 dev vv
address add 10.5.0.1/24 dev v1
address add 10.5.0.2/24 broadcast 10.5.0.9 dev v1
address add 10.6.0.1/24 broadcast + scope link dev v1
address add 10.6.1.1/24 broadcast + scope host dev v1
address add 10.6.2.1/24 broadcast + metric 7 dev v1
address add 10.6.3.1/24 broadcast + dev v1 noprefixroute
address add 10.6.4.1/24 broadcast + dev v1 valid_lft forever preferred_lft 0
address add 10.7.0.1/32 broadcast 10.7.0.1 dev v1
address add 10.7.0.2/32 broadcast 10.7.0.9 dev v1
address add 10.7.1.0/31 broadcast + dev v1
address add 2001:db8:3::1/64 dev v1 nodad noprefixroute
address add 2001:db8:3::2/64 dev v1 nodad valid_lft forever preferred_lft 0
address add 2001:db8:3:4::1/64 dev v1 nodad metric 9
route add 192.0.2.0/24 via 10.1.0.9 proto static
route add 192.0.2.0/24 via 10.1.0.9 metric 77 proto static
route add 192.0.2.9 dev v1 scope link proto static
route add default via 10.1.0.9 proto boot
route add default via 10.4.0.9 table 77 proto bgp
route add 198.51.100.0/24 proto static nexthop via 10.1.0.9 nexthop via 10.4.0.9 weight 3 nexthop dev vv
route add 203.0.113.0/24 via inet6 2001:db8::9 dev v1 proto static
route add 10.9.0.0/16 via 10.1.0.9 proto 98 table 1000
route add 10.10.0.0/16 via 10.1.0.9 onlink dev v1 tos 4
route add blackhole 192.168.0.0/16 proto static
route add unreachable 192.168.5.0/24
route add prohibit 192.168.6.0/24 proto static
route add throw 192.168.7.0/24
route add ::/0 via 2001:db8::9 proto static
route add 2001:db8:5::/48 via 2001:db8::9 metric 5 proto static
route add 2001:db8:6::/48 proto static nexthop via 2001:db8::9 dev v1 nexthop via 2001:db8::8 dev v1
route add 2001:db8:7::1 dev vv proto static
route add blackhole 2001:db8:8::/48 proto static
route add fe80::/10 via fe80::9 dev v1 table 99
route add local 10.77.0.0/16 dev lo table 78
route add 10.11.0.0/16 via 10.1.0.9 src 10.1.0.2 mtu 1300 advmss 1200
route add 10.12.0.0/16 via 10.1.0.9 dev v1 scope site
route add 10.12.1.0/24 dev v1 scope global proto static
route add 10.12.2.0/24 dev v1 scope host proto static
route add 10.13.0.0/16 nexthop via 10.99.0.1 dev v1 onlink weight 2 nexthop via 10.4.0.9
route add 2001:db8:9::/48 via 2001:db8::9 pref high
route add 2001:db8:a::/48 via 2001:db8::9 src 2001:db8::1 mtu 1400 hoplimit 9
route add 2001:db8:b::/48 via 2001:db8::9 expires 1000
route add 2001:db8:c::/48 from 2001:db8:7::/64 via 2001:db8::9
link set dev v0 arp off
link set dev br0 multicast off
"""

RULES = {
    "-4": """
    from 10.1.0.0/24 lookup 77
    pref 5 not from 10.1.0.9 to 10.2.0.0/16 iif v1 lookup 1000
    pref 5 oif vv fwmark 0x10/0xf0 tos 4 blackhole
    pref 7 fwmark 0x20 lookup main suppress_prefixlength 0
    pref 8 ipproto tcp sport 80 dport 1000-2000 unreachable
    pref 9 uidrange 5-9 prohibit
    pref 10 from all lookup default suppress_ifgroup 3
    pref 11 from all goto 32766
    pref 0 from 10.1.0.9 lookup main
""",
    "-6": """
    from 2001:db8::/32 lookup 77
    pref 6 to 2001:db8::9 ipproto udp lookup main
""",
}

READ = """
from dataclasses import asdict
from ansible_collections.netnode.l3.plugins.module_utils.host import rtnetlink
network = rtnetlink.read()
routes = [{**asdict(r), "nexthops": [asdict(hop) for hop in r.nexthops]} for r in network.routes]
rules = [[rule.family, f"{rule.priority}:\\t{rule.text}"] for rule in network.policy_rules]
links = [asdict(link) for link in network.links]
result = {"links": links, "addresses": network.addresses, "routes": routes, "rules": rules}
"""


def as_read_from_ip(node: Node) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    """Links, addresses and routes in our form, by the words of ``ip``."""
    shown = json.loads(node.run("ip", "-json", "-details", "address", "show").stdout)
    down = {link["ifname"] for link in shown if "UP" not in link["flags"]}
    parameters = node.run("sysctl", "--all", "--pattern", r"net\.ipv4\.conf\..*\.forwarding").stdout.splitlines()
    forwarding = {key.split(".")[3]: value for key, value in (line.split(" = ") for line in parameters)}
    links = {
        link["ifname"]: {
            "name": link["ifname"],
            "index": link["ifindex"],
            "bridge": link.get("master"),
            "alias": link.get("ifalias"),
            "up": "UP" in link["flags"],
            "mtu": link["mtu"],
            "is_bridge": link.get("linkinfo", {}).get("info_kind") == "bridge",
            "peer_index": link.get("link_index"),
            "bridge_up": link.get("master") not in down,
            "peer": link.get("link"),
            "mac_address": link.get("address"),
            "arp": "NOARP" not in link["flags"],
            "multicast": "MULTICAST" in link["flags"],
            "forwards": forwarding.get(link["ifname"]) != "0",
            "parameters": {},
        }
        for link in shown
    }
    addresses = {
        link["ifname"]: [
            [
                "%s%s/%d" % (a["local"], " peer " + a["address"] if "address" in a else "", a["prefixlen"]),
                a["scope"] == "link",
                a.get("dynamic", False),
                list(odd(a)),
            ]
            for a in link["addr_info"]
        ]
        for link in shown
    }
    return links, addresses, [route for family in ("-4", "-6") for route in routes_of(node, family)]


def odd(address: dict[str, Any]) -> Iterator[str]:
    """In what an address is not as one that is merely added, by the words of ``ip``."""
    yield from (word for word in ("deprecated", "noprefixroute") if word in address)
    if "metric" in address:
        yield f"metric {address['metric']}"
    if "dadfailed" in address:
        yield "dadfailed"
    if address["family"] != "inet":
        return
    if address["scope"] != "global":
        yield f"scope {address['scope']}"
    network = ip_network(f"{address.get('address', address['local'])}/{address['prefixlen']}", strict=False)
    given, usual = address.get("broadcast"), str(network.broadcast_address)
    if address["prefixlen"] < 31 and given != usual:
        yield f"broadcast {given}" if given else "no broadcast"
    elif address["prefixlen"] >= 31 and given not in (None, address["local"]):
        yield f"broadcast {given}"


def unusual(family: str, route: dict[str, Any]) -> Iterator[str]:
    """What a route has that one which is merely added has not, by the words of ``ip``."""
    way = "global" if {"gateway", "via", "nexthops"} & set(route) else "link"
    if family == "-4" and route["type"] == "unicast" and route["scope"] != way:
        yield f"scope {route['scope']}"
    for metrics in route.get("metrics", []):
        yield from (f"{name} {value}" for name, value in metrics.items())
    if "expires" in route:
        yield "expires"
    if route.get("pref", "medium") != "medium":
        yield f"pref {route['pref']}"


def routes_of(node: Node, family: str) -> list[Any]:
    routes = json.loads(node.run("ip", "-json", "-details", family, "route", "show", "table", "all").stdout)
    return [
        {
            "family": int(family[1:]),
            "destination": route["dst"],
            "nexthops": [
                {
                    "via": hop.get("gateway") or hop.get("via", {}).get("host"),
                    "device": hop.get("dev"),
                    "unusual": " ".join(
                        ([f"weight {hop['weight']}"] if hop.get("weight", 1) > 1 else [])
                        + (["onlink"] if "onlink" in hop["flags"] else [])
                    ),
                }
                for hop in route.get("nexthops", [route])
            ],
            "protocol": route["protocol"],
            "metric": route.get("metric", 0),
            "table": route["table"],
            "type": route["type"],
            "selector": " ".join(
                ([f"from {route['from']}"] if "from" in route else []) + ([f"tos {route['tos']}"] if "tos" in route else [])
            ),
            "source": route.get("prefsrc"),
            "unusual": " ".join(unusual(family, route)),
        }
        for route in routes
        if route["table"] != "local"
    ]


def in_order(routes: list[Any]) -> list[str]:
    return sorted(json.dumps({**r, "nexthops": sorted(r["nexthops"], key=str)}, sort_keys=True) for r in routes)


def assert_read_alike(node: Node) -> None:
    for _attempt in range(5):  # the kernel may be at work in between, on addresses of IPv6
        links, addresses, routes = as_read_from_ip(node)
        read = run_python(node, READ)
        if as_read_from_ip(node) == (links, addresses, routes):
            break
    assert {link["name"]: link for link in read["links"]} == links
    assert read["addresses"] == addresses
    assert in_order(read["routes"]) == in_order(routes)
    assert read["rules"] == [[v, line.strip()] for v in (4, 6) for line in node.run("ip", f"-{v}", "rule").stdout.splitlines()]


def test_an_empty_node_is_read_alike() -> None:
    with Node("empty") as node:
        assert_read_alike(node)


def test_all_that_people_do_is_read_alike(node: Node) -> None:
    node.run("ip", "netns", "add", "other")
    node.run("ip", "-batch", "-", text=PEOPLES_DOING)
    node.run("sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1", "net.ipv4.conf.v1.forwarding=0")
    for version, rules in RULES.items():
        for rule in rules.strip().splitlines():
            node.run("ip", version, "rule", "add", *rule.split())
    assert len(json.loads(node.run("ip", "-json", "route", "show", "table", "all").stdout)) > 25
    assert_read_alike(node)


@pytest.mark.parametrize("inside", [False, True])
def test_routers_are_read_alike(node: Node, inside: bool) -> None:
    run_engine(node, [router(), small_router(1)])
    if not inside:
        assert_read_alike(node)
        return
    node.entering = [*node.entering, "ip", "netns", "exec", "qrouter-r1"]
    assert_read_alike(node)


def test_more_than_fits_in_one_message_is_read_whole(node: Node) -> None:
    lines = ["link add name many type veth peer name other", "link set dev many up"]
    lines += [f"address add 10.{n // 250}.{n % 250}.1/24 dev many" for n in range(2000)]
    lines += [f"link add name v{n} type veth peer name w{n}" for n in range(100)]
    node.run("ip", "-batch", "-", text="\n".join(lines))
    links, addresses, _routes = as_read_from_ip(node)
    assert (len(links), len(addresses["many"])) == (204, 2000)
    assert_read_alike(node)


def test_what_changes_while_it_is_read_is_read_again(node: Node) -> None:
    """Links come and go beside a thousand readings: none is torn, and none fails."""
    node.start("/bin/sh", "-c", "while ip link add name a type veth peer name b; do ip link delete dev a; done")
    source = (
        "from ansible_collections.netnode.l3.plugins.module_utils.host import rtnetlink\n"
        "result = [len(rtnetlink.read().links) for _n in range(1000)]\n"
    )
    counts = run_python(node, source)
    assert len(set(counts)) > 1  # it did change meanwhile
    assert set(counts) <= {2, 3, 4}  # lo and br-ex, and the pair, of which one end can be gone first
