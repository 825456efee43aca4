# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rule sets of a namespace, of whatever firewall driver: what is ours, and what is not."""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, NamedTuple, Tuple

from .firewall import DRIVER_OF
from .firewall.iptables_save import CHAIN_PREFIX, SavedRules, is_ours, parse_save, without_agents
from .firewall.nftables_table import TABLE, parse_table
from .host import iptables, nftables
from .host.command import CommandError
from .state import FAMILIES, INET, IPV4, IPV6, RuleSets, Tables

OURS = nftables.Table("inet", TABLE)
_FAMILIES = {IPV4: "ip", IPV6: "ip6"}


class RulesRead(NamedTuple):
    """``own_tables``: address family and name of the tables that iptables has in nf_tables, in which nothing is not ours.
    ``foreign``: what is not ours, in words.
    """

    firewall: RuleSets
    own_tables: FrozenSet[Tuple[int, str]] = frozenset()
    foreign: Tuple[str, ...] = ()


def read_rules(of_node: bool, wanted: RuleSets) -> RulesRead:
    """Those of the namespace that the calling thread is in. ``of_node``: it is the node's own, where what is not ours is
    nobody's business here. ``wanted``: what is to be there. Raises OSError or CommandError.
    """
    tables = nftables.tables()
    _refuse_rules_without_iptables(tables, of_node)
    texts = {family: iptables.save(family) for family in FAMILIES if _has_rules(family, tables)}
    firewall: Dict[int, Tables] = {INET: parse_table(nftables.listed(OURS))} if OURS in tables else {}
    if of_node:
        texts = {family: without_agents(text) for family, text in texts.items()}
    saved = {family: parse_save(text) for family, text in texts.items()}
    unreadable = [table for family, rules in saved.items() for table in _unreadable(family, rules, of_node, wanted)]
    if of_node:
        return RulesRead({**firewall, **{family: _without_policies(rules.ours) for family, rules in saved.items()}})
    foreign = ["table %s %s" % table for table in unreadable]
    for family, rules in saved.items():
        foreign += [rule + (" (IPv6)" if family == IPV6 else "") for rule in rules.foreign]
    foreign += ["table %s %s" % table for table in sorted(tables) if table != OURS and not _is_of_iptables(table)]
    return RulesRead(
        {**firewall, **{family: rules.ours for family, rules in saved.items()}},
        frozenset((f, name) for f, rules in saved.items() if iptables.keeps_to_nf_tables(f) for name in rules.own_tables),
        tuple(foreign),
    )


def _refuse_rules_without_iptables(tables: FrozenSet[nftables.Table], of_node: bool) -> None:
    """Raise CommandError where rules of ours were made by commands that are gone: they would go on translating."""
    for family, name in _FAMILIES.items():
        made = [table for table in tables if table.family == name and table.name in iptables.TABLES]
        if made and not iptables.is_there(family) and any(_has_ours(table, of_node) for table in made):
            message = "the node lacks it, and has rules that were made by it. Install the package iptables until they are gone"
            raise CommandError(["%stables-save" % name], message)


def _has_ours(table: nftables.Table, of_node: bool) -> bool:
    """Whether a chain in a table of iptables is ours. ``of_node``: there, those of Neutron's agents are not."""
    return any(chain.startswith(CHAIN_PREFIX) if of_node else is_ours(chain) for chain in nftables.chains(table))


def _unreadable(family: int, rules: SavedRules, of_node: bool, wanted: RuleSets) -> Iterable[nftables.Table]:
    """The tables that iptables does not show. Raises CommandError when there is, or is to be, something of ours in one."""
    for name in rules.unreadable:
        table = nftables.Table(_FAMILIES[family], name)
        if wanted.get(family, {}).get(name) or _has_ours(table, of_node):
            message = (
                "in the table %s is what iptables cannot read, and so what is ours there is not known. See it with nft list table"
                " %s %s, and have what somebody else put there by nft in a table of its own"
            )
            raise CommandError(["%stables-save" % _FAMILIES[family]], message % (name, *table))
        yield table


def are_as_wanted(want: RuleSets, rules: RulesRead) -> bool:
    """Whether nothing is to be changed."""
    have, going = rules.firewall, INET in want and rules.own_tables
    return not going and not any(DRIVER_OF[f].script(want.get(f, {}), have.get(f, {})) for f in {*want, *have})


def _has_rules(family: int, tables: FrozenSet[nftables.Table]) -> bool:
    """Whether there can be anything that the commands of iptables would show."""
    if not iptables.keeps_to_nf_tables(family):
        return iptables.is_there(family)
    return any(table.family == _FAMILIES[family] and _is_of_iptables(table) for table in tables)


def _is_of_iptables(table: nftables.Table) -> bool:
    family = next((family for family, name in _FAMILIES.items() if name == table.family), None)
    return family is not None and table.name in iptables.TABLES and iptables.is_there(family)


def _without_policies(tables: Tables) -> Tables:
    """The policies of built-in chains are the node's own to set."""
    return {
        table: {chain: (":ACCEPT", *rules[1:]) if rules[:1] == (":DROP",) else rules for chain, rules in chains.items()}
        for table, chains in tables.items()
    }
