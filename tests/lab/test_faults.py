# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong around a boot: what was saved is not there or no good, power and connections go in the middle of a run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import Lab, Machine
from sandbox.playbook import Play

from .nodes import (
    Router,
    converge,
    converge_well,
    floating_ip,
    journal,
    machine_of,
    reaches,
    router,
    routers_on,
    state_of,
    unit,
    wait_until_restored,
)

SAVED = "/var/lib/netnode-l3/last-converged.jsonl"
RESTORE = "netnode-l3-restore"
MANY = 150


@pytest.fixture
def node(prepared: Lab) -> Iterator[Machine]:
    yield prepared.machines["node2"]
    converge_well(prepared, {"node2": []})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("rm {}", "Nothing is saved on this node"),
        (": > {}", "it is no JSON"),
        ("head -c 300 {0} > {0}.half; mv {0}.half {0}", "its checksum does not fit"),
        ("sed -i s/203.0.3.20/203.0.3.21/ {}", "its checksum does not fit"),
        ("head -c 4096 /dev/urandom > {}", "it is no JSON"),
        ('sed -i \'1s/"format": 1/"format": 2/\' {}', "by a newer version (format 2"),
    ],
)
def test_a_node_without_good_data_stays_clean_and_says_why(prepared: Lab, node: Machine, spoil: str, said: str) -> None:
    converge_well(prepared, {"node2": [router(3)]})
    whole, text = state_of(node), node.run(f"cat {SAVED}")
    node.run(spoil.format(SAVED))
    node.reboot()
    wait_until_restored(node)
    assert said in journal(node, RESTORE)
    assert routers_on(node) == set()
    assert node.run("ip -oneline link | grep -c netnode.l3/", check=False) == "0\n"
    found = unit(node, RESTORE)
    assert (found["ActiveState"], found["NRestarts"]) == ("active" if spoil.startswith("rm") else "failed", "0")
    assert said in "".join(node.run("l3node status 2>&1", check=False))
    play = converge_well(prepared, {"node2": [router(3)]})
    assert play.changed == {"node2": 1}, play.output
    assert ("could not be read" in play.output) == (not spoil.startswith("rm")), play.output
    assert state_of(node) == whole
    assert json.loads(node.run(f"sed -n 2p {SAVED}")) == json.loads(text.splitlines()[1])


def midway(prepared: Lab, node: Machine, routers: list[Router], event: Callable[[], object]) -> Play:
    """Run the playbook with these routers, and have something happen when ten more of them are there than were."""
    number = len(routers_on(node)) + 10
    with ThreadPoolExecutor() as pool:
        running = pool.submit(converge, prepared, {"node2": routers})
        node.run(f"until [ $(ls /run/netns | wc -l) -ge {number} ]; do sleep 0.01; done")
        event()
        return running.result()


def test_power_that_goes_in_the_middle_of_a_run(prepared: Lab, node: Machine) -> None:
    few = [router(number) for number in (1, 2)]
    many = [router(number) for number in range(1, MANY)]
    converge_well(prepared, {"node2": few})
    before = state_of(node)
    play = midway(prepared, node, many, node.cut_power)
    assert play.failed == {"node2": 1}, play.output
    wait_until_restored(node)
    assert state_of(node) == before  # as after the last run that came to its end
    again = converge_well(prepared, {"node2": many})
    assert f"{MANY - 1} routers: {MANY - 3} changed" in again.output
    whole = state_of(node)
    node.cut_power()
    wait_until_restored(node)
    assert state_of(node) == whole


def test_a_connection_that_is_lost_in_the_middle_of_a_run(prepared: Lab, node: Machine) -> None:
    converge_well(prepared, {"node2": [router(1)]})
    many = [router(number) for number in range(1, MANY)]
    port = ["ip", "link", "set", "dev", "node2-mg0"]

    def lose() -> None:
        subprocess.run(prepared.in_network(*port, "down"), check=True)

    try:
        play = midway(prepared, node, many, lose)
    finally:
        subprocess.run(prepared.in_network(*port, "up"), check=True)
    assert play.failed == {"node2": 1}, play.output
    assert "UNREACHABLE" in play.output, play.output
    node.wait_until("has ended the run", lambda: node.try_to_run("flock --nonblock /run/netnode-l3.lock true").returncode == 0)
    # The node went on without anybody who listened, and what it has done is what it has saved.
    assert len(routers_on(node)) == MANY - 1
    assert node.try_to_run("l3node status").returncode == 0
    again = converge_well(prepared, {"node2": many})
    assert again.changed == {"node2": 0}, again.output


@pytest.mark.parametrize("time", ["1971-01-01 00:00:00", "2105-01-01 00:00:00"])
def test_a_clock_that_is_far_off(prepared: Lab, node: Machine, time: str) -> None:
    converge_well(prepared, {"node2": [router(3)]})
    whole = state_of(node)
    library = node.run("ls /usr/lib/*/faketime/libfaketime.so.1").strip()
    drop_in = f"/etc/systemd/system/{RESTORE}.service.d"
    node.run(f"mkdir -p {drop_in}")
    settings = f'Environment=LD_PRELOAD={library} "FAKETIME=@{time}" FAKETIME_DONT_FAKE_MONOTONIC=1\nExecStartPre=date\n'
    node.write(f"{drop_in}/clock.conf", f"[Service]\n{settings}")
    try:
        node.reboot()
        wait_until_restored(node)
        assert time[:4] in journal(node, RESTORE)
        assert unit(node, RESTORE)["ActiveState"] == "active", journal(node, RESTORE)
        assert state_of(node) == whole
        with machine_of(prepared, 3):
            reaches(prepared, node, 3)
    finally:
        node.run(f"rm -r {drop_in}; systemctl daemon-reload")


def test_a_bridge_that_comes_late(prepared: Lab, node: Machine) -> None:
    converge_well(prepared, {"node2": [router(3)]})
    whole = state_of(node)
    node.run("systemctl disable netnode-l3-external-bridge")
    node.reboot()
    node.wait_until("has tried in vain", lambda: int(unit(node, RESTORE)["NRestarts"]) > 0)
    assert "br-ex" in journal(node, RESTORE)
    assert state_of(node) != whole
    node.run("systemctl enable --now netnode-l3-external-bridge")
    node.wait_until("has its routers", lambda: state_of(node) == whole)
    node.wait_until("says so", lambda: unit(node, RESTORE)["ActiveState"] == "active")


def test_a_router_on_two_nodes_is_seen(prepared: Lab, node: Machine) -> None:
    converge_well(prepared, {"node1": [router(3)], "node2": [router(4)]})
    with machine_of(prepared, 3, 4):
        reaches(prepared, node, 3)
        verified = converge(prepared, {"node1": [router(3)], "node2": [router(4)]}, playbook="netnode.l3.verify")
        assert verified.status == 0, verified.output
        both = {"node1": [router(3)], "node2": [router(3), router(4)]}
        converge_well(prepared, both)
        verified = converge(prepared, both, playbook="netnode.l3.verify")
        assert verified.failed == {"node1": 1, "node2": 1}, verified.output
        assert "router router-3: 203.0.3.10 is another's too" in verified.output
        assert f"; {floating_ip(3)} is another's too" in verified.output
        assert "router router-4" not in verified.output
    converge_well(prepared, {"node1": []})
