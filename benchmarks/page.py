# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of RESULTS.md, around the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .firewall import CONNECTIONS, ROUNDS_OF_CONNECTIONS
from .measure import ROUNDS, ROUTERS_IN_ROUNDS
from .nodes import ROUTERS
from .report import CASE, ENGINE, FIREWALL, HEALTH, NEUTRON, NODES, PLAYBOOK, Column, count_of, markdown

PICTURE = "time-by-routers.svg"
_INTRODUCTION = f"""# Results

`make bench-full` writes this page; do not edit it. All nodes are sandboxed nodes of one machine, whose CPUs also run the
controller. A router has two internal networks, a gateway and five floating IPs.

Machines differ, and are noisy. The figure that counts is the ratio of the engine's time to the floor's, which are
measured minutes apart. Up to {ROUTERS_IN_ROUNDS} routers, each figure is the median of {ROUNDS} rounds; with more of
them, there is one round.
"""
_ENGINE = """The engine alone:

| column | is |
| --- | --- |
| s | the time of the module's work, without the start of Python |
| ms each | the same, divided by the number in the first column |
| CPU s | of the module and the processes that it started, with the start of Python |
| processes | how many it started |
| kB sent | the size of the module's parameters |
| peak MiB | the most memory of the module's process |
| floor s, floor CPU s | the same kernel objects, by bare tools alone |
| ratio | s divided by floor s, in the same round |

The floor is one shell script, which does one router after the other. To build: `ip -batch`, then `nsenter` with a shell
that writes the kernel parameters, `iptables-restore`, and `ip -batch`. The engine then finds nothing to do there. To
read back: `nsenter` with `ip -json -details -batch`, `iptables-save` and `ip6tables-save`. To remove: `ip netns delete`,
and waiting until the devices outside are gone.
"""
_CASES = """| case | is |
| --- | --- |
| build | all routers, on an empty node |
| first check | the next run, which finds nothing to do |
| nothing to do | the run after that |
| one floating IP changed | a run with state `replaced` and one router, whose floating IP has another fixed IP |
| 10 % drifted | of every tenth router, a floating IP, the source NAT or the default route was deleted by hand |
| remove all | a run with no routers, and `max_deletions` 100% |
"""
_PLAYBOOK = """The whole playbook `netnode.l3.sync`, from start to end; the first run, "build", prepares the node too. "Node
CPU s" is of all that the connection started on the node, and "controller CPU s" of Ansible alone. "Controller MiB" is
the most memory of `ansible-playbook` and its workers together (Pss, sampled ten times a second).
"""
_NEUTRON = """A real Neutron server on the same machine, with one process for its API and one for its message bus, is asked
for all routers of a node. "s" and "CPU s" are of asking alone, "CPU s" only the controller's. "requests" are those to
the API, for at most 1,000 objects each, or calls by the message bus. The playbook has nothing to do on the node.
"""


_FIREWALL = f"""By each firewall driver: "all s" is the time in which the engine gives a router all its floating IPs, and
"one s" that in which it changes one of them. "in µs" is what the first packet of a connection to the last floating IP
takes longer than the next one, and "out µs" that of a connection from a machine without a floating IP. Each is the median
of {ROUNDS_OF_CONNECTIONS} rounds of {CONNECTIONS:,} connections.
"""


@dataclass(frozen=True)
class _Section:
    heading: str
    blocks: Sequence[str | Sequence[Column]]  # texts and tables, in their order


_ROUTERS, _FLOATING_IPS, _NODES = count_of("routers"), count_of("floating IPs"), count_of("nodes")
_SECTIONS = {
    "routers": _Section(
        "Many routers on a node",
        (
            f"![Time by the number of routers]({PICTURE})\n",
            _CASES,
            _ENGINE,
            (_ROUTERS, CASE, *ENGINE),
            _PLAYBOOK,
            (_ROUTERS, CASE, *PLAYBOOK),
        ),
    ),
    "floating-ips": _Section(
        "One router with many floating IPs",
        (
            "The engine alone:\n",
            (_FLOATING_IPS, CASE, *ENGINE),
            "The whole playbook:\n",
            (_FLOATING_IPS, CASE, *PLAYBOOK),
        ),
    ),
    "firewall": _Section(
        "Firewall drivers",
        (_FIREWALL, (_FLOATING_IPS, *FIREWALL)),
    ),
    "nodes": _Section(
        "Many nodes in one play",
        (f"Each node has {ROUTERS} routers.\n", (_NODES, CASE, *NODES)),
    ),
    "neutron": _Section(
        "Neutron as the source",
        (_NEUTRON, (_ROUTERS, CASE, *NEUTRON)),
    ),
    "health": _Section(
        "A large node with metadata",
        ("Each router has metadata, by the one proxy of the node.\n", (_ROUTERS, *HEALTH)),
    ),
}


def page(environment: Mapping[str, str], parts: Mapping[str, Mapping[str, Any]]) -> str:
    """The page as Markdown. ``environment``: name -> version; ``parts``: by name, each with ``date`` and ``rows``."""
    versions = "".join(f"| {name} | {value} |\n" for name, value in environment.items())
    blocks = [_INTRODUCTION, f"| measured with | |\n| --- | --- |\n{versions}"]
    for name, section in _SECTIONS.items():
        if name in parts:
            part = parts[name]
            blocks.append(f"## {section.heading}\n\nMeasured on {part['date']}.\n")
            blocks += [block if isinstance(block, str) else markdown(part["rows"], block) for block in section.blocks]
    return "\n".join(blocks)
