# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A router is built as the design says, and reading it back gives the same data."""

from __future__ import annotations

import json

from sandbox import Node
from sandbox.engine import WITHOUT_ROOT, How, run_engine

from ..routers import router, small_router

NAMESPACE = "qrouter-r1"


def inside(node: Node, *command: str) -> str:
    return node.run("ip", "netns", "exec", NAMESPACE, *command).stdout


def test_a_router_is_built_and_then_left_alone(node: Node) -> None:
    first = run_engine(node, [router()])
    assert first["changed"]
    assert "failed" not in first
    for _run in range(2):
        again = run_engine(node, [router()])
        assert again["changed"] is False
        assert again["routers"] == [{"id": "r1", "changed": False, "actions": []}]


def test_devices_have_the_ports_properties(node: Node) -> None:
    run_engine(node, [router()])
    links = {link["ifname"]: link for link in json.loads(inside(node, "ip", "-json", "-details", "address", "show"))}
    assert set(links) == {"lo", "qg-aaaa0000-ex", "qr-bbbb0000-we", "qr-cccc0000-db"}
    web = links["qr-bbbb0000-we"]
    assert (web["address"], web["mtu"], web["ifalias"]) == ("fa:16:3e:00:00:c0", 1450, "bbbb0000-web-port")
    assert all("UP" in link["flags"] for link in links.values())
    gateway = [
        (a["local"], a["prefixlen"], a.get("broadcast")) for a in links["qg-aaaa0000-ex"]["addr_info"] if a["scope"] != "link"
    ]
    assert gateway == [
        ("203.0.113.10", 24, "203.0.113.255"),
        ("203.0.113.20", 32, None),
        ("203.0.113.21", 32, None),
        ("2001:db8:e::10", 64, None),
    ]
    taps = {link["ifname"]: link for link in json.loads(node.run("ip", "-json", "link", "show").stdout)}
    assert taps["tapbbbb0000-we"]["master"] == "brqweb-network"
    assert taps["tapaaaa0000-ex"]["master"] == "br-ex"
    assert taps["tapbbbb0000-we"]["ifalias"] == "netnode.l3/r1/web-network"


def test_sysctls_are_the_reference_systems(node: Node) -> None:
    run_engine(node, [router()])
    wanted = {
        "net.ipv4.ip_forward": "1",
        "net.ipv6.conf.all.forwarding": "1",
        "net.ipv4.conf.all.arp_ignore": "1",
        "net.ipv4.conf.all.arp_announce": "2",
        "net.ipv4.conf.all.promote_secondaries": "1",
        "net.netfilter.nf_conntrack_tcp_be_liberal": "1",
        "net.ipv6.conf.qg-aaaa0000-ex.accept_ra": "0",
    }
    assert {key: inside(node, "sysctl", "-n", key).strip() for key in wanted} == wanted


def test_a_gateway_from_router_advertisements_is_accepted(node: Node) -> None:
    data = router()
    data["gateway"]["gateway_ips"] = ["203.0.113.1"]
    run_engine(node, [data])
    assert inside(node, "sysctl", "-n", "net.ipv6.conf.qg-aaaa0000-ex.accept_ra").strip() == "2"


def test_routes(node: Node) -> None:
    run_engine(node, [router()])
    routes = inside(node, "ip", "route", "show", "proto", "static").split("\n")
    assert "default via 203.0.113.1 dev qg-aaaa0000-ex " in routes
    assert "198.51.100.0/24 dev qg-aaaa0000-ex scope link " in routes
    assert "\tnexthop via 10.0.0.253 dev qr-bbbb0000-we weight 1 " in routes
    assert "\tnexthop via 10.0.0.254 dev qr-bbbb0000-we weight 1 " in routes
    assert "default via 2001:db8:e::1 dev qg-aaaa0000-ex metric 1024 pref medium" in inside(
        node, "ip", "-6", "route", "show", "proto", "static"
    )


def test_a_gateway_outside_of_its_subnet_gets_a_host_route_first(node: Node) -> None:
    data = router()
    data["gateway"]["gateway_ips"] = ["192.0.2.1", "fe80::1"]
    result = run_engine(node, [data])
    assert "failed" not in result
    routes = inside(node, "ip", "route", "show", "proto", "static")
    assert "192.0.2.1 dev qg-aaaa0000-ex scope link" in routes
    assert "default via 192.0.2.1 dev qg-aaaa0000-ex" in routes
    assert run_engine(node, [data])["changed"] is False


def test_only_what_is_needed_is_required(node: Node) -> None:
    data = [{"id": "least", "gateway": {"id": "g", "addresses": ["203.0.113.9/24"]}}, {"id": "nothing"}]
    result = run_engine(node, data)
    assert "failed" not in result
    assert run_engine(node, data)["changed"] is False


def test_gathered_gives_the_router_data_back(node: Node) -> None:
    run_engine(node, [router()])
    assert run_engine(node, None, "gathered")["gathered"] == [router()]


def test_gathered_data_converges_to_no_change(node: Node) -> None:
    run_engine(node, [router(), small_router(1), small_router(2)])
    gathered = run_engine(node, None, "gathered")["gathered"]
    assert len(gathered) == 3
    assert run_engine(node, gathered)["changed"] is False


def test_report_counts_what_the_node_carries(node: Node) -> None:
    result = run_engine(node, [router(), {"id": "inner"}, {"id": "down", "admin_state_up": False}])
    figures = {"routers": 2, "ex_gw_ports": 1, "interfaces": 2, "floating_ips": 2}
    configurations = {
        "agent_mode": "legacy",
        "interface_driver": "bridge",
        "use_namespaces": True,
        "router_id": "",
        "handle_internal_only_routers": True,
        "gateway_external_network_id": "",
    }
    assert result["report"] == {**figures, "configurations": {**configurations, **figures}}
    assert result["skipped_routers"] == [{"id": "down", "reason": "admin_state_up is false"}]


def test_rendered_needs_no_root_and_touches_nothing(node: Node) -> None:
    result = run_engine(node, [router()], "rendered", how=How(prefix=WITHOUT_ROOT))
    [entry] = result["rendered"]
    assert "ip netns add qrouter-r1" in entry["commands"]
    assert "-A l3-snat -o qg-aaaa0000-ex -j SNAT --to-source 203.0.113.10 --random-fully" in entry["rules"]["iptables-restore"]
    assert node.run("ip", "netns", "list").stdout == ""


def test_what_is_rendered_builds_the_router(node: Node) -> None:
    [entry] = run_engine(node, [router()], "rendered")["rendered"]
    for command in entry["commands"]:
        name = next((name for name in entry["rules"] if f" {name} " in command), None)
        node.run(*command.split(), text=entry["rules"].get(name))
    assert run_engine(node, [router()])["changed"] is False
