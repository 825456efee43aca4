# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iproute2: many operations in one process."""

from __future__ import annotations

import re
from typing import Sequence

from .command import CommandError, run

_FAILED_LINE = re.compile(r"Command failed .*:(\d+)\s*$", re.MULTILINE)


class BatchError(Exception):
    """A line of a batch failed; those before it (``done`` of them) took effect, those after it were not tried."""

    def __init__(self, line: str, done: int, message: str, command: str = "ip") -> None:
        self.done = done
        self.message = message
        super().__init__("%s %s: %s" % (command, line, message))


def batch(lines: Sequence[str], command: str = "ip") -> None:
    """Run command lines of ``ip``, or of ``tc``, in one process. Raises :class:`BatchError` at the first that fails."""
    arguments = [command, "-batch", "-"]
    result = run(arguments, "".join(line + "\n" for line in lines), accept=range(256))
    if result.returncode == 0:
        return
    match = _FAILED_LINE.search(result.stderr)
    if not match:
        # A line that ip cannot even parse ends it without a number: nothing tells which one it was.
        raise CommandError([*arguments, *lines], result.stderr)
    number = int(match.group(1))
    message = _FAILED_LINE.sub("", result.stderr).strip() or "exit status %d" % result.returncode
    raise BatchError(lines[number - 1], number - 1, message, command)
