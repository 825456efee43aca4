# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running the node's own tools: argument lists only, never a shell, always with a time limit."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from typing import IO, Dict, List, Optional, Sequence, Set, Tuple

from ..errors import MissingCommand
from . import cancellation

TIMEOUT = 60  # seconds; the longest normal command takes well under one
PATIENCE_WHEN_CANCELLED = 5  # seconds
_LOOK_UP = 0.5  # seconds, to see whether the run was cancelled
_LOOK = 0.002  # seconds, where the kernel does not tell when a process has ended
# Messages in English, and the directories of network tools, which a bare environment can lack.
ENVIRONMENT = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"}

# Descriptors that commands inherit, such as the lock: what it stands for holds until they have ended too.
kept_open: Set[int] = set()
started: List[str] = []  # the commands of the processes that this run started, for benchmarks and the tests that count


LONGEST_COMMAND, LONGEST_MESSAGE = 1000, 4000  # characters that an error shows


class CommandError(Exception):
    """A command failed: which one, and what it said."""

    def __init__(self, arguments: Sequence[str], message: str) -> None:
        self.command = _beginning(" ".join(arguments), LONGEST_COMMAND)
        self.message = _beginning(message.strip(), LONGEST_MESSAGE)
        super().__init__("%s: %s" % (self.command, self.message))


def _beginning(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + "…"


# Debian's names where they are not "iptables"
PACKAGES = {
    "ip": "iproute2",
    "tc": "iproute2",
    "conntrack": "conntrack",
    "ovs-vsctl": "openvswitch-switch",
    "haproxy": "haproxy",
    "radvd": "radvd",
    "nft": "nftables",
}


def is_there(command: str) -> bool:
    """Whether the node has the command."""
    return shutil.which(command, path=ENVIRONMENT["PATH"]) is not None


def require(commands: Sequence[str]) -> None:
    """Raise :class:`MissingCommand` naming the commands that the node lacks, and their packages."""
    missing = [name for name in commands if not is_there(name)]
    if missing:
        packages = sorted({PACKAGES.get(name, "iptables") for name in missing})
        raise MissingCommand(
            "The node lacks the command%s %s: install the package%s %s, or run the role netnode.l3.network_node first."
            % ("s" if len(missing) > 1 else "", ", ".join(missing), "s" if len(packages) > 1 else "", ", ".join(packages))
        )


def run(
    arguments: Sequence[str], text: str = "", accept: Sequence[int] = (0,), stays: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command with ``text`` on its standard input; raise :class:`CommandError` on any other exit status.

    ``stays``: it leaves a process behind that is to go on.
    """
    started.append(arguments[0])
    try:
        with _input(text) as stdin, subprocess.Popen(
            arguments,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            start_new_session=True,
            pass_fds=() if stays else tuple(kept_open),
        ) as process:
            output, errors = _read(process)
    except subprocess.TimeoutExpired as expired:
        raise CommandError(arguments, "no answer within %d seconds" % expired.timeout) from None
    except OSError as error:
        raise CommandError(arguments, error.strerror or str(error)) from None
    if process.returncode not in accept:
        raise CommandError(arguments, errors or output or "exit status %d" % process.returncode)
    return subprocess.CompletedProcess(arguments, process.returncode, output, errors)


def _input(text: str) -> IO[bytes]:
    """A file in memory, which the command reads at its own pace: no writing beside the reading of its output."""
    if not text:
        return open(os.devnull, "rb")  # pylint: disable=consider-using-with
    file = os.fdopen(os.memfd_create("input"), "w+b")
    file.write(text.encode())
    file.seek(0)
    return file


def _read(process: subprocess.Popen[bytes]) -> Tuple[str, str]:
    """What the command has said when it has ended. Raises TimeoutExpired when it does not, and was killed for it.

    Popen.communicate() with a timeout would do, but it waits for the end in sleeps of half a millisecond and more,
    which is a third of the time of a command here. It also waits for others that the command left its output to.
    """
    if process.stdout is None or process.stderr is None:
        raise ValueError("the command's output is not piped")
    begun = time.monotonic()
    said: Dict[int, List[bytes]] = {process.stdout.fileno(): [], process.stderr.fileno(): []}
    end = _end_of(process)
    try:
        poller = select.poll()
        for descriptor in said if end is None else (*said, end):
            poller.register(descriptor, select.POLLIN)
        ended = False
        while not ended:
            patience = TIMEOUT if cancellation.received() is None else min(TIMEOUT, PATIENCE_WHEN_CANCELLED)
            left = begun + patience - time.monotonic()
            if left <= 0:
                os.killpg(process.pid, signal.SIGKILL)  # with all that it has started
                raise subprocess.TimeoutExpired(process.args, patience)
            events = poller.poll(min(left, _LOOK if end is None else _LOOK_UP) * 1000)
            for descriptor, _event in events:
                if descriptor == end:
                    ended = True
                elif not _take(descriptor, said[descriptor]):
                    poller.unregister(descriptor)
            ended = ended or (end is None and process.poll() is not None)
    finally:
        if end is not None:
            os.close(end)
    for descriptor, parts in said.items():
        _take_rest(descriptor, parts)
    output, errors = (b"".join(parts).decode(errors="replace") for parts in said.values())
    return output, errors


def _end_of(process: subprocess.Popen[bytes]) -> Optional[int]:
    """A descriptor that can be read from when the process has ended; None before Python 3.9 or Linux 5.3."""
    try:
        return os.pidfd_open(process.pid)  # type: ignore[attr-defined,unused-ignore]
    except (AttributeError, OSError):
        return None


def _take(descriptor: int, parts: List[bytes]) -> bytes:
    data = os.read(descriptor, 1 << 16)
    parts.append(data)
    return data


def _take_rest(descriptor: int, parts: List[bytes]) -> None:
    """What is still in the pipe, whoever else may have it open."""
    os.set_blocking(descriptor, False)
    with suppress(BlockingIOError):
        while _take(descriptor, parts):
            pass
