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
NFT, LEGACY = "nft", "legacy"
_MULTI_NFT = "xtables-nft-multi"  # the program behind the commands of the nft variant
TABLES = frozenset(["filter", "nat", "mangle", "raw", "security"])
_LEGACY_TABLES = {IPV4: "/proc/thread-self/net/ip_tables_names", IPV6: "/proc/thread-self/net/ip6_tables_names"}
LOCK_WAIT = "10"  # seconds to wait for the lock of the legacy variant


def variant(family: int) -> Optional[str]:
    """Which one the commands of an address family are; None where there are none."""
    path = shutil.which(_PREFIX[family] + "-save", path=ENVIRONMENT["PATH"])
    if path is None:
        return None
    return NFT if os.path.basename(os.path.realpath(path)) == _MULTI_NFT else LEGACY


def keeps_to_nf_tables() -> bool:
    """Whether there is no command that keeps rules elsewhere."""
    return all(variant(family) != LEGACY for family in _PREFIX)


def legacy_tables(family: int) -> bool:
    """Whether the namespace has any table that the legacy variant made."""
    try:
        with open(_LEGACY_TABLES[family], encoding="ascii") as file:
            return bool(file.read().strip())
    except OSError:  # without the kernel module, there is none
        return False


def save(family: int) -> str:
    """All rule sets of one address family, as iptables-save prints them."""
    return run([_PREFIX[family] + "-save"]).stdout


def restore(family: int, text: str) -> None:
    """Make a change of rule sets at once, as a whole or not at all per table."""
    run([_PREFIX[family] + "-restore", "--noflush", "--wait", LOCK_WAIT], text)
