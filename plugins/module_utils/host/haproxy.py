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
from typing import Callable, FrozenSet, Optional, Set

from . import run_directory
from .command import CommandError, run

CONFIG = run_directory.PATH + "/metadata-proxy.cfg"
PID_FILE = run_directory.PATH + "/metadata-proxy.pid"
UNLOADED = run_directory.PATH + "/metadata-proxy.unloaded"  # there while the process may not have read its configuration
UNIT = "netnode-l3-metadata.service"
COMMAND = "haproxy"
_LOADED_WITHIN = 10.0  # seconds; a thousand namespaces take a tenth of one
_SIGNAL_AGAIN = 2.0  # seconds; a master that is still starting takes no notice of a signal
_POLL = 0.005


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
    return pid if _is_ours(pid) else None


def lost_master() -> Optional[int]:
    """The pid of a master process whose files are gone; it goes on listening, and must be found in its own way."""
    ours = {int(name) for name in os.listdir("/proc") if name.isdigit() and _is_ours(int(name))}
    for pid in ours:
        with suppress(OSError), open("/proc/%d/stat" % pid, encoding="ascii") as file:
            if int(file.read().rpartition(")")[2].split()[1]) not in ours:
                return pid
    return None


def sockets() -> FrozenSet[str]:
    """The inodes of the sockets that the running process has."""
    found = set()
    for pid in _workers():
        with suppress(OSError):
            for descriptor in os.listdir("/proc/%d/fd" % pid):
                with suppress(OSError):
                    target = os.readlink("/proc/%d/fd/%s" % (pid, descriptor))
                    if target.startswith("socket:["):
                        found.add(target[len("socket:[") : -1])
    return frozenset(found)


def _is_ours(pid: int) -> bool:
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return CONFIG.encode() in file.read().split(b"\0")
    except OSError:
        return False


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
    if pid is None:
        _start()
    else:
        _reload(pid)
    os.unlink(UNLOADED)


def stop() -> None:
    """End the process, and remove what it was given."""
    if _has_unit():
        run(["systemctl", "stop", UNIT])
        _forget_failures()
    pid = master() or lost_master()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        if not _wait(lambda: not _is_ours(pid)):
            os.kill(pid, signal.SIGKILL)
    for path in (CONFIG, PID_FILE, UNLOADED):
        with suppress(FileNotFoundError):
            os.unlink(path)


def _has_unit() -> bool:
    places = ("/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/")
    return os.path.isdir("/run/systemd/system") and any(os.path.exists(place + UNIT) for place in places)


def _start() -> None:
    if _has_unit():
        _forget_failures()
        result = run(["systemctl", "restart", UNIT], accept=range(256))
        if result.returncode != 0:
            raise _complaint(result.stderr)
    else:
        run([COMMAND, "-W", "-D", "-p", PID_FILE, "-f", CONFIG])
    if not _wait(lambda: bool(_workers())):
        raise _complaint()


def _reload(pid: int) -> None:
    """The master reads its configuration, binds what is new, and forks a worker, whose first act is to have the old one
    close what it no longer needs.
    """
    before = _workers()
    deadline = time.monotonic() + _LOADED_WITHIN
    while time.monotonic() < deadline:
        os.kill(pid, signal.SIGUSR2)
        if _wait(lambda: bool(_workers() - before), _SIGNAL_AGAIN):
            return
        if run([COMMAND, "-c", "-f", CONFIG], accept=range(256)).returncode != 0:
            break
    raise _complaint()


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
    try:
        with open("/proc/%s/task/%s/children" % (pid, pid), encoding="ascii") as file:
            return {int(child) for child in file.read().split()}
    except OSError:
        return set()


def _wait(condition: Callable[[], bool], seconds: float = _LOADED_WITHIN) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True
