# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole catalogue of sabotages: each is seen, repaired alone, and named, and traffic that it does not concern goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sandbox import Machine, MetadataServer, Node
from sandbox.engine import run_engine

from ..kernel_state import differences, snapshot
from ..routers import DB_BRIDGE, WEB_BRIDGE, advertising, limited_router, scoped_router, small_router
from ..sabotages import CATALOGUE, FORWARDINGS, LIMITS, NAMESPACE, PUBLISHED, SCOPED, Sabotage
from .traffic import SteadyStream, serve_echo

pytestmark = pytest.mark.firewall_driver("iptables")

SOCKET = "/var/lib/neutron/metadata_proxy"
PUBLISHING = {"enable_ndp_proxy": True, "ndp_proxies": [{"ip_address": PUBLISHED}]}
ROUTERS = [advertising(limited_router(LIMITS, **PUBLISHING)), small_router(1, port_forwardings=FORWARDINGS)]
Routers = list[dict[str, Any]]


def run(node: Node, routers: Routers, *, check: bool = False) -> dict[str, object]:
    result = run_engine(node, routers, check=check, diff=check, clamp_mss_to_pmtu=True, metadata_upstream=f"unix:{SOCKET}")
    assert "failed" not in result, result["msg"]
    actions = [action for part in (*result["routers"], result["node"]) for action in part["actions"]]
    return {"actions": actions, "diff": result.get("diff")}


def trouble(node: Node, routers: Routers, before: dict[str, object], sabotage: Sabotage) -> list[str]:
    """Do the damage and repair it; what of that was not as it should be."""
    entering = [] if sabotage.on_node else ["ip", "netns", "exec", NAMESPACE]
    node.run(*entering, "/bin/sh", "-ec", sabotage.commands)
    predicted, told = run(node, routers, check=True), run(node, routers)
    if sabotage.undo:
        node.run(*entering, "/bin/sh", "-ec", sabotage.undo)
    found = differences(before, snapshot(node, "qrouter-*"))
    if predicted["actions"] != told["actions"]:
        found.append(f"check mode said {predicted['actions']}, the run {told['actions']}")
    if not any(part["before"] != part["after"] for part in predicted["diff"]):  # type: ignore[attr-defined]
        found.append("the diff shows nothing")
    if not named(sabotage, told["actions"]):  # type: ignore[arg-type]
        found.append(f"named as {told['actions']}")
    again = run(node, routers)["actions"]
    return [*found, *([f"the run after it said {again}"] if again else [])]


def named(sabotage: Sabotage, actions: list[str]) -> bool:
    """Whether the actions are the expected ones."""
    expected = list(sabotage.actions)
    if expected[-1] is ...:
        return len(actions) >= len(expected) and actions[: len(expected) - 1] == expected[:-1]
    return actions == expected


def walk(node: Node, catalogue: Mapping[str, Sabotage], routers: Routers) -> dict[str, list[str]]:
    """All that was not as it should be, by sabotage."""
    before = snapshot(node, "qrouter-*")
    found = {}
    for name, sabotage in catalogue.items():
        try:
            troubles = trouble(node, routers, before, sabotage)
        except (AssertionError, RuntimeError) as error:  # the others are to be tried as well
            troubles = [str(error)]
        if troubles:
            found[name] = troubles
            before = snapshot(node, "qrouter-*")
    return found


@pytest.fixture
def busy(node: Node) -> Node:
    """A node with both routers, metadata, and machines behind them."""
    MetadataServer(node, SOCKET)
    run(node, ROUTERS)
    for machine in (
        Machine(node, "outside", "br-ex", ["203.0.113.1/16"]),
        Machine(node, "db", DB_BRIDGE, ["10.0.1.7/24"], [("default", "10.0.1.1")]),
    ):
        serve_echo(machine)
    return node


@pytest.mark.parametrize("felt", [False, True], ids=["beside the traffic", "in the way of it"])
def test_each_sabotage_is_seen_and_repaired_and_named_and_nobody_else_notices(busy: Node, felt: bool) -> None:
    catalogue = {name: sabotage for name, sabotage in CATALOGUE.items() if sabotage.felt == felt}
    other = Machine(busy, "other", "brqnet0001", ["10.0.0.5/24"], [("default", "10.0.0.1")])
    streams = {"through the other router": SteadyStream(other, "203.0.113.1")}
    if not felt:
        web = Machine(busy, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
        streams["through the same router"] = SteadyStream(web, "10.0.1.7")
    found = walk(busy, catalogue, ROUTERS)
    tallies = {name: stream.tally() for name, stream in streams.items()}
    print(len(catalogue), "sabotages", tallies)
    assert not found, "".join(f"\n{name}: {line}" for name, lines in found.items() for line in lines)
    assert {name: tally.lost for name, tally in tallies.items() if tally.lost} == {}
    assert all(tally.sent > 1000 for tally in tallies.values())


def test_sabotages_of_address_scopes_and_helpers(node: Node) -> None:
    MetadataServer(node, SOCKET)
    routers = [scoped_router()]
    run(node, routers)
    found = walk(node, SCOPED, routers)
    assert not found, "".join(f"\n{name}: {line}" for name, lines in found.items() for line in lines)


def test_the_catalogue_is_as_large_as_it_claims() -> None:
    assert len(CATALOGUE) >= 100
