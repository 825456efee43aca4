# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node as Neutron's L3 agent leaves it, with one router, rebuilt from a record of what a real agent made.

Only one thing is other than in the record: the gateway is on br-ex, and not on a bridge named after its network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.router_data import routers_from_neutron
from sandbox import Node

_DATA = Path(__file__).parent / "data" / "agent-built"
# What Neutron told the agent.
FROM_NEUTRON: dict[str, Any] = json.loads((_DATA / "router.json").read_text(encoding="utf-8"))[0]
NAMESPACE = f"qrouter-{FROM_NEUTRON['id']}"

_SYSCTLS = """
    net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 net.ipv4.conf.all.promote_secondaries=1
    net.netfilter.nf_conntrack_tcp_be_liberal=1
"""


def agent_built_router() -> dict[str, Any]:
    """The same router as router data."""
    (router,) = routers_from_neutron([FROM_NEUTRON])
    return dict(router)


def build_as_agent(node: Node) -> None:
    """Make the router as the agent does, on a node that has br-ex and no internal bridges yet."""
    node.run("ip", "netns", "add", NAMESPACE)
    _run("ip", "link", "set", "dev", "lo", "up", node=node)
    _run("sysctl", "--quiet", "--write", *_SYSCTLS.split(), node=node)
    for port in FROM_NEUTRON["_interfaces"]:
        bridge = f"brq{port['network_id'][:11]}"
        node.add_bridge(bridge)
        _plug(node, port, f"qr-{port['id'][:11]}", bridge)
    port = FROM_NEUTRON["gw_port"]
    gateway = f"qg-{port['id'][:11]}"
    _plug(node, port, gateway, "br-ex")
    _run("sysctl", "--quiet", "--write", f"net.ipv6.conf.{gateway}.accept_ra=2", node=node)
    _run("ip", "route", "add", "default", "via", port["subnets"][0]["gateway_ip"], "dev", gateway, "proto", "static", node=node)
    for floating_ip in FROM_NEUTRON["_floatingips"]:
        address = floating_ip["floating_ip_address"]
        _run("ip", "address", "add", f"{address}/32", "broadcast", address, "dev", gateway, node=node)
    for family in ("iptables", "ip6tables"):
        rules = (_DATA / f"{family}-save.txt").read_text(encoding="ascii")
        _run(f"{family}-restore", node=node, text=rules)


def _run(*command: str, node: Node, text: str | None = None) -> None:
    node.run("ip", "netns", "exec", NAMESPACE, *command, text=text)


def _plug(node: Node, port: dict[str, Any], device: str, bridge: str) -> None:
    peer, mtu = f"tap{port['id'][:11]}", str(port["mtu"])
    pair = f"{peer} mtu {mtu} type veth peer name {device} mtu {mtu} address {port['mac_address']} netns {NAMESPACE}"
    node.run("ip", "link", "add", "name", *pair.split())
    # Not in the record, which is of the namespace; the agent's code says it.
    node.run("sysctl", "--quiet", "--write", f"net.ipv6.conf.{peer}.disable_ipv6=1")
    node.run("ip", "link", "set", "dev", peer, "master", bridge, "up")
    _run("ip", "link", "set", "dev", device, "up", node=node)
    for fixed_ip in port["fixed_ips"]:
        address = f"{fixed_ip['ip_address']}/{fixed_ip['prefixlen']}"
        _run("ip", "address", "add", address, "broadcast", "+", "dev", device, node=node)
