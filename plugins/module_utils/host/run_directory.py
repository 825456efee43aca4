# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are of use until the next reboot."""

from __future__ import annotations

import os

PATH = "/run/netnode-l3"


def write(path: str, text: str) -> None:
    """Write a file there, so that a reader finds the old text or the new one. Raises OSError."""
    os.makedirs(PATH, mode=0o755, exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)
