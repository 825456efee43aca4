# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connection tracking of the namespace that the calling thread is in."""

from __future__ import annotations

from .command import run

NOTHING_DELETED = 1  # conntrack(8) exits so when no entry matched


def delete_flows_through(address: str) -> None:
    """Delete the flows that a floating IP carries: those to it, and those that leave with it as their source."""
    for direction in ("--orig-dst", "--reply-dst"):
        run(["conntrack", "--delete", direction, address], accept=(0, NOTHING_DELETED))
