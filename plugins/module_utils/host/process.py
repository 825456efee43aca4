# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other processes of the node: what they are, and signals to no other than the one that is meant."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from typing import Callable, Dict, Iterator, List, Optional

_EXECUTED_WITHIN = 1.0  # seconds, on a node that is busy
_POLL = 0.005


def pids() -> List[int]:
    """All processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def arguments(pid: int, program: str) -> List[str]:
    """The command line of a process that executes this program; empty when there is no such one.

    That of a container on the node is none: it has a number there, and what its command line names is the container's.
    """
    words = _words(pid)
    if words == []:
        # A process that executes itself anew has no command line for a moment, but the name that it had; others have none
        # for good.
        deadline = time.monotonic() + _EXECUTED_WITHIN
        while words == [] and time.monotonic() < deadline and _executes(pid, program):
            time.sleep(_POLL)
            words = _words(pid)
    return words if words and os.path.basename(words[0]) == program and _executes(pid, program) else []


def _words(pid: int) -> Optional[List[str]]:
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return None


def status(pid: int) -> Dict[str, str]:
    """What the kernel says of a process (proc_pid_status(5)); empty when there is none."""
    try:
        with open("/proc/%d/status" % pid, encoding="utf-8", errors="replace") as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    except OSError:
        return {}


def _executes(pid: int, program: str) -> bool:
    """Whether it was started from a file of this name, has not ended, and is in no namespace of pids below ours."""
    said = status(pid)
    return said.get("Name") == program and said.get("State", "Z")[0] not in "ZX" and len(said.get("NSpid", "").split()) <= 1


def is_roots(pid: int) -> bool:
    """Whether it runs as root."""
    return set(status(pid).get("Uid", "-").split()) == {"0"}


def user(pid: int) -> int:
    """The number of the user that it runs as and nobody else; -1 when there is none."""
    numbers = set(status(pid).get("Uid", "").split())
    return int(numbers.pop()) if len(numbers) == 1 else -1


def parent(pid: int) -> int:
    """The process that it is a child of; 0 when there is no such process."""
    return int(status(pid).get("PPid", "0"))


def children(pid: int) -> List[int]:
    """The processes that it has started, and that have not ended."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def catches(pid: int, number: int) -> bool:
    """Whether a signal now would be handled by the process: its handler is there, and the signal is let through."""
    said, bit = status(pid), 1 << (number - 1)
    return bool(int(said.get("SigCgt", "0"), 16) & bit) and not int(said.get("SigBlk", "0"), 16) & bit


def send(pid: int, number: int, is_it: Callable[[int], bool]) -> bool:
    """Signal a process if it is the one that is meant, and say whether there was such a one. Raises PermissionError.

    Where the kernel and Python can (5.3, 3.9), no other one gets the signal that was given the number meanwhile.
    """
    try:
        with _held(pid) as descriptor:
            if not is_it(pid):
                return False
            if descriptor is None:
                os.kill(pid, number)
            else:
                signal.pidfd_send_signal(descriptor, number)  # type: ignore[attr-defined,unused-ignore]
    except ProcessLookupError:
        return False
    return True


@contextmanager
def _held(pid: int) -> Iterator[Optional[int]]:
    """A descriptor that stands for the process, whatever becomes of its number; None where there are none."""
    try:
        descriptor = os.pidfd_open(pid)  # type: ignore[attr-defined,unused-ignore]
    except ProcessLookupError:
        raise
    except (AttributeError, OSError):
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
