# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a router goes from the node: with its namespace, or, in the node's own, thing by thing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.host import ovs
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.bridge import BridgeDriver
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.driver import InterfaceDriver
from ansible_collections.netnode.l3.plugins.module_utils.operations import (
    Announce,
    ChangeRules,
    Ip,
    Operation,
    Ovs,
    SetSysctl,
    Unserve,
)
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.plan import rank
from ansible_collections.netnode.l3.plugins.module_utils.plan_removal import removal
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import MetadataProxy, Upstream
from ansible_collections.netnode.l3.plugins.module_utils.state import ABSENT, RouterState

from ..routers import router
from .engine_objects import bind_lines, converged, desired, node, ovs_driver, planner, step, with_device

GATEWAY, WEB, DB = "qg-aaaa0000-ex", "qr-bbbb0000-we", "qr-cccc0000-db"
OPTIONS = Options("bridge")
BRIDGE = BridgeDriver(OPTIONS, node())
NO_PROXY = MetadataProxy(OPTIONS)


def serving(*routers: str) -> MetadataProxy:
    """A proxy that listens for these routers."""
    proxy = MetadataProxy(OPTIONS, Upstream.unseen("unix:/run/metadata.sock"))
    return proxy.with_text(proxy.render(bind_lines(proxy, *routers)))


def removed(
    namespace: str | None, observed: RouterState, driver: InterfaceDriver = BRIDGE, proxy: MetadataProxy = NO_PROXY, **more: Any
) -> list[Operation]:
    return removal("r1", namespace, observed, driver, proxy, **more)


def lines(operations: list[Operation]) -> list[str]:
    return [step(operation) for operation in operations]


def words(operations: list[Operation]) -> list[str]:
    return [action for operation in operations for action in operation.actions]


@pytest.mark.parametrize("observed", [ABSENT, converged(router()), converged({"id": "r1"}), RouterState(namespace=True)])
def test_a_router_is_removed_with_its_namespace(observed: RouterState) -> None:
    operations = removed("qrouter-r1", observed)
    assert (lines(operations), words(operations)) == (["netns delete qrouter-r1"], ["namespace qrouter-r1 removed"])
    assert operations[0].namespace is None


def test_a_dead_namespace_is_called_so() -> None:
    operations = removed("qrouter-r1", RouterState(namespace=False, dead=True))
    assert (lines(operations), words(operations)) == (["netns delete qrouter-r1"], ["dead namespace qrouter-r1 removed"])


@pytest.mark.parametrize(
    ("driver", "expected"),
    [
        (BRIDGE, ["link delete dev a", "link delete dev b"]),
        (ovs_driver(), ["ovs-vsctl --if-exists del-port a", "ovs-vsctl --if-exists del-port b"]),
    ],
)
def test_things_whose_names_others_need_at_once_go_before_the_namespace(driver: InterfaceDriver, expected: list[str]) -> None:
    operations = removed("qrouter-r1", converged(router()), driver, released=["a", "b"])
    assert lines(operations) == [*expected, "netns delete qrouter-r1"]
    assert words(operations) == ["namespace qrouter-r1 removed"]
    assert {operation.namespace for operation in operations} == {None}


@pytest.mark.parametrize("namespace", ["qrouter-r1", None])
def test_the_metadata_proxy_leaves_first(namespace: str | None) -> None:
    """A socket in a namespace would keep it."""
    operations = removed(namespace, converged(router()), proxy=serving("r0", "r1"), released=["tap1"])
    assert lines(operations)[0] == f"unserve r1 in {namespace}"
    assert operations[0].actions == ()
    assert lines(operations)[1:] == lines(removed(namespace, converged(router()), released=["tap1"]))


@pytest.mark.parametrize(
    ("driver", "released"),
    [(BRIDGE, "link delete dev tap1"), (ovs_driver(), "ovs-vsctl --if-exists del-port tap1")],
)
def test_a_removal_is_told_in_the_order_in_which_it_is_done(driver: InterfaceDriver, released: str) -> None:
    """The L3 agent's proxy ends by itself, after what many routers share: it has no business with the rest."""
    observed = replace(converged(router()), agents_proxy=77)
    operations = removed("qrouter-r1", observed, driver, serving("r1"), released=["tap1"])
    assert lines(operations) == ["unserve r1 in qrouter-r1", released, "netns delete qrouter-r1", "end proxy 77 of r1"]
    assert words(operations) == ["namespace qrouter-r1 removed", "metadata proxy of the L3 agent ended (process 77)"]


@pytest.mark.parametrize("proxy", [NO_PROXY, serving("r2", "r1.1", "r"), replace(serving("r1"), running=False)])
def test_where_it_does_not_listen_the_proxy_is_left_alone(proxy: MetadataProxy) -> None:
    assert lines(removed("qrouter-r1", converged(router()), proxy=proxy)) == ["netns delete qrouter-r1"]


