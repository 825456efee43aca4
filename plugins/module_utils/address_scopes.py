# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Address scopes: which networks of a router reach each other, as rules and back. Pure.

As the L3 agent has it: what the router forwards must stay in the scope of the device that it came in by, and having none is a
scope as well. What is translated may cross: connections to and from floating IPs, and IPv4 that leaves by a gateway with source
NAT. What leaves for the gateway's own scope is not translated.

The agent marks every packet. Here a device's rule leads to the chain of its scope, which has the devices that may send there;
so the rules of a router are two for each port. The comment of a device's rule is the id of its scope, since the kernel has
no other place for it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from typing import AbstractSet, Dict, List, Mapping, Optional, Sequence, Tuple

from .fields import ID
from .model import Router, external_device_name, internal_device_name
from .state import FAMILIES, IPV4, RouterState, Tables

SAME_SCOPE = "0x10000/0xffff0000"  # the mark of what came from the gateway's scope; the lower half is for FROM_OUTSIDE
_MARK = " -j MARK --set-xmark " + SAME_SCOPE
_CHAIN = "l3-scope"
_FLOATING = "l3-scope-floating"
_PRINTED_PLAIN = re.compile(r"[A-Za-z0-9_-]+\Z")  # iptables-save puts other comments in quotes
_DEVICE_RULE = re.compile(r'-o (\S+)(?: -m comment --comment "?([^" ]+)"?)? -[gj] ')

Scope = Optional[str]


def scope_chains(router: Router, family: int, translates: bool, fixed_ips: Sequence[str]) -> Dict[str, Tuple[str, ...]]:
    """The chains of the table filter; none where no port has a scope of this address family.

    ``translates``: whether there is source NAT. ``fixed_ips``: those that leave as floating IPs.
    """
    scopes = _scopes(router, family)
    if not any(scopes.values()):
        return {}
    chains = {_chain(scope): _members(scopes, scope) for scope in scopes.values()}
    rules: List[str] = []
    gateway = external_device_name(router.gateway.id) if router.gateway is not None else None
    if gateway is not None and family == IPV4:
        rules.append("-m conntrack --ctstate SNAT,DNAT -j RETURN")
    for device, scope in scopes.items():
        target = "-g " + _chain(scope)
        if device == gateway and family == IPV4 and translates:
            target = "-j RETURN"
        elif device == gateway and fixed_ips:
            chains[_FLOATING] = (*("-s %s/32 -j RETURN" % fixed for fixed in fixed_ips), "-j " + _chain(scope))
            target = "-g " + _FLOATING
        rules.append("-o %s%s %s" % (device, _comment(scope), target))
    return {"l3-FORWARD": ("-j " + _CHAIN,), _CHAIN: tuple(rules), **chains}


def untranslated(router: Router) -> List[str]:
    """The internal devices of which the gateway has the same scope of IPv4."""
    if router.gateway is None or dict(router.gateway.address_scopes).get(IPV4) is None:
        return []
    scopes = _scopes(router, IPV4)
    gateway = external_device_name(router.gateway.id)
    return [device for device, scope in scopes.items() if device != gateway and scope == scopes[gateway]]


def now_translated(state: RouterState, observed: RouterState) -> Tuple[str, ...]:
    """IPv4 networks that are no longer in the scope of the gateway: flows that left them as they were could not be answered."""
    ceased = _marked(observed.firewall) - _marked(state.firewall)
    addresses = (a for device in sorted(ceased & state.devices.keys()) for a in observed.addresses.get(device, ()))
    return tuple(str(ipaddress.IPv4Interface(address.split()[0]).network) for address in addresses if ":" not in address)


def _marked(firewall: Mapping[int, Tables]) -> AbstractSet[str]:
    rules = firewall.get(IPV4, {}).get("nat", {}).get("l3-PREROUTING", ())
    return {rule.split()[1] for rule in rules if rule.startswith("-i ") and rule.endswith(_MARK)}


def scopes_of_devices(firewall: Mapping[int, Tables]) -> Mapping[str, Mapping[str, str]]:
    """Device -> address family, as text, -> scope id, as rule sets have it."""
    found: Dict[str, Dict[str, str]] = {}
    for family in FAMILIES:
        for device, scope in _device_rules(firewall, family):
            if scope is not None:
                found.setdefault(device, {})[str(family)] = scope
    return found


def lack_rules(firewall: Mapping[int, Tables], devices: Sequence[str]) -> bool:
    """Whether there are scopes, and not all of these devices have their rule."""
    return any(
        any(chain.startswith(_CHAIN) for chain in firewall.get(family, {}).get("filter", {}))
        and not set(devices) <= {device for device, _scope in _device_rules(firewall, family)}
        for family in FAMILIES
    )


def _device_rules(firewall: Mapping[int, Tables], family: int) -> List[Tuple[str, Scope]]:
    rules = firewall.get(family, {}).get("filter", {}).get(_CHAIN, ())
    matches = [match for match in map(_DEVICE_RULE.match, rules) if match is not None]
    return [(match.group(1), match.group(2) if ID.match(match.group(2) or "") else None) for match in matches]


def _scopes(router: Router, family: int) -> Dict[str, Scope]:
    """Device -> its scope, in the order of names, since sources list ports in any: that must not rewrite rules."""
    scopes = {
        internal_device_name(port.id): dict(port.address_scopes).get(family) for port in router.interfaces if port.admin_state_up
    }
    if router.gateway is not None:
        scopes[external_device_name(router.gateway.id)] = dict(router.gateway.address_scopes).get(family)
    return dict(sorted(scopes.items()))


def _members(scopes: Mapping[str, Scope], scope: Scope) -> Tuple[str, ...]:
    return (*("-i %s -j RETURN" % device for device, other in scopes.items() if other == scope), "-j DROP")


def _chain(scope: Scope) -> str:
    """The chain of a scope. Its name stays when other scopes come and go, and 28 characters are the most that one can have."""
    return "%s-%s" % (_CHAIN, "none" if scope is None else hashlib.sha256(scope.encode()).hexdigest()[:16])


def _comment(scope: Scope) -> str:
    if scope is None:
        return ""
    return " -m comment --comment " + (scope if _PRINTED_PLAIN.match(scope) else '"%s"' % scope)
