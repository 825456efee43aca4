# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time against the number of routers, as a picture: the engine, the playbook and the floor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from .measure import Row

_COLOURS = {"build": "tab:blue", "first check": "tab:olive", "nothing to do": "tab:green", "remove all": "tab:red"}
_LINES = {"playbook": ("playbook_seconds", ":", "^"), "engine": ("seconds", "-", "o"), "floor": ("floor_seconds", "--", "x")}
_SAME = {"nothing to do"}  # its floor is that of the first check


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the rows of many routers on a node."""
    # The same figures give the same file, and text stays text.
    with rc_context({"svg.hashsalt": "netnode.l3", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(8, 6), layout="constrained")
        axes = figure.add_subplot(xscale="log", yscale="log", xlabel="routers on the node", ylabel="seconds")
        for who, (key, style, marker) in _LINES.items():
            for case, colour in _COLOURS.items():
                points = [(row["count"], row[key]) for row in rows if row["case"] == case and key in row]
                if points and not (who == "floor" and case in _SAME):
                    label = f"{who}: {'read back' if (who, case) == ('floor', 'first check') else case}"
                    axes.plot(*zip(*points, strict=True), style, marker=marker, color=colour, label=label, markersize=4)
        counts = sorted({row["count"] for row in rows})
        axes.set_xticks(counts, [f"{count:,}" for count in counts])
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
        axes.grid(visible=True, alpha=0.3)
        axes.legend(ncols=3, fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.1))
        figure.savefig(path, format="svg", metadata={"Date": None})
