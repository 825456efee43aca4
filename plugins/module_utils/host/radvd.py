# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes of radvd, one for a router, each known by its pid file and by its command line. Where there is systemd, each is a
service until the next boot, and started again when it is killed.

It listens to what machines of tenants send, and so gives up root once it has its socket.
"""

from __future__ import annotations

import os
import pwd
import re
import signal
import time
from contextlib import suppress
from functools import lru_cache
from typing import Callable, Dict, List, Mapping, Optional, Set, Tuple

from . import netns, process, run_directory, systemd
from .command import CommandError, run

COMMAND = "radvd"
USER = "radvd"  # whom the package makes
_CONFIG = run_directory.PATH + "/radvd-%s.conf"
_PID_FILE = run_directory.PATH + "/radvd-%s.pid"
_UNIT = "netnode-l3-radvd-%s.service"
_FILE = re.compile(r"radvd-(.+)\.(?:conf|pid)\Z")
_UNREAD = "# The process may not have read this yet.\n"
_READY_WITHIN = 2.0  # seconds; a start takes a hundredth of one
_ENDS_WITHIN = 5.0
_POLL = 0.002


def arguments(router_id: str) -> List[str]:
    """What it is called with for a router; no other process is taken for it."""
    return ["-C", _CONFIG % router_id, "-p", _PID_FILE % router_id, "-m", "stderr_syslog", "-u", USER]


def known() -> Set[str]:
    """Ids of the routers that there are files of."""
    try:
        names = os.listdir(run_directory.PATH)
    except FileNotFoundError:
        return set()
    return {match.group(1) for match in map(_FILE.match, names) if match}


def running(router_id: str) -> Optional[int]:
    """The process by a router's pid file; None when there is none."""
    try:
        with open(_PID_FILE % router_id, encoding="ascii") as file:
            pid = int(file.read())
    except (OSError, ValueError):
        return None
    return pid if _is_of(router_id)(pid) else None


def lost() -> Dict[str, int]:
    """Router id -> its process, found among all processes, whatever became of its files."""
    found: Dict[str, Dict[int, int]] = {}
    for pid in process.pids():
        router_id = _router_of(process.arguments(pid, COMMAND)[1:])
        if router_id is not None and _is_of(router_id)(pid):
            found.setdefault(router_id, {})[pid] = process.parent(pid)
    # Each has a helper that is a child of its own, which keeps the rights to set kernel parameters.
    # Whose main process was killed looks like one, and ends in a moment.
    mains = {r: [pid for pid, parent in of.items() if parent not in of and _is_ready(pid)] for r, of in found.items()}
    return {router_id: pids[0] for router_id, pids in mains.items() if pids}


def _router_of(words: List[str]) -> Optional[str]:
    match = _FILE.match(os.path.basename(words[1])) if len(words) > 1 else None
    return match.group(1) if match is not None and words == arguments(match.group(1)) else None


def _is_of(router_id: str) -> Callable[[int], bool]:
    """What tells whether a process is a router's. Other users can give theirs the same arguments."""

    def is_it(pid: int) -> bool:
        return process.arguments(pid, COMMAND)[1:] == arguments(router_id) and process.user(pid) in (0, _user())

    return is_it


@lru_cache(maxsize=None)
def _user() -> Optional[int]:
    """The number of the user that the process is to be; None when the node has no such user."""
    try:
        return pwd.getpwnam(USER).pw_uid
    except KeyError:
        return None


def namespace_of(pid: int) -> Optional[Tuple[int, int]]:
    """What tells the network namespace of a process; None when it may not be seen."""
    try:
        found = os.stat("/proc/%d/ns/net" % pid)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def configuration(router_id: str) -> str:
    """The text that a router's process has read; empty when that is not known."""
    try:
        with open(_CONFIG % router_id, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except FileNotFoundError:
        return ""
    return "" if text.startswith(_UNREAD) else text


def has_user() -> bool:
    """Whether the node has the user that the process is to be."""
    return _user() is not None


def load(router_id: str, text: str, pid: Optional[int]) -> None:
    """Have a router's process run with this configuration: the one that is there, or else a new one, which is started in the
    namespace of the calling thread. Raises :class:`CommandError` or OSError.
    """
    run_directory.write(_CONFIG % router_id, _UNREAD + text)
    if pid is not None and _reload(router_id, pid):
        if running(router_id) != pid:
            run_directory.write(_PID_FILE % router_id, "%d\n" % pid)
    else:
        _start(router_id)
    run_directory.write(_CONFIG % router_id, text)


def _reload(router_id: str, pid: int) -> bool:
    """Whether there is a process that reads its configuration anew."""
    return _is_ready(pid) and process.send(pid, signal.SIGHUP, _is_of(router_id))


def _is_ready(pid: int) -> bool:
    """Wait for a process that is starting: the signal would end it."""
    return _wait(lambda: process.catches(pid, signal.SIGHUP), _READY_WITHIN, lambda: not process.status(pid))


def _start(router_id: str) -> None:
    command = [COMMAND, *arguments(router_id)]
    with suppress(FileNotFoundError):
        os.unlink(_PID_FILE % router_id)  # which it would write over, and leave the end of
    if systemd.runs():
        systemd.start_daemon(_UNIT % router_id, command, _PID_FILE % router_id, netns.file_of_current())
    else:
        run(command, stays=True)
    pid = running(router_id)
    if pid is None or not _is_ready(pid):
        raise CommandError(command, "it ended at once, the node's log may say why")


def end(processes: Mapping[str, Optional[int]]) -> None:
    """End the processes of routers (id -> process, if there is one), and remove their files. To hosts they say goodbye.

    Raises OSError.
    """
    mains = [(router_id, pid) for router_id, pid in processes.items() if pid is not None]
    for _router_id, pid in mains:
        _is_ready(pid)  # before, it would end without a word
    if mains and systemd.runs():
        systemd.stop([_UNIT % router_id for router_id, _pid in mains])  # or it would start what has to be killed again
    # Its helper ends when it notices, and has the namespace until then.
    left = [*mains, *((router_id, child) for router_id, pid in mains for child in process.children(pid))]
    for number, told in ((signal.SIGTERM, mains), (signal.SIGKILL, left)):
        for router_id, pid in told:
            if (router_id, pid) in left:
                process.send(pid, number, _is_of(router_id))
        left = _still_there(left)
    for router_id in processes:
        for path in (_CONFIG % router_id, _PID_FILE % router_id):
            with suppress(FileNotFoundError):
                os.unlink(path)


def _still_there(processes: List[Tuple[str, int]]) -> List[Tuple[str, int]]:
    """Those that do not end soon."""
    left = processes
    deadline = time.monotonic() + _ENDS_WITHIN
    while left and time.monotonic() < deadline:
        left = [(router_id, pid) for router_id, pid in left if _is_of(router_id)(pid)]
        time.sleep(_POLL if left else 0)
    return left


def _wait(condition: Callable[[], bool], seconds: float, in_vain: Callable[[], bool] = lambda: False) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline or in_vain():
            return False
        time.sleep(_POLL)
    return True
