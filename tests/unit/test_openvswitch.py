# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interface driver openvswitch: what it asks for, what it takes for what in the switch's database, and its steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.host import ovs
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.openvswitch import OvsPort
from ansible_collections.netnode.l3.plugins.module_utils.state import Attachment, Device

from .engine_objects import ovs_driver, root_link, step

NAME, PORT, MAC = "qr-bbbb0000-we", "bbbb0000-web-port", "fa:16:3e:00:00:c0"
MARK = "netnode.l3/r1/web"
PLUGGED = OvsPort("br-int", NAME, MARK, PORT, active=True, attached_mac=MAC, tag=7)
IDS = {"iface-id": PORT, "iface-status": "active", "attached-mac": MAC, "netnode-l3": MARK}
SET = " ".join(f'external_ids:{key}="{value}"' for key, value in IDS.items())


def device(mac: str | None = MAC, mtu: int | None = 1450, attachment: Attachment | None = None) -> Device:
    return Device(NAME, PORT, mac, mtu, True, attachment)


def in_database(tag: int | None = 7, **changes: str | None) -> dict[str, ovs.Port]:
    """The port as the database has it, with other external ids; None for one that is missing."""
    ids = {**IDS, **{key.replace("_", "-"): value for key, value in changes.items()}}
    return {NAME: ovs.Port("br-int", tag, {key: value for key, value in ids.items() if value is not None})}


@pytest.mark.parametrize(
    ("tags", "network_id", "mac", "expected"),
    [
        ({"web": 7}, "web", MAC, PLUGGED),
        ({"web": 7}, "web", None, replace(PLUGGED, attached_mac=None)),
        ({"other": 7}, "web", MAC, replace(PLUGGED, tag=None)),
        ({"web": 7}, None, MAC, replace(PLUGGED, mark="netnode.l3/r1/", tag=None)),
        ({}, "web", MAC, replace(PLUGGED, tag=None)),
    ],
)
def test_what_a_port_is_to_be(tags: dict[str, int], network_id: str | None, mac: str | None, expected: OvsPort) -> None:
    assert ovs_driver(vlan_tags=tags).attachment("r1", device(mac), network_id, "br-int") == expected


@pytest.mark.parametrize("network_id", ["web", "db", None])
def test_all_internal_networks_are_on_the_integration_bridge(network_id: str | None) -> None:
    assert ovs_driver(integration_bridge="br-lan").bridge_of(network_id) == "br-lan"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, IDS),
        ({"attached_mac": None}, {key: value for key, value in IDS.items() if key != "attached-mac"}),
        ({"mark": None, "iface_id": None, "attached_mac": None}, {"iface-status": "active"}),
    ],
)
def test_external_ids_are_those_that_neutrons_agent_knows_and_our_mark(changes: dict[str, Any], expected: dict[str, str]) -> None:
    assert replace(PLUGGED, **changes).external_ids == expected


ADDED = f"ovs-vsctl add-port br-int {NAME}"
INTERNAL = f"-- set Interface {NAME} type=internal {SET}"


@pytest.mark.parametrize(
    ("namespace", "mac", "mtu", "settings"),
    [
        ("qrouter-r1", MAC, 1450, f"netns qrouter-r1 address {MAC} mtu 1450"),
        ("qrouter-r1", MAC, None, f"netns qrouter-r1 address {MAC}"),
        ("qrouter-r1", None, 1450, "netns qrouter-r1 mtu 1450"),
        ("qrouter-r1", None, None, "netns qrouter-r1"),
        (None, MAC, 1450, f"address {MAC} mtu 1450"),
        (None, None, None, ""),
    ],
)
def test_a_port_is_added_and_its_device_moved(namespace: str | None, mac: str | None, mtu: int | None, settings: str) -> None:
    """The switch is told for many routers at once; that the device is there is said once it is where it belongs."""
    created = (f"device {NAME} created on bridge br-int",)
    assert [(o.namespace, o.actions, step(o)) for o in ovs_driver().plug(namespace, device(mac, mtu), PLUGGED)] == [
        (None, (), f"{ADDED} tag=7 {INTERNAL}"),
        (None, created, f"link set dev {NAME} {settings}"),
    ]


