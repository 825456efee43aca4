# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file of the routers that a node was last converged to, which outlives reboots. Only root reads it.

Its directory is made by the role network_node, with what restores the routers at boot. Where it is not, nothing is saved.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Optional

from . import whole_file

DIRECTORY = "/var/lib/netnode-l3"
PATH = DIRECTORY + "/last-converged.jsonl"
UNCONFIRMED = DIRECTORY + "/unconfirmed.jsonl"  # takes the place of the other when the change is confirmed


def is_wanted() -> bool:
    """Whether the routers of this node are to be saved."""
    return os.path.isdir(DIRECTORY)


def read() -> Optional[str]:
    """The text that was saved; None when there is none. Raises OSError."""
    try:
        with open(PATH, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(text: str) -> None:
    """Save this text. Raises OSError."""
    whole_file.write(PATH, text, 0o600, durable=True)


def write_unconfirmed(text: str) -> None:
    """Save this text in case that the change is confirmed. Raises OSError."""
    whole_file.write(UNCONFIRMED, text, 0o600)


def confirm() -> None:
    """The change is confirmed, and what it led to is saved, if anything. Raises OSError."""
    try:
        descriptor = os.open(UNCONFIRMED, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        os.fsync(descriptor)
        os.replace(UNCONFIRMED, PATH)
        whole_file.settle(DIRECTORY)
    finally:
        os.close(descriptor)


def discard_unconfirmed() -> None:
    """The change was taken back, or another one comes."""
    with suppress(OSError):
        os.unlink(UNCONFIRMED)
