# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole way: what is changed by Neutron's API, a run of the playbook brings to a node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.reports import report_state
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.rpc import Rpc
from sandbox import Machine, Node, run_playbook
from sandbox.cloud import EXTERNAL_GATEWAY, Cloud
from sandbox.neutron_server import PASSWORD, NeutronServer
from sandbox.playbook import Play


@pytest.fixture
def network_node(host: str, prepared_files: Path) -> Iterator[Node]:
    """The node of that host."""
    with Node(host, prepared_files) as node:
        node.add_bridge("br-ex")
        yield node


def sources(server: NeutronServer) -> dict[str, dict[str, Any]]:
    """Variables of each source, that both report."""
    shared = {"l3_sync_interface_driver": "bridge", "l3_sync_neutron_transport_url": server.transport_url}
    return {
        "neutron_api": {
            "l3_sync_neutron_cloud": {"auth_type": "none", "auth": {"endpoint": server.url}},
            "l3_sync_neutron_report": True,
            **shared,
        },
        "neutron_rpc": shared,
    }


def variables_of(source: str, server: NeutronServer, host: str) -> dict[str, Any]:
    """Variables of a host that is in an availability zone of its own."""
    return {"l3_sync_source": source, "l3_sync_neutron_availability_zone": host, **sources(server)[source]}


class Follower:
    """A node that follows a cloud by runs of the playbook."""

    def __init__(self, node: Node, **variables: Any) -> None:
        self.node = node
        self.variables = variables

    def run(self, *arguments: str, **more: Any) -> Play:
        """Run it; the output must not have the password of the message bus."""
        variables = {self.node.name: {**self.variables, **more}}
        play = run_playbook("netnode.l3.sync", [self.node], *arguments, host_vars=variables)
        assert play.status == 0, play.output
        assert PASSWORD not in play.output
        return play

    def routers(self) -> list[str]:
        """Ids of the routers on the node."""
        return re.findall(r"^qrouter-(\S+)", self.node.run("ip", "netns", "list").stdout, re.MULTILINE)


def figures_of(cloud: Cloud, host: str) -> dict[str, int]:
    """What the L3 agent of a host has reported of its routers."""
    (agent,) = cloud.network.agents(host=host)
    return {key: agent.configuration[key] for key in ("routers", "ex_gw_ports", "interfaces", "floating_ips")}


@pytest.mark.parametrize("source", ["neutron_api", "neutron_rpc"])
def test_changes_in_neutron_come_to_the_node(
    source: str, server: NeutronServer, cloud: Cloud, host: str, network_node: Node
) -> None:
    follower = Follower(network_node, **variables_of(source, server, host))
    router, (front, back) = cloud.router("whole way", "10.0.0.0/24", "10.0.1.0/24", zone=host)
    ports = [cloud.port(front), cloud.port(front)]
    floating_ip = cloud.floating_ip(ports[0])
    address = floating_ip.floating_ip_address
    forwarded = cloud.floating_ip()
    ranges = {"external_port_range": "7770:7779", "internal_port_range": "7770:7779"}
    forwarding = cloud.port_forwarding(forwarded, ports[1], **ranges)
    first = follower.run("-vvv")
    assert "1 router: 1 changed, 0 failed, 0 skipped. Neutron was told the status of 2 floating IPs." in first.output
    outside = Machine(network_node, "outside", "br-ex", [f"{EXTERNAL_GATEWAY}/16"])
    outside.serve_whoami()
    machines = [
        Machine(
            network_node,
            f"machine{number}",
            f"brq{front.id[:11]}",
            [f"{port.fixed_ips[0]['ip_address']}/24"],
            [("default", "10.0.0.1")],
        )
        for number, port in enumerate(ports)
    ]
    assert machines[0].seen_as(EXTERNAL_GATEWAY) == address
    assert machines[1].seen_as(EXTERNAL_GATEWAY) == router.external_gateway_info["external_fixed_ips"][0]["ip_address"]
    (agent,) = cloud.network.agents(host=host)
    assert agent.is_alive
    figures = figures_of(cloud, host)
    assert figures == {"routers": 1, "ex_gw_ports": 1, "interfaces": 2, "floating_ips": 1}
    assert cloud.network.get_ip(floating_ip).status == cloud.network.get_ip(forwarded).status == "ACTIVE"
    machines[1].serve_whoami()
    assert outside.seen_as(forwarded.floating_ip_address) == EXTERNAL_GATEWAY
    assert follower.run().changed == {host: 0}

    # Remapped, and another one.
    cloud.network.update_ip(floating_ip, port_id=ports[1].id)
    other, _networks = cloud.router("another", "10.0.2.0/24", zone=host)
    limited = follower.run("--diff", l3_sync_router_ids=router.id)
    assert "1 router: 1 changed, 0 failed, 0 skipped." in limited.output
    assert figures_of(cloud, host) == figures, "those of some routers are not those of the node"
    changed = [line for line in limited.output.splitlines() if line.startswith(("+ ", "- "))]
    assert changed and all(address in line or port.fixed_ips[0]["ip_address"] in line for line in changed for port in ports)
    assert machines[1].seen_as(EXTERNAL_GATEWAY) == address
    assert follower.routers() == [router.id]

    # A whole run brings the other router, and takes away the interface.
    cloud.unplug(router, back)
    cloud.network.update_ip(floating_ip, port_id=None)
    assert "2 routers: 2 changed, 0 failed, 0 skipped." in follower.run().output
    assert sorted(follower.routers()) == sorted([router.id, other.id])
    assert not outside.pings(address)
    assert cloud.network.get_ip(floating_ip).status == "DOWN"

    # Deleted: by the id of a router that the source lacks now.
    cloud.network.delete_ip(floating_ip)
    cloud.delete_port_forwarding(forwarded, forwarding)
    cloud.unplug(router, front)
    cloud.network.delete_router(router)
    assert "Removed: 1 router" in follower.run(l3_sync_router_ids=[router.id]).output
    assert follower.routers() == [other.id]
    assert follower.run().changed == {host: 0}


