# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role l3_sync with l3_sync_confirm_timeout: a change stands when the routers work after it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox import Machine, Node, run_playbook
from sandbox.engine import run_engine
from sandbox.playbook import Play

from ..kernel_state import differences, snapshot
from ..routers import router

CHANGED = router(floating_ips=[{"floating_ip_address": "203.0.113.20", "fixed_ip_address": "10.0.0.9"}])
# The next hop of the default route is nobody.
WITHOUT_GATEWAY = router(gateway={**router()["gateway"], "gateway_ips": ["203.0.113.99", "2001:db8:e::1"]})


WAITING = """
- ansible.builtin.command:
    argv: [touch, /run/changed]
- ansible.builtin.pause:
    seconds: 5
"""


BROKEN_PROBE = """
- hosts: network_nodes
  gather_facts: false
  module_defaults:
    netnode.l3.l3_probe:
      timeout: abc
  roles:
    - netnode.l3.l3_sync
"""


def sync(
    node: Node,
    data: dict[str, Any],
    started: Callable[[int], object] | None = None,
    playbook: str = "netnode.l3.sync",
    **options: Any,
) -> Play:
    values = {"routers": [data], "interface_driver": "bridge", "confirm_timeout": 60, "send_arp_for_ha": 0, **options}
    variables = {f"l3_sync_{name}": value for name, value in values.items()}
    return run_playbook(playbook, [node], host_vars={"node": variables}, started=started)


@pytest.fixture
def built(node: Node) -> Node:
    """A node with a router whose gateways are there."""
    run_engine(node, [router()])
    Machine(node, "outside", "br-ex", ["203.0.113.1/24", "2001:db8:e::1/64"])
    return node


def test_a_change_after_which_all_is_well_is_confirmed(built: Node) -> None:
    play = sync(built, CHANGED)
    assert play.status == 0, play.output
    assert "1 router: 1 changed, 0 failed, 0 skipped. Removed: 1 floating IP. Confirmed." in play.output
    assert "Unless" not in play.output
    assert not built.file("/run/netnode-l3/guard.socket").exists()
    assert not run_engine(built, [CHANGED])["changed"]
    again = sync(built, CHANGED)
    assert (again.status, again.changed) == (0, {"node": 0}), again.output


def test_a_change_that_loses_the_gateway_is_taken_back(built: Node) -> None:
    before = snapshot(built)
    play = sync(built, WITHOUT_GATEWAY, confirm_timeout=40)
    assert play.status == 2
    assert "router r1: gateway 203.0.113.99 does not answer on qg-aaaa0000-ex" in play.output
    assert "It was taken back: 1 router: 1 changed, 0 failed, 0 skipped." in play.output
    assert play.output.count("does not answer") > 0
    assert differences(before, snapshot(built)) == []


def test_what_was_wrong_before_is_not_held_against_a_change(built: Node) -> None:
    built.run("ip", "-n", "outside", "link", "set", "dev", "eth0", "down")
    play = sync(built, CHANGED)
    assert play.status == 0, play.output
    assert not run_engine(built, [CHANGED])["changed"]


def test_an_error_that_was_there_before_is_not_held_against_a_change(built: Node) -> None:
    route = {"destination": "192.168.99.0/24", "nexthop": "172.16.0.1"}
    play = sync(built, {**CHANGED, "routes": [*CHANGED["routes"], route]})
    assert play.status == 2
    assert "172.16.0.1 is on no network of the router" in play.output
    assert run_engine(built, [CHANGED])["changed"] is False


def test_a_change_is_not_confirmed_without_having_looked(built: Node, tmp_path: Path) -> None:
    """When the probe itself fails, nothing is known to be well."""
    before = snapshot(built)
    playbook = tmp_path / "play.yml"
    playbook.write_text(BROKEN_PROBE, encoding="utf-8")
    play = sync(built, WITHOUT_GATEWAY, playbook=str(playbook))
    assert play.status == 2
    assert "argument 'timeout' is of type str" in play.output
    assert differences(before, snapshot(built)) == []


def test_the_users_own_tasks_are_looked_for_before_anything_is_touched(built: Node) -> None:
    before = snapshot(built)
    for path in ("verify.yml", "/nowhere/verify.yml"):
        play = sync(built, CHANGED, verify_tasks=path)
        assert play.status == 2
        assert f"l3_sync_verify_tasks: {path} is not the absolute path of a file on the controller." in play.output
    assert differences(before, snapshot(built)) == []


def test_a_bridge_that_takes_its_time_is_waited_for(node: Node) -> None:
    node.run("ip", "link", "set", "dev", "br-ex", "type", "bridge", "stp_state", "1", "forward_delay", "200")
    Machine(node, "outside", "br-ex", ["203.0.113.1/24", "2001:db8:e::1/64"])
    time.sleep(5)  # the machine's own port
    play = sync(node, router(), confirm_timeout=120)
    assert play.status == 0, play.output
    assert "FAILED - RETRYING" in play.output


def test_the_users_own_tasks_have_a_say(built: Node, tmp_path: Path) -> None:
    before = snapshot(built)
    tasks = tmp_path / "tasks.yml"
    tasks.write_text("- name: Ask the application\n  ansible.builtin.fail:\n    msg: it is not there\n", encoding="utf-8")
    play = sync(built, CHANGED, verify_tasks=str(tasks))
    assert play.status == 2
    assert "The change was not confirmed: Ask the application: it is not there" in play.output
    assert differences(before, snapshot(built)) == []


def test_the_node_takes_the_change_back_though_the_controller_is_dead(built: Node, tmp_path: Path) -> None:
    before = snapshot(built)
    tasks = tmp_path / "tasks.yml"
    tasks.write_text(WAITING, encoding="utf-8")

    def kill_in_time(pid: int) -> None:
        def kill() -> None:
            wait_until(built.file("/run/changed").exists)
            assert differences(before, snapshot(built)) != []
            os.kill(pid, signal.SIGKILL)

        threading.Thread(target=kill).start()

    play = sync(built, CHANGED, confirm_timeout=15, verify_tasks=str(tasks), started=kill_in_time)
    assert play.status == -signal.SIGKILL, play.output
    wait_until(lambda: not built.file("/run/netnode-l3/guard.socket").exists())
    assert differences(before, snapshot(built)) == []


# As in the examples of the module, by somebody who has looked for himself.
BY_HAND = """
- hosts: network_nodes
  gather_facts: false
  tasks:
    - netnode.l3.l3_routers:
        interface_driver: bridge
        routers: "{{ routers }}"
        confirm_timeout: 60
    - netnode.l3.l3_confirm:
        state: "{{ state }}"
    - netnode.l3.l3_confirm:
"""


@pytest.mark.parametrize(("state", "stands"), [("confirmed", True), ("taken_back", False)])
def test_the_module_answers_for_a_change_once(node: Node, tmp_path: Path, state: str, stands: bool) -> None:
    playbook = tmp_path / "by-hand.yml"
    playbook.write_text(BY_HAND)
    play = run_playbook(str(playbook), [node], host_vars={"node": {"routers": [router()], "state": state}})
    assert "No change waits to be confirmed on this node" in play.output, play.output
    assert play.failed == {"node": 1}, play.output
    assert ("qrouter-r1" in node.run("ip", "netns").stdout) is stands


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
