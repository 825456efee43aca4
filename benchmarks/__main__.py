# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure, print a table as the figures come, and with --write make RESULTS.md of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from . import results
from .firewall import measure_firewall
from .health import measure_health
from .measure import Row, measure_floating_ips, measure_routers
from .neutron import measure_neutron
from .nodes import measure_nodes
from .report import CASE, ENGINE, FIREWALL, HEALTH, NEUTRON, NODES, PLAYBOOK, Column, count_of, line


@dataclass(frozen=True)
class Part:
    """What can be measured by itself: for each count, ``measure`` gives rows.

    ``usual``: the counts of a usual run, which leaves the part out when there are none; ``full``: those of a full one.
    """

    measure: Callable[[int], Iterator[Row]]
    columns: Sequence[Column]
    usual: Sequence[int]
    full: Sequence[int]


PARTS = {
    "routers": Part(measure_routers, (count_of("routers"), CASE, *ENGINE, *PLAYBOOK), (1, 10, 100, 300), (1, 10, 100, 300, 1000)),
    "floating-ips": Part(measure_floating_ips, (count_of("floating IPs"), CASE, *ENGINE, *PLAYBOOK), (1000,), (1000, 5000)),
    "firewall": Part(measure_firewall, (count_of("floating IPs"), *FIREWALL), (10, 1000, 10000), (10, 1000, 10000)),
    "nodes": Part(measure_nodes, (count_of("nodes"), CASE, *NODES), (), (1, 5, 10, 20)),
    "neutron": Part(measure_neutron, (count_of("routers"), CASE, *NEUTRON), (), (100, 1000)),
    "health": Part(measure_health, (count_of("routers"), *HEALTH), (), (1000,)),
}


def main() -> None:
    """Measure the parts that are named, or all that have counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--counts", type=int, nargs="+", help="how many routers, floating IPs or nodes, instead of the usual")
    parser.add_argument("--full", action="store_true", help="all parts, and the large counts")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md and its picture")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.parts if name not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    for name in arguments.parts or PARTS:
        part = PARTS[name]
        # A part that is named is wanted, even if it is not part of a usual run.
        usual = part.full if arguments.full or (arguments.parts and not part.usual) else part.usual
        counts = arguments.counts or usual
        if counts:
            rows = _run(name, part, counts)
            if arguments.write:
                results.keep(name, rows)
                results.write()


def _run(name: str, part: Part, counts: Sequence[int]) -> list[Row]:
    print(f"\n{name}\n{line([column.title for column in part.columns], part.columns)}", flush=True)
    rows = []
    for count in counts:
        for row in part.measure(count):
            rows.append(row)
            print(line([column.cell(row) for column in part.columns], part.columns), flush=True)
    return rows


if __name__ == "__main__":
    main()
