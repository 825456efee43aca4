# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A router in the node's own namespace: its own things are put there, and the node's stay the node's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.driver import InterfaceDriver
from ansible_collections.netnode.l3.plugins.module_utils.plan import RouterPlan
from ansible_collections.netnode.l3.plugins.module_utils.state import (
    ACCEPT_DAD,
    ACCEPT_RA,
    ADDR_GEN_MODE,
    DISABLE_IPV6,
    RouterState,
)

from ..routers import router
from .engine_objects import converged, desired, is_empty, node, ovs_driver, planner, steps

GATEWAY, WEB, DB = "qg-aaaa0000-ex", "qr-bbbb0000-we", "qr-cccc0000-db"
EMPTY = RouterState(namespace=True, loopback_up=True)
STATE = converged(router(), use_namespaces=False)


def plan(observed: RouterState, driver: InterfaceDriver | None = None, **changes: Any) -> RouterPlan:
    planning = planner(use_namespaces=False)
    return planning.plan(desired(router(**changes), driver or planning.driver), observed)


def test_a_router_that_is_as_it_should_be_is_left_alone() -> None:
    assert is_empty(plan(STATE))


def test_kernel_parameters_are_of_its_devices_and_bridges_alone() -> None:
    """None of ``all`` or ``default``, which would be the node's other devices' too."""
    of_device = {"forwarding": "1", "arp_ignore": "1", "arp_announce": "2", "promote_secondaries": "1", "accept_redirects": "0"}
    expected = {f"net/ipv4/conf/{name}/{key}": value for name in (GATEWAY, WEB, DB) for key, value in of_device.items()}
    for bridge in ("br-ex", "brqweb-network", "brqdb-network"):
        expected[f"net/ipv4/conf/{bridge}/arp_ignore"] = "1"
    of_ipv6 = {DISABLE_IPV6 % GATEWAY: "0", DISABLE_IPV6 % WEB: "0", DISABLE_IPV6 % DB: "1"}
    of_ipv6.update({key % device: "0" for key in (ACCEPT_DAD, ADDR_GEN_MODE) for device in (GATEWAY, WEB)})
    assert STATE.sysctls == {**expected, **of_ipv6, ACCEPT_RA % GATEWAY: "0"}


def test_a_bridge_that_is_not_there_has_no_kernel_parameters() -> None:
    """Setting one would fail, and end the plan before what can be made is made."""
    planning = planner(node(bridges=("brqweb-network", "brqdb-network")), use_namespaces=False)
    result = planning.plan(desired(router(), planning.driver), EMPTY)
    assert len(result.problems) == 1
    assert not [line for line in steps(result) if "br-ex" in line]


def test_no_namespace_is_made_or_entered() -> None:
    result = plan(EMPTY)
    assert {operation.namespace for operation in result.operations} == {None}
    assert not [line for line in steps(result) if "netns" in line or "link set dev lo" in line]
    assert (result.problems, result.warnings, result.freed) == ((), (), ())


def test_devices_stand_on_the_node_itself() -> None:
    lines = steps(plan(EMPTY))
    assert "link add name tapcccc0000-db mtu 1450 type veth peer name qr-cccc0000-db address fa:16:3e:00:00:c1 mtu 1450" in lines
    assert f"link set dev {DB} alias cccc0000-db-port up" in lines
    assert f"sysctl net/ipv4/conf/{DB}/forwarding 1" in lines
    assert "sysctl net/ipv4/conf/brqdb-network/arp_ignore 1" in lines


def test_addresses_and_routes_are_the_same_as_in_a_namespace() -> None:
    inside = converged(router())
    assert (STATE.addresses, STATE.routes) == (inside.addresses, inside.routes)


WARNING = "The node has a default route of its own, and router r1, which lives in the node's own namespace, got none."
V4, V6 = f"route default via 203.0.113.1 dev {GATEWAY}", f"route ::/0 via 2001:db8:e::1 dev {GATEWAY}"


@pytest.mark.parametrize(
    ("families", "added"),
    [(frozenset(), [V4, V6]), (frozenset([4]), [V6]), (frozenset([6]), [V4]), (frozenset([4, 6]), [])],
    ids=["none", "IPv4", "IPv6", "both"],
)
def test_where_the_node_has_a_default_route_the_router_gets_none(families: frozenset[int], added: list[str]) -> None:
    result = plan(replace(EMPTY, foreign_defaults=families))
    assert [action for action in result.actions if action in (V4 + " added", V6 + " added")] == [a + " added" for a in added]
    assert result.warnings == ((WARNING,) if families else ())
    assert {route.destination for route in result.after.routes} >= {"198.51.100.0/24", "192.168.50.0/24"}


def test_a_default_route_of_the_router_gives_way_to_the_nodes() -> None:
    result = plan(replace(STATE, foreign_defaults=frozenset([4])))
    assert result.actions == [V4 + " removed"]
    assert is_empty(replace(plan(replace(result.after, foreign_defaults=frozenset([4]))), warnings=()))


def test_also_an_extra_default_route_gives_way() -> None:
    routes = [{"destination": "0.0.0.0/0", "nexthop": "10.0.0.254"}]
    result = plan(replace(EMPTY, foreign_defaults=frozenset([4])), routes=routes)
    assert not [line for line in steps(result) if line.startswith("route add default")]
    assert result.warnings == (WARNING,)


def test_nor_does_it_take_one_from_router_advertisements() -> None:
    gateway = {**router()["gateway"], "gateway_ips": []}
    assert plan(EMPTY, gateway=gateway).after.sysctls[ACCEPT_RA % GATEWAY] == "2"
    result = plan(replace(EMPTY, foreign_defaults=frozenset([6])), gateway=gateway)
    assert (result.after.sysctls[ACCEPT_RA % GATEWAY], result.warnings) == ("0", (WARNING,))
    assert plan(replace(EMPTY, foreign_defaults=frozenset([4])), gateway=gateway).after.sysctls[ACCEPT_RA % GATEWAY] == "2"


def test_without_a_default_route_of_the_router_there_is_nothing_to_warn_of() -> None:
    assert plan(replace(EMPTY, foreign_defaults=frozenset([4, 6])), gateway=None, routes=[]).warnings == ()


def test_in_a_namespace_other_default_routes_do_not_matter() -> None:
    observed = replace(converged(router()), foreign_defaults=frozenset([4, 6]))
    assert is_empty(planner().plan(desired(router()), observed))


@pytest.mark.parametrize("namespaces", [(), ("qrouter-r9",)])
def test_a_name_that_another_router_has_is_never_stale(namespaces: tuple[str, ...]) -> None:
    """The other router may live in the node's own namespace as well, which is never gone."""
    taken = replace(node().links["br-ex"], name="tapaaaa0000-ex", alias="netnode.l3/r9/external", is_bridge=False)
    planning = planner(node(taken, namespaces=namespaces), use_namespaces=False)
    result = planning.plan(desired(router(), planning.driver), EMPTY)
    assert [problem for problem in result.problems if "belongs to router r9" in problem]
    assert result.freed == ()


def test_ports_of_open_vswitch_stay_where_the_switch_makes_them() -> None:
    driver = ovs_driver(use_namespaces=False)
    planning = planner(use_namespaces=False)
    planning.driver = driver
    lines = steps(planning.plan(desired(router(), driver), EMPTY))
    assert f"link set dev {DB} address fa:16:3e:00:00:c1 mtu 1450" in lines
    assert not [line for line in lines if "netns" in line]
