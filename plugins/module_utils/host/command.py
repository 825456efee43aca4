# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running the node's own tools: argument lists only, never a shell, always with a time limit."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from typing import IO, Dict, List, Sequence, Tuple

from ..errors import MissingCommand

TIMEOUT = 60  # seconds; the longest normal command takes well under one
# Messages in English, and the directories of network tools, which a bare environment can lack.
ENVIRONMENT = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"}

started: List[str] = []  # the commands of the processes that this run started, for benchmarks and the tests that count


class CommandError(Exception):
    """A command failed: which one, and what it said."""

    def __init__(self, arguments: Sequence[str], message: str) -> None:
        self.command = " ".join(arguments)
        self.message = message.strip()
        super().__init__("%s: %s" % (self.command, self.message))


# Debian's names where they are not "iptables"
PACKAGES = {"ip": "iproute2", "conntrack": "conntrack", "ovs-vsctl": "openvswitch-switch", "haproxy": "haproxy"}


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


def run(arguments: Sequence[str], text: str = "", accept: Sequence[int] = (0,)) -> subprocess.CompletedProcess[str]:
    """Run a command with ``text`` on its standard input; raise :class:`CommandError` on any other exit status."""
    started.append(arguments[0])
    try:
        with _input(text) as stdin, subprocess.Popen(
            arguments, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
        ) as process:
            output, errors = _read(process)
    except subprocess.TimeoutExpired:
        raise CommandError(arguments, "no answer within %d seconds" % TIMEOUT) from None
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
    """What the command says until it ends.

    Popen.communicate() with a timeout would do, but it waits for the end in sleeps of half a millisecond and more,
    which is a third of the time of a command here.
    """
    if process.stdout is None or process.stderr is None:
        raise ValueError("the command's output is not piped")
    deadline = time.monotonic() + TIMEOUT
    chunks: Dict[int, List[bytes]] = {process.stdout.fileno(): [], process.stderr.fileno(): []}
    poller = select.poll()
    for descriptor in chunks:
        poller.register(descriptor, select.POLLIN)
    waiting = len(chunks)
    while waiting:
        events = poller.poll(max(0.0, deadline - time.monotonic()) * 1000)
        if not events:
            process.kill()
            raise subprocess.TimeoutExpired(process.args, TIMEOUT)
        for descriptor, _event in events:
            data = os.read(descriptor, 1 << 16)
            chunks[descriptor].append(data)
            if not data:
                poller.unregister(descriptor)
                waiting -= 1
    output, errors = (b"".join(parts).decode(errors="replace") for parts in chunks.values())
    return output, errors
