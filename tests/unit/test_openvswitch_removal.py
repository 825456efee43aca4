# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interface driver openvswitch: how ports go, what stands for what is not asked for, and a switch that is away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.host import ovs
from ansible_collections.netnode.l3.plugins.module_utils.host.command import CommandError
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers import interface_driver
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.openvswitch import OpenvswitchDriver, OvsPort
from ansible_collections.netnode.l3.plugins.module_utils.operations import Ip, Ovs
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.state import Attachment, Device

from .engine_objects import node, ovs_driver

PLUGGED = OvsPort("br-int", "qr-a", "netnode.l3/r1/web", "a", active=True, attached_mac="fa:16:3e:00:00:01", tag=7)


@pytest.mark.parametrize(
    ("namespace", "attachment", "expected"),
    [
        ("qrouter-r1", PLUGGED, Ovs(None, ("device qr-a removed",), ("--if-exists", "del-port", "qr-a"))),
        (None, PLUGGED, Ovs(None, ("device qr-a removed",), ("--if-exists", "del-port", "qr-a"))),
        ("qrouter-r1", None, Ip("qrouter-r1", ("device qr-a removed",), "link delete dev qr-a")),
        (None, None, Ip(None, ("device qr-a removed",), "link delete dev qr-a")),
    ],
)
def test_a_port_goes_by_the_switch_and_what_is_no_port_by_itself(
    namespace: str | None, attachment: OvsPort | None, expected: Ip | Ovs
) -> None:
    assert ovs_driver().unplug(namespace, Device("qr-a", "a", None, None, True, attachment)) == [expected]


def test_ports_are_released_by_name_and_of_stale_ones_it_is_told() -> None:
    assert ovs_driver().release([], stale=True) == []
    assert ovs_driver().release(["a", "b"], stale=False) == [Ovs(None, (), ("--if-exists", "del-port", n)) for n in "ab"]
    assert ovs_driver().release(["a"], stale=True) == [Ovs(None, ("stale port a removed",), ("--if-exists", "del-port", "a"))]


def test_a_port_stays_in_the_switch_when_its_namespace_goes() -> None:
    assert not ovs_driver().goes_with_namespace("qr-a")


def test_no_bridge_is_ever_removed() -> None:
    assert ovs_driver().unused({}, frozenset(["qr-a"])) == []


@pytest.mark.parametrize(
    ("wanted", "present", "expected"),
    [
        ({"tag": None}, {"tag": 9}, {"tag": 9}),
        ({"tag": 7}, {"tag": 9}, {"tag": 7}),
        ({"tag": None}, {"tag": None}, {"tag": None}),
        ({"attached_mac": None}, {"attached_mac": "02:00:00:00:00:01"}, {"attached_mac": "02:00:00:00:00:01"}),
        ({}, {"attached_mac": "02:00:00:00:00:01"}, {}),
        ({}, {"bridge": "br-x", "mark": None, "iface_id": None, "active": False}, {}),
    ],
)
def test_what_is_not_asked_for_stays_as_it_is(wanted: dict[str, Any], present: dict[str, Any], expected: dict[str, Any]) -> None:
    asked = replace(PLUGGED, **wanted)
    assert asked.filled_from(replace(PLUGGED, **present)) == replace(asked, **expected)


@pytest.mark.parametrize("present", [None, Attachment("br-int", "qr-a", None)])
def test_what_is_no_port_fills_nothing_in(present: Attachment | None) -> None:
    asked = replace(PLUGGED, tag=None, attached_mac=None)
    assert asked.filled_from(present) == asked


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {},
            "on bridge br-int (tag 7, iface-id=a, iface-status=active, attached-mac=fa:16:3e:00:00:01,"
            " netnode-l3=netnode.l3/r1/web)",
        ),
        ({"tag": None, "attached_mac": None, "mark": None}, "on bridge br-int (no tag, iface-id=a, iface-status=active)"),
        (
            {"active": False, "attached_mac": None, "mark": None, "bridge": "br-x"},
            "on bridge br-x (tag 7, iface-id=a, iface-status=not active)",
        ),
    ],
)
def test_a_port_in_words(changes: dict[str, Any], text: str) -> None:
    assert ovs_driver().describe(replace(PLUGGED, **changes)) == text


@pytest.mark.parametrize("bridges", ["br-wan", {"a": "br-wan", "b": "br-dmz"}])
def test_on_an_empty_node_there_are_the_bridges_that_must_exist(bridges: Any) -> None:
    options = Options("openvswitch", external_network_bridge=bridges, integration_bridge="br-lan")
    driver = OpenvswitchDriver.on_empty_node(options)
    assert all(driver.bridge_problem("qg-a", bridge) is None for bridge in options.external_bridges)
    assert driver.bridge_problem("qr-a", "br-lan") is None
    assert (driver.marked(), driver.node.links, driver.unavailable) == ({}, {}, None)


def test_the_driver_reads_the_switch_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ovs.Database(["br-ex"], {"qr-a": ovs.Port("br-ex", None, {"netnode-l3": "netnode.l3/r1/"})})
    monkeypatch.setattr(ovs, "read", lambda: found)
    driver = interface_driver("openvswitch").on_node(Options("openvswitch"), node())
    assert isinstance(driver, OpenvswitchDriver)
    assert (driver.database, driver.unavailable, driver.commands) == (found, None, ("ovs-vsctl",))


def test_a_switch_that_does_not_answer_is_no_end_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> ovs.Database:
        raise CommandError(["ovs-vsctl", "list"], "database connection failed\n")

    monkeypatch.setattr(ovs, "read", fail)
    driver = OpenvswitchDriver.on_node(Options("openvswitch"), node())
    assert driver.unavailable == "Open vSwitch does not answer: ovs-vsctl list: database connection failed"
    assert driver.marked() == {}
