# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many nodes in one play: whether what a node costs depends on how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from sandbox import Node

from .cases import many_routers
from .measure import Figures, Row, in_rounds, settle
from .playbook import play

ROUTERS = 20  # on each node
_FORKS = 20


def measure_nodes(count: int) -> Iterator[Row]:
    """A row for each case of a play on this many nodes."""
    return in_rounds(count, count * ROUTERS, lambda: _one_round(count))


def _one_round(count: int) -> dict[str, Figures]:
    build, first_check, nothing_to_do, *_others = many_routers(ROUTERS)
    with ExitStack() as stack:
        nodes = [stack.enter_context(Node(f"node{number}")) for number in range(count)]
        for node in nodes:
            node.add_bridge("br-ex")
        figures = {case.name: play(nodes, case, "--forks", str(_FORKS)) for case in (build, first_check, nothing_to_do)}
    settle(count * ROUTERS)
    return figures
