# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine waits by the clock that nobody sets: the time of day can jump as it likes."""

from __future__ import annotations

import ast
from pathlib import Path

ENGINE = Path(__file__).parents[2] / "plugins" / "module_utils"
# Functions of the module time that do not ask for the time of day, and the one that shows it to a person.
HARMLESS = {"monotonic", "sleep", "strftime"}


def test_nothing_depends_on_the_time_of_day() -> None:
    used = set()
    for file in ENGINE.rglob("*.py"):
        for part in ast.walk(ast.parse(file.read_text())):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "time":
                used.add(part.attr)
            if isinstance(part, (ast.Import, ast.ImportFrom)):
                names = {alias.name for alias in part.names} | {getattr(part, "module", None)}
                assert "datetime" not in names, file
                assert getattr(part, "module", None) != "time", file
    assert used == HARMLESS
