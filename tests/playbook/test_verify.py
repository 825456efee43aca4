# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook verify looks whether routers do their work: by its exit status, in words, and as JSON for others."""

from __future__ import annotations

import json
from typing import Any

from sandbox import Machine, Node, run_playbook
from sandbox.engine import run_engine
from sandbox.playbook import Play

from ..kernel_state import differences, snapshot
from ..routers import router, small_router

HEALTH = "/run/health.json"


def verify(node: Node, *arguments: str, **options: Any) -> Play:
    values = {"routers": [router(), small_router(1)], "interface_driver": "bridge", "health_path": HEALTH, **options}
    variables = {f"l3_sync_{name}": value for name, value in values.items()}
    return run_playbook("netnode.l3.verify", [node], *arguments, host_vars={"node": variables})


def health(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(node.file(HEALTH).read_text(encoding="utf-8"))
    return found


def test_healthy_routers_and_one_that_drifted(node: Node) -> None:
    run_engine(node, [router(), small_router(1)])
    Machine(node, "outside", "br-ex", ["203.0.113.1/16", "2001:db8:e::1/64"])
    before = snapshot(node)
    play = verify(node)
    assert (play.status, play.changed) == (0, {"node": 0}), play.output
    assert "2 routers: 0 unhealthy. 3 of 3 gateways answer, and 0 of the machines behind 3 floating IPs." in play.output
    assert health(node)["healthy"] and len(health(node)["routers"]) == 2
    assert differences(before, snapshot(node)) == []
    node.run("ip", "-n", "qrouter-r1", "route", "delete", "192.168.51.0/24")
    before = snapshot(node)
    play = verify(node)
    assert play.status == 2
    assert "router r1: is not converged, a run would do this: route 192.168.51.0/24" in play.output
    found = health(node)
    assert not found["healthy"]
    assert [(entry["id"], entry["healthy"]) for entry in found["routers"]] == [("r1", False), ("small-1", True)]
    assert differences(before, snapshot(node)) == []


def test_a_node_that_cannot_be_looked_at_is_not_healthy(node: Node) -> None:
    run_engine(node, [router(), small_router(1)])
    assert verify(node, interface_driver="bridge ").status == 2
    assert health(node)["healthy"] is False
    assert "interface_driver: 'bridge ' is unknown" in health(node)["msg"]
