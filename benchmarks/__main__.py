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
    rows = []
    with Node("engine") as by_engine, Node("playbook") as by_playbook:
        for node in (by_engine, by_playbook):
            node.add_bridge("br-ex")
        for run in ("build", "nothing to do"):
            result = run_engine(by_engine, routers, send_arp_for_ha=3)
            started = time.perf_counter()
            host_vars = {"playbook": {"l3_sync_routers": routers, "l3_sync_interface_driver": "bridge"}}
            play = run_playbook("netnode.l3.sync", [by_playbook], host_vars=host_vars)
            playbook_seconds = time.perf_counter() - started
            if "failed" in result or play.status or result["changed"] is not (run == "build"):
                raise SystemExit(f"{run}: the run to measure went wrong:\n{result.get('msg')}\n{play.output}")
            cost = result["cost"]
            rows.append(
                {
                    "routers": len(routers),
                    "run": run,
                    "ms per router": round(cost["seconds"] * 1000 / len(routers), 2),
                    "CPU ms per router": round(cost["cpu_seconds"] * 1000 / len(routers), 2),
                    "processes per router": round(cost["processes"] / len(routers), 2),
                    "peak MiB": round(cost["peak_kib"] / 1024, 1),
                    "playbook s": round(playbook_seconds, 2),
                }
            )
    return rows


if __name__ == "__main__":
    main()
