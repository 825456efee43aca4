# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helpers of connection tracking as rules of iptables and back: pure.

They are in a chain of their own, so that the rest of a router can be had where the kernel lacks a helper.
"""

from __future__ import annotations

import re
from typing import Dict, Sequence, Tuple

from ..conntrack_helpers import HELPERS, NEUTRONS_NAMES
from ..model import ConntrackHelper
from ..state import FAMILIES, RuleSets, Tables
from .firewall import ZONE, Firewall

CHAIN = "l3-cthelper"
_RULE = re.compile(r"(?:-i \S+ )?-p (\S+) -m \S+ --dport (\d+) -j CT --helper (\S+)(?: |$)")


def helper_chains(firewall: Firewall, family: int, devices: Sequence[str], zoned: bool) -> Dict[str, Tuple[str, ...]]:
    """The chains of the table raw; none where the router has no helper of this address family.

    ``devices``: only for what comes in by one of these. ``zoned``: whether connections have a zone. Only the first rule that
    says something of a packet's connection holds, so that it must say both.
    """
    matches = ["-i %s " % device for device in devices] or [""]
    ending = " --zone %d" % ZONE if zoned else ""
    rules = [
        "%s-p %s -m %s --dport %d -j CT --helper %s%s" % (match, each.protocol, each.protocol, each.port, helper.name, ending)
        for each in firewall.conntrack_helpers
        for helper in [HELPERS.get((each.helper, each.protocol))]
        if helper is not None and family in helper.families
        for match in matches
    ]
    return {"l3-PREROUTING": ("-j " + CHAIN,), CHAIN: tuple(rules)} if rules else {}


def helpers_of(rule_sets: RuleSets) -> Tuple[ConntrackHelper, ...]:
    """The helpers that rule sets have."""
    found: Dict[ConntrackHelper, None] = {}
    for family in FAMILIES:
        for match in map(_RULE.match, rule_sets.get(family, {}).get("raw", {}).get(CHAIN, ())):
            name = NEUTRONS_NAMES.get((match.group(3), match.group(1))) if match is not None else None
            if match is not None and name is not None:
                found[ConntrackHelper(match.group(1), int(match.group(2)), name)] = None
    return tuple(found)


def lack_helpers(rule_sets: RuleSets) -> bool:
    """Whether there are to be helpers, and are none."""
    raws = [rule_sets.get(family, {}).get("raw", {}) for family in FAMILIES]
    return any(("-j " + CHAIN in raw.get("l3-PREROUTING", ()) or CHAIN in raw) and not raw.get(CHAIN) for raw in raws)


def with_helpers_of(want: Tables, have: Tables) -> Tables:
    """What is wanted, but with the helpers that are there."""
    raw = want.get("raw", {})
    if CHAIN not in raw:
        return want
    return {**want, "raw": {**raw, CHAIN: have.get("raw", {}).get(CHAIN, ())}}
