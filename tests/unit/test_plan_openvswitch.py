# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans for routers whose ports are in Open vSwitch: built, taken over, put right, and left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.host import ovs
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.openvswitch import OpenvswitchDriver
from ansible_collections.netnode.l3.plugins.module_utils.operations import Ip, Ovs
from ansible_collections.netnode.l3.plugins.module_utils.plan import Planner, RouterPlan
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import MetadataProxy
from ansible_collections.netnode.l3.plugins.module_utils.state import ABSENT, Link, RouterState

from ..routers import router
from .engine_objects import converged, desired, is_empty, ovs_driver, root_link, step, steps, with_device

GATEWAY, WEB, DB = "qg-aaaa0000-ex", "qr-bbbb0000-we", "qr-cccc0000-db"
TAGS = {"web-network": 7, "db-network": 8}


def port(bridge: str, tag: int | None, port_id: str, mac: str, mark: str | None) -> ovs.Port:
    ids = {"iface-id": port_id, "iface-status": "active", "attached-mac": mac}
    return ovs.Port(bridge, tag, ids if mark is None else {**ids, "netnode-l3": mark})


PORTS = {
    WEB: port("br-int", 7, "bbbb0000-web-port", "fa:16:3e:00:00:c0", "netnode.l3/r1/web-network"),
    DB: port("br-int", 8, "cccc0000-db-port", "fa:16:3e:00:00:c1", "netnode.l3/r1/db-network"),
    GATEWAY: port("br-ex", None, "aaaa0000-external-port", "fa:16:3e:00:00:b0", "netnode.l3/r1/external"),
}


def observed(driver: OpenvswitchDriver) -> RouterState:
    """The router on the node, its devices as this driver sees them."""
    state = converged(router(), driver)
    for name in state.devices:
        state = with_device(state, name, attachment=driver.observe(root_link(name)))
    return state


def plan(state: RouterState, driver: OpenvswitchDriver, namespaces: tuple[str, ...] = ()) -> RouterPlan:
    return Planner(driver, MetadataProxy(driver.options), namespaces).plan(desired(router(), driver), state)


def plan_over(ports: Mapping[str, ovs.Port], *links: Link, **options: Any) -> RouterPlan:
    """The plan for the router that is on the node with these ports."""
    driver = ovs_driver(ports, *links, vlan_tags=TAGS, **options)
    return plan(observed(driver), driver)


def test_a_router_that_is_as_it_should_be_is_left_alone() -> None:
    assert is_empty(plan_over(PORTS))


def test_ports_are_made_and_devices_moved_for_many_routers_together() -> None:
    result = plan(ABSENT, ovs_driver(vlan_tags=TAGS))
    assert [step(o).split(" -- ")[0] for o in result.shared if isinstance(o, Ovs)] == [
        f"ovs-vsctl add-port br-int {WEB} tag=7",
        f"ovs-vsctl add-port br-int {DB} tag=8",
        f"ovs-vsctl add-port br-ex {GATEWAY}",
    ]
    assert [step(operation) for operation in result.shared if isinstance(operation, Ip)] == [
        "netns add qrouter-r1",
        f"link set dev {WEB} netns qrouter-r1 address fa:16:3e:00:00:c0 mtu 1450",
        f"link set dev {DB} netns qrouter-r1 address fa:16:3e:00:00:c1 mtu 1450",
        f"link set dev {GATEWAY} netns qrouter-r1 address fa:16:3e:00:00:b0 mtu 1500",
    ]
    assert (result.freed, result.problems) == ((), ())
    assert f"device {GATEWAY} created on bridge br-ex" in result.actions


@pytest.mark.parametrize("tag", [None, 7, 4094])
def test_a_tag_that_is_not_asked_for_is_whatever_it_is(tag: int | None) -> None:
    driver = ovs_driver({**PORTS, WEB: PORTS[WEB]._replace(tag=tag)})
    state = observed(driver)
    result = plan(state, driver)
    assert is_empty(result)
    assert result.after.filled_from(state).devices == state.devices


def test_what_the_l3_agent_plugged_in_is_taken_over_where_it_is() -> None:
    """Nothing is unplugged: our mark is all that its ports lack."""
    unmarked = {
        name: p._replace(external_ids={key: value for key, value in p.external_ids.items() if key != "netnode-l3"})
        for name, p in PORTS.items()
    }
    assert steps(plan_over(unmarked)) == [
        f'ovs-vsctl set Interface {name} external_ids:netnode-l3="netnode.l3/r1/{network}"'
        for name, network in ((WEB, "web-network"), (DB, "db-network"), (GATEWAY, "external"))
    ]


@pytest.mark.parametrize(
    ("change", "line", "action"),
    [
        ({"tag": 9}, f"ovs-vsctl set Port {WEB} tag=7", f"tag of port {WEB} set to 7"),
        ({"tag": None}, f"ovs-vsctl set Port {WEB} tag=7", f"tag of port {WEB} set to 7"),
        (
            {"external_ids": {**PORTS[WEB].external_ids, "iface-status": "inactive"}},
            f'ovs-vsctl set Interface {WEB} external_ids:iface-status="active"',
            f"external ids of port {WEB} set: iface-status=active",
        ),
    ],
)
def test_drift_of_a_port_is_put_right_together(change: dict[str, Any], line: str, action: str) -> None:
    result = plan_over({**PORTS, WEB: PORTS[WEB]._replace(**change)})
    assert (steps(result), result.actions) == ([line], [action])
    assert len(result.shared) == 1


