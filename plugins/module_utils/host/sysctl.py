# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel parameters of the namespace that the calling thread is in, as plain files.

Keys are written with slashes (``net/ipv4/ip_forward``), as sysctl(8) takes them too: a device's name can have dots.
"""

from __future__ import annotations

import os
from typing import Optional

_ROOT = "/proc/sys/"
_LONGEST = 4096  # bytes of a value


def read(key: str) -> Optional[str]:
    """The value, or None when this kernel (or namespace) has no such parameter."""
    try:
        descriptor = os.open(_ROOT + key, os.O_RDONLY | os.O_CLOEXEC)
        try:  # a device can go between opening and reading, which is the same error then
            return os.read(descriptor, _LONGEST).decode("ascii").strip()
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None


def write(key: str, value: str) -> None:
    """Set the value. Raises OSError."""
    with open(_ROOT + key, "w", encoding="ascii") as file:
        file.write(value)
