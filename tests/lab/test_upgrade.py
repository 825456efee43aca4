# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node that an earlier version of the role has prepared gets what this one has, and traffic goes on; and the way back."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import Lab, Machine
from sandbox.playbook import CHECKOUT

from .nodes import converge, converge_well, floating_ip, machine_of, reaches, router, routers_on, unit, wait_until_restored

ARTIFACT = next((CHECKOUT / "extensions" / "molecule" / "upgrade").glob("netnode-l3-*.tar.gz"))
NODE = "node2"
SECONDS = 40  # of echoes, twenty in each
_MOVED = {"floating_ips": [{"floating_ip_address": "203.0.7.21", "fixed_ip_address": "10.0.7.5"}]}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the earlier version is installed."""
    path = tmp_path_factory.mktemp("earlier")
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    command = [str(galaxy), "collection", "install", str(ARTIFACT), "--collections-path", str(path), "--force"]
    subprocess.run(command, check=True, capture_output=True, cwd=path)
    return path


@pytest.fixture
def node(prepared: Lab, earlier: Path) -> Iterator[Machine]:
    """A node as the earlier version leaves it, with a router."""
    assert converge(prepared, {NODE: []}, playbook="netnode.l3.teardown").status == 0
    node = prepared.machines[NODE]
    assert node.run("ls /usr/local/sbin /etc/systemd/system | grep -e l3node -e netnode", check=False) == ""
    play = converge(prepared, {NODE: [router(7)]}, collections=earlier)
    assert play.status == 0, play.output
    yield node
    converge_well(prepared, {NODE: []})


def test_traffic_goes_on_and_the_node_has_its_routers_back_at_boot_from_then_on(prepared: Lab, node: Machine) -> None:
    assert node.try_to_run("command -v l3node").returncode != 0
    with machine_of(prepared, 7):
        reaches(prepared, node, 7)
        with ThreadPoolExecutor() as pool:
            echoes = f"ping -q -i 0.05 -w {SECONDS} {floating_ip(7)}"
            told = pool.submit(prepared.machines["outside"].try_to_run, echoes)
            play = converge_well(prepared, {NODE: [router(7)]})
            assert play.seconds < SECONDS, "the echoes ended before"
            [(sent, received)] = re.findall(r"(\d+) packets transmitted, (\d+) received", told.result().stdout)
        assert int(sent) > 10 * play.seconds
        assert int(sent) - int(received) <= 1, told.result().stdout  # the last one may be on its way
        assert node.run("l3node status").splitlines()[1:] == ["  router-7  as saved"]
        assert converge_well(prepared, {NODE: [router(7)]}).changed == {NODE: 0}
        node.cut_power()
        wait_until_restored(node)
        reaches(prepared, node, 7)
    assert unit(node, "netnode-l3-restore")["Result"] == "success"


def test_the_earlier_version_works_on_and_the_node_boots_into_what_this_one_saved(
    prepared: Lab, node: Machine, earlier: Path
) -> None:
    """As the docs say: it knows nothing of what is saved."""
    converge_well(prepared, {NODE: [router(7)]})
    play = converge(prepared, {NODE: [router(7, **_MOVED)]}, collections=earlier)
    assert play.status == 0, play.output
    assert "203.0.7.21/32" in node.run("ip -n qrouter-router-7 address")
    node.cut_power()
    wait_until_restored(node)
    assert "203.0.7.20/32" in node.run("ip -n qrouter-router-7 address")


def test_without_the_unit_the_earlier_version_has_the_node_for_itself(prepared: Lab, node: Machine, earlier: Path) -> None:
    converge_well(prepared, {NODE: [router(7)]}, network_node_restore_at_boot=False)
    node.cut_power()
    assert routers_on(node) == set()
    play = converge(prepared, {NODE: [router(7)]}, collections=earlier)
    assert play.status == 0, play.output
    assert routers_on(node) == {"qrouter-router-7"}
