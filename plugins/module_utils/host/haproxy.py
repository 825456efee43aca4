# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The node's one haproxy, in master-worker mode: under systemd where the role put its unit, else by a pid file.

Its files are in /run: after a reboot there are no namespaces that it could listen in, and no configuration either.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Callable, FrozenSet, Iterable, Optional, Set

from . import process, run_directory, systemd
from .command import CommandError, run

CONFIG = run_directory.PATH + "/metadata-proxy.cfg"
PID_FILE = run_directory.PATH + "/metadata-proxy.pid"
UNLOADED = run_directory.PATH + "/metadata-proxy.unloaded"  # there while the process may not have read its configuration
UNIT = "netnode-l3-metadata.service"
COMMAND = "haproxy"
_LOADED_WITHIN = 10.0  # seconds; a thousand namespaces take a tenth of one
_SIGNAL_AGAIN = 2.0  # seconds, should a signal be lost all the same
_READY_WITHIN = 2.0  # seconds; a start takes less than a tenth of one
_POLL = 0.005
_EXECUTED_WITHIN = 1.0  # seconds, on a node that is busy


def configuration() -> Optional[str]:
    """The text that the process was given, or was about to be; None when there is none."""
    try:
        with open(CONFIG, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return None


def is_loaded() -> bool:
    """Whether the process is known to have read its configuration: a run can end before it has."""
    return not os.path.exists(UNLOADED)


def master() -> Optional[int]:
    """The pid of the running master process; None when there is none."""
    try:
        with open(PID_FILE, encoding="ascii") as file:
            pid = int(file.read())
    except (OSError, ValueError):
        return None
    return pid if _is_master(pid) else None


def lost_master() -> Optional[int]:
    """The pid of a master process whose files are gone; it goes on listening, and must be found in its own way."""
    ours = {pid for pid in process.pids() if _is_ours(pid)}
    for pid in ours:
        # A worker whose master was killed looks like one.
        if process.parent(pid) not in ours and _is_master(pid) and _becomes_ready(pid):
            return pid
    # Such workers end in a moment, and until then nobody else can listen where they do.
    _wait(lambda: not any(_is_ours(pid) for pid in ours), _READY_WITHIN)
    return None


def sockets() -> FrozenSet[str]:
    """The inodes of the sockets that the running process has."""
    # The kernel's list of children can lack some in the moment in which another one ends.
    deadline = time.monotonic() + _EXECUTED_WITHIN
    found = _sockets_of(_workers())
    while not found and time.monotonic() < deadline:
        time.sleep(_POLL)
        found = _sockets_of(_workers())
    return frozenset(found)


def _sockets_of(pids: Iterable[int]) -> Set[str]:
    found = set()
    for pid in pids:
        with suppress(OSError):
            for descriptor in os.listdir("/proc/%d/fd" % pid):
                with suppress(OSError):
                    target = os.readlink("/proc/%d/fd/%s" % (pid, descriptor))
                    if target.startswith("socket:["):
                        found.add(target[len("socket:[") : -1])
    return found


def _is_ours(pid: int) -> bool:
    """Whether it is a master process or a worker. Others can name the files too, such as an editor, or a check of them."""
    words = process.arguments(pid, COMMAND)
    pairs = set(zip(words, words[1:]))
    return {("-p", PID_FILE), ("-f", CONFIG)} <= pairs and not {"-W", "-Ws"}.isdisjoint(words)


def _is_master(pid: int) -> bool:
    """Whether it is ours, and root's: a worker need not be."""
    return _is_ours(pid) and process.is_roots(pid)


def _becomes_ready(pid: int) -> bool:
    """Wait for a master that is starting, or has just forked a worker: it takes no notice of a signal to reload, and one to
    end leaves its workers behind. Whether it heeds them now; a worker never does.
    """
    _wait(lambda: process.catches(pid, signal.SIGUSR2) or not _is_master(pid), _READY_WITHIN)
    return process.catches(pid, signal.SIGUSR2)


def load(text: str) -> None:
    """Have the process run with this configuration, starting it when there is none. Connections go on.

    Raises :class:`CommandError` with what haproxy says; the process that runs then goes on as it was.
    """
    run_directory.write(UNLOADED, "")
    run_directory.write(CONFIG, text)
    pid = master()
    if pid is None:
        pid = lost_master()
        if pid is not None:
            run_directory.write(PID_FILE, "%d\n" % pid)
    if pid is None or not _reload(pid):
        _start()
    os.unlink(UNLOADED)


def stop() -> None:
    """End the process, and remove what it was given."""
    if has_unit():
        run(["systemctl", "stop", UNIT])
        _forget_failures()
    pid = master() or lost_master()
    if pid is not None:
        _end(pid)
    for path in (CONFIG, PID_FILE, UNLOADED):
        with suppress(FileNotFoundError):
            os.unlink(path)


def has_unit() -> bool:
    """Whether systemd starts and stops the process."""
    places = ("/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")
    return systemd.runs() and any(os.path.exists(place + UNIT) for place in places)


def _start() -> None:
    if has_unit():
        _forget_failures()
        result = run(["systemctl", "restart", UNIT], accept=range(256))
        if result.returncode != 0:
            raise _complaint(result.stderr)
    else:
        run([COMMAND, "-W", "-D", "-p", PID_FILE, "-f", CONFIG], stays=True)
    if not _wait(lambda: bool(_workers())):
        raise _complaint()


def _reload(pid: int) -> bool:
    """The master reads its configuration, binds what is new, and forks a worker, whose first act is to have the old one
    close what it no longer needs. Whether there is a master: it can end at any time.
    """
    _becomes_ready(pid)
    before = set(process.children(pid))
    deadline = time.monotonic() + _LOADED_WITHIN
    while time.monotonic() < deadline:
        if not process.send(pid, signal.SIGUSR2, _is_master):
            return False
        if _wait(lambda: bool(set(process.children(pid)) - before) or not _is_master(pid), _SIGNAL_AGAIN):
            return _is_master(pid)
        if run([COMMAND, "-c", "-f", CONFIG], accept=range(256)).returncode != 0:
            break
    raise _complaint()


def _end(pid: int) -> None:
    """End a master process with its workers. One that is killed leaves them, and they end by themselves."""
    _becomes_ready(pid)
    workers = set(process.children(pid))
    process.send(pid, signal.SIGTERM, _is_master)
    if not _wait(lambda: not _is_master(pid)):
        process.send(pid, signal.SIGKILL, _is_master)
    if not _wait(lambda: not any(_is_ours(worker) for worker in workers)):
        for worker in workers:
            process.send(worker, signal.SIGKILL, _is_ours)


def _forget_failures() -> None:
    """Have systemd forget that the unit failed, which would count against its next start, and stay in its list."""
    run(["systemctl", "reset-failed", UNIT], accept=range(256))  # it exits so when the unit is not loaded


def _complaint(otherwise: str = "the metadata proxy did not take its configuration") -> CommandError:
    """What haproxy says against its configuration, or what else is known."""
    check = [COMMAND, "-c", "-f", CONFIG]
    result = run(check, accept=range(256))
    return CommandError(check, result.stderr if result.returncode != 0 else otherwise)


def _workers() -> Set[int]:
    pid = master() or lost_master()
    return set() if pid is None else set(process.children(pid))


def _wait(condition: Callable[[], bool], seconds: float = _LOADED_WITHIN) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True
