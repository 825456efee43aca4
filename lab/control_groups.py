# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control groups of a lab: each machine has its own, or the systemds of two would take the processes of each other for theirs."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_OF_SYSTEMD = ("systemd", "unified")  # the hierarchies that it uses where control groups are of version 1


def of(directory: Path) -> list[Path]:
    """Those of the lab with this directory, which may not be there yet, in each hierarchy that there is."""
    roots = [_ROOT] if (_ROOT / "cgroup.procs").exists() else [_ROOT / name for name in _OF_SYSTEMD if (_ROOT / name).exists()]
    # The whole path, as labs of two checkouts have directories of the same name.
    digest = hashlib.sha256(os.fsencode(directory.absolute())).hexdigest()[:8]
    return [root / f"netnode-l3-{directory.name}-{digest}" for root in roots]


def remove(group: Path) -> None:
    """Remove one with those below it, as far as nothing is in them."""
    for path, _directories, _files in os.walk(group, topdown=False):
        with suppress(OSError):
            os.rmdir(path)
