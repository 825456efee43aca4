# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows as tables: columns, and how they are written on a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .measure import Row

MISSING = "-"


@dataclass(frozen=True)
class Column:
    """What a column shows of a row. None, or a figure that the row does not have, is shown as missing."""

    title: str
    value: Callable[[Row], float | str | None]
    digits: int = 0

    def cell(self, row: Row) -> str:
        """The value as text."""
        try:
            value = self.value(row)
        except KeyError:
            return MISSING
        if value is None:
            return MISSING
        return value if isinstance(value, str) else f"{value:,.{self.digits}f}"


CASE = Column("case", lambda row: str(row["case"]))
ENGINE = (
    Column("s", lambda row: row["seconds"], 3),
    Column("ms each", lambda row: row["seconds"] * 1000 / row["count"], 2),
    Column("CPU s", lambda row: row["cpu_seconds"], 2),
    Column("processes", lambda row: row["processes"]),
    Column("kB sent", lambda row: row["bytes_sent"] / 1000, 1),
    Column("peak MiB", lambda row: row["peak_kib"] / 1024, 1),
    Column("floor s", lambda row: row["floor_seconds"], 3),
    Column("floor CPU s", lambda row: row["floor_cpu_seconds"], 2),
    Column("ratio", lambda row: row["ratio"], 2),
)
PLAYBOOK = (
    Column("playbook s", lambda row: row["playbook_seconds"], 2),
    Column("controller CPU s", lambda row: row["controller_cpu_seconds"], 2),
    Column("node CPU s", lambda row: row["node_cpu_seconds"], 2),
    Column("kB to node", lambda row: row["playbook_bytes_sent"] / 1000, 1),
    Column("kB from node", lambda row: row["playbook_bytes_received"] / 1000, 1),
    Column("controller MiB", lambda row: row["controller_kib"] / 1024, 1),
)
NODES = (
    Column("playbook s", lambda row: row["playbook_seconds"], 2),
    Column("s per node", lambda row: row["playbook_seconds"] / row["count"], 2),
    Column("controller CPU s per node", lambda row: row["controller_cpu_seconds"] / row["count"], 2),
    Column("node CPU s per node", lambda row: row["node_cpu_seconds"] / row["count"], 2),
    Column("kB to each node", lambda row: row["playbook_bytes_sent"] / row["count"] / 1000, 1),
    Column("controller MiB", lambda row: row["controller_kib"] / 1024, 1),
)
NEUTRON = (
    Column("s", lambda row: row["seconds"], 2),
    Column("ms each", lambda row: row["seconds"] * 1000 / row["count"], 2),
    Column("CPU s", lambda row: row["cpu_seconds"], 2),
    Column("requests", lambda row: row["requests"]),
    Column("playbook s", lambda row: row["playbook_seconds"], 2),
    Column("controller MiB", lambda row: row["controller_kib"] / 1024, 1),
)
FIREWALL = (
    Column("driver", lambda row: str(row["case"])),
    Column("all s", lambda row: row["apply_seconds"], 2),
    Column("one s", lambda row: row["changed_seconds"], 2),
    Column("in µs", lambda row: row["in_us"], 1),
    Column("out µs", lambda row: row["out_us"], 1),
)
_DIGITS = {"s": 2, "ms": 1, "MiB": 1, "": 0}  # by unit
HEALTH = (
    Column("what", lambda row: str(row["what"])),
    Column("value", lambda row: f"{row['value']:,.{_DIGITS[row['unit']]}f}"),
    Column("unit", lambda row: str(row["unit"])),
)


def count_of(title: str) -> Column:
    """The column of how many there are of what the title says."""
    return Column(title, lambda row: row["count"])


def line(cells: Sequence[str], columns: Sequence[Column]) -> str:
    """Cells as a line of a terminal: texts to the left, figures to the right."""
    return "  ".join(
        cell.ljust(_width(column)) if _is_text(column) else cell.rjust(_width(column))
        for cell, column in zip(cells, columns, strict=True)
    )


def _is_text(column: Column) -> bool:
    return column.title in ("case", "what", "unit", "driver")


def _width(column: Column) -> int:
    return {"case": 23, "what": 47}.get(column.title, max(len(column.title), 8))


def markdown(rows: Iterable[Row], columns: Sequence[Column]) -> str:
    """Rows as a table of Markdown, without those that have no figure for it."""
    lines = [[column.title for column in columns], ["---" if _is_text(column) else "---:" for column in columns]]
    cells_of_rows = [[column.cell(row) for column in columns] for row in rows]
    lines += [cells for cells in cells_of_rows if set(cells[2:]) != {MISSING}]  # the first two say of what a row is
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
