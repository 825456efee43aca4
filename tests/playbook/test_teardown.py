# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook teardown removes all that the collection made on a node, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox import MetadataServer, Node, OpenVSwitch, run_playbook

from ..kernel_state import differences, snapshot
from ..routers import advertising, router, small_router


def files(node: Node) -> list[str]:
    """What is in the places where files can be of the collection."""
    found = node.run(
        "find", "/etc", "/run", "/var/lib/neutron", "-iname", "*netnode*", "!", "-name", "netnode-l3.lock", check=False
    )
    return found.stdout.splitlines()


def busy_host(node: Node) -> None:
    """Things of others that look a little like ours."""
    node.add_bridge("brqforeign")
    node.run("ip", "link", "add", "name", "tapforeign", "type", "veth", "peer", "name", "vm-end")
    node.run("ip", "link", "set", "dev", "tapforeign", "master", "brqforeign", "up")
    node.run("ip", "netns", "add", "qdhcp-1")
    node.run("iptables-restore", text="*nat\n:l3vpn - [0:0]\n-A PREROUTING -j l3vpn\nCOMMIT\n")


@pytest.mark.parametrize("use_namespaces", [True, False])
@pytest.mark.parametrize("driver", ["bridge", "openvswitch"])
def test_nothing_of_ours_is_left_and_all_else_is(driver: str, use_namespaces: bool, prepared_files: Path) -> None:
    with Node("node", prepared_files) as node:
        if driver == "openvswitch":
            switch = OpenVSwitch(node)
            switch.add_bridge("br-int")
            switch.add_bridge("br-ex")
        busy_host(node)
        before = snapshot(node)
        MetadataServer(node, "/var/lib/neutron/metadata_proxy")
        options: dict[str, Any] = {
            "l3_sync_routers": [advertising(router()), small_router(1)],
            "l3_sync_interface_driver": driver,
            "l3_sync_metadata_upstream": "unix:/var/lib/neutron/metadata_proxy",
            "l3_sync_use_namespaces": use_namespaces,
            "l3_sync_router_id": "" if use_namespaces else "r1",
            "network_node_external_bridge": "br-ex",
        }
        made = run_playbook("netnode.l3.sync", [node], host_vars={"node": options})
        assert made.status == 0, made.output
        assert "br-ex" in node.run("ip", "-oneline", "link").stdout
        assert files(node)
        torn = run_playbook("netnode.l3.teardown", [node], host_vars={"node": options})
        assert torn.status == 0, torn.output
        assert differences(before, snapshot(node)) == []
        assert files(node) == []
        processes = node.run("ps", "-eo", "comm").stdout
        assert ("haproxy" in processes, "radvd" in processes) == (False, False)
        again = run_playbook("netnode.l3.teardown", [node], host_vars={"node": options})
        assert (again.status, again.changed) == (0, {"node": 0}), again.output


def test_without_the_commands_of_iptables(node: Node) -> None:
    node.run("sh", "-c", "rm /etc/alternatives/*tables*")
    before = snapshot(node)
    options = {
        "l3_sync_routers": [router()],
        "l3_sync_interface_driver": "bridge",
        "l3_sync_firewall_driver": "nftables",
        "network_node_external_bridge": "br-made",
    }
    made = run_playbook("netnode.l3.sync", [node], host_vars={"node": options})
    assert made.status == 0, made.output
    torn = run_playbook("netnode.l3.teardown", [node], host_vars={"node": options})
    assert torn.status == 0, torn.output
    assert differences(before, snapshot(node)) == []


def test_a_bridge_in_use_stays_and_is_named(node: Node) -> None:
    options = {"l3_sync_routers": [router()], "l3_sync_interface_driver": "bridge", "network_node_external_bridge": "br-made"}
    assert run_playbook("netnode.l3.sync", [node], host_vars={"node": options}).status == 0
    node.run("ip", "link", "add", "name", "uplink", "type", "veth", "peer", "name", "far")
    node.run("ip", "link", "set", "dev", "uplink", "master", "br-made")
    torn = run_playbook("netnode.l3.teardown", [node], host_vars={"node": options})
    assert torn.status == 0, torn.output
    assert "br-made is still in use and stays" in torn.output
    assert "br-made" in node.run("ip", "-oneline", "link").stdout


def test_no_variable_makes_teardown_make_routers(node: Node) -> None:
    MetadataServer(node, "/var/lib/neutron/metadata_proxy")
    options = {
        "l3_sync_routers": [router()],
        "l3_sync_interface_driver": "bridge",
        "l3_sync_metadata_upstream": "unix:/var/lib/neutron/metadata_proxy",
    }
    assert run_playbook("netnode.l3.sync", [node], host_vars={"node": options}).status == 0
    node.run("rm", "-r", "/run/netnode-l3")  # the proxy runs on, and must be found all the same
    torn = run_playbook("netnode.l3.teardown", [node], "--extra-vars", json.dumps(options), host_vars={"node": options})
    assert torn.status == 0, torn.output
    assert "qrouter-r1" not in node.run("ip", "netns").stdout
    assert "haproxy" not in node.run("ps", "-eo", "comm").stdout
