# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A chain of ours made right by single rules, so that the others keep their counters: pure."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import List, Optional, Sequence

MOST_DELETED = 50  # rules; the chain is searched for each of them
# Others have a state, or may be printed in another way than they are found by.
_MATCH = re.compile(r"-m (\S+)")
_MATCHES = frozenset(["tcp", "udp", "sctp", "dccp", "conntrack", "mark"])
_TARGET = re.compile(r"-[jg] (?:ACCEPT|DROP|RETURN|REDIRECT|MARK|DNAT|SNAT|l3-\S+)(?: |$)")


def edits(chain: str, want: Sequence[str], have: Sequence[str]) -> Optional[List[str]]:
    """Lines for iptables-restore that delete and insert rules; None where the chain is better written anew: when a rule is there
    twice, or many are to go, or one that cannot surely be found by its text.
    """
    if len(set(have)) < len(have) or len(set(want)) < len(want):
        return None
    matcher = SequenceMatcher(None, have, want, autojunk=False)
    kept = {have[block.a + n] for block in matcher.get_matching_blocks() for n in range(block.size)}
    gone = [rule for rule in have if rule not in kept]
    if not kept or len(gone) > MOST_DELETED or not all(map(_is_found, gone)):
        return None
    lines = ["-D %s %s" % (chain, rule) for rule in gone]
    last = max(place for place, rule in enumerate(want) if rule in kept)
    for place, rule in enumerate(want):
        if rule not in kept:
            # What is inserted stands before a rule that is there already, which all variants of iptables can do.
            lines.append("-I %s %d %s" % (chain, place + 1, rule) if place < last else "-A %s %s" % (chain, rule))
    return lines


def _is_found(rule: str) -> bool:
    return set(_MATCH.findall(rule)) <= _MATCHES and _TARGET.search(rule) is not None and '"' not in rule
