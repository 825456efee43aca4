# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that does runs of the engine on a sandboxed node: by the node's own Python, without Ansible.

With a path, it serves a unix socket there: each connection is a request in JSON, done by a fork, so that a run needs no
start of Python and knows nothing of others. With ``-`` it does the one request of its standard input.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import resource
import signal
import socketserver
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / ".cache"))
from ansible_collections.netnode.l3.plugins.module_utils import confirm_run, module, node_run, object_run, probe_run
from ansible_collections.netnode.l3.plugins.module_utils.host import (
    agent,
    command,
    conntrack,
    haproxy,
    ip,
    iptables,
    ovs,
    policy_rules,
    radvd,
    run_directory,
    sysctl,
)

# What changes the node, besides ip.batch, in whose lines there are steps as well.
_CHANGES = (
    (agent, "end_metadata_proxy"),
    (agent, "end_radvd"),
    (conntrack, "delete_flows_through"),
    (haproxy, "load"),
    (haproxy, "stop"),
    (iptables, "restore"),
    (ovs, "change"),
    (policy_rules, "delete"),
    (policy_rules, "restore"),
    (radvd, "end"),
    (radvd, "load"),
    (run_directory, "write"),
    (sysctl, "write"),
)


_WORK = {
    "routers": node_run.run_node,
    "router": object_run.run_router,
    "interface": object_run.run_interface,
    "floating_ip": object_run.run_floating_ip,
    "confirm": confirm_run.run_confirm,
    "probe": probe_run.run_probe,
}


class _Left(Exception):
    """The module has given its result."""


class _Module:
    """What the engine needs of an AnsibleModule."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.params, self.check_mode, self._diff = request["params"], request["check"], request["diff"]
        self.result: dict[str, Any] = {}
        self.warnings: list[str] = []

    def warn(self, warning: str) -> None:
        """Keep a warning."""
        self.warnings.append(warning)

    def exit_json(self, **result: Any) -> None:
        """Keep the result, and leave."""
        self.result = {**result, **({"warnings": self.warnings} if self.warnings else {})}
        raise _Left

    def fail_json(self, msg: str, **result: Any) -> None:
        """Keep the message, and leave."""
        self.exit_json(**result, failed=True, msg=msg)

    def log(self, message: str) -> None:
        """Nobody reads it."""


class _Steps:
    """Counts the steps that change the node. Before the one of the number ``end_before``, the process is killed, as anybody
    could kill it then.
    """

    def __init__(self, end_before: int | None) -> None:
        self.end_before = end_before
        self.done = self.ip_lines = 0
        self._lock = Lock()
        self._pid = os.getpid()  # what the run leaves behind, such as a guard, goes on
        self._batch = ip.batch
        ip.batch = self._lines
        for adapter, name in _CHANGES:
            setattr(adapter, name, self._counted(getattr(adapter, name)))

    def _take(self, steps: int) -> int:
        """How many of the next steps may still be done."""
        with self._lock:
            room = steps if self.end_before is None or os.getpid() != self._pid else min(steps, self.end_before - self.done)
            self.done += room
            return room

    def _counted(self, change: Any) -> Any:
        def counted(*arguments: Any, **keywords: Any) -> Any:
            if not self._take(1):
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*arguments, **keywords)

        return counted

    def _lines(self, lines: Sequence[str], command: str = "ip") -> None:
        self.ip_lines += len(lines) if command == "ip" else 0
        room = self._take(len(lines))
        if room:
            self._batch(lines[:room], command)
        if room < len(lines):
            os.kill(os.getpid(), signal.SIGKILL)


def _run(request: dict[str, Any]) -> dict[str, Any]:
    """Do a run: its result, with what it took as ``cost``."""
    for name, value in request["settings"].items():
        setattr(command, name, value)
    steps = _Steps(request["end_before"])
    face = _Module(request)
    started = time.perf_counter()
    with contextlib.suppress(_Left):
        module.run_module(face, _WORK[request["work"]])
    seconds = time.perf_counter() - started
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    face.result["cost"] = {
        "ip_lines": steps.ip_lines,
        "steps": steps.done,
        "seconds": seconds,
        "cpu_seconds": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        "processes": len(command.started),
        "commands": dict(collections.Counter(command.started)),
        "peak_kib": own.ru_maxrss,
    }
    return face.result


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    max_children = 100
    request_queue_size = 100


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Do one run."""
        answer: dict[str, Any]
        try:
            answer = {"result": _run(json.load(self.rfile))}
        except Exception:  # the test shows it
            answer = {"traceback": traceback.format_exc()}
        self.wfile.write(json.dumps(answer).encode())


def main(where: str) -> None:
    """Serve the socket, or do the run of the standard input."""
    if where == "-":
        json.dump({"result": _run(json.load(sys.stdin))}, sys.stdout)
        return
    with _Server(where, _Handler) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
