# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After a boot, the node itself has its routers back, with all that serves them, and keeps them so."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab import Lab, Machine, TenantMachine

from .metadata import gets_metadata, start_upstream
from .nodes import (
    METADATA,
    advertising,
    converge,
    converge_well,
    journal,
    machine_of,
    reaches,
    router,
    routers_on,
    state_of,
    unit,
    wait_until_restored,
)

SERVING = ("netnode-l3-metadata", "netnode-l3-radvd-router-1")
MORE_THAN_SYSTEMD_TAKES = 7  # starts, of which it takes 5 within 10 seconds, unless it is told otherwise


@pytest.fixture(scope="module")
def node(prepared: Lab) -> Iterator[Machine]:
    """A node with two routers, one of them with metadata and router advertisements for the machines behind it."""
    start_upstream(prepared.machines["outside"])
    more = {"l3_sync_metadata_upstream": METADATA, "network_node_router_advertisements": True}
    converge_well(prepared, {"node1": [advertising(1), router(2)]}, **more)
    yield prepared.machines["node1"]
    converge_well(prepared, {"node1": []})
    prepared.machines["outside"].run("systemctl stop upstream")


@pytest.fixture(scope="module")
def tenant(prepared: Lab) -> Iterator[TenantMachine]:
    with machine_of(prepared, 1, 2) as tenant:
        yield tenant


@pytest.mark.parametrize("way", ["reboot", "cut_power"])
def test_routers_are_back_before_any_controller(prepared: Lab, node: Machine, tenant: TenantMachine, way: str) -> None:
    reaches(prepared, node, 1)
    before = state_of(node)
    assert "203.0.1.20/32" in before
    assert "alias netnode.l3-external" in before
    exported = node.run("l3node export")
    getattr(node, way)()
    wait_until_restored(node)
    assert state_of(node) == before
    assert json.loads(node.run("l3node export"))["l3_sync_routers"][0]["floating_ips"] == router(1)["floating_ips"]
    assert len(node.run("l3node export")) == len(exported)
    for number in (1, 2):
        reaches(prepared, node, number)
    node.wait_until("serves metadata", lambda: gets_metadata(tenant, 1))
    assert unit(node, "netnode-l3-radvd-router-1")["ActiveState"] == "active"
    assert node.run("l3node status").splitlines()[1:] == ["  router-1  as saved", "  router-2  as saved"]
    assert node.run("systemctl --failed --no-legend") == ""
    play = converge_well(
        prepared,
        {"node1": [advertising(1), router(2)]},
        l3_sync_metadata_upstream=METADATA,
        network_node_router_advertisements=True,
    )
    assert play.changed == {"node1": 0}, play.output


def test_what_is_killed_again_and_again_comes_back(node: Machine, tenant: TenantMachine) -> None:
    node.wait_until("serves metadata", lambda: gets_metadata(tenant, 1))
    for name in [name for name in SERVING for _time in range(MORE_THAN_SYSTEMD_TAKES)]:
        killed = unit(node, name)["MainPID"]
        assert killed != "0"
        node.run(f"kill -9 {killed}")
        node.wait_until(f"has {name} again", lambda name=name, killed=killed: unit(node, name)["MainPID"] not in (killed, "0"))
        node.wait_until("is active", lambda name=name: unit(node, name)["ActiveState"] == "active")
    node.wait_until("serves metadata", lambda: gets_metadata(tenant, 1))
    assert node.run("l3node status").splitlines()[1:] == ["  router-1  as saved", "  router-2  as saved"]


def test_another_target_takes_nothing_away(node: Machine) -> None:
    before = {name: unit(node, name)["MainPID"] for name in SERVING}
    node.run("systemctl isolate multi-user.target")
    assert {name: unit(node, name)["MainPID"] for name in SERVING} == before
    assert node.try_to_run("l3node status").returncode == 0


