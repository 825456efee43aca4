# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RESULTS.md and its picture, made of what each part of the benchmark measured last."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from sandbox.playbook import CHECKOUT

from .environment import environment
from .measure import Row
from .page import PICTURE, page
from .plot import draw

_MEASURED = CHECKOUT / ".cache" / "benchmarks"
_PAGE = CHECKOUT / "benchmarks" / "RESULTS.md"


def keep(part: str, rows: Sequence[Row]) -> None:
    """Note what a part measured."""
    _MEASURED.mkdir(parents=True, exist_ok=True)
    today = datetime.now(UTC).date().isoformat()
    measured = {"date": today, "environment": environment(), "rows": rows}
    (_MEASURED / f"{part}.json").write_text(json.dumps(measured, indent=1), encoding="utf-8")


def write() -> None:
    """Write the page. Parts that were measured with other versions, or not at all, are left out."""
    here = environment()
    noted = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in _MEASURED.glob("*.json")}
    parts = {name: part for name, part in noted.items() if part["environment"] == here}
    _PAGE.write_text(page(here, parts), encoding="utf-8")
    if "routers" in parts:
        draw(parts["routers"]["rows"], _PAGE.with_name(PICTURE))
