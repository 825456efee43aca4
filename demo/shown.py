# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of a playbook and packets, shown to the reader of a demo."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from sandbox import Node, Play, run_playbook

Check = tuple[str, str, Callable[[], object], object]  # what, by which way, how it is seen, what is expected


def run(playbook: str, nodes: Sequence[Node], *arguments: str, **options: Any) -> Play:
    """Run a playbook, and print its recap; all of its output when it fails."""
    play = run_playbook(playbook, nodes, *arguments, **options)
    if play.status:
        print(play.output.strip())
    else:
        for summary in re.findall(r'"msg": "(\d+ routers?: .*)"', play.output):
            print(summary)
        print(play.output[play.output.index("PLAY RECAP") :].strip())
    print(f"({play.seconds:.1f} s)", flush=True)
    return play


def show(checks: list[Check]) -> int:
    """Look at each, print it, and return how many are not as expected."""
    failed = 0
    width = max(len(what) for what, _way, _seen, _expected in checks)
    for what, way, see, expected in checks:
        seen = see()
        right = seen == expected
        failed += not right
        result = f"{'ok' if right else 'FAILED'}"
        detail = f"seen as {seen}" if isinstance(expected, str) else ("arrived" if seen else "nothing arrived")
        print(f"  {result:6}  {what:{width}}  {way}: {detail}" + ("" if right else f", expected {expected}"), flush=True)
    return failed
