# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make sandboxed nodes that stay when this command ends: for Molecule, each step of which is a process of its own.

The nodes are there as long as the file that tells of them, which is an inventory of Ansible. Whoever removes it ends them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .node import Node, RunningNode
from .openvswitch import OpenVSwitch

_LOOK = 0.1  # seconds


def main() -> int:
    """Make the nodes, and return when they are there."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.hold", description="Make sandboxed nodes that stay.")
    parser.add_argument("inventory", type=Path, help="the file that is written; when it is removed, the nodes end")
    parser.add_argument("names", nargs="+", metavar="name", help="a node")
    parser.add_argument("--openvswitch", action="append", default=[], metavar="NAME", help="a node that has Open vSwitch running")
    parser.add_argument("--wire", nargs=2, default=[], metavar="NAME", help="two nodes, between whose devices uplink is a wire")
    options = parser.parse_args()
    for name in (*options.openvswitch, *options.wire):
        if name not in options.names:
            parser.error(f"{name} is none of the nodes: {', '.join(options.names)}")
    told, tell = os.pipe()
    if os.fork():
        os.close(tell)
        return 0 if os.read(told, 1) else 1
    os.setsid()
    nodes = _make(options.names, options.openvswitch, options.wire)
    _write(options.inventory, nodes)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    os.write(tell, b".")
    os.close(tell)
    while options.inventory.exists():
        time.sleep(_LOOK)
    for node in nodes.values():
        node.stop()
    return 0


def running(inventory: Path, name: str) -> RunningNode:
    """A node of such an inventory."""
    hosts = json.loads(inventory.read_text(encoding="utf-8"))["sandbox"]["hosts"]
    return RunningNode(name, hosts[name]["sandbox_pid"])


def _make(names: Sequence[str], with_switch: Sequence[str], wire: Sequence[str]) -> dict[str, Node]:
    nodes = {name: Node(name) for name in names}
    for name in with_switch:
        OpenVSwitch(nodes[name])
    if wire:
        one, other = (nodes[name] for name in wire)
        # Only into the network of the one, so that the other's pid is one of this process's numbers.
        inside = ["nsenter", "--target", str(one.pid), "--net", "--"]
        pair = ["ip", "link", "add", "name", "uplink", "type", "veth", "peer", "name", "uplink", "netns", str(other.pid)]
        subprocess.run([*inside, *pair], check=True)
    return nodes


def _write(inventory: Path, nodes: dict[str, Node]) -> None:
    variables = {"ansible_connection": "sandbox", "ansible_python_interpreter": "/usr/bin/python3"}
    hosts = {name: {"sandbox_pid": node.pid} for name, node in nodes.items()}
    text = json.dumps({"sandbox": {"hosts": hosts, "vars": variables}}, indent=2)
    inventory.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
