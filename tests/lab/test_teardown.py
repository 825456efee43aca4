# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After the playbook teardown, a node is as it was before the first run, now and after a boot."""

from __future__ import annotations

from lab import Lab

from .nodes import converge, converge_well, router, routers_on

LEFT = "find / -xdev -name '*netnode*' ! -path '/proc/*' ! -path '/var/log/*'; systemctl list-units --all --no-legend '*netnode*'"


def test_nothing_is_left_and_nothing_comes_back(prepared: Lab) -> None:
    node = prepared.machines["node1"]
    node.run("systemctl stop lab-uplink; ip link set dev ex0 nomaster")
    converge_well(prepared, {"node1": [router(1)]}, network_node_repair_interval="2s")
    assert node.run(LEFT) != ""
    play = converge(prepared, {"node1": [router(1)]}, playbook="netnode.l3.teardown")
    assert play.status == 0, play.output
    assert node.run(LEFT) == ""
    assert node.run("ls /usr/local/sbin; ip -brief link show br-ex", check=False) == ""
    again = converge(prepared, {"node1": [router(1)]}, playbook="netnode.l3.teardown")
    assert again.changed == {"node1": 0}, again.output
    node.reboot()
    node.wait_until_booted()
    assert routers_on(node) == set()
    assert node.run("ip -brief link show br-ex; systemctl --failed --no-legend", check=False) == ""
