# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interface driver openvswitch, on a real Open vSwitch; that packets pass is shown with those of NAT."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import Machine, Node, OpenVSwitch
from sandbox.engine import run_engine

from ..kernel_state import differences, snapshot
from ..routers import DB, WEB, router, small_router

GATEWAY, WEB_PORT, DB_PORT = "qg-aaaa0000-ex", "qr-bbbb0000-we", "qr-cccc0000-db"
TAGS = {WEB: 7, DB: 8}


@pytest.fixture
def switch() -> Iterator[OpenVSwitch]:
    with Node("node") as node:
        switch = OpenVSwitch(node)
        switch.add_bridge("br-ex")
        switch.add_bridge("br-int")
        yield switch


def run(switch: OpenVSwitch, *routers: dict[str, Any], **options: Any) -> dict[str, Any]:
    return run_engine(switch.node, list(routers), **{"interface_driver": "openvswitch", "vlan_tags": TAGS, **options})


def actions(result: dict[str, Any]) -> list[str]:
    assert "failed" not in result, result["msg"]
    return [action for entry in result["routers"] for action in entry["actions"]]


def port(switch: OpenVSwitch, name: str) -> dict[str, Any]:
    ids = switch.vsctl("--format=json", "--columns=external_ids", "list", "Interface", name)
    tag = switch.vsctl("get", "Port", name, "tag").strip()
    bridge = switch.vsctl("port-to-br", name).strip()
    return {"bridge": bridge, "tag": tag, **dict(json.loads(ids)["data"][0][0][1])}


def ports(switch: OpenVSwitch) -> list[str]:
    return sorted(name for bridge in ("br-int", "br-ex") for name in switch.vsctl("list-ports", bridge).split())


def test_ports_are_what_neutrons_agents_expect(switch: OpenVSwitch) -> None:
    run(switch, router())
    marks = {"iface-status": "active", "iface-id": "bbbb0000-web-port", "attached-mac": "fa:16:3e:00:00:c0"}
    assert port(switch, WEB_PORT) == {"bridge": "br-int", "tag": "7", "netnode-l3": f"netnode.l3/r1/{WEB}", **marks}
    assert port(switch, GATEWAY)["bridge"] == "br-ex"
    assert port(switch, GATEWAY)["tag"] == "[]"


def test_a_router_is_built_and_then_left_alone(switch: OpenVSwitch) -> None:
    predicted = run(switch, router(), check=True, diff=True)
    built = run(switch, router(), diff=True)
    assert (predicted["routers"], predicted["diff"]) == (built["routers"], built["diff"])
    again = run(switch, router())
    assert (again["changed"], again["cost"]["processes"]) == (False, 2)  # ovs-vsctl; iptables-save
    [gathered] = run_engine(switch.node, None, "gathered", interface_driver="openvswitch")["gathered"]
    assert gathered == router()


def test_all_ports_of_a_run_are_one_transaction(switch: OpenVSwitch) -> None:
    few, many = ([small_router(n) for n in range(first, last)] for first, last in ((0, 2), (2, 12)))
    costs = [run(switch, *routers, state="replaced")["cost"]["processes"] for routers in (few, many)]
    assert (costs[1] - costs[0]) / 8 == 2  # iptables-restore, ip inside; none of ovs-vsctl
    removed = run(switch)
    assert (removed["changed"], ports(switch)) == (True, [])
    assert removed["cost"]["processes"] < 3 * 12 + 8


def test_a_removed_router_and_a_removed_port_leave_no_port(switch: OpenVSwitch) -> None:
    run(switch, router(), small_router(1))
    kept = router(interfaces=router()["interfaces"][:1], floating_ips=[], routes=[])
    result = run(switch, kept)
    assert f"device {DB_PORT} removed" in actions(result)
    assert ports(switch) == [GATEWAY, WEB_PORT]


@pytest.mark.parametrize(
    ("sabotage", "expected"),
    [
        (f"set Port {WEB_PORT} tag=9", [f"tag of port {WEB_PORT} set to 7"]),
        (
            f"set Interface {WEB_PORT} external_ids:iface-status=inactive",
            [f"external ids of port {WEB_PORT} set: iface-status=active"],
        ),
        (
            f"remove Interface {WEB_PORT} external_ids iface-id",
            [f"external ids of port {WEB_PORT} set: iface-id=bbbb0000-web-port"],
        ),
    ],
)
def test_a_port_that_was_changed_by_hand(switch: OpenVSwitch, sabotage: str, expected: list[str]) -> None:
    run(switch, router())
    before = port(switch, WEB_PORT)
    switch.vsctl(*sabotage.split())
    assert actions(run(switch, router())) == expected
    assert port(switch, WEB_PORT) == before


