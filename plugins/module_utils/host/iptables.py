# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iptables of the namespace that the calling thread is in; nft and legacy variants alike."""

from __future__ import annotations

import os
import shutil
from typing import Optional

from ..state import IPV4, IPV6
from .command import ENVIRONMENT, run

_PREFIX = {IPV4: "iptables", IPV6: "ip6tables"}
_MULTI_NFT = "xtables-nft-multi"  # the program behind the commands of the nft variant
TABLES = frozenset(["filter", "nat", "mangle", "raw", "security"])
LOCK_WAIT = "10"  # seconds to wait for the lock of the legacy variant


def is_there(family: int) -> bool:
    """Whether the node has the commands of an address family."""
    return _save_command(family) is not None


def keeps_to_nf_tables(family: int) -> bool:
    """Whether its commands are surely of the variant that has its rules in nf_tables: another one, or a script, may not."""
    path = _save_command(family)
    return path is not None and os.path.basename(os.path.realpath(path)) == _MULTI_NFT


def _save_command(family: int) -> Optional[str]:
    return shutil.which(_PREFIX[family] + "-save", path=ENVIRONMENT["PATH"])


def save(family: int) -> str:
    """All rule sets of one address family, as iptables-save prints them."""
    return run([_PREFIX[family] + "-save"]).stdout


def restore(family: int, text: str) -> None:
    """Make a change of rule sets at once, as a whole or not at all per table."""
    run([_PREFIX[family] + "-restore", "--noflush", "--wait", LOCK_WAIT], text)
