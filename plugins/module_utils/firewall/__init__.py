# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firewall of a router, and the drivers that write it as rules and read it back.

To add one, write its functions and name them here: what is not imported does not travel to the node.
"""

from __future__ import annotations

from typing import Dict, Optional, Sequence

from ..state import FAMILIES, INET, IPV6, RuleSets
from . import (
    iptables_helpers,
    iptables_reading,
    iptables_rules,
    iptables_save,
    nftables_reading,
    nftables_rules,
    nftables_table,
)
from .driver import FirewallDriver
from .firewall import Firewall

_IPTABLES = FirewallDriver(
    name="iptables",
    families=FAMILIES,
    commands=("iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore"),
    rule_sets=iptables_rules.rule_sets,
    firewall_from=iptables_reading.firewall_from,
    why_damaged=iptables_reading.why_damaged,
    with_helpers_of=iptables_helpers.with_helpers_of,
    script=iptables_save.restore_text,
    describe=lambda family, want, have: iptables_save.describe_changes(want, have, " (IPv6)" if family == IPV6 else ""),
)
_NFTABLES = FirewallDriver(
    name="nftables",
    families=(INET,),
    commands=("nft",),
    rule_sets=nftables_rules.rule_sets,
    firewall_from=nftables_reading.firewall_from,
    why_damaged=nftables_reading.why_damaged,
    with_helpers_of=nftables_rules.with_helpers_of,
    script=nftables_table.script,
    describe=lambda _family, want, have: nftables_table.describe(want, have),
    linux=(5, 7),  # before, nothing told by which device a packet came in when it leaves
)
DRIVERS: Dict[str, FirewallDriver] = {driver.name: driver for driver in (_IPTABLES, _NFTABLES)}
DRIVER_OF: Dict[int, FirewallDriver] = {family: driver for driver in DRIVERS.values() for family in driver.families}
DEFAULT = _IPTABLES.name


def firewall_from(rule_sets: RuleSets) -> Firewall:
    """What rule sets do, ours or the L3 agent's: all that is not in the kernel elsewhere."""
    return _driver_of(rule_sets).firewall_from(rule_sets)


def why_damaged(rule_sets: RuleSets, devices: Sequence[str]) -> Optional[str]:
    """What is seen to be missing of rules that were whole once, in words. ``devices``: those of the router."""
    return _driver_of(rule_sets).why_damaged(rule_sets, devices)


def _driver_of(rule_sets: RuleSets) -> FirewallDriver:
    """The driver whose rules do the work; while one takes over from another, both do the same."""
    return next((DRIVER_OF[family] for family in sorted(rule_sets) if rule_sets[family]), _IPTABLES)
