# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that somebody ends by a signal: it finishes what it is at, and says what it left for the next one."""

from __future__ import annotations

import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from sandbox import Node
from sandbox.engine import Killed, run_engine

from ..kernel_state import differences, empty, settle, snapshot
from ..routers import small_router
from .slow_commands import slow_down, speed_up

ROUTERS = [small_router(number) for number in range(8)]
LOCK = "/run/netnode-l3.lock"
REASON = "The run was cancelled (%s) before all was done; the next one goes on from there."


def pid_of_run(node: Node) -> str:
    """The process at work, as it says itself where others wait for it."""
    match = re.match(r"process (\d+) since", node.file(LOCK).read_text())
    assert match is not None
    return match.group(1)


def wait_for(node: Node, path: str) -> None:
    deadline = time.monotonic() + 20
    while not node.file(path).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def interrupted(node: Node, *signals: str, **options: Any) -> Future[dict[str, Any]]:
    """A run that gets these signals when it changes rules."""
    with ThreadPoolExecutor() as pool:
        result = pool.submit(run_engine, node, ROUTERS, **options)
        wait_for(node, "/run/begun")
        for name in signals:
            node.run("kill", f"-{name}", pid_of_run(node))
            time.sleep(0.05)
        return result


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP"])
def test_a_run_that_is_cancelled_finishes_what_it_is_at_and_says_what_it_left(node: Node, name: str) -> None:
    slow_down(node, "iptables-restore", 1)
    result = interrupted(node, name).result()
    assert result["failed"]
    left = [entry["id"] for entry in result["routers"] if entry.get("error") == REASON % f"SIG{name}"]
    done = [entry["id"] for entry in result["routers"] if "error" not in entry]
    assert 1 <= len(done) <= 3  # two at once, of which one has begun; one more may begin before the signal comes
    assert len(left) == len(ROUTERS) - len(done)
    assert REASON % f"SIG{name}" in result["msg"]
    for router_id in done:
        assert "l3-snat" in node.run("ip", "netns", "exec", f"qrouter-{router_id}", "iptables-save").stdout
    assert node.run("/bin/sh", "-c", "ls /run/netnode-l3 | grep -v known-rules.json", check=False).stdout == ""
    speed_up(node, "iptables-restore")
    again = run_engine(node, ROUTERS)
    assert "failed" not in again
    assert {entry["id"] for entry in again["routers"] if entry["changed"]} == set(left)
    arrived = snapshot(node)
    empty(node)
    run_engine(node, ROUTERS)
    assert differences(snapshot(node), arrived) == []


def test_a_second_signal_ends_it_at_once(node: Node) -> None:
    slow_down(node, "iptables-restore", 6)
    begun = time.monotonic()
    with pytest.raises(Killed):
        interrupted(node, "TERM", "TERM").result()
    assert time.monotonic() - begun < 6
    speed_up(node, "iptables-restore")
    # The command that it was at goes on, and so long nobody else begins.
    assert run_engine(node, ROUTERS, lock_timeout=0.1)["msg"].startswith("Another run is at work on this node")
    settle(node)
    assert "failed" not in run_engine(node, ROUTERS)
    assert not run_engine(node, ROUTERS)["changed"]


def test_a_run_that_is_cancelled_before_it_begins_has_touched_nothing(node: Node) -> None:
    run_engine(node, ROUTERS)
    before = snapshot(node)
    slow_down(node, "iptables-save", 1)
    changed = [small_router(number, enable_snat=False) for number in range(8)]
    with ThreadPoolExecutor() as pool:
        result = pool.submit(run_engine, node, changed)
        wait_for(node, "/run/begun")
        node.run("kill", pid_of_run(node))
    assert result.result()["msg"] == "The run was cancelled (SIGTERM). Nothing was touched."
    speed_up(node, "iptables-save")
    assert differences(before, snapshot(node)) == []
