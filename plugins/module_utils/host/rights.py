# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Capabilities of the run: asked for where nothing else would say that one is missing."""

from __future__ import annotations

import os
from typing import List

from . import process

_NUMBERS = {"CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_NET_RAW": 13, "CAP_SYS_PTRACE": 19}  # linux/capability.h


def lacking(*names: str) -> List[str]:
    """Which of these capabilities the run does not have."""
    effective = int(process.status(os.getpid()).get("CapEff", "0"), 16)
    return [name for name in names if not effective >> _NUMBERS[name] & 1]
