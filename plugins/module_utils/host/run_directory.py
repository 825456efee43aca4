# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are of use until the next reboot."""

from __future__ import annotations

import os

from . import whole_file

PATH = "/run/netnode-l3"
_MODE = 0o755  # to be read by everybody, and written by root


def make() -> None:
    """Have the directory there, whatever the umask of the run. Raises OSError."""
    os.makedirs(PATH, exist_ok=True)
    if os.stat(PATH).st_mode & 0o7777 != _MODE:
        os.chmod(PATH, _MODE)


def write(path: str, text: str, mode: int = 0o644) -> None:
    """Write a file there, so that a reader finds the old text or the new one, whatever the umask of the run. Raises OSError."""
    make()
    whole_file.write(path, text, mode)
