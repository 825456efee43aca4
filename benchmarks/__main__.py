# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build and re-converge N routers; print a table, and the same as JSON."""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from sandbox import Node, run_playbook
from sandbox.engine import run_engine

from .routers import benchmark_router

COUNTS = (1, 10, 100, 300)
RUNS = ("build", "nothing to do")
COLUMNS = ("routers", "run", "ms per router", "CPU ms per router", "processes per router", "peak MiB", "playbook s")


def main() -> None:
    """Measure each count on a node of its own, by the engine alone and by the whole playbook."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", type=int, nargs="*", default=COUNTS)
    rows: list[dict[str, Any]] = []
    print(" ".join(f"{column:>20}" for column in COLUMNS))
    for count in parser.parse_args().counts:
        for row in measure([benchmark_router(number) for number in range(count)]):
            rows.append(row)
            print(" ".join(f"{row[column]:>20}" for column in COLUMNS), flush=True)
    print(json.dumps(rows))


def measure(routers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows for building these routers, and for a run with nothing to do."""
    results, seconds = [], []
    with Node("engine") as node:
        node.add_bridge("br-ex")
        for _run in RUNS:
            results.append(run_engine(node, routers, send_arp_for_ha=3))
    _settle(len(routers))
    with Node("playbook") as node:
        node.add_bridge("br-ex")
        host_vars = {"playbook": {"l3_sync_routers": routers, "l3_sync_interface_driver": "bridge"}}
        for _run in RUNS:
            started = time.perf_counter()
            play = run_playbook("netnode.l3.sync", [node], host_vars=host_vars)
            seconds.append(time.perf_counter() - started)
            if play.status:
                raise SystemExit(f"the playbook to measure went wrong:\n{play.output}")
    _settle(len(routers))
    return [_row(len(routers), *figures) for figures in zip(RUNS, results, seconds, strict=True)]


def _row(count: int, run: str, result: dict[str, Any], playbook_seconds: float) -> dict[str, Any]:
    if "failed" in result or result["changed"] is not (run == "build"):
        raise SystemExit(f"{run}: the run to measure went wrong:\n{result['msg']}")
    cost = result["cost"]
    return {
        "routers": count,
        "run": run,
        "ms per router": round(cost["seconds"] * 1000 / count, 2),
        "CPU ms per router": round(cost["cpu_seconds"] * 1000 / count, 2),
        "processes per router": round(cost["processes"] / count, 2),
        "peak MiB": round(cost["peak_kib"] / 1024, 1),
        "playbook s": round(playbook_seconds, 2),
    }


def _settle(routers: int) -> None:
    """Let the kernel take away the namespaces of a node that has ended; it would compete with the next one."""
    time.sleep(1 + routers / 50)


if __name__ == "__main__":
    main()
