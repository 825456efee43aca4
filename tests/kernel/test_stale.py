# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is left of routers that are gone, half built or dead is removed or healed by the next run."""

from __future__ import annotations

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..kernel_state import differences, snapshot
from ..routers import router, small_router


def links(node: Node) -> str:
    return node.run("ip", "-oneline", "link").stdout


def lose_name(node: Node, namespace: str) -> None:
    """Have a namespace without its name: a process in it keeps it, and so its devices."""
    process = node.start("ip", "netns", "exec", namespace, "/bin/sh", "-c", "echo ready; exec sleep 60")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    node.run("ip", "netns", "delete", namespace)


def test_devices_of_a_router_that_is_gone_are_removed(node: Node) -> None:
    run_engine(node, [router()])
    without = snapshot(node)
    run_engine(node, [router(), small_router(1)])
    lose_name(node, "qrouter-small-1")
    assert "tap0001in-port" in links(node)
    predicted = run_engine(node, [router()], check=True)["node"]
    result = run_engine(node, [router()])
    assert result["node"] == predicted
    assert result["node"]["actions"] == [
        "stale device tap0001gw-port removed",
        "stale device tap0001in-port removed",
        "bridge brqnet0001 removed",
    ]
    assert differences(without, snapshot(node)) == []


def test_replaced_leaves_stale_things_of_others(node: Node) -> None:
    run_engine(node, [small_router(1)])
    lose_name(node, "qrouter-small-1")
    run_engine(node, [router()], "replaced")
    assert "tap0001in-port" in links(node)


# The kernel takes the devices of a namespace away a moment later, which check mode cannot foresee.
UNTIL_GONE = "while [ -e /sys/class/net/tap0001in-port ] || [ -e /sys/class/net/tap0001gw-port ]; do sleep 0.01; done"


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(
    "sabotage",
    [
        "umount --lazy /run/netns/qrouter-small-1",
        "umount --lazy /run/netns/qrouter-small-1; rm /run/netns/qrouter-small-1; touch /run/netns/qrouter-small-1",
        "ip netns delete qrouter-small-1; ip netns add qrouter-small-1",
        "ip netns delete qrouter-small-1; touch /run/netns/qrouter-small-1",
    ],
)
def test_half_built_and_dead_namespaces_are_healed_or_removed(node: Node, sabotage: str, given: bool) -> None:
    routers = [router(), small_router(1)] if given else [router()]
    run_engine(node, routers)
    expected = snapshot(node)
    run_engine(node, [router(), small_router(1)])
    node.run("/bin/sh", "-c", f"{sabotage}; {UNTIL_GONE}")
    predicted = run_engine(node, routers, check=True)
    result = run_engine(node, routers)
    assert "failed" not in result, result["msg"]
    assert (predicted["routers"], predicted["node"]) == (result["routers"], result["node"])
    assert differences(expected, snapshot(node)) == []
    assert run_engine(node, routers)["changed"] is False


def test_a_bridge_that_somebody_uses_stays(node: Node) -> None:
    run_engine(node, [small_router(1), small_router(2)])
    vm = Machine(node, "vm", "brqnet0001", ["10.0.0.5/24"])
    result = run_engine(node, [])
    assert "bridge brqnet0002 removed" in result["node"]["actions"]
    assert ("brqnet0001" in links(node), "brqnet0002" in links(node), vm.device in links(node)) == (True, False, True)


def test_a_bridge_that_is_not_ours_stays(node: Node) -> None:
    node.add_bridge("brqnet0001")
    run_engine(node, [small_router(1)])
    run_engine(node, [])
    assert "brqnet0001" in links(node)


def test_a_bridge_that_a_port_moves_away_from_is_removed_in_the_same_run(node: Node) -> None:
    run_engine(node, [small_router(1)])
    moved = small_router(1)
    moved["interfaces"][0]["network_id"] = "elsewhere"
    result = run_engine(node, [moved])
    assert "bridge brqnet0001 removed" in result["node"]["actions"]
    assert run_engine(node, [moved])["changed"] is False


def test_a_port_that_a_router_of_the_run_no_longer_has_is_removed(node: Node) -> None:
    run_engine(node, [small_router(1)])
    lose_name(node, "qrouter-small-1")
    other = small_router(1)
    other["gateway"]["id"] = "9999gw-port"
    result = run_engine(node, [other])
    assert result["node"]["actions"] == ["stale device tap0001gw-port removed"]
    assert "tap0001gw-port" not in links(node)
    assert run_engine(node, [other])["changed"] is False


def test_what_is_left_of_a_router_goes_when_it_is_deleted(node: Node) -> None:
    run_engine(node, [small_router(1)])
    lose_name(node, "qrouter-small-1")
    assert run_engine(node, [{"id": "small-1"}], "deleted")["changed"] is True
    assert "tap0001" not in links(node)