def test_in_the_nodes_own_namespace_devices_and_rules_go_one_by_one() -> None:
    operations = removed(None, converged(router()))
    assert lines(operations) == [
        "link delete dev tapbbbb0000-we",
        "link delete dev tapcccc0000-db",
        "link delete dev tapaaaa0000-ex",
        "rules of IPv4",
    ]
    assert words(operations) == [
        "device qr-bbbb0000-we removed",
        "device qr-cccc0000-db removed",
        "device qg-aaaa0000-ex removed",
        "rule removed from chain OUTPUT of table nat: -j l3-OUTPUT",
        "rule removed from chain POSTROUTING of table nat: -j l3-POSTROUTING",
        "rule removed from chain PREROUTING of table nat: -j l3-PREROUTING",
        "chain l3-OUTPUT of table nat removed",
        "chain l3-POSTROUTING of table nat removed",
        "chain l3-PREROUTING of table nat removed",
        "chain l3-float-snat of table nat removed",
        "chain l3-snat of table nat removed",
    ]
    assert {operation.namespace for operation in operations} == {None}


def test_in_the_nodes_own_namespace_no_table_but_those_with_rules_of_ours_is_written() -> None:
    state = converged(router(), metadata_upstream="unix:/run/metadata.sock")
    rules = [operation for operation in removed(None, state) if isinstance(operation, ChangeRules)]
    assert [operation.family for operation in rules] == [4, 6]
    for operation in rules:
        assert [line for line in operation.text.splitlines() if line.startswith("*")] == ["*filter", "*nat"]
        assert not [line for line in operation.text.splitlines() if line.startswith((":", "-A", "-I"))]


def test_ipv6_rules_of_ours_go_too_and_are_called_so() -> None:
    state = RouterState(namespace=True, firewall={4: {}, 6: {"nat": {"l3-snat": ("-j ACCEPT",)}}})
    operations = removed(None, state)
    assert (lines(operations), words(operations)) == (["rules of IPv6"], ["chain l3-snat of table nat (IPv6) removed"])


@pytest.mark.parametrize("observed", [ABSENT, RouterState(namespace=True, loopback_up=True)])
def test_in_the_nodes_own_namespace_nothing_is_done_where_nothing_is(observed: RouterState) -> None:
    assert removed(None, observed) == []


def test_a_device_that_is_plugged_in_nowhere_goes_by_itself() -> None:
    state = with_device(converged(router(gateway=None)), DB, attachment=None)
    assert lines(removed(None, state)) == ["link delete dev tapbbbb0000-we", f"link delete dev {DB}"]


def test_a_port_of_the_switch_goes_by_the_switch() -> None:
    driver = ovs_driver({DB: ovs.Port("br-int", 8, {})}, use_namespaces=False)
    state = converged(router(gateway=None, interfaces=router()["interfaces"][1:], routes=[]), driver)
    assert lines(removed(None, state, driver)) == [f"ovs-vsctl --if-exists del-port {DB}"]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (Unserve(None, (), "r1"), 0),
        (Unserve("qrouter-r1", (), "r1"), 0),
        (Ovs(None, (), ("del-port", "a")), 0),
        (Ip(None, (), "netns delete qrouter-r1"), 1),
        (Ip("qrouter-r1", (), "link set dev lo up"), 2),
        (ChangeRules(None, (), 4, ""), 2),
        (SetSysctl(None, (), "net/ipv4/ip_forward", "1"), 2),
        (Announce(None, (), "qg-a", "192.0.2.1"), 2),
    ],
    ids=repr,
)
def test_services_and_switch_go_before_links_and_those_before_each_routers_own(operation: Operation, expected: int) -> None:
    assert rank(operation) == expected


MOVING = {
    "from the node's own namespace": (None, True),
    "into the node's own namespace": ("qrouter-r1", False),
}


@pytest.mark.parametrize(("old", "use_namespaces"), MOVING.values(), ids=MOVING)
@pytest.mark.parametrize("proxy", [NO_PROXY, serving("r1")], ids=["without metadata", "with metadata"])
def test_a_router_that_moves_is_removed_and_built_in_the_order_in_which_it_is_done(
    old: str | None, use_namespaces: bool, proxy: MetadataProxy
) -> None:
    """Services, switch and links of all routers are done before what each does by itself; a plan is told in that order."""
    planning = planner(proxy=proxy, use_namespaces=use_namespaces)
    gone = removal("r1", old, converged(router()), planning.driver, proxy, ["tapaaaa0000-ex"])
    planning.free(["tapaaaa0000-ex", "tapbbbb0000-we", "tapcccc0000-db"])
    result = planning.plan(desired(router(), planning.driver), ABSENT if use_namespaces else RouterState(namespace=True), gone)
    ranks = [("unserve", "ovs", "link", "netns", "rules").index(step(o).split(" ", 1)[0].split("-")[0]) for o in result.freed]
    assert ranks == sorted(ranks)
    assert {*lines(gone)} <= {*lines(list(result.freed))}
    new = "netns add qrouter-r1" if use_namespaces else f"link set dev {GATEWAY} alias aaaa0000-external-port up"
    assert new in lines([*result.shared, *result.own])
