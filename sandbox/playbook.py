# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running the collection's playbooks against sandboxed nodes and others, with the ansible-playbook of this environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .node import Node

CHECKOUT = Path(__file__).resolve().parents[1]
_RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Play:
    """What ansible-playbook printed, and its closing figures: host -> changed, host -> failed or unreachable tasks.

    ``cpu_seconds`` are those of the controller and of all that it ran, which with sandboxed nodes is on the same machine.
    """

    status: int
    output: str
    changed: Mapping[str, int]
    failed: Mapping[str, int]
    seconds: float
    cpu_seconds: float


def run_playbook(
    playbook: str,
    nodes: Sequence[Node],
    *arguments: str,
    host_vars: Mapping[str, Mapping[str, Any]] | None = None,
    **more: Any,
) -> Play:
    """Run a playbook on sandboxed nodes. ``host_vars``: data of single nodes; ``more``: of :func:`run_on_hosts`."""
    hosts = {
        node.name: {
            "ansible_connection": "sandbox",
            "ansible_python_interpreter": "/usr/bin/python3",
            "sandbox_pid": node.pid,
            **(host_vars or {}).get(node.name, {}),
        }
        for node in nodes
    }
    return run_on_hosts(playbook, hosts, *arguments, **more)


def run_on_hosts(
    playbook: str,
    hosts: Mapping[str, Mapping[str, Any]],
    *arguments: str,
    inventory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    started: Callable[[int], object] | None = None,
) -> Play:
    """Run a playbook on hosts with these variables, which are the group ``network_nodes``.

    ``inventory``: a further inventory, with the nodes' data; ``environment``: of ansible-playbook; ``started``: is told its pid.
    """
    with TemporaryDirectory() as directory:
        file = Path(directory, "nodes.json")
        file.write_text(json.dumps({"network_nodes": {"hosts": hosts}}), encoding="utf-8")
        inventories = ["-i", str(file)] if inventory is None else ["-i", str(inventory), "-i", str(file)]
        command = [str(Path(sys.executable).with_name("ansible-playbook")), *inventories, playbook, *arguments]
        settings = {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_LOCALHOST_WARNING": "false"}
        began = time.perf_counter()
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=CHECKOUT,
            env={**os.environ, **settings, **(environment or {})},
        ) as process:
            if started is not None:
                started(process.pid)
            assert process.stdout is not None
            output = process.stdout.read()
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    recap = _RECAP.findall(output)
    return Play(
        status=process.returncode,
        output=output,
        changed={host: int(changed) for host, changed, _unreachable, _failed in recap},
        failed={host: int(unreachable) + int(failed) for host, _changed, unreachable, failed in recap},
        seconds=time.perf_counter() - began,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
    )
