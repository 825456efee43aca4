# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that a reader finds with its old text or with its new one, and never with a part."""

from __future__ import annotations

import os
from contextlib import suppress


def write(path: str, text: str, mode: int, durable: bool = False) -> None:
    """Write it, whatever the umask of the run. ``durable``: it is there after a loss of power, too. Raises OSError."""
    beside = path + ".new"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            if durable:
                file.flush()
                os.fsync(descriptor)
        os.replace(beside, path)
    except OSError:
        with suppress(OSError):
            os.unlink(beside)
        raise
    if durable:
        settle(os.path.dirname(path))


def settle(directory: str) -> None:
    """Have on the disk which files a directory has. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
