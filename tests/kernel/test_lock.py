# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs at once on one node: one after the other, or a clear word about who is at work."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from sandbox import Node
from sandbox.engine import run_engine

from ..routers import router, small_router

HOLD = "import fcntl, time; f = open('/run/netnode-l3.lock', 'r+'); fcntl.flock(f, 2); print('held', flush=True); time.sleep(2)"


def test_runs_at_once_wait_for_each_other(node: Node) -> None:
    data = [router(), *(small_router(number) for number in range(20))]
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda _run: run_engine(node, data), range(4)))
    assert not any("failed" in result for result in results)
    assert [result["changed"] for result in results].count(True) == 1


def test_who_waits_too_long_is_told_who_holds_the_lock(node: Node) -> None:
    run_engine(node, [router()])
    holder = node.start("/usr/bin/python3", "-c", HOLD)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    result = run_engine(node, [], lock_timeout=0.2)
    assert re.fullmatch(
        r"Another run is at work on this node \(process \d+ since .*\), and did not end within 0.2 seconds. Nothing was touched.",
        result["msg"],
    )
    assert not run_engine(node, [router()], check=True, lock_timeout=0.2)["changed"]
    # The kernel frees it with its holder.
    holder.wait()
    assert not run_engine(node, [router()], lock_timeout=0.2)["changed"]
