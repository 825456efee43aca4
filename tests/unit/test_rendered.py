# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routers as the commands that build them on an empty node: text, made without a look at any node."""

from __future__ import annotations

import shlex
import socket
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers import DRIVERS
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.rendered import rendered
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import MetadataProxy, Upstream

from ..routers import advertising, router, small_router

WEB = "qr-bbbb0000-we"
UPSTREAM = "unix:/run/metadata.sock"


def render(*routers: dict[str, Any], driver: str = "bridge", **options: Any) -> dict[str, Any]:
    return rendered(list(routers), Options(driver, **options), DRIVERS[driver])


def commands(driver: str, **options: Any) -> list[str]:
    result = render(router(), driver=driver, **options)
    assert "failed" not in result
    [entry] = result["rendered"]
    return list(entry["commands"])


def test_a_router_on_bridges() -> None:
    lines = commands("bridge")
    assert lines[:3] == [
        "ip link add name l3-new-d4963834 type bridge",
        "ip link set dev l3-new-d4963834 addrgenmode none",
        "ip link set dev l3-new-d4963834 name brqweb-network alias netnode.l3 up",
    ]
    assert "ip netns add qrouter-r1" in lines
    assert f"ip -n qrouter-r1 address add 10.0.0.1/24 broadcast + dev {WEB}" in lines
    assert "ip netns exec qrouter-r1 sysctl -w net/ipv4/ip_forward=1" in lines
    assert "ip netns exec qrouter-r1 iptables-restore --noflush" in lines


def test_a_router_with_router_advertisements() -> None:
    [entry] = render(advertising(router()))["rendered"]
    files = ["-C", "/run/netnode-l3/radvd-r1.conf", "-p", "/run/netnode-l3/radvd-r1.pid"]
    radvd = ["ip", "netns", "exec", "qrouter-r1", "radvd", *files, "-m", "stderr_syslog", "-u", "radvd"]
    assert entry["commands"][-1] == shlex.join(radvd)
    assert f"interface {WEB}\n" in entry["router_advertisements"]
    assert "router_advertisements" not in render(router())["rendered"][0]


def test_a_router_on_open_vswitch() -> None:
    lines = commands("openvswitch", vlan_tags={"web-network": 7})
    adding = next(line for line in lines if f"add-port br-int {WEB}" in line)
    assert shlex.split(adding) == [
        *["ovs-vsctl", "add-port", "br-int", WEB, "tag=7", "--", "set", "Interface", WEB, "type=internal"],
        *['external_ids:iface-id="bbbb0000-web-port"', 'external_ids:iface-status="active"'],
        *['external_ids:attached-mac="fa:16:3e:00:00:c0"', 'external_ids:netnode-l3="netnode.l3/r1/web-network"'],
    ]
    moving = f"ip link set dev {WEB} netns qrouter-r1 address fa:16:3e:00:00:c0 mtu 1450"
    assert lines.index(adding) < lines.index("ip netns add qrouter-r1") < lines.index(moving)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_router_in_the_nodes_own_namespace(driver: str) -> None:
    lines = commands(driver, use_namespaces=False, router_id="r1")
    assert not [line for line in lines if "netns" in line or " -n " in line or "dev lo" in line]
    assert f"sysctl -w net/ipv4/conf/{WEB}/forwarding=1" in lines
    assert "iptables-restore --noflush" in lines


@pytest.mark.parametrize("driver", DRIVERS)
def test_external_bridges_of_a_mapping_are_taken_to_be_there(driver: str) -> None:
    lines = commands(driver, external_network_bridge={"external": "br-wan"})
    assert [line for line in lines if "br-wan" in line]
    assert not [line for line in lines if "br-ex" in line]


def test_the_mss_of_ipv6_needs_rules_of_its_own() -> None:
    [entry] = render(router(), clamp_mss_to_pmtu=True)["rendered"]
    assert "ip netns exec qrouter-r1 ip6tables-restore --noflush" in entry["commands"]
    clamp = "-A l3-FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"
    assert [clamp in entry["rules"][command] for command in ("iptables-restore", "ip6tables-restore")] == [True, True]
    assert "ip6tables-restore" not in render(router())["rendered"][0]["rules"]


def test_the_next_hop_of_ipv6_can_come_from_the_option() -> None:
    gateway = {**router()["gateway"], "gateway_ips": ["203.0.113.1"]}
    [entry] = render(router(gateway=gateway), ipv6_gateway="fe80::1")["rendered"]
    assert "ip -n qrouter-r1 route add ::/0 proto static via fe80::1 dev qg-aaaa0000-ex" in entry["commands"]


def test_metadata_comes_with_the_configuration_of_its_proxy() -> None:
    options: dict[str, Any] = {"metadata_upstream": UPSTREAM, "handle_internal_only_routers": False}
    result = render(router(), {"id": "r2"}, small_router(3, admin_state_up=False), **options)
    proxy = MetadataProxy(Options("bridge", **options), Upstream.unseen(UPSTREAM))
    assert result["metadata_proxy"] == proxy.render({"r1": proxy.line("r1", ipv6=True)})
    assert "-d fe80::a9fe:a9fe/128 -i qr-+" in result["rendered"][0]["rules"]["ip6tables-restore"]
    line = "ip -n qrouter-r1 address add fe80::a9fe:a9fe/128 nodad preferred_lft 0 dev qr-bbbb0000-we"
    assert line in result["rendered"][0]["commands"]
    assert "-j REDIRECT --to-ports 9697" in result["rendered"][0]["rules"]["iptables-restore"]
    without = render(router())
    assert "metadata_proxy" not in without
    assert "fe80::a9fe:a9fe" not in str(without)


@pytest.mark.parametrize(
    ("upstream", "server"),
    [
        (UPSTREAM, "unix@/run/metadata.sock"),
        ("metadata.example:8775", "metadata.example:8775"),
        ("[2001:db8::1]:8775", "2001:db8::1:8775"),
    ],
)
def test_the_upstream_is_written_without_looking_for_it(monkeypatch: pytest.MonkeyPatch, upstream: str, server: str) -> None:
    for name in ("getaddrinfo", "create_connection", "socket"):
        monkeypatch.delattr(socket, name)
    text = render(router(), metadata_upstream=upstream)["metadata_proxy"]
    assert [line for line in text.splitlines() if "server metadata" in line] == [f"    server metadata {server}"]


def test_routers_that_are_not_for_the_node_are_left_out() -> None:
    result = render(router(), small_router(2), {"id": "r3"}, router_id="r3")
    assert [entry["id"] for entry in result["rendered"]] == ["r3"]


def test_what_is_wrong_is_told_and_the_rest_is_rendered() -> None:
    data = router(routes=[{"destination": "192.168.50.0/24", "nexthop": "172.16.0.1"}])
    result = render(data, {"id": "r2", "unknown": 1})
    first, second = result["rendered"]
    assert first["error"] == "routes[0].nexthop: 172.16.0.1 is on no network of the router"
    assert first["commands"]
    assert (second["id"], second["commands"], second["rules"]) == ("r2", [], {})
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"] == f"router r1: {first['error']}\nrouter r2: {second['error']}"