@pytest.mark.parametrize(
    "sabotage",
    [
        f"ovs-vsctl del-port {WEB_PORT}",
        f"ovs-vsctl del-port {WEB_PORT} -- add-port br-ex {WEB_PORT}"
        f" -- set Interface {WEB_PORT} type=internal external_ids:iface-id=bbbb0000-web-port",
        f"ip -n qrouter-r1 link delete dev {WEB_PORT}",
        "ip netns delete qrouter-r1",
    ],
)
def test_a_device_that_was_taken_away_by_hand_is_made_again(switch: OpenVSwitch, sabotage: str) -> None:
    run(switch, router())
    before = snapshot(switch.node)
    switch.node.run(*sabotage.split())
    result = run(switch, router())
    assert f"device {WEB_PORT} created on bridge br-int" in actions(result)
    assert differences(before, snapshot(switch.node)) == []
    assert port(switch, WEB_PORT)["bridge"] == "br-int"
    assert run(switch, router())["changed"] is False


def test_a_switch_that_was_started_anew_gets_its_devices_back(switch: OpenVSwitch) -> None:
    run(switch, router())
    web = Machine(switch.node, "web", switch.port("br-int", 7), ["10.0.0.7/24"], [("default", "10.0.0.1")])
    assert web.pings("10.0.0.1")
    switch.stop()
    switch.start()
    assert not web.pings("10.0.0.1")
    assert f"device {WEB_PORT} created on bridge br-int" in actions(run(switch, router()))
    assert web.pings("10.0.0.1")
    assert run(switch, router())["changed"] is False


def test_a_port_that_the_l3_agent_plugged_in_is_taken_over(switch: OpenVSwitch) -> None:
    run(switch, router())
    before = snapshot(switch.node)
    for name in (GATEWAY, WEB_PORT, DB_PORT):
        switch.vsctl("remove", "Interface", name, "external_ids", "netnode-l3")
    taken = actions(run(switch, router()))
    assert sorted(taken) == [
        f"external ids of port {name} set: netnode-l3=netnode.l3/r1/{network}"
        for name, network in ((GATEWAY, "external"), (WEB_PORT, WEB), (DB_PORT, DB))
    ]
    assert differences(before, snapshot(switch.node)) == []


def test_the_tag_that_another_agent_chose_is_left(switch: OpenVSwitch) -> None:
    run(switch, router(), vlan_tags={})
    assert port(switch, WEB_PORT)["tag"] == "[]"
    switch.vsctl("set", "Port", WEB_PORT, "tag=3")
    assert run(switch, router(), vlan_tags={})["changed"] is False


def test_a_port_that_goes_to_a_network_without_a_tag_does_not_stay_on_the_other(switch: OpenVSwitch) -> None:
    run(switch, router())
    elsewhere = router(interfaces=[{**port, "network_id": "elsewhere"} for port in router()["interfaces"]])
    predicted = run(switch, elsewhere, check=True, diff=True)
    done = run(switch, elsewhere, diff=True)
    assert f"tag of port {WEB_PORT} removed" in actions(done)
    assert (predicted["routers"], predicted["diff"]) == (done["routers"], done["diff"])
    assert "tag 7" not in json.dumps(done["diff"][0]["after"])
    assert port(switch, WEB_PORT)["tag"] == "[]"
    assert run(switch, elsewhere)["changed"] is False


def test_ports_of_routers_that_are_gone_are_removed(switch: OpenVSwitch) -> None:
    run(switch, small_router(1))
    switch.node.run("ip", "netns", "delete", "qrouter-small-1")
    result = run(switch, router())
    assert result["node"]["actions"] == ["stale port qg-0001gw-port removed", "stale port qr-0001in-port removed"]
    assert ports(switch) == [GATEWAY, WEB_PORT, DB_PORT]


def test_a_missing_bridge_fails_the_routers_that_need_it(switch: OpenVSwitch) -> None:
    switch.vsctl("del-br", "br-int")
    result = run(switch, router(), {"id": "bare"})
    [failed, bare] = result["routers"]
    message = "Open vSwitch has no integration bridge br-int: create it (ovs-vsctl add-br br-int), or say its name in"
    assert failed["error"].startswith(message)
    assert f"device {GATEWAY} created on bridge br-ex" in failed["actions"]
    assert "error" not in bare


@pytest.mark.parametrize("daemons", [(), ("ovs-vswitchd",)])
def test_without_the_switch_its_routers_fail_and_the_rest_is_converged(switch: OpenVSwitch, daemons: tuple[str, ...]) -> None:
    run(switch, router())
    switch.stop(*daemons)
    changed = router(routes=router()["routes"][:1])
    result = run(switch, changed, small_router(1), {"id": "bare"})
    errors = {entry["id"]: entry.get("error", "") for entry in result["routers"]}
    assert ("no answer within" if daemons else "Open vSwitch does not answer") in errors["small-1"]
    assert errors["bare"] == ""
    by_id = {entry["id"]: entry["actions"] for entry in result["routers"]}
    assert any("192.168.51.0/24" in action for action in by_id["r1"])
    switch.start()
    assert "failed" not in run(switch, changed, small_router(1), {"id": "bare"})
    assert run(switch, changed, small_router(1), {"id": "bare"})["changed"] is False


def test_a_node_without_the_command(node: Node) -> None:
    node.run("/bin/sh", "-c", "mount --bind /dev/null /usr/bin/ovs-vsctl")
    result = run_engine(node, [router()], interface_driver="openvswitch")
    assert (result["failed"], result["msg"].split(":")[0]) == (True, "The node lacks the command ovs-vsctl")
