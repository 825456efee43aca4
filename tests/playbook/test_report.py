# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each run leaves a report on the node: as JSON, and for Prometheus."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from sandbox import Node, run_playbook

from ..routers import router, small_router

JSON, TEXTFILE = "/run/netnode-report.json", "/run/netnode.prom"


def run(node: Node, *routers: dict[str, Any], arguments: tuple[str, ...] = (), **options: Any) -> int:
    values = {"interface_driver": "bridge", "report_path": JSON, "prometheus_textfile": TEXTFILE, **options}
    host = {"l3_sync_routers": list(routers), **{f"l3_sync_{name}": value for name, value in values.items()}}
    play = run_playbook("netnode.l3.sync", [node], *arguments, host_vars={"node": host})
    assert play.changed["node"] >= 0
    return play.status


def report(node: Node) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(node.file(JSON).read_text(encoding="utf-8"))
    return data


def figures(node: Node) -> dict[str, float]:
    """What node exporter would read: each line is a comment, or a name with labels and a number."""
    text = node.file(TEXTFILE).read_text(encoding="utf-8")
    assert text.endswith("\n")
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    pattern = re.compile(r'([a-z0-9_]+(?:\{[a-z_]+="[a-z]+"\})?) ([0-9.]+)\Z')
    matches = [pattern.match(line) for line in samples]
    assert all(matches), samples
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert {sample.split("{")[0].split()[0] for sample in samples} == names
    return {match.group(1): float(match.group(2)) for match in matches if match}


def test_a_run_is_reported(node: Node) -> None:
    began = time.time()
    assert run(node, router(), small_router(1), {**small_router(2), "admin_state_up": False}) == 0
    found = report(node)
    assert (found["success"], found["changed"], found["failed"]) == (True, ["r1", "small-1"], [])
    assert found["skipped"] == [{"id": "small-2", "reason": "admin_state_up is false"}]
    assert found["report"]["configurations"]["interface_driver"] == "bridge"
    seen = figures(node)
    assert began - 1 <= seen.pop("netnode_l3_last_run_timestamp_seconds") <= time.time() + 1
    assert 0 < seen.pop("netnode_l3_last_run_duration_seconds") == found["duration"]
    assert seen == {
        "netnode_l3_last_run_success": 1,
        'netnode_l3_last_run_routers{outcome="changed"}': 2,
        'netnode_l3_last_run_routers{outcome="failed"}': 0,
        'netnode_l3_last_run_routers{outcome="skipped"}': 1,
        "netnode_l3_routers": 2,
        "netnode_l3_ex_gw_ports": 2,
        "netnode_l3_interfaces": 3,
        "netnode_l3_floating_ips": 3,
    }
    assert run(node, router(), small_router(1)) == 0
    assert figures(node)['netnode_l3_last_run_routers{outcome="changed"}'] == 0


def test_a_failed_router_and_a_refused_run_are_reported(node: Node) -> None:
    bad = router(interfaces=[{"id": "p", "network_id": "n", "addresses": ["10.0.0.300/24"]}])
    assert run(node, bad, small_router(1)) != 0
    found = report(node)
    assert (found["success"], found["failed"]) == (False, ["r1"])
    assert "10.0.0.300" in found["errors"]["r1"]
    assert figures(node)["netnode_l3_last_run_success"] == 0
    assert run(node) != 0
    found = report(node)
    assert (found["success"], found["report"], found["msg"][:8]) == (False, None, "Refused:")
    seen = figures(node)
    assert {name for name in seen if "timestamp" not in name} == {"netnode_l3_last_run_success"}


def test_a_report_that_cannot_be_written_does_not_hide_what_failed(node: Node) -> None:
    bad = router(interfaces=[{"id": "p", "network_id": "n", "addresses": ["10.0.0.300/24"]}])
    host = {"l3_sync_routers": [bad], "l3_sync_interface_driver": "bridge", "l3_sync_report_path": "/none/such/report"}
    play = run_playbook("netnode.l3.sync", [node], host_vars={"node": host})
    assert play.status != 0
    assert "'10.0.0.300/24' is not an IP address" in play.output


def test_check_mode_leaves_the_last_report(node: Node) -> None:
    assert run(node, router()) == 0
    before = node.file(JSON).read_bytes(), node.file(TEXTFILE).read_bytes()
    assert run(node, router(), small_router(1), arguments=("--check",)) == 0
    assert (node.file(JSON).read_bytes(), node.file(TEXTFILE).read_bytes()) == before
