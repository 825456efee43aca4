# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run at a time on a node: a lock that the kernel lets go of when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import Iterator

from ..errors import Refused

PATH = "/run/netnode-l3.lock"
_INTERVAL = 0.05  # seconds between tries


@contextmanager
def exclusive(timeout: float) -> Iterator[None]:
    """Hold the lock. Raises :class:`Refused`, naming the holder, when it is not free within ``timeout`` seconds."""
    descriptor = os.open(PATH, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + timeout
        while not _taken(descriptor):
            if time.monotonic() >= deadline:
                raise Refused(
                    "Another run is at work on this node (%s), and did not end within %g seconds. Nothing was touched."
                    % (os.pread(descriptor, 100, 0).decode(errors="replace").strip() or "not known which", timeout)
                )
            time.sleep(_INTERVAL)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, ("process %d since %s\n" % (os.getpid(), time.strftime("%Y-%m-%d %H:%M:%S"))).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
