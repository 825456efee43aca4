# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Address scopes as rules of iptables and back: pure.

As the L3 agent has it: what the router forwards must stay in the scope of the device that it came in by, and having none is a
scope as well. What is translated may cross: connections to and from floating IPs, and IPv4 that leaves by a gateway with source
NAT. What leaves for the gateway's own scope is not translated.

The agent marks every packet. Here a device's rule leads to the chain of its scope, which has the devices that may send there;
so the rules of a router are two for each port. The comment of a device's rule is the id of its scope, since the kernel has
no other place for it.
"""

from __future__ import annotations

import hashlib
import re
from typing import Dict, List, Mapping, Sequence, Tuple

from ..fields import ID
from ..state import IPV4, RuleSets
from .firewall import Firewall, Scope

SAME_SCOPE = "0x10000/0xffff0000"  # the mark of what came from the gateway's scope; the lower half is for FROM_OUTSIDE
_CHAIN = "l3-scope"
_FLOATING = "l3-scope-floating"
_PRINTED_PLAIN = re.compile(r"[A-Za-z0-9_-]+\Z")  # iptables-save puts other comments in quotes
_DEVICE_RULE = re.compile(r'-o (\S+)(?: -m comment --comment "?([^" ]+)"?)? -[gj] ')


def scope_chains(firewall: Firewall, family: int) -> Dict[str, Tuple[str, ...]]:
    """The chains of the table filter; none where no port has a scope of this address family."""
    scopes = firewall.scopes.get(family)
    if not scopes:
        return {}
    chains = {_chain(scope): _members(scopes, scope) for scope in scopes.values()}
    rules: List[str] = []
    external, fixed_ips = firewall.external_device, list(firewall.floating_ips.values()) if family == IPV4 else []
    if external is not None and family == IPV4:
        rules.append("-m conntrack --ctstate SNAT,DNAT -j RETURN")
    for device, scope in scopes.items():
        target = "-g " + _chain(scope)
        if device == external and family == IPV4 and firewall.source_nat:
            target = "-j RETURN"
        elif device == external and fixed_ips:
            chains[_FLOATING] = (*("-s %s/32 -j RETURN" % fixed for fixed in fixed_ips), "-j " + _chain(scope))
            target = "-g " + _FLOATING
        rules.append("-o %s%s %s" % (device, _comment(scope), target))
    return {"l3-FORWARD": ("-j " + _CHAIN,), _CHAIN: tuple(rules), **chains}


def scopes_of(rule_sets: RuleSets, family: int) -> Mapping[str, Scope]:
    """Device -> its scope, as rule sets have it."""
    rules = rule_sets.get(family, {}).get("filter", {}).get(_CHAIN, ())
    matches = [match for match in map(_DEVICE_RULE.match, rules) if match is not None]
    return {match.group(1): match.group(2) if ID.match(match.group(2) or "") else None for match in matches}


def lack_scopes(rule_sets: RuleSets, family: int, devices: Sequence[str]) -> bool:
    """Whether there are scopes, and not all of these devices have their rule."""
    chains = rule_sets.get(family, {}).get("filter", {})
    return any(chain.startswith(_CHAIN) for chain in chains) and not set(devices) <= scopes_of(rule_sets, family).keys()


def _members(scopes: Mapping[str, Scope], scope: Scope) -> Tuple[str, ...]:
    return (*("-i %s -j RETURN" % device for device, other in scopes.items() if other == scope), "-j DROP")


def _chain(scope: Scope) -> str:
    """The chain of a scope. Its name stays when other scopes come and go, and 28 characters are the most that one can have."""
    return "%s-%s" % (_CHAIN, "none" if scope is None else hashlib.sha256(scope.encode()).hexdigest()[:16])


def _comment(scope: Scope) -> str:
    if scope is None:
        return ""
    return " -m comment --comment " + (scope if _PRINTED_PLAIN.match(scope) else '"%s"' % scope)
