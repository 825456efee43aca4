# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the given routers come to the node, and what becomes of those on it that are no longer meant for it."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import small_router

INNER = {"id": "inner", "interfaces": [{"id": "p1", "network_id": "n1", "addresses": ["10.0.0.1/24"]}]}


def external(number: int, network_id: str) -> dict[str, Any]:
    router = small_router(number)
    return {**router, "gateway": {**router["gateway"], "network_id": network_id}}


ROUTERS = [INNER, external(1, "public"), external(2, "campus"), {**external(3, "public"), "admin_state_up": False}]
DOWN = {"id": "small-3", "reason": "admin_state_up is false"}


@pytest.mark.parametrize(
    ("options", "skipped"),
    [
        ({}, []),
        ({"router_id": "small-1"}, [("inner", "router_id is small-1"), ("small-2", "router_id is small-1")]),
        (
            {"handle_internal_only_routers": False},
            [("inner", "it has no gateway, and handle_internal_only_routers is false")],
        ),
        (
            {"gateway_external_network_id": "public"},
            [("small-2", "its gateway is on network campus, and gateway_external_network_id is public")],
        ),
    ],
)
def test_a_router_that_is_no_longer_meant_for_the_node_is_removed(
    node: Node, options: dict[str, Any], skipped: list[tuple[str, str]]
) -> None:
    run_engine(node, ROUTERS)
    # With "replaced", a wrong option must not cost routers.
    replaced = run_engine(node, ROUTERS, "replaced", **options)
    result = run_engine(node, ROUTERS, **options)
    assert (replaced["changed"], "failed" in result) == (False, False)
    expected = [{"id": router_id, "reason": reason} for router_id, reason in skipped]
    assert replaced["skipped_routers"] == result["skipped_routers"] == [*expected, DOWN]
    removed = [entry["id"] for entry in result["routers"] if f"namespace qrouter-{entry['id']} removed" in entry["actions"]]
    assert removed == sorted(router_id for router_id, _reason in skipped)
    left = {"inner", "small-1", "small-2"} - set(removed)
    assert {router["id"] for router in run_engine(node, None, "gathered")["gathered"]} == left
    assert run_engine(node, ROUTERS, **options)["changed"] is False


@pytest.mark.parametrize("state", ["overridden", "replaced"])
def test_a_router_that_is_down_is_removed(node: Node, state: str) -> None:
    run_engine(node, ROUTERS[:2])
    result = run_engine(node, [INNER, {**ROUTERS[1], "admin_state_up": False}], state)
    assert [entry["actions"] for entry in result["routers"]] == [[], ["namespace qrouter-small-1 removed"]]


def test_routers_are_plugged_into_the_bridge_of_their_external_network(node: Node) -> None:
    node.add_bridge("br-campus")
    bridges = {"public": "br-ex", "campus": "br-campus"}
    result = run_engine(node, ROUTERS, external_network_bridge=bridges)
    assert "failed" not in result, result["msg"]
    public = Machine(node, "public", "br-ex", ["203.0.113.1/16"])
    campus = Machine(node, "campus", "br-campus", ["203.0.113.1/16"])
    reached = [(machine.name, machine.pings("203.0.113.31"), machine.pings("203.0.113.32")) for machine in (public, campus)]
    assert reached == [("public", True, False), ("campus", False, True)]


def test_a_network_without_a_bridge_fails_its_routers_alone(node: Node) -> None:
    result = run_engine(node, ROUTERS, external_network_bridge={"public": "br-ex"})
    errors = {entry["id"]: entry.get("error") for entry in result["routers"]}
    message = "external_network_bridge has no bridge for the network of qg-0002gw-port."
    assert errors == {"inner": None, "small-1": None, "small-2": message}