def test_the_timer_repairs_drift(prepared: Lab) -> None:
    node = prepared.machines["node2"]
    refused = converge(prepared, {"node2": [router(3)]}, network_node_repair_interval="often")
    assert (refused.failed, "Failed to parse time span 'often'" in refused.output) == ({"node2": 1}, True), refused.output
    assert "often" not in node.run("cat /etc/systemd/system/netnode-l3-*")
    converge_well(prepared, {"node2": [router(3)]}, network_node_repair_interval="2s")
    node.run("ip -n qrouter-router-3 address delete 203.0.3.20/32 dev qg-0003gw-port; ip netns add qrouter-by-hand")
    repaired = "router router-3: address 203.0.3.20/32 added to qg-0003gw-port"
    node.wait_until("is repaired", lambda: repaired in journal(node, "netnode-l3-repair"))
    assert "203.0.3.20/32" in state_of(node)
    assert "qrouter-by-hand" in routers_on(node)  # no run of the node's own removes a router
    node.run("ip netns delete qrouter-by-hand")
    converge_well(prepared, {"node2": []})
    assert node.run("ls /etc/systemd/system/*/ | grep repair; systemctl list-timers --no-legend | grep repair", check=False) == ""


def test_check_mode_predicts_what_becomes_of_the_timer(prepared: Lab) -> None:
    node, runs = prepared.machines["node2"], [router(3)]
    timer = "netnode-l3-repair.timer"
    for interval, stopped in (("1h", False), ("1h", True), ("2h", False)):
        if stopped:
            node.run(f"systemctl stop {timer}")
        predicted = converge(prepared, {"node2": runs}, "--check", network_node_repair_interval=interval)
        play = converge_well(prepared, {"node2": runs}, network_node_repair_interval=interval)
        assert play.changed == predicted.changed, (interval, predicted.output, play.output)
        assert play.changed["node2"] >= 1
        assert f"OnUnitInactiveUSec={interval} " in node.run(f"systemctl show {timer}")
        assert unit(node, timer)["ActiveState"] == "active"
    converge_well(prepared, {"node2": []})


def test_who_is_logged_in_sees_what_differs(prepared: Lab, node: Machine) -> None:
    node.run("ip -n qrouter-router-2 address delete 203.0.2.20/32 dev qg-0002gw-port")
    for command, said in (
        ("status", "router-2  differs, 1 change due: l3node plan"),
        ("plan", "router router-2: address 203.0.2.20/32 added to qg-0002gw-port"),
    ):
        done = node.try_to_run(f"l3node {command}")
        assert (done.returncode, done.stderr) == (1, "")
        assert said in done.stdout
    assert "router router-2: address 203.0.2.20/32 added to qg-0002gw-port" in node.run("l3node converge")
    assert node.try_to_run("l3node status").returncode == 0
    assert "it needs root" in node.try_to_run("setpriv --reuid=65534 --clear-groups l3node status").stderr


def test_a_node_that_is_to_wait_for_the_controller_does(prepared: Lab) -> None:
    node = prepared.machines["node2"]
    waits = {"network_node_restore_at_boot": False, "network_node_repair_interval": "2s"}
    converge_well(prepared, {"node2": [router(3)]}, **waits)
    whole = state_of(node)
    node.reboot()
    node.wait_until_booted()
    node.wait_until("passes over a repair twice", lambda: journal(node, "netnode-l3-repair").count("exec-condition") >= 2)
    assert routers_on(node) == set()
    assert node.run("systemctl list-units --all --no-legend --state=loaded 'netnode-l3-restore*'") == ""
    assert "router-3  differs" in node.run("l3node status", check=False)
    converge_well(prepared, {"node2": [router(3)]}, **waits)
    node.run("ip -n qrouter-router-3 address delete 203.0.3.20/32 dev qg-0003gw-port")
    node.wait_until("is repaired", lambda: "203.0.3.20/32" in state_of(node))
    converge_well(prepared, {"node2": [router(3)]})
    assert state_of(node) == whole
    node.reboot()
    wait_until_restored(node)
    assert state_of(node) == whole
    converge_well(prepared, {"node2": []})
