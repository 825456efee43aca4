# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The memory of processes, in KiB, as the kernel tells it."""

from __future__ import annotations

import re
import threading
from pathlib import Path

_INTERVAL = 0.1  # seconds
_ROLLUP = re.compile(r"^(Rss|Pss):\s+(\d+) kB$", re.MULTILINE)


def memory_of(process: Path) -> dict[str, int]:
    """``Rss`` and ``Pss`` of a process, given by its directory of /proc; 0 when it is gone.

    The Pss of processes that share memory can be summed up.
    """
    try:
        text = (process / "smaps_rollup").read_text(encoding="ascii")
    except OSError:
        text = ""
    return {"Rss": 0, "Pss": 0, **{name: int(kib) for name, kib in _ROLLUP.findall(text)}}


class Watch(threading.Thread):
    """Follows a process and its forks until left: ``peak_kib`` is the most memory that they had together."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_kib = 0
        self._process = Path()
        self._left = threading.Event()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._left.set()

    def follow(self, pid: int) -> None:
        """Begin."""
        self._process = Path("/proc", str(pid))
        self.start()

    def run(self) -> None:
        """Look at the processes ten times a second."""
        while not self._left.wait(_INTERVAL):
            together = sum(memory_of(process)["Pss"] for process in (self._process, *_forks(self._process)))
            self.peak_kib = max(self.peak_kib, together)


def _forks(process: Path) -> list[Path]:
    """Its children that run the same program: Ansible's workers, and not the commands that they start."""
    try:
        command = (process / "cmdline").read_bytes()
        children = (process / "task" / process.name / "children").read_text(encoding="ascii").split()
    except OSError:
        return []
    found = []
    for child in (Path("/proc", pid) for pid in children):
        try:
            if (child / "cmdline").read_bytes() == command:
                found.append(child)
        except OSError:
            continue
    return found
