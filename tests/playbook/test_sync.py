# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook itself, run by ansible-playbook on sandboxed nodes."""

from __future__ import annotations

import json
from typing import Any

from sandbox import Node, run_playbook
from sandbox.engine import run_engine
from sandbox.playbook import CHECKOUT

from ..kernel_state import differences, snapshot
from ..routers import router, small_router


def variables(*routers: Any, **options: Any) -> dict[str, dict[str, Any]]:
    """Variables of the host "node"; options are the role's, without their prefix."""
    values = {"interface_driver": "bridge", **options}
    return {"node": {"l3_sync_routers": list(routers), **{f"l3_sync_{name}": value for name, value in values.items()}}}


def test_the_example_inventory_converges_two_nodes_and_then_rests() -> None:
    with Node("node1") as node1, Node("node2") as node2:
        for node in (node1, node2):
            node.add_bridge("br-ex")
        inventory = CHECKOUT / "examples" / "inventory.yml"
        first = run_playbook("netnode.l3.sync", [node1, node2], inventory=inventory)
        assert first.status == 0, first.output
        for node in (node1, node2):
            assert len(node.run("ip", "netns", "list").stdout.splitlines()) == 2
        again = run_playbook("netnode.l3.sync", [node1, node2], inventory=inventory)
        assert (again.status, again.changed) == (0, {"node1": 0, "node2": 0}), again.output


def test_check_and_diff_predict_and_touch_nothing(node: Node) -> None:
    run_engine(node, [small_router(1)])
    before = snapshot(node)
    wanted = variables(small_router(1), router())
    predicted = run_playbook("netnode.l3.sync", [node], "--check", "--diff", host_vars=wanted)
    assert (predicted.status, predicted.changed) == (0, {"node": 1}), predicted.output
    assert differences(before, snapshot(node)) == []
    assert "+++ after: router r1" in predicted.output
    assert '+    addresses: ["203.0.113.10/24", "2001:db8:e::10/64"]' in predicted.output
    assert "router small-1" not in predicted.output
    done = run_playbook("netnode.l3.sync", [node], "--diff", host_vars=wanted)
    diff = [line for line in predicted.output.splitlines() if line.startswith(("+", "-"))]
    assert diff == [line for line in done.output.splitlines() if line.startswith(("+", "-"))]


def test_a_router_that_fails_fails_the_play_in_a_few_lines(node: Node) -> None:
    routers = [small_router(number) for number in range(150)]
    routers[70]["interfaces"][0]["addresses"] = ["10.0.0.300/24"]
    play = run_playbook("netnode.l3.sync", [node], host_vars=variables(*routers))
    assert play.status != 0
    assert play.failed == {"node": 1}
    assert "router small-70: routers[70].interfaces[0].addresses[0]: '10.0.0.300/24' is not an IP address" in play.output
    assert "150 routers: 149 changed, 1 failed, 0 skipped." in play.output
    assert len(play.output.splitlines()) < 200, "thousands of lines of router data must not make the output unreadable"
    assert max(len(line) for line in play.output.splitlines()) < 1000
    assert len(node.run("ip", "netns", "list").stdout.splitlines()) == 149


def test_kernel_parameters_of_the_host_are_set_though_a_router_fails(node: Node) -> None:
    options = {"network_node_sysctls": {"net.ipv4.conf.default.rp_filter": 2}}
    bad = {"node": {**variables({"id": "no/id"})["node"], **options}}
    play = run_playbook("netnode.l3.sync", [node], host_vars=bad)
    assert play.failed == {"node": 1}
    assert node.run("sysctl", "-n", "net.ipv4.conf.default.rp_filter").stdout == "2\n"


def test_undefined_router_data_is_an_error_not_an_empty_list(node: Node) -> None:
    run_engine(node, [router()])
    nothing = {"node": {"l3_sync_interface_driver": "bridge"}}
    play = run_playbook("netnode.l3.sync", [node], host_vars=nothing)
    assert play.status != 0
    assert "missing required arguments: l3_sync_routers" in play.output
    assert "qrouter-r1" in node.run("ip", "netns", "list").stdout


def test_an_empty_list_is_refused_with_the_numbers(node: Node) -> None:
    run_engine(node, [router()])
    play = run_playbook("netnode.l3.sync", [node], host_vars=variables())
    assert play.status != 0
    assert "Refused: 1 of the 1 routers on this node would be purged, and max_deletions is 50%." in play.output


def test_the_host_is_prepared() -> None:
    with Node("node") as node:
        options = {
            "node": {
                **variables(router())["node"],
                "network_node_external_bridge": "br-made",
            }
        }
        first = run_playbook("netnode.l3.sync", [node], host_vars=options)
        assert first.status == 0, first.output
        link = json.loads(node.run("ip", "-json", "link", "show", "dev", "br-made").stdout)[0]
        assert "UP" in link["flags"]
        assert node.file("/etc/modules-load.d/netnode-l3.conf").read_text() == "nf_conntrack\n"
        assert "net.ipv4.neigh.default.gc_thresh3 = 32768\n" in node.file("/etc/sysctl.d/60-netnode-l3.conf").read_text()
        again = run_playbook("netnode.l3.sync", [node], host_vars=options)
        assert again.changed == {"node": 0}, again.output
