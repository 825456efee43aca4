# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running the node's own tools: argument lists only, never a shell, always with a time limit."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Sequence

TIMEOUT = 60  # seconds; the longest normal command takes well under one
# Messages in English, and the directories of network tools, which a bare environment can lack.
ENVIRONMENT = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"}

started = 0  # processes started by this run, for benchmarks and the tests that count


class CommandError(Exception):
    """A command failed: which one, and what it said."""

    def __init__(self, arguments: Sequence[str], message: str) -> None:
        self.command = " ".join(arguments)
        self.message = message.strip()
        super().__init__("%s: %s" % (self.command, self.message))


class MissingCommand(Exception):
    """A command that the engine needs is not on the node."""


PACKAGES = {"ip": "iproute2", "conntrack": "conntrack"}  # Debian's names where they are not "iptables"


def require(commands: Sequence[str]) -> None:
    """Raise :class:`MissingCommand` naming the commands that the node lacks, and their packages."""
    missing = [name for name in commands if shutil.which(name, path=ENVIRONMENT["PATH"]) is None]
    if missing:
        packages = sorted({PACKAGES.get(name, "iptables") for name in missing})
        raise MissingCommand(
            "The node lacks the command%s %s: install the package%s %s, or run the role netnode.l3.network_node first."
            % ("s" if len(missing) > 1 else "", ", ".join(missing), "s" if len(packages) > 1 else "", ", ".join(packages))
        )


def run(arguments: Sequence[str], text: str = "", accept: Sequence[int] = (0,)) -> subprocess.CompletedProcess[str]:
    """Run a command with ``text`` on its standard input; raise :class:`CommandError` on any other exit status."""
    global started
    started += 1
    try:
        result = subprocess.run(
            arguments, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT,
            text=True, env=ENVIRONMENT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise CommandError(arguments, "no answer within %d seconds" % TIMEOUT) from None
    except OSError as error:
        raise CommandError(arguments, error.strerror or str(error)) from None
    if result.returncode not in accept:
        raise CommandError(arguments, result.stderr or result.stdout or "exit status %d" % result.returncode)
    return result
