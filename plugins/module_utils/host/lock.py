# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time on a node: a lock that the kernel lets go of when its holder ends, however it ends.

The commands that it runs hold it as well: one that outlives a run that was killed goes on changing the node.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import Iterator

from ..errors import Refused
from . import cancellation, command

PATH = "/run/netnode-l3.lock"
_INTERVAL = 0.05  # seconds between tries


@contextmanager
def exclusive(timeout: float) -> Iterator[int]:
    """Hold the lock. Raises :class:`Refused`, naming the holder, when it is not free within ``timeout`` seconds.

    Gives the lock's descriptor: a process that inherits it holds the lock as well.
    """
    descriptor = os.open(PATH, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + timeout
        while not _taken(descriptor):
            cancellation.refuse_to_begin()
            if time.monotonic() >= deadline:
                raise Refused(
                    "Another run is at work on this node (%s), and did not end within %g seconds. Nothing was touched."
                    % (os.pread(descriptor, 100, 0).decode(errors="replace").strip() or "not known which", timeout)
                )
            time.sleep(_INTERVAL)
        sign(descriptor)
        command.kept_open.add(descriptor)
        yield descriptor
    finally:
        command.kept_open.discard(descriptor)
        os.close(descriptor)


def sign(descriptor: int, what: str = "") -> None:
    """Leave who holds the lock, for those that wait for it."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, ("%sprocess %d since %s\n" % (what, os.getpid(), time.strftime("%Y-%m-%d %H:%M:%S"))).encode(), 0)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
