# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a run is, left in a file for whoever wants to know: the controller, or a person on the node."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import Optional, Type

from . import run_directory

FILE = run_directory.PATH + "/progress.json"
INTERVAL = 1.0  # seconds from the beginning to the first writing, and from one to the next


class Progress:
    """Counts routers, stage by stage. A context manager: the file is written within the context alone, and removed in its
    end; outside of one, as in check mode, the counting leaves no trace.

    The file is an object with ``stage`` (``read`` or ``converged``: what is done with routers), ``routers`` (how many there
    are), and how many of them are ``done``, ``changed`` and ``failed``.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._due = float("inf")
        self._written = False
        self.begin("read", 0)

    def __enter__(self) -> Progress:
        self._due = time.monotonic() + INTERVAL
        return self

    def __exit__(
        self, _kind: Optional[Type[BaseException]], _error: Optional[BaseException], _traceback: Optional[TracebackType]
    ) -> None:
        if self._written:
            with suppress(OSError):
                os.unlink(FILE)

    def begin(self, stage: str, routers: int) -> None:
        """A stage begins, for so many routers."""
        self._stage, self._routers = stage, routers
        self._done = self._changed = self._failed = 0

    def advance(self, changed: bool = False, failed: bool = False) -> None:
        """One router more is done; may be called by several threads."""
        with self._lock:
            self._done += 1
            self._changed += changed
            self._failed += failed
            if time.monotonic() >= self._due:
                self._due = time.monotonic() + INTERVAL
                self._write()

    def _write(self) -> None:
        self._written = True
        counts = {"routers": self._routers, "done": self._done, "changed": self._changed, "failed": self._failed}
        with suppress(OSError):  # it is of no use to the run itself
            run_directory.write(FILE, json.dumps({"stage": self._stage, **counts}))
