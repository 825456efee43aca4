# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that go on after the run, and that nobody waits for."""

from __future__ import annotations

import fcntl
import os
from typing import Callable, Sequence

from . import cancellation, command

FIRST = 3  # the descriptor that a detached process finds its first one at, behind the standard three
_OUT_OF_THE_WAY = 100


def detached(work: Callable[[], None], descriptors: Sequence[int]) -> None:
    """Have ``work`` done by a process of its own: out of the module's process group and without its descriptors, for both of
    which the module's caller waits. To it, ``descriptors`` are ``FIRST`` and those that follow. Raises OSError.
    """
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        cancellation.ignore_no_more()
        command.kept_open.clear()
        if os.fork() == 0:
            os.chdir("/")
            null = os.open(os.devnull, os.O_RDWR)
            kept = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, _OUT_OF_THE_WAY) for descriptor in (null, null, null, *descriptors)]
            for number, descriptor in enumerate(kept):
                os.dup2(descriptor, number)
            os.closerange(len(kept), max(64, *(int(name) + 1 for name in os.listdir("/proc/self/fd"))))
            work()
    finally:
        os._exit(0)
