# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Multiplies what a Neutron server wrote to its database, since its API takes seconds for each router.

Run by Neutron's own Python, with the URL of the database. It notes what is there and prints a line; after a line of
standard input with a number, it writes so many copies of all that has come since, with ids, MAC addresses and external
addresses of their own.
"""

from __future__ import annotations

import ipaddress
import re
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any

import sqlalchemy

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MAC = re.compile(r"fa:16:3e(:[0-9a-f]{2}){3}")
_EXTERNAL = re.compile(r"198\.18\.\d+\.\d+")
_FIRST_EXTERNAL = ipaddress.ip_address("198.18.128.0")  # Neutron itself takes lower ones while there are few
_NOT_OF_ROUTERS = ("quotausages", "reservations", "resourcedeltas")

Row = dict[str, Any]


def main() -> None:
    """Do it."""
    engine = sqlalchemy.create_engine(sys.argv[1])
    tables = sqlalchemy.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        there = {table.name: _rows(connection, table) for table in tables.sorted_tables}
    print("ready", flush=True)
    number = int(sys.stdin.readline())
    with engine.begin() as connection:
        new = {}
        for table in tables.sorted_tables:
            if table.name not in _NOT_OF_ROUTERS and len(table.primary_key):
                now = _rows(connection, table)
                new[table] = [row for key, row in now.items() if key not in there[table.name]]
        known = {found for rows in there.values() for row in rows.values() for found in _UUID.findall(str(row))}
        highest = connection.execute(sqlalchemy.text("select max(id) from standardattributes")).scalar_one()
        copies = _copies(new, _Names(known, highest), number)
        connection.execute(sqlalchemy.text("set foreign_key_checks = 0"))
        for table, rows in copies.items():
            if rows:
                connection.execute(table.insert(), rows)


def _rows(connection: sqlalchemy.Connection, table: sqlalchemy.Table) -> dict[tuple[Any, ...], Row]:
    keys = [column.name for column in table.primary_key]
    return {tuple(row[key] for key in keys): dict(row) for row in connection.execute(table.select()).mappings()}


class _Names:
    """Values that nothing has yet, for those of a pattern."""

    def __init__(self, known: set[str], highest: int) -> None:
        self._known = known
        self._attributes = count(highest + 1)
        self._patterns: dict[re.Pattern[str], Iterator[str]] = {
            _UUID: (str(uuid.uuid4()) for _number in count()),
            _MAC: (f"fa:16:3f:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}" for n in count()),
            _EXTERNAL: (str(_FIRST_EXTERNAL + number) for number in count()),
        }
        self._told: dict[Any, Any] = {}

    def begin_copy(self) -> None:
        """From now on, the same values get other ones than before."""
        self._told = {}

    def of(self, table: str, column: str, value: Any) -> Any:
        """The value in this copy."""
        if column == "standard_attr_id" or (table, column) == ("standardattributes", "id"):
            return self._other(value, self._attributes)
        if isinstance(value, str):
            for pattern, names in self._patterns.items():
                value = pattern.sub(partial(self._other_text, names), value)
        return value

    def _other_text(self, names: Iterator[Any], match: re.Match[str]) -> str:
        return str(self._other(match[0], names))

    def _other(self, value: Any, names: Iterator[Any]) -> Any:
        if value in self._known or value is None:
            return value
        if value not in self._told:
            self._told[value] = next(names)
        return self._told[value]


def _copies(new: dict[sqlalchemy.Table, list[Row]], names: _Names, number: int) -> dict[sqlalchemy.Table, list[Row]]:
    copies: dict[sqlalchemy.Table, list[Row]] = {table: [] for table in new}
    for _copy in range(number):
        names.begin_copy()
        for table, rows in new.items():
            copies[table] += [{column: names.of(table.name, column, row[column]) for column in row} for row in rows]
    return copies


if __name__ == "__main__":
    main()
