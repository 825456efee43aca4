# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The difference of two sets of policy rules as operations: pure."""

from __future__ import annotations

from typing import AbstractSet, Iterable, Optional, Tuple

from .operations import ChangePolicyRule, Operation
from .state import IPV6, PolicyRule


def policy_rule_operations(
    namespace: Optional[str], desired: AbstractSet[PolicyRule], observed: AbstractSet[PolicyRule]
) -> Iterable[Operation]:
    """Put back those of the kernel's, by which all routes are found; then delete what is not asked for."""
    for rule in sorted(desired - observed, key=_order):
        yield ChangePolicyRule(namespace, (describe_policy_rule(rule) + " added",), rule, wanted=True)
    for rule in sorted(observed - desired, key=_order):
        yield ChangePolicyRule(namespace, (describe_policy_rule(rule) + " removed",), rule, wanted=False)


def describe_policy_rule(rule: PolicyRule) -> str:
    """``policy rule 100 (from 10.0.0.0/24 lookup 77)``; of one for IPv6 it is said."""
    return "%spolicy rule %d (%s)" % ("IPv6 " if rule.family == IPV6 else "", rule.priority, rule.text)


def _order(rule: PolicyRule) -> Tuple[int, int, str]:
    return rule.family, rule.priority, rule.text
