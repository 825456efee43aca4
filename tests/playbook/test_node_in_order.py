# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role network_node costs one look at a node that is in order, and that look sees all that the role would do."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sandbox import Node, run_playbook

from ..routers import small_router

HOST_VARS: dict[str, dict[str, Any]] = {
    "node": {
        "l3_sync_routers": [small_router(1)],
        "l3_sync_interface_driver": "bridge",
        "network_node_sysctls": {"net.ipv4.ip_forward": 1, "net.ipv4.tcp_rmem": "4096 131072 6291456"},
        "network_node_external_bridge": "br-ex",
    }
}
TASK = re.compile(r"^TASK \[(?:netnode\.l3\.)?(\w+ : .*?)\]", re.MULTILINE)


@pytest.fixture
def in_order(node: Node) -> Node:
    """A node that the playbook has put in order."""
    play = run_playbook("netnode.l3.sync", [node], host_vars=HOST_VARS)
    assert play.status == 0, play.output
    assert node.run("sysctl", "-n", "net.ipv4.ip_forward").stdout == "1\n"
    return node


def test_a_node_in_order_is_looked_at_once(in_order: Node) -> None:
    play = run_playbook("netnode.l3.sync", [in_order], host_vars=HOST_VARS)
    assert (play.status, play.changed) == (0, {"node": 0}), play.output
    tasks = [name for name in TASK.findall(play.output) if name.startswith("network_node") and "Validating" not in name]
    assert tasks == ["network_node : Look whether the node is in order", "network_node : Put the node in order"]
    assert "skipping: [node]" in play.output


@pytest.mark.parametrize(
    "sabotage",
    [
        "sysctl -q -w net.ipv4.ip_forward=0",
        "sysctl -q -w net.ipv4.tcp_rmem='4096 131072 6291455'",
        "rm /etc/sysctl.d/60-netnode-l3.conf",
        "echo '# mine' >> /etc/modules-load.d/netnode-l3.conf",
        "chmod 600 /etc/sysctl.d/60-netnode-l3.conf",
        "chmod 700 /etc/sysctl.d",
        "ip link set dev br-ex name br-was",
    ],
)
def test_whatever_is_out_of_order_is_predicted_and_put_right(in_order: Node, sabotage: str) -> None:
    in_order.run("/bin/sh", "-c", sabotage)
    predicted = run_playbook("netnode.l3.sync", [in_order], "--check", host_vars=HOST_VARS)
    assert predicted.changed["node"] > 0, predicted.output
    done = run_playbook("netnode.l3.sync", [in_order], host_vars=HOST_VARS)
    assert done.changed["node"] > 0, done.output
    again = run_playbook("netnode.l3.sync", [in_order], host_vars=HOST_VARS)
    assert (again.status, again.changed) == (0, {"node": 0}), again.output