def test_without_a_tag_none_is_set() -> None:
    adding, _moving = ovs_driver().plug("qrouter-r1", device(), replace(PLUGGED, tag=None))
    assert step(adding) == f"{ADDED} {INTERNAL}"


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ({}, None),
        ({"qr-other": ovs.Port("br-int", 7, IDS)}, None),
        (in_database(), PLUGGED),
        (in_database(tag=None), replace(PLUGGED, tag=None)),
        (in_database(iface_status="inactive"), replace(PLUGGED, active=False)),
        (in_database(iface_status=None), replace(PLUGGED, active=False)),
        (in_database(netnode_l3=None), replace(PLUGGED, mark=None)),
        (in_database(attached_mac=None, iface_id=None), replace(PLUGGED, attached_mac=None, iface_id=None)),
        (in_database(vm_uuid="of somebody else"), PLUGGED),
    ],
)
def test_what_the_database_has_of_a_device(ports: dict[str, ovs.Port], expected: OvsPort | None) -> None:
    assert ovs_driver(ports).observe(root_link(NAME)) == expected


@pytest.mark.parametrize(("use_namespaces", "expected"), [(True, None), (False, PLUGGED)])
def test_a_device_that_is_on_the_node_itself_too_is_not_plugged_in(use_namespaces: bool, expected: OvsPort | None) -> None:
    """Then the switch has that one: started anew, a switch in user space makes all its devices anew."""
    driver = ovs_driver(in_database(), root_link(NAME), use_namespaces=use_namespaces)
    assert driver.observe(root_link(NAME)) == expected


def test_ports_with_our_mark_are_ours() -> None:
    marks = {
        "a": "netnode.l3/r1/web",
        "b": "netnode.l3/r2/",
        "c": "netnode.l3",
        "d": "netnode.l3/r1",
        "e": "other/r1/web",
        "f": "",
    }
    ports = {name: ovs.Port("br-int", None, {"netnode-l3": mark}) for name, mark in marks.items()}
    ports["g"] = ovs.Port("br-int", None, {"iface-id": "netnode.l3/r1/web"})
    assert ovs_driver(ports).marked() == {"a": "r1", "b": "r2"}


@pytest.mark.parametrize(
    ("ports", "on_node", "expected"),
    [
        ({}, False, None),
        ({}, True, ""),
        (in_database(), False, "r1"),
        (in_database(), True, "r1"),
        (in_database(netnode_l3="netnode.l3/r9/web"), False, "r9"),
        (in_database(netnode_l3=None), False, "r1"),  # the L3 agent's, of the very port
        (in_database(netnode_l3=None, iface_id="bbbb0000-we-another"), False, ""),
        (in_database(netnode_l3=None, iface_id=None), False, ""),
        (in_database(netnode_l3="something else"), False, "r1"),
    ],
)
def test_who_has_the_name(ports: dict[str, ovs.Port], on_node: bool, expected: str | None) -> None:
    links = [root_link(NAME)] if on_node else []
    assert ovs_driver(ports, *links).holder("r1", PLUGGED) == expected


NO_BRIDGE = "Open vSwitch has no %s bridge %s: create it (ovs-vsctl add-br %s), or say its name in %s."


