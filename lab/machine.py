# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine of the lab, as who administrates it sees it: by ssh."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

BOOTS_WITHIN = 60.0  # seconds; a boot takes one or two
_POLL = 0.05


class LabFailed(Exception):
    """Something of the lab is not as it must be."""


class Machine:
    """A machine. ``cut``: takes its power away for a moment."""

    def __init__(self, name: str, ssh: Path, console: Path, cut: Callable[[str], None]) -> None:
        self.name = name
        self._ssh, self._console, self._cut = ssh, console, cut

    def run(self, command: str, *, check: bool = True, text: str | None = None, timeout: float = 120) -> str:
        """What a command of the machine's shell prints. Raises :class:`LabFailed` when it fails, unless ``check`` is false."""
        done = self.try_to_run(command, text=text, timeout=timeout)
        if check and done.returncode != 0:
            raise LabFailed(f"{self.name}: {command}: {done.stderr.strip() or done.stdout.strip() or done.returncode}")
        return done.stdout

    def try_to_run(self, command: str, *, text: str | None = None, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """What became of a command of the machine's shell."""
        return subprocess.run(
            [str(self._ssh), self.name, command],
            capture_output=True, text=True, check=False, timeout=timeout,
            **({"stdin": subprocess.DEVNULL} if text is None else {"input": text}),
        )  # fmt: skip

    def write(self, path: str, text: str, mode: str = "0644") -> None:
        """Write a file."""
        self.run(f"install -m {mode} /dev/stdin {path}", text=text)

    def boot_id(self) -> str | None:
        """What tells this boot from others; None while nobody answers."""
        try:
            return self.try_to_run("cat /proc/sys/kernel/random/boot_id", timeout=10).stdout.strip() or None
        except subprocess.TimeoutExpired:
            return None

    def reboot(self) -> None:
        """Boot it anew in an orderly way, and wait until it can be reached again."""
        self._boot_anew(lambda: self.try_to_run("systemctl reboot"))

    def cut_power(self) -> None:
        """Take its power away, as it is, and wait until it is there again."""
        self._boot_anew(lambda: self._cut(self.name))

    def _boot_anew(self, begin: Callable[[], object]) -> None:
        before = self.boot_id()
        begin()
        self.wait_until("is there again", lambda: self.boot_id() not in (before, None))

    def wait_until_there(self) -> None:
        """Wait until it can be reached."""
        self.wait_until("is there", lambda: self.boot_id() is not None)

    def wait_until_booted(self) -> None:
        """Wait until all that is to be started at boot has been, whether or not it succeeded."""
        self.wait_until("has booted", self._has_booted)

    def _has_booted(self) -> bool:
        return self.run("systemctl is-system-running", check=False).strip() in ("running", "degraded")

    def wait_until(self, what: str, condition: Callable[[], bool], seconds: float = BOOTS_WITHIN) -> None:
        """Wait for something. Raises :class:`LabFailed` with the end of the console when it does not come."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                console = self._console.read_text(encoding="utf-8", errors="replace")[-3000:]
                raise LabFailed(f"{self.name}: after {seconds:g} seconds it is not so that it {what}. Its console:\n{console}")
            time.sleep(_POLL)
