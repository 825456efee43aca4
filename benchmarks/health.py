# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A large node with metadata for all its routers: what the proxy and the kernel need, and how soon it is there again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sandbox import Machine, MetadataServer, Node

from .cases import Case, many_routers
from .measure import Figures, Row, run_case, settle
from .memory import memory_of

_SOCKET = "/var/lib/neutron/metadata_proxy"
_URL = "http://169.254.169.254/latest/meta-data/"
_OPEN_FILES = re.compile(r"^Max open files\s+(\d+)", re.MULTILINE)
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)
# The node's own namespace, and those of its routers.
_TRACKED = """
cat /proc/sys/net/netfilter/nf_conntrack_count
for namespace in /run/netns/qrouter-*; do
    nsenter --net="$namespace" cat /proc/sys/net/netfilter/nf_conntrack_count
done
"""


def measure_health(count: int) -> Iterator[Row]:
    """A row for each figure (``what``, ``value``, ``unit``) of a node with this many routers."""
    build, first, later, *_others = many_routers(count)
    with Node("health") as node:
        node.add_bridge("br-ex")
        MetadataServer(node, _SOCKET)
        available = _available_kib()
        built = _run(node, build)
        figures = [
            ("build", built["seconds"], "s"),
            ("memory of the engine", built["peak_kib"] / 1024, "MiB"),
            ("first check", _run(node, first)["seconds"], "s"),
            ("nothing to do", _run(node, later)["seconds"], "s"),
            ("memory taken on the machine", (available - _available_kib()) / 1024, "MiB"),
        ]
        machine = _machine(node, count - 1)
        figures.append(("a machine has its metadata", _answer_seconds(machine) * 1000, "ms"))
        figures += _of_proxy(node)
        figures += _of_connections(node)
        node.run("kill", "-KILL", *_pids_of_proxy(node))
        killed = time.perf_counter()
        # Every router has its listener again.
        again = _run(node, replace(later, name="proxy killed", changes=build.changes))
        _answer_seconds(machine)
        figures.append(("killed proxy, run that starts it again", again["seconds"], "s"))
        figures.append(("killed proxy, until it answers again", time.perf_counter() - killed, "s"))
    settle(count)
    for what, value, unit in figures:
        yield {"count": count, "what": what, "value": value, "unit": unit}


def _run(node: Node, case: Case) -> Figures:
    return run_case(node, case, metadata_upstream=f"unix:{_SOCKET}")


def _available_kib() -> int:
    match = _AVAILABLE.search(Path("/proc/meminfo").read_text(encoding="ascii"))
    return int(match[1]) if match else 0


def _machine(node: Node, number: int) -> Machine:
    """A machine on the first internal network of the router of this number, and of no other."""
    machine = Machine(node, "vm", f"brqn{number // 100:04}-0", ["10.0.0.250/24"], [("default", "10.0.0.1")])
    # The networks are shared, and all routers on it have this address.
    high, low = divmod(number, 250)
    router = f"fa:16:3e:00:{high:02x}:{low:02x}"
    machine.run("ip", "neigh", "replace", "10.0.0.1", "lladdr", router, "dev", "eth0", "nud", "permanent")
    return machine


def _answer_seconds(machine: Machine) -> float:
    done = machine.run(
        "curl", "--silent", "--show-error", "--fail", "--max-time", "5", "--retry", "3", "--retry-connrefused",
        "--output", "/dev/null", "--write-out", "%{time_total}", _URL,
    )  # fmt: skip
    return float(done.stdout)


def _pids_of_proxy(node: Node) -> list[str]:
    return node.run("pgrep", "-x", "haproxy").stdout.split()


def _of_proxy(node: Node) -> list[tuple[str, float, str]]:
    processes = [node.file(f"/proc/{pid}") for pid in _pids_of_proxy(node)]
    memory = [memory_of(process) for process in processes]
    opened = [sum(1 for _file in (process / "fd").iterdir()) for process in processes]
    limits = [_OPEN_FILES.search((process / "limits").read_text(encoding="ascii")) for process in processes]
    return [
        ("processes of the metadata proxy", len(processes), ""),
        ("memory of the proxy (Rss of all its processes)", sum(kib["Rss"] for kib in memory) / 1024, "MiB"),
        ("memory of the proxy (Pss of all its processes)", sum(kib["Pss"] for kib in memory) / 1024, "MiB"),
        ("open files of the proxy's largest process", max(opened), ""),
        ("limit of its open files", min(int(limit[1]) for limit in limits if limit), ""),
        ("processes on the node", sum(1 for _pid in node.file("/proc").glob("[0-9]*")), ""),
    ]


def _of_connections(node: Node) -> list[tuple[str, float, str]]:
    tracked = node.run("/bin/sh", "-e", text=_TRACKED, timeout=600).stdout.split()
    limit = node.run("cat", "/proc/sys/net/netfilter/nf_conntrack_max").stdout
    return [
        ("connections tracked in all namespaces", sum(map(int, tracked)), ""),
        ("limit of connections of a namespace", int(limit), ""),
    ]
