# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge the example inventory on two sandboxed nodes, send packets through them, and converge them once more."""

from __future__ import annotations

import json
import re
import sys

from sandbox import Machine, MetadataServer, Node
from sandbox.playbook import CHECKOUT

from .shown import Check, run, show

INVENTORY = CHECKOUT / "examples" / "inventory.yml"


def main() -> int:
    """Run the demo; the exit status says whether all went as it should."""
    with Node("node1") as node1, Node("node2") as node2:
        nodes = [node1, node2]
        for node in nodes:
            node.add_bridge("br-ex")
            MetadataServer(node, "/var/lib/neutron/metadata_proxy")
        print("First run of the playbook netnode.l3.sync, on two nodes:", flush=True)
        first = run("netnode.l3.sync", nodes, inventory=INVENTORY)
        if first.status != 0:
            return first.status
        print("\nPackets (a server tells each client the address that it came from):\n", flush=True)
        failed = show([*_neutron_checks(node1), *_dual_stack_checks(node2), *_by_hand_checks(node2)])
        print("\nSecond run of the playbook:", flush=True)
        second = run("netnode.l3.sync", nodes, inventory=INVENTORY)
        idempotent = second.status == 0 and not any(second.changed.values())
        print("\nThe second run changed nothing." if idempotent else "\nThe second run was to change nothing, and did.")
        return 1 if failed or not idempotent else 0


def _neutron_checks(node: Node) -> list[Check]:
    """Two routers of Neutron with the same internal network, 10.0.0.0/24, at once."""
    outside = Machine(node, "outside", "br-ex", ["198.18.255.254/16", "203.0.113.1/24"])
    # Of the saved answer of today: network 07d94f5e…, floating IP 198.18.0.216 of 10.0.0.238.
    vm = Machine(node, "vm-a", "brq07d94f5e-82", ["10.0.0.7/24"], [("default", "10.0.0.1")])
    server = Machine(node, "vm-b", "brq07d94f5e-82", ["10.0.0.238/24"], [("default", "10.0.0.1")])
    # Of the saved answer of 2013: network 000000f0…, floating IP 203.0.113.20 of 10.0.0.5.
    other = Machine(node, "vm-c", "brq000000f0-11", ["10.0.0.7/24"], [("default", "10.0.0.1")])
    other_server = Machine(node, "vm-d", "brq000000f0-11", ["10.0.0.5/24"], [("default", "10.0.0.1")])
    for machine in (outside, server, other_server):
        machine.serve_whoami()
    return [
        ("outbound SNAT", "node1, 10.0.0.7 to outside", lambda: vm.seen_as("203.0.113.1"), "198.18.0.172"),
        ("floating IP reached from outside", "node1, 198.18.0.216", lambda: outside.seen_as("198.18.0.216"), "198.18.255.254"),
        ("VM with a floating IP goes out as it", "node1, 10.0.0.238", lambda: server.seen_as("203.0.113.1"), "198.18.0.216"),
        ("hairpin to a floating IP", "node1, 10.0.0.7 to 198.18.0.216", lambda: vm.seen_as("198.18.0.216"), "198.18.0.172"),
        (
            "overlapping networks: outbound SNAT",
            "node1, the other 10.0.0.7",
            lambda: other.seen_as("203.0.113.1"),
            "203.0.113.10",
        ),
        (
            "overlapping networks: floating IP",
            "node1, 203.0.113.20",
            lambda: outside.seen_as("203.0.113.20"),
            "203.0.113.1",
        ),
        ("overlapping networks: metadata", "node1, 10.0.0.7", lambda: _router_by_metadata(vm), _router_of(node, "07d94f5e")),
        (
            "overlapping networks: metadata",
            "node1, the other 10.0.0.7",
            lambda: _router_by_metadata(other),
            _router_of(node, "000000f0"),
        ),
    ]


def _router_by_metadata(machine: Machine) -> str:
    """The router that a metadata server is told a machine's request came through."""
    answer = machine.run("curl", "--silent", "--max-time", "3", "http://169.254.169.254/latest/meta-data/", check=False).stdout
    headers = dict(json.loads(answer)["headers"]) if answer else {}
    return str(headers.get("x-neutron-router-id", ""))


def _router_of(node: Node, network: str) -> str:
    """The router that is on a network, by the mark of its port there."""
    marks = re.findall(rf"alias netnode\.l3/(\S+)/{network}", node.run("ip", "-oneline", "link").stdout)
    return " and ".join(sorted(set(marks)))


def _dual_stack_checks(node: Node) -> list[Check]:
    """A router of Neutron with IPv4 and IPv6, which is routed without NAT."""
    outside = Machine(
        node,
        "outside",
        "br-ex",
        ["203.0.113.1/24", "2001:db8:e::1/64"],
        [("2001:db8:1::/64", "2001:db8:e::10")],
    )
    vm = Machine(node, "vm-6", "brq000000f1-11", ["2001:db8:1::5/64"], [("::/0", "2001:db8:1::1")])
    outside.serve_whoami()
    return [("IPv6 without NAT", "node2, 2001:db8:1::5 to outside", lambda: vm.seen_as("2001:db8:e::1"), "2001:db8:1::5")]


def _by_hand_checks(node: Node) -> list[Check]:
    """A router of the inventory with two internal networks, and floating IPs in both."""
    web = Machine(node, "web", "brqweb", ["10.1.0.5/24"], [("default", "10.1.0.1")])
    plain = Machine(node, "plain", "brqweb", ["10.1.0.7/24"], [("default", "10.1.0.1")])
    db = Machine(node, "db", "brqdb", ["10.2.0.5/24"], [("default", "10.2.0.1")])
    db.serve_whoami()
    return [
        ("internal networks routed without NAT", "node2, 10.1.0.7 to 10.2.0.5", lambda: plain.seen_as("10.2.0.5"), "10.1.0.7"),
        ("hairpin between floating IPs", "node2, 203.0.113.31 to .32", lambda: web.seen_as("203.0.113.32"), "203.0.113.31"),
        ("the router answers a ping", "node2, 203.0.113.30", lambda: plain.pings("203.0.113.30"), True),
    ]


if __name__ == "__main__":
    sys.exit(main())
