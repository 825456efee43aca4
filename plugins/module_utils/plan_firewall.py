# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The difference of rule sets as operations: pure.

Where one firewall driver takes over from another, its rules come before the other's go: both do the same, and the kernel takes
the first that translates a connection.
"""

from __future__ import annotations

from typing import Dict, Iterable, Optional

from .conntrack_helpers import why_they_fail
from .firewall import DRIVER_OF
from .firewall.driver import RuleChange
from .firewall.nftables_table import removed_tables
from .operations import ChangeRules
from .state import INET, RouterState, RuleSets, Tables


def firewall_operations(namespace: Optional[str], want: RuleSets, observed: RouterState) -> Iterable[ChangeRules]:
    """What makes the rule sets as they are to be."""
    have: Dict[int, Tables] = dict(observed.firewall)
    going = sorted(observed.own_tables) if INET in want else []
    for family, table in going:
        have[family] = {name: chains for name, chains in have.get(family, {}).items() if name != table}
    for family in sorted({*want, *have}, key=lambda family: (family not in want, family)):
        driver, whole, present = DRIVER_OF[family], want.get(family, {}), have.get(family, {})
        parted = driver.with_helpers_of(whole, present)
        change = driver.change(family, parted, present)
        if family == INET and going:
            # In the same transaction, so that there is no moment with both.
            gone = removed_tables(going)
            change = gone if change is None else RuleChange(change.text + gone.text, change.actions + gone.actions)
        if change is not None:
            yield ChangeRules(namespace, change.actions, family, change.text)
        change = driver.change(family, whole, parted)
        if change is not None:
            trouble = why_they_fail(driver.firewall_from({family: whole}).conntrack_helpers)
            yield ChangeRules(namespace, change.actions, family, change.text, trouble)
