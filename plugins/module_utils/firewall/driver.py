# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a firewall driver is: how what a router's firewall does is written as rules and read back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from ..state import RuleSets, Tables
from .firewall import Firewall


class RuleChange(NamedTuple):
    """A change of the rule sets of one family: what the tool is told, and sentences of what it does."""

    text: str
    actions: Tuple[str, ...]


@dataclass(frozen=True)
class FirewallDriver:
    """Rule sets of its ``families``; others are another driver's. ``commands``: what it needs on the node, and ``linux``: the
    oldest kernel.

    ``rule_sets``: those that do what a firewall is to do. ``firewall_from``: what rule sets do, and ``why_damaged``: what is seen
    to be missing of those that were whole once, in words, the router having these devices. ``with_helpers_of``: the tables that
    are wanted, but with the helpers of connection tracking that are there, so that what is wanted of them can be a step of its
    own: the kernel may lack them. ``script``: what the tool is told to make the tables that are wanted of those that are there;
    nothing where there is no difference. ``describe``: one sentence for each change, by family.
    """

    name: str
    families: Tuple[int, ...]
    commands: Tuple[str, ...]
    rule_sets: Callable[[Firewall], RuleSets]
    firewall_from: Callable[[RuleSets], Firewall]
    why_damaged: Callable[[RuleSets, Sequence[str]], Optional[str]]
    with_helpers_of: Callable[[Tables, Tables], Tables]
    script: Callable[[Tables, Tables], str]
    describe: Callable[[int, Tables, Tables], List[str]]
    linux: Tuple[int, int] = (0, 0)

    def change(self, family: int, want: Tables, have: Tables) -> Optional[RuleChange]:
        """The difference; None where there is none."""
        text = self.script(want, have)
        return RuleChange(text, tuple(self.describe(family, want, have))) if text else None
