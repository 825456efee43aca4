# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One round of cases: by bare tools, by the engine alone, and by the whole playbook, each on a node of its own."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sandbox import Node
from sandbox.engine import DEFAULTS, How, run_engine

from .cases import Case, many_floating_ips, many_routers
from .floor import Floor
from .playbook import play

Figures = dict[str, float]
Row = dict[str, Any]
OPTIONS = {"send_arp_for_ha": 3}
_COST = ("seconds", "cpu_seconds", "processes", "peak_kib")
ROUNDS = 3  # of which the median counts
ROUTERS_IN_ROUNDS = 100  # with more routers, one round has enough of them


def measure_routers(count: int) -> Iterator[Row]:
    """A row for each case of many routers on a node."""
    cases = many_routers(count)
    return in_rounds(count, count, lambda: _one_round(cases, count))


def measure_floating_ips(count: int) -> Iterator[Row]:
    """A row for each case of one router with many floating IPs."""
    cases = many_floating_ips(count)
    return in_rounds(count, 1, lambda: _one_round(cases, 1))


def in_rounds(count: int, routers: int, one_round: Callable[[], Mapping[str, Figures]]) -> Iterator[Row]:
    """A row for each case that a round measures: ``count``, ``case``, ``rounds``, and the medians of its figures.

    ``count``: of what there are many; ``routers``: how many a round makes.
    """
    rounds = ROUNDS if routers <= ROUTERS_IN_ROUNDS else 1
    measured = [one_round() for _round in range(rounds)]
    for case in measured[0]:
        yield {"count": count, "case": case, "rounds": rounds, **medians([figures[case] for figures in measured])}


def medians(figures: Sequence[Figures]) -> Figures:
    """The median of each figure."""
    return {name: statistics.median(found[name] for found in figures) for name in figures[0]}


def _one_round(cases: Sequence[Case], routers: int) -> dict[str, Figures]:
    floor = _on_empty_node("floor", routers, lambda node: _run_floor(node, cases))
    engine = _on_empty_node("engine", routers, lambda node: {case.name: run_case(node, case) for case in cases})
    playbook = _on_empty_node(
        "playbook", routers, lambda node: {case.name: play([node], case) for case in cases if not case.drift}
    )
    figures: dict[str, Figures] = {}
    for case in cases:
        found = {**engine[case.name], **floor.get(case.name, {}), **playbook.get(case.name, {})}
        if "floor_seconds" in found:
            found["ratio"] = found["seconds"] / found["floor_seconds"]
        figures[case.name] = found
    return figures


def _on_empty_node(name: str, routers: int, run: Callable[[Node], dict[str, Figures]]) -> dict[str, Figures]:
    with Node(name) as node:
        node.add_bridge("br-ex")
        figures = run(node)
    settle(routers)
    return figures


def _run_floor(node: Node, cases: Sequence[Case]) -> dict[str, Figures]:
    """The figures of what bare tools do in place of each case that has a floor; cases can have the same."""
    floor = Floor(node, cases[0].routers)
    ways = {"build": floor.build, "read back": floor.read_back, "remove": floor.remove}
    measured: dict[str, Figures] = {}
    for case in cases:
        if case.floor and case.floor not in measured:
            measured[case.floor] = ways[case.floor]()
    return {case.name: measured[case.floor] for case in cases if case.floor}


def run_case(node: Node, case: Case, **options: Any) -> Figures:
    """Run the engine alone. ``bytes_sent`` is the size of its parameters as JSON."""
    if case.drift:
        node.run("/bin/sh", "-e", text=case.drift)
    options = {**OPTIONS, **options}
    result = run_engine(node, case.routers, case.state, how=How(fresh=True), **options)
    if "failed" in result:
        raise SystemExit(f"{case.name}: {result['msg']}")
    changed = {entry["id"] for entry in result["routers"] if entry["changed"]}
    if changed != case.changes:
        wrong = min(changed ^ case.changes)
        raise SystemExit(f"{case.name}: {len(changed)} routers changed, {len(case.changes)} were to. Wrong is {wrong}, or more.")
    parameters = {**DEFAULTS, "routers": case.routers, "state": case.state, **options}
    return {**{name: result["cost"][name] for name in _COST}, "bytes_sent": len(json.dumps(parameters))}


def settle(routers: int) -> None:
    """Let the kernel take away the namespaces of a node that has ended; it would compete with the next one."""
    time.sleep(1 + routers / 50)
