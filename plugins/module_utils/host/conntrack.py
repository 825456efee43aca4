# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connection tracking of the namespace that the calling thread is in."""

from __future__ import annotations

from .command import CommandError, run

NO_MATCH = "0 flow entries have been deleted"  # said with the same exit status as of an error
VANISHED = "such conntrack doesn't exist"
TRIES = 10


def delete_flows_through(address: str) -> None:
    """Delete the flows that a floating IP carries: those to it, and those that leave with it as their source."""
    for direction in ("--orig-dst", "--reply-dst"):
        _delete(direction, address)


def _delete(direction: str, address: str) -> None:
    """conntrack(8) lists flows and deletes one after the other; at one that has ended meanwhile it gives up, and those
    behind it live on. So it is asked again until it comes to the end.
    """
    arguments = ["conntrack", "--delete", direction, address]
    for _try in range(TRIES):
        result = run(arguments, accept=(0, 1))
        if result.returncode == 0 or NO_MATCH in result.stderr:
            return
        if VANISHED not in result.stderr:
            break
    raise CommandError(arguments, result.stderr)