def test_check_mode_and_verify_ask_and_tell_neutron_nothing(
    server: NeutronServer, cloud: Cloud, host: str, network_node: Node
) -> None:
    router, (network,) = cloud.router("looked at", "10.0.0.0/24", zone=host)
    floating_ip = cloud.floating_ip(cloud.port(network))
    variables = variables_of("neutron_rpc", server, host)
    follower = Follower(network_node, **variables)
    checked = follower.run("--check", "--diff")
    assert f"+++ after: router {router.id}" in checked.output
    assert follower.routers() == []
    (agent,) = cloud.network.agents(host=host)
    assert "routers" not in agent.configuration
    assert cloud.network.get_ip(floating_ip).status == "DOWN"
    verified = run_playbook("netnode.l3.verify", [network_node], host_vars={host: variables})
    assert verified.failed == {host: 1}
    assert f"router {router.id}: " in verified.output
    assert cloud.network.get_ip(floating_ip).status == "DOWN"


def test_floating_ips_of_a_router_that_fails_are_in_error(
    server: NeutronServer, cloud: Cloud, host: str, network_node: Node
) -> None:
    router, (network,) = cloud.router("fails", "10.0.0.0/24", zone=host)
    floating_ip = cloud.floating_ip(cloud.port(network))
    own = variables_of("neutron_rpc", server, host)
    missing = {**own, "l3_sync_external_network_bridge": "br-missing"}
    play = run_playbook("netnode.l3.sync", [network_node], host_vars={host: missing})
    assert play.failed == {host: 1}
    assert f"router {router.id}: " in play.output
    assert cloud.network.get_ip(floating_ip).status == "ERROR"
    Follower(network_node, **own).run()
    assert cloud.network.get_ip(floating_ip).status == "ACTIVE"


def test_a_report_that_fails_fails_the_run_after_the_routers(
    server: NeutronServer, cloud: Cloud, host: str, network_node: Node
) -> None:
    router, _networks = cloud.router("told by the API", "10.0.0.0/24", zone=host)
    variables = {
        **sources(server)["neutron_api"],
        "l3_sync_source": "neutron_api",
        "l3_sync_neutron_transport_url": server.transport_url.replace(PASSWORD, "wrong"),
    }
    play = run_playbook("netnode.l3.sync", [network_node], host_vars={host: variables})
    assert play.failed == {host: 1}
    assert "1 router: 1 changed, 0 failed, 0 skipped. The message bus of Neutron cannot be reached" in play.output
    assert f"qrouter-{router.id}" in network_node.run("ip", "netns", "list").stdout


