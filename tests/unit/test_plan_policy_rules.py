# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy rules: the kernel's are there, and no others."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.netnode.l3.plugins.module_utils.operations import ChangePolicyRule
from ansible_collections.netnode.l3.plugins.module_utils.state import KERNEL_POLICY_RULES, PolicyRule

from ..routers import router
from .engine_objects import converged, is_empty
from .test_plan import plan

STATE = converged(router())
THEIRS = PolicyRule(4, 100, "from 10.0.0.0/24 lookup 77", b"as the kernel said it")
MAIN = PolicyRule(4, 32766, "from all lookup main")


def test_one_that_was_added_goes_by_the_kernels_own_words() -> None:
    result = plan(router(), replace(STATE, policy_rules=KERNEL_POLICY_RULES | {THEIRS}))
    [operation] = result.operations
    assert isinstance(operation, ChangePolicyRule)
    assert (operation.rule.message, operation.wanted) == (b"as the kernel said it", False)
    assert result.actions == ["policy rule 100 (from 10.0.0.0/24 lookup 77) removed"]


def test_one_of_the_kernels_comes_back_before_routes_that_are_found_by_it() -> None:
    [default] = [route for route in STATE.routes if route.destination == "default" and route.family == 4]
    observed = replace(STATE, policy_rules=KERNEL_POLICY_RULES - {MAIN}, routes=STATE.routes - {default})
    actions = plan(router(), observed).actions
    assert actions[0] == "policy rule 32766 (from all lookup main) added"
    assert actions[1].startswith("route default ")


def test_one_for_ipv6_is_said_to_be() -> None:
    theirs = PolicyRule(6, 9, "from all unreachable")
    result = plan(router(), replace(STATE, policy_rules=KERNEL_POLICY_RULES | {theirs}))
    assert result.actions == ["IPv6 policy rule 9 (from all unreachable) removed"]


def test_what_the_kernel_said_of_a_rule_is_not_compared() -> None:
    said = frozenset(replace(rule, message=b"said") for rule in KERNEL_POLICY_RULES)
    assert is_empty(plan(router(), replace(STATE, policy_rules=said)))
