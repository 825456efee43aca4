# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node with Open vSwitch has its routers back at boot, on bridges that the switch's own database brings back."""

from __future__ import annotations

import pytest

from lab import Lab

from .nodes import converge_well, journal, router, unit, wait_until_restored

SWITCHED = {"l3_sync_interface_driver": "openvswitch", "l3_sync_external_network_bridge": "br-provider"}


@pytest.mark.parametrize("way", ["reboot", "cut_power"])
def test_routers_are_back_on_the_switch(prepared: Lab, way: str) -> None:
    node = prepared.machines["node2"]
    for bridge in ("br-int", "br-provider"):  # the kernel of the lab's host need not have the module
        node.run(f"ovs-vsctl --may-exist add-br {bridge} -- set Bridge {bridge} datapath_type=netdev")
    converge_well(prepared, {"node2": [router(1), router(2)]}, **SWITCHED)
    ports = node.run("ovs-vsctl list-ports br-int; ovs-vsctl list-ports br-provider")
    assert len(ports.split()) == 4
    getattr(node, way)()
    wait_until_restored(node)
    assert unit(node, "netnode-l3-restore")["NRestarts"] == "0", journal(node, "netnode-l3-restore")
    assert node.run("ovs-vsctl list-ports br-int; ovs-vsctl list-ports br-provider") == ports
    assert node.run("l3node status").splitlines()[1:] == ["  router-1  as saved", "  router-2  as saved"]
    # Through the switch, from one router to the other.
    node.run("ip netns exec qrouter-router-1 ping -c 1 -W 2 203.0.2.10")
    converge_well(prepared, {"node2": []}, **SWITCHED)
    node.run("ovs-vsctl del-br br-int; ovs-vsctl del-br br-provider")