def test_a_port_on_another_bridge_is_made_anew() -> None:
    result = plan_over({**PORTS, DB: PORTS[DB]._replace(bridge="br-ex")})
    assert result.actions == [
        f"device {DB} removed",
        f"device {DB} created on bridge br-int",
        f"address 10.0.1.1/24 added to {DB}",
        f"route 192.168.51.0/24 via 10.0.1.254 dev {DB} added",
    ]
    assert [step(operation) for operation in result.freed] == [f"ovs-vsctl --if-exists del-port {DB}"]


def test_what_a_new_switch_made_on_the_node_itself_is_taken_away_and_the_router_gets_another() -> None:
    """The router's old device leads nowhere; the new one has its name, and our mark."""
    result = plan_over(PORTS, root_link(DB))
    assert [(operation.namespace, step(operation)) for operation in result.freed] == [
        (None, f"ovs-vsctl --if-exists del-port {DB}"),
        ("qrouter-r1", f"link delete dev {DB}"),
    ]
    assert result.problems == ()
    assert result.actions[:3] == [
        f"stale port {DB} removed",
        f"device {DB} removed",
        f"device {DB} created on bridge br-int",
    ]


@pytest.mark.parametrize(
    ("ports", "links", "whose"),
    [
        ({}, [root_link(DB)], "is not ours"),
        ({DB: ovs.Port("br-int", None, {})}, [root_link(DB)], "is not ours"),
        ({DB: PORTS[DB]._replace(external_ids={"iface-id": "cccc0000-db-another"})}, [], "is not ours"),
        (
            {DB: PORTS[DB]._replace(external_ids={"netnode-l3": "netnode.l3/r9/"})},
            [],
            "belongs to router r9: converge that one too",
        ),
    ],
)
def test_a_name_that_somebody_else_has_is_not_taken(ports: dict[str, ovs.Port], links: list[Link], whose: str) -> None:
    result = plan(ABSENT, ovs_driver(ports, *links), namespaces=("qrouter-r9",))
    assert result.problems == (f"The device {DB} that port cccc0000-db-port needs is on the node already and {whose}.",)
    assert not [line for line in steps(result) if DB in line]


@pytest.mark.parametrize("mark", ["netnode.l3/r1/db-network", "netnode.l3/of-the-past/db-network", None])
def test_a_stale_port_goes_before_the_new_one_is_made(mark: str | None) -> None:
    """Also the L3 agent's of this very port, from a namespace that is gone."""
    stale = port("br-int", 8, "cccc0000-db-port", "fa:16:3e:00:00:c1", mark)
    result = plan(ABSENT, ovs_driver({DB: stale}))
    assert result.problems == ()
    assert [step(operation) for operation in result.freed] == [f"ovs-vsctl --if-exists del-port {DB}"]
    assert result.actions[0] == f"stale port {DB} removed"


def test_without_a_bridge_what_needs_none_is_made() -> None:
    driver = OpenvswitchDriver(ovs_driver().options, ovs_driver().node, ovs.Database(["br-int"], {}))
    result = plan(ABSENT, driver)
    assert result.problems == (
        "Open vSwitch has no external bridge br-ex: create it (ovs-vsctl add-br br-ex), or say its name in"
        " external_network_bridge.",
    )
    assert f"address 10.0.1.1/24 added to {DB}" in result.actions
    assert not [line for line in steps(result) if line.startswith(("link", "address", "route", "ovs")) and GATEWAY in line]


def away(**options: Any) -> OpenvswitchDriver:
    driver = ovs_driver(vlan_tags=TAGS, **options)
    driver.unavailable = "Open vSwitch does not answer: it is away"
    return driver


def test_while_the_switch_is_away_devices_stay_and_the_rest_is_converged() -> None:
    driver = away()
    state = observed(driver)
    assert all(device.attachment is None for device in state.devices.values())
    without = replace(state, addresses={**state.addresses, DB: ()}, sysctls={**state.sysctls, "net/ipv4/ip_forward": "0"})
    result = plan(without, driver)
    assert result.problems == ("Open vSwitch does not answer: it is away",)
    assert result.actions == ["sysctl net.ipv4.ip_forward set to 1", f"address 10.0.1.1/24 added to {DB}"]


def test_while_the_switch_is_away_nothing_is_plugged_in_or_out() -> None:
    driver = away()
    state = observed(driver).without_devices({DB})
    surplus = replace(state.devices[WEB], name="qr-surplus")
    result = plan(replace(state, devices={**state.devices, "qr-surplus": surplus}), driver)
    assert result.problems == ("Open vSwitch does not answer: it is away",)
    assert steps(result) == []


def test_while_the_switch_is_away_a_new_router_gets_what_needs_no_port() -> None:
    result = plan(ABSENT, away())
    assert result.problems == ("Open vSwitch does not answer: it is away",)
    assert result.actions[0] == "namespace qrouter-r1 created"
    assert not [line for line in steps(result) if line.startswith(("ovs", "link set dev q", "address", "route"))]


def test_a_router_without_ports_does_not_need_the_switch() -> None:
    driver = away()
    result = Planner(driver, MetadataProxy(driver.options)).plan(desired({"id": "r1"}, driver), ABSENT)
    assert result.problems == ()
    assert "namespace qrouter-r1 created" in result.actions
