# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which firewall rules a router needs: a pure function from the router to rule sets.

The rules are those of the L3 agent in effect, with one difference: connections that come in by the gateway are
marked in the nat table, which sees only a connection's first packet, and not in mangle, which sees every packet.
Rules are written exactly as iptables-save prints them; ``--random-fully`` needs iptables 1.6.2 (2018).
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Tuple

from .model import Router, external_device_name
from .state import IPV4, IPV6, Tables

CHAIN_PREFIX = "l3-"
FROM_OUTSIDE = "0x2/0xffff"  # the agent's mark for what came in by the gateway (external_ingress_mark)


def rule_sets(router: Router) -> Mapping[int, Tables]:
    """Address family -> tables with our chains, and the jumps to them that stand first in the built-in chains."""
    nat = _nat_chains(router)
    return {IPV4: {"nat": with_jumps(nat)} if nat else {}, IPV6: {}}


def with_jumps(chains: Mapping[str, Tuple[str, ...]]) -> Dict[str, Tuple[str, ...]]:
    """The chains, and for each ``l3-<built-in chain>`` the jump from there."""
    jumps = {chain[len(CHAIN_PREFIX) :]: (":ACCEPT", "-j " + chain) for chain in chains if chain[len(CHAIN_PREFIX) :].isupper()}
    return {**jumps, **chains}


def _nat_chains(router: Router) -> Dict[str, Tuple[str, ...]]:
    if router.gateway is None:
        return {}
    device = external_device_name(router.gateway.id)
    own = [str(address.ip) for address in router.gateway.addresses if address.version == 4]
    pairs = [
        (str(fip.floating_ip_address), str(fip.fixed_ip_address))
        # In the order of addresses, since sources list them in any: that must not rewrite rules.
        for fip in sorted(router.floating_ips, key=lambda fip: fip.floating_ip_address)
        if fip.fixed_ip_address is not None
    ]
    if not pairs and not (own and router.enable_snat):
        return {}
    to_fixed = ["-d %s/32 -j DNAT --to-destination %s" % pair for pair in pairs]
    snat: List[str] = ["-j l3-float-snat"]
    if own and router.enable_snat:
        snat.append("-o %s -j SNAT --to-source %s --random-fully" % (device, own[0]))
    if own and pairs:
        # Hairpin: who reaches a floating IP from inside must be answered through the router, not directly.
        snat.append(
            "-m mark ! --mark %s -m conntrack --ctstate DNAT -j SNAT --to-source %s --random-fully" % (FROM_OUTSIDE, own[0])
        )
    return {
        "l3-PREROUTING": ("-i %s -j MARK --set-xmark %s" % (device, FROM_OUTSIDE), *to_fixed),
        "l3-OUTPUT": tuple(to_fixed),
        "l3-POSTROUTING": ("! -o %s -m conntrack ! --ctstate DNAT -j RETURN" % device, "-j l3-snat"),
        "l3-snat": tuple(snat),
        "l3-float-snat": tuple("-s %s/32 -j SNAT --to-source %s --random-fully" % (fixed, fip) for fip, fixed in pairs),
    }


def floating_ip_pairs(firewall: Mapping[int, Tables]) -> Mapping[str, str]:
    """Floating IP -> fixed IP, as rule sets have it."""
    pairs = {}
    for rule in firewall.get(IPV4, {}).get("nat", {}).get("l3-PREROUTING", ()):
        words = rule.split()
        if words[0] == "-d" and words[2:4] == ["-j", "DNAT"] and words[1].endswith("/32"):
            pairs[words[1][:-3]] = words[5]
    return pairs


def source_nat_address(firewall: Mapping[int, Tables]) -> Optional[str]:
    """The address to which rule sets translate the source of all that leaves by the gateway."""
    for rule in firewall.get(IPV4, {}).get("nat", {}).get("l3-snat", ()):
        words = rule.split()
        if words[0] == "-o" and words[2:5] == ["-j", "SNAT", "--to-source"]:
            return words[5]
    return None
