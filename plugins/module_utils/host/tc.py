# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic control by iproute2: many operations in one process. A node without bandwidth limits need not have the command."""

from __future__ import annotations

from typing import Sequence

from . import ip
from .command import require


def batch(lines: Sequence[str]) -> None:
    """Run ``tc`` command lines in one process. Raises :class:`ip.BatchError` at the first that fails, and MissingCommand."""
    require(["tc"])
    ip.batch(lines, "tc")