@pytest.mark.parametrize(
    ("name", "bridge", "problem"),
    [
        ("qr-a", "br-int", None),
        ("qg-a", "br-ex", None),
        ("qr-a", "br-lan", NO_BRIDGE % ("integration", "br-lan", "br-lan", "integration_bridge")),
        ("qg-a", "br-wan", NO_BRIDGE % ("external", "br-wan", "br-wan", "external_network_bridge")),
        ("qg-a", None, "external_network_bridge has no bridge for the network of qg-a."),
    ],
)
def test_bridges_must_exist(name: str, bridge: str | None, problem: str | None) -> None:
    driver = ovs_driver({}, root_link("br-lan"), root_link("br-wan"))  # of another kind
    assert driver.bridge_problem(name, bridge) == problem
    assert (driver.bridge_warning(bridge), driver.prepare(bridge or "")) == (None, [])


@pytest.mark.parametrize(("bridge", "replaced"), [("br-int", False), ("br-old", True), ("", True)])
def test_a_port_on_another_bridge_is_made_anew(bridge: str, replaced: bool) -> None:
    assert ovs_driver().must_replace(PLUGGED, replace(PLUGGED, bridge=bridge)) is replaced
    other = replace(PLUGGED, mark="", iface_id="", active=False, attached_mac="", tag=1)
    assert ovs_driver().must_replace(PLUGGED, other) is False


def set_ids(**ids: str) -> list[tuple[str, str]]:
    pairs = {key.replace("_", "-"): value for key, value in ids.items()}
    line = " ".join(f'external_ids:{key}="{value}"' for key, value in pairs.items())
    said = ", ".join(f"{key}={value}" for key, value in pairs.items())
    return [(f"external ids of port {NAME} set: {said}", f"ovs-vsctl set Interface {NAME} {line}")]


TAG_REMOVED = (f"tag of port {NAME} removed", f"ovs-vsctl clear Port {NAME} tag")


@pytest.mark.parametrize(
    ("wanted", "present", "expected"),
    [
        ({}, {}, []),
        ({"tag": None}, {}, []),
        ({"attached_mac": None}, {}, []),
        ({}, {"tag": None}, [(f"tag of port {NAME} set to 7", f"ovs-vsctl set Port {NAME} tag=7")]),
        ({}, {"tag": 8}, [(f"tag of port {NAME} set to 7", f"ovs-vsctl set Port {NAME} tag=7")]),
        ({}, {"active": False}, set_ids(iface_status="active")),
        ({}, {"attached_mac": "fa:16:3e:ff:ff:ff"}, set_ids(attached_mac=MAC)),
        ({}, {"mark": None}, set_ids(netnode_l3=MARK)),
        ({}, {"iface_id": None, "attached_mac": None}, set_ids(iface_id=PORT, attached_mac=MAC)),
        (
            {},
            {"mark": "netnode.l3/r9/web", "tag": 8},
            [*set_ids(netnode_l3=MARK), (f"tag of port {NAME} set to 7", f"ovs-vsctl set Port {NAME} tag=7")],
        ),
        # Without a tag that is asked for, one stays, unless the network is another one.
        ({"tag": None}, {"mark": None}, set_ids(netnode_l3=MARK)),
        ({"tag": None}, {"mark": "netnode.l3/r1/"}, set_ids(netnode_l3=MARK)),
        ({"tag": None}, {"mark": "netnode.l3/r9/web"}, set_ids(netnode_l3=MARK)),
        ({"tag": None}, {"mark": "netnode.l3/r1/db", "tag": None}, set_ids(netnode_l3=MARK)),
        ({"tag": None}, {"mark": "netnode.l3/r1/db"}, [*set_ids(netnode_l3=MARK), TAG_REMOVED]),
        (
            {"tag": None, "mark": "netnode.l3/r1/"},
            {"mark": "netnode.l3/r1/db"},
            [*set_ids(netnode_l3="netnode.l3/r1/"), TAG_REMOVED],
        ),
    ],
)
def test_what_differs_is_set_and_nothing_else(wanted: dict[str, Any], present: dict[str, Any], expected: list[Any]) -> None:
    operations = ovs_driver().adjust(NAME, replace(PLUGGED, **wanted), replace(PLUGGED, **present))
    assert [(o.actions, step(o)) for o in operations] == [((action,), line) for action, line in expected]
