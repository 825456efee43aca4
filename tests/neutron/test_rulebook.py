# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole way without a hand: ansible-rulebook runs, a router is changed by Neutron's API, and the node has it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox import Node
from sandbox.cloud import Cloud
from sandbox.neutron_server import PASSWORD, NeutronServer
from sandbox.playbook import CHECKOUT

ENVIRONMENT = CHECKOUT / ".cache" / "rulebook-venv"
OLDEST_JAVA = 17
LONGEST_WAIT = 90.0
LONGEST_END = 30.0


def java() -> int:
    """The version of Java; 0 when there is none."""
    try:
        said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        return 0
    version = re.search(r'version "(\d+)', said)
    return int(version.group(1)) if version else 0


@pytest.fixture(autouse=True)
def _needed() -> None:
    if java() < OLDEST_JAVA or not (ENVIRONMENT / "bin" / "ansible-rulebook").exists():
        pytest.fail(f"This needs ansible-rulebook and Java {OLDEST_JAVA} or newer: run tools/prepare-rulebook.")


@contextmanager
def rulebook(directory: Path, node: Node, variables: dict[str, Any], host_vars: dict[str, Any]) -> Iterator[Callable[[], str]]:
    """ansible-rulebook with the rulebook of the collection; gives what returns its output so far, and ends it in the end."""
    host = {"ansible_connection": "sandbox", "ansible_python_interpreter": "/usr/bin/python3", "sandbox_pid": node.pid}
    inventory, values, log = directory / "inventory.json", directory / "vars.json", directory / "log"
    inventory.write_text(json.dumps({"network_nodes": {"hosts": {node.name: {**host, **host_vars}}}}))
    values.write_text(json.dumps(variables))
    settings = {
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "PATH": f"{ENVIRONMENT}/bin:{os.environ['PATH']}",
        "TMPDIR": str(directory),  # where it leaves what it gives each run
    }
    command = ["ansible-rulebook", "--rulebook", "netnode.l3.sync", "-i", str(inventory), "--vars", str(values), "-v"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory, env={**os.environ, **settings}
        ) as process,
    ):
        try:
            yield lambda: log.read_text(errors="replace")
            assert process.poll() is None, log.read_text(errors="replace")
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(LONGEST_END)
            finally:
                process.kill()


def test_a_change_in_neutron_comes_to_the_node_by_itself(server: NeutronServer, cloud: Cloud, host: str, tmp_path: Path) -> None:
    def routers() -> list[str]:
        return re.findall(r"^qrouter-(\S+)", node.run("ip", "netns", "list").stdout, re.MULTILINE)

    def rules(router_id: str) -> str:
        return node.run("ip", "netns", "exec", f"qrouter-{router_id}", "iptables-save", "-t", "nat").stdout

    def wait_for(condition: Callable[[], bool]) -> float:
        began = time.monotonic()
        while not condition():
            assert time.monotonic() < began + LONGEST_WAIT, said()
            time.sleep(0.1)
        return time.monotonic() - began

    variables = {
        "neutron_hosts": [host],
        "neutron_transport_url": server.transport_url,
        "neutron_availability_zone": host,
        "neutron_configurations": {"interface_driver": "bridge"},
    }
    host_vars = {
        "l3_sync_source": "neutron_rpc",
        "l3_sync_interface_driver": "bridge",
        "l3_sync_neutron_transport_url": server.transport_url,
        "l3_sync_neutron_availability_zone": host,
    }
    there, _networks = cloud.router("there before", "10.0.0.0/24", zone=host)
    with Node(host) as node:
        node.add_bridge("br-ex")
        with rulebook(tmp_path, node, variables, host_vars) as said:
            wait_for(lambda: routers() == [there.id])  # by the first event, of all routers

            router, (front,) = cloud.router("rulebook", "10.0.1.0/24", zone=host)
            took = wait_for(lambda: set(routers()) == {there.id, router.id})
            floating_ip = cloud.floating_ip(cloud.port(front))
            wait_for(lambda: floating_ip.floating_ip_address in rules(router.id))
            wait_for(lambda: bool(cloud.network.get_ip(floating_ip).status == "ACTIVE"))
            (agent,) = cloud.network.agents(host=host)
            assert agent.is_alive
            cloud.network.delete_ip(floating_ip)
            wait_for(lambda: floating_ip.floating_ip_address not in rules(router.id))
            cloud.unplug(router, front)
            cloud.network.delete_router(router)
            wait_for(lambda: routers() == [there.id])
            assert took < LONGEST_WAIT / 3
        # Each run but the first is for the router of its event only.
        assert "1 router: 1 changed, 0 failed, 0 skipped." in said()
        assert "2 routers" not in said()
        assert PASSWORD not in said()
