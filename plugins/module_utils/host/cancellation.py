# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that somebody ends by a signal: it finishes what it is at, begins nothing more, and says what it left.

The signal only leaves a note, which the run looks at between routers. A second one ends the process at once.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import Any, Iterator, List, Optional

from ..errors import Refused

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_noted: List[str] = []


@contextmanager
def heeded() -> Iterator[None]:
    """Have these signals heeded, but for those that are ignored, as nohup(1) has it. In the main thread only."""
    taken = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, _note) for number in taken}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_no_more() -> None:
    """In a process that goes on by itself, signals do again what they do to any; what was noted concerned the run."""
    _noted.clear()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def received() -> Optional[str]:
    """The name of the signal, None when there was none."""
    return _noted[0] if _noted else None


def refuse_to_begin() -> None:
    """Raise :class:`Refused` when the run was cancelled and has changed nothing yet."""
    if _noted:
        raise Refused("The run was cancelled (%s). Nothing was touched." % _noted[0])


def reason_to_leave() -> Optional[str]:
    """Why nothing more is begun for a router, in a sentence; None when there is no reason."""
    return "The run was cancelled (%s) before all was done; the next one goes on from there." % _noted[0] if _noted else None


def _note(number: int, _frame: Any) -> None:
    if _noted:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    _noted.append(signal.Signals(number).name)
