# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel parameters of the namespace that the calling thread is in, as plain files.

Keys are written with slashes (``net/ipv4/ip_forward``), as sysctl(8) takes them too: a device's name can have dots.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from itertools import groupby
from typing import Dict, Iterable, Optional

from . import rtnl

_ROOT = "/proc/sys/"
_LONGEST = 4096  # bytes of a value
_AREA = 2  # parts of a key that make a beginning


def read(key: str, directory: Optional[int] = None) -> Optional[str]:
    """The value, or None when this kernel (or namespace) has no such parameter.

    ``directory``: a descriptor of the directory below which the key is; without it, that is the root of all keys.
    """
    try:
        descriptor = os.open(key if directory is not None else _ROOT + key, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
        try:  # a device can go between opening and reading, which is the same error then
            return os.read(descriptor, _LONGEST).decode("ascii").strip()
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None


def read_all(keys: Iterable[str]) -> Dict[str, str]:
    """The values of those of the keys that there are.

    On the way from the root of all keys, the kernel compares with the entries of all namespaces, which with a thousand of them
    takes most of the time of a look at one. So it is gone once for all keys of one beginning, such as ``net/ipv4``.
    """
    values = {}
    for beginning, members in groupby(sorted(keys), key=lambda key: "/".join(key.split("/", _AREA)[:_AREA])):
        try:
            directory = os.open(_ROOT + beginning, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            for key in members:
                value = read(key[len(beginning) + 1 :], directory)
                if value is not None:
                    values[key] = value
        finally:
            os.close(directory)
    return values


def write(key: str, value: str) -> None:
    """Set the value. Raises OSError."""
    with rtnl.TURN if key.endswith(rtnl.PARAMETERS) else nullcontext(), open(_ROOT + key, "w", encoding="ascii") as file:
        file.write(value)
