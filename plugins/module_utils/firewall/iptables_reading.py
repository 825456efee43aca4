# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What rules of iptables do, ours or the L3 agent's: pure."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from ..model import PortForwarding
from ..state import FAMILIES, IPV4, IPV6, RuleSets
from .firewall import Firewall, Published
from .iptables_helpers import helpers_of, lack_helpers
from .iptables_port_forwardings import of_rule
from .iptables_rules import NDP
from .iptables_save import AGENT_CHAIN_PREFIX, CHAIN_PREFIX
from .iptables_scopes import SAME_SCOPE, lack_scopes, scopes_of

_MARKED = " -j MARK --set-xmark " + SAME_SCOPE


def firewall_from(rule_sets: RuleSets) -> Firewall:
    """What rule sets tell of it: all that is not in the kernel elsewhere."""
    source_nat = _source_nat_address(rule_sets)
    return Firewall(
        external_address=source_nat or _hairpin_address(rule_sets),
        source_nat=source_nat is not None,
        floating_ips=_floating_ips(rule_sets),
        port_forwardings=tuple(_port_forwardings(rule_sets)),
        scopes={family: scopes_of(rule_sets, family) for family in FAMILIES},
        untranslated=_untranslated(rule_sets),
        published=_published(rule_sets),
        conntrack_helpers=helpers_of(rule_sets),
    )


def why_damaged(rule_sets: RuleSets, devices: Sequence[str]) -> Optional[str]:
    """What is seen to be missing, in words. ``devices``: those of the router."""
    nat = rule_sets.get(IPV4, {}).get("nat", {})
    damaged = [
        ("nat", CHAIN_PREFIX + "snat" in nat and not nat.get(CHAIN_PREFIX + "POSTROUTING")),
        ("filter", any(lack_scopes(rule_sets, family, devices) for family in FAMILIES)),
        ("raw", lack_helpers(rule_sets)),
    ]
    return next(("rules of its table %s are gone" % table for table, is_damaged in damaged if is_damaged), None)


def _nat_rules(rule_sets: RuleSets, chain: str) -> Sequence[str]:
    nat = rule_sets.get(IPV4, {}).get("nat", {})
    return nat.get(CHAIN_PREFIX + chain) or nat.get(AGENT_CHAIN_PREFIX + chain, ())


def _floating_ips(rule_sets: RuleSets) -> Mapping[str, str]:
    pairs: Dict[str, str] = {}
    for rule in _nat_rules(rule_sets, "PREROUTING"):
        words = rule.split()
        if (
            words[:1] == ["-d"]
            and words[2:5] == ["-j", "DNAT", "--to-destination"]
            and len(words) > 5
            and words[1].endswith("/32")
        ):
            pairs.setdefault(words[1][:-3], words[5])  # the first rule is what holds
    return pairs


def _port_forwardings(rule_sets: RuleSets) -> List[PortForwarding]:
    """The L3 agent has a chain for each."""
    nat = rule_sets.get(IPV4, {}).get("nat", {})
    of_agent = (rule for chain, rules in nat.items() if chain.startswith(AGENT_CHAIN_PREFIX + "pf-") for rule in rules)
    found = map(of_rule, nat.get(CHAIN_PREFIX + "PREROUTING") or of_agent)
    return [forwarding for forwarding in found if forwarding is not None]


def _hairpin_address(rule_sets: RuleSets) -> Optional[str]:
    sources = (rule.rpartition(" --to-source ")[2].split() for rule in _nat_rules(rule_sets, "snat") if " --to-source " in rule)
    return next((source[0] for source in sources if source), None)


def _source_nat_address(rule_sets: RuleSets) -> Optional[str]:
    for rule in _nat_rules(rule_sets, "snat"):
        words = rule.split()
        if words[:1] == ["-o"] and words[2:5] == ["-j", "SNAT", "--to-source"] and len(words) > 5:
            return words[5]
    return None


def _untranslated(rule_sets: RuleSets) -> Tuple[str, ...]:
    rules = rule_sets.get(IPV4, {}).get("nat", {}).get("l3-PREROUTING", ())
    return tuple(rule.split()[1] for rule in rules if rule.startswith("-i ") and rule.endswith(_MARKED))


def _published(rule_sets: RuleSets) -> Optional[Published]:
    chain = rule_sets.get(IPV6, {}).get("filter", {}).get(NDP)
    if chain is None:
        return None
    words = [rule.split() for rule in chain]
    addresses = (rule[1][:-4] for rule in words if rule[0] == "-d" and rule[-1] == "RETURN" and rule[1].endswith("/128"))
    return Published("", (), tuple(addresses))