def test_a_change_that_was_taken_back_is_not_told_as_working(
    server: NeutronServer, cloud: Cloud, host: str, network_node: Node
) -> None:
    _router, (network,) = cloud.router("taken back", "10.0.0.0/24", zone=host)
    floating_ip = cloud.floating_ip(cloud.port(network))
    own = variables_of("neutron_rpc", server, host)
    play = run_playbook("netnode.l3.sync", [network_node], host_vars={host: {**own, "l3_sync_confirm_timeout": 15}})
    assert play.failed == {host: 1}
    assert "It was taken back" in play.output, play.output
    assert Follower(network_node).routers() == []
    assert cloud.network.get_ip(floating_ip).status == "DOWN"


def test_nodes_of_one_play_ask_in_one_way_and_by_the_names_that_they_have(
    server: NeutronServer, host: str, prepared_files: Path, tmp_path: Path
) -> None:
    variables = {"l3_sync_source": "neutron_api", **sources(server)["neutron_api"]}
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        "- hosts: network_nodes\n  gather_facts: false\n  roles:\n"
        "    - role: netnode.l3.l3_sync\n      vars: {l3_sync_neutron_host: another}\n",
        encoding="utf-8",
    )
    with Node(host, prepared_files) as node, Node("other", prepared_files) as other:
        host_vars = {host: variables, "other": {**variables, "l3_sync_source": "neutron_rpc"}}
        play = run_playbook("netnode.l3.sync", [node, other], host_vars=host_vars)
        assert play.failed == {host: 1, "other": 1}, play.output
        assert "these differ in l3_sync_source" in play.output
        play = run_playbook(str(playbook), [node], host_vars={host: variables})
        assert play.failed == {host: 1}
        assert "Neutron was not asked for another" in play.output


def test_nodes_of_one_play_can_be_limited_each_in_its_own_way(
    server: NeutronServer, cloud: Cloud, host: str, prepared_files: Path
) -> None:
    other_host = f"{host}-other"
    with Rpc(server.transport_url) as rpc:
        report_state(rpc, other_host, {"handle_internal_only_routers": True}, availability_zone=other_host)
    one, _networks = cloud.router("one", "10.0.0.0/24", zone=host)
    two, _networks = cloud.router("two", "10.0.0.0/24", zone=other_host)
    variables = {"l3_sync_source": "neutron_api", **sources(server)["neutron_api"], "l3_sync_neutron_report": False}
    with Node(host, prepared_files) as node, Node(other_host, prepared_files) as other:
        for each in (node, other):
            each.add_bridge("br-ex")
        for limits in ([], []), ([one.id], f"{two.id},"), ([one.id], []):
            host_vars = {
                each.name: {**variables, "l3_sync_router_ids": limit} for each, limit in zip((node, other), limits, strict=True)
            }
            play = run_playbook("netnode.l3.sync", [node, other], host_vars=host_vars)
            assert play.status == 0, play.output
            assert [Follower(each).routers() for each in (node, other)] == [[one.id], [two.id]]

        # A node that Neutron does not know loses nothing, though it is asked for one router only.
        unknown = {host: {**variables, "l3_sync_neutron_host": "unknown", "l3_sync_router_ids": [one.id]}}
        unknown[host]["l3_sync_neutron_report"] = True
        play = run_playbook("netnode.l3.sync", [node], host_vars=unknown)
        assert play.failed == {host: 1}
        assert "Neutron knows no L3 agent on host unknown." in play.output
        assert Follower(node).routers() == [one.id]


def test_a_node_that_is_dead_for_neutron_is_named(server: NeutronServer, host: str, prepared_files: Path) -> None:
    cloud = {"auth_type": "none", "auth": {"endpoint": server.url}}
    variables = {"l3_sync_interface_driver": "bridge", "l3_sync_source": "neutron_api", "l3_sync_neutron_cloud": cloud}
    warning = f"For Neutron, the L3 agent on host {host} is dead"
    with Node(host, prepared_files) as node:
        node.add_bridge("br-ex")
        assert warning not in run_playbook("netnode.l3.sync", [node], host_vars={host: variables}).output
        server.make_dead(host)
        play = run_playbook("netnode.l3.sync", [node], host_vars={host: variables})
    assert play.status == 0, play.output
    assert warning in " ".join(play.output.split())
