# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sandboxed node that follows a real Neutron server: change things by its API, run the playbook, send packets."""

from __future__ import annotations

import sys
import time
from typing import Any

from sandbox import Machine, Node, Play
from sandbox.cloud import EXTERNAL_GATEWAY, Cloud
from sandbox.neutron_server import NeutronServer
from sandbox.playbook import CHECKOUT

from .shown import run, show

INVENTORY = CHECKOUT / "examples" / "openstack" / "rpc.yml"


def main() -> int:
    """Run the demo; the exit status says whether all went as it should."""
    began = time.monotonic()
    with NeutronServer() as server, Node("node1") as node:
        node.add_bridge("br-ex")
        cloud = Cloud(server)
        print(f"A Neutron server is there ({time.monotonic() - began:.1f} s), and a node that it does not know.")
        print("The node follows it by its message bus (l3_sync_source: neutron_rpc), with examples/openstack/rpc.yml.")
        return _demo(node, cloud, {"NEUTRON_TRANSPORT_URL": server.transport_url})


def _demo(node: Node, cloud: Cloud, environment: dict[str, str]) -> int:
    def step(title: str, *arguments: str) -> Play:
        print(f"\n{title}", flush=True)
        play = run("netnode.l3.sync", [node], *arguments, "--limit", "node1", inventory=INVENTORY, environment=environment)
        if play.status:
            raise SystemExit(play.status)
        return play

    step("First run: the node becomes known to Neutron.")
    (agent,) = cloud.network.agents(host="node1")
    print(f"For Neutron, the {agent.agent_type} on {agent.host} is {'alive' if agent.is_alive else 'dead'}.")

    router, (front, back) = cloud.router("web", "10.0.0.0/24", "10.0.1.0/24")
    other, _networks = cloud.router("other", "10.0.0.0/24")
    ports = [cloud.port(front), cloud.port(front)]
    floating_ip = cloud.floating_ip(ports[0])
    address = floating_ip.floating_ip_address
    step("A user of the cloud makes two routers, three networks, and a floating IP. A run brings them to the node.")
    outside = Machine(node, "outside", "br-ex", [f"{EXTERNAL_GATEWAY}/16"])
    outside.serve_whoami()
    first, second = (_machine(node, number, front, port) for number, port in enumerate(ports))
    snat = router.external_gateway_info["external_fixed_ips"][0]["ip_address"]
    status = ("status of the floating IP", "by the API", lambda: cloud.network.get_ip(floating_ip).status, "ACTIVE")
    print(f"\nThe router's own address is {snat}, the floating IP {address}.")
    failed = show(
        [
            ("outbound by the floating IP", "the first machine", lambda: first.seen_as(EXTERNAL_GATEWAY), address),
            ("outbound SNAT", "the second machine", lambda: second.seen_as(EXTERNAL_GATEWAY), snat),
            status,
        ]
    )

    cloud.network.update_ip(floating_ip, port_id=ports[1].id)
    cloud.unplug(router, back)
    play = step("The user gives the floating IP to the second machine, and unplugs a network. A run changes only that.", "--diff")
    print("\n" + "\n".join(line for line in play.output.splitlines() if line.startswith(("+", "-"))) + "\n")
    failed += show(
        [
            ("outbound SNAT", "the first machine", lambda: first.seen_as(EXTERNAL_GATEWAY), snat),
            ("outbound by the floating IP", "the second machine", lambda: second.seen_as(EXTERNAL_GATEWAY), address),
            status,
        ]
    )

    cloud.delete_router(other)
    step("The user deletes the other router. A run removes it.")
    gone = f"qrouter-{other.id}" not in node.run("ip", "netns", "list").stdout
    print(f"\nIts namespace is {'gone' if gone else 'still there'}.")
    idempotent = not any(step("Nothing was changed.").changed.values())
    print("\nThe last run changed nothing." if idempotent else "\nThe last run was to change nothing, and did.")
    return 0 if gone and idempotent and not failed else 1


def _machine(node: Node, number: int, network: Any, port: Any) -> Machine:
    address = f"{port.fixed_ips[0]['ip_address']}/24"
    return Machine(node, f"machine{number}", f"brq{network.id[:11]}", [address], [("default", "10.0.0.1")])


if __name__ == "__main__":
    sys.exit(main())
