# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A case by the whole playbook: what it costs the controller, what the nodes, and what goes between them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sandbox import Node, run_playbook
from sandbox.playbook import CHECKOUT

from .cases import Case
from .memory import Watch

_PLUGINS = ("sandbox/connection_plugins", "benchmarks/connection_plugins")


def play(nodes: Sequence[Node], case: Case, *arguments: str) -> dict[str, float]:
    """Run the playbook with the case's routers on each node.

    ``node_cpu_seconds`` is of all that the connection started on the nodes, ``controller_cpu_seconds`` of all else.
    """
    variables = {
        "ansible_connection": "metered",
        "l3_sync_routers": case.routers,
        "l3_sync_state": case.state,
        "l3_sync_interface_driver": "bridge",
        "l3_sync_max_deletions": "100%",
    }
    host_vars: Mapping[str, Mapping[str, Any]] = {node.name: variables for node in nodes}
    with TemporaryDirectory() as directory, Watch() as memory:
        meter = Path(directory, "meter")
        environment = {
            "ANSIBLE_CONNECTION_PLUGINS": ":".join(str(CHECKOUT / plugins) for plugins in _PLUGINS),
            "NETNODE_METER": str(meter),
        }
        done = run_playbook(
            "netnode.l3.sync", nodes, *arguments, host_vars=host_vars, environment=environment, started=memory.follow
        )
        _require_done(nodes, case, done.status, done.changed, done.output)
        metered = [json.loads(line) for line in meter.read_text(encoding="ascii").splitlines()]
    on_nodes = sum(call["cpu_seconds"] for call in metered)
    return {
        "playbook_seconds": done.seconds,
        "controller_cpu_seconds": done.cpu_seconds - on_nodes,
        "node_cpu_seconds": on_nodes,
        "playbook_bytes_sent": sum(call["sent"] for call in metered),
        "playbook_bytes_received": sum(call["received"] for call in metered),
        "controller_kib": memory.peak_kib,
    }


def _require_done(nodes: Sequence[Node], case: Case, status: int, changed: Mapping[str, int], output: str) -> None:
    wrong = [node.name for node in nodes if (changed.get(node.name, 0) > 0) is not bool(case.changes)]
    if case.state == "overridden":
        wrong += [node.name for node in nodes if _routers_on(node) != len(case.routers)]
    if status or wrong:
        raise SystemExit(f"{case.name}: the playbook went wrong {', '.join(wrong)}:\n{output}")


def _routers_on(node: Node) -> int:
    names = node.file("/run/netns")
    return sum(1 for _name in names.glob("qrouter-*")) if names.is_dir() else 0
