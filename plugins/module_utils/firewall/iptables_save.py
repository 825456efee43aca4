# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rule sets in the form of iptables-save(8): read, compared, and written for iptables-restore(8). Pure.

Tables hold what is ours: chains with our prefix whole; of a built-in chain, its policy (as ``:ACCEPT``) and its
rules down to the last jump to a chain of ours. So a jump that is missing, doubled or no longer the first shows
as a difference of that chain, and foreign rules after it do not. Of somebody else's chain likewise (with ``:-``), if
it jumps to one of ours: it must not, since it would keep that chain from ever being removed.
"""

from __future__ import annotations

import io
import re
from typing import Dict, FrozenSet, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from ..state import Chains, Tables
from .iptables_edits import edits

CHAIN_PREFIX = "l3-"
AGENT_CHAIN_PREFIX = "neutron-l3-agent-"  # of the L3 agent, whose routers are taken over

# The L3 agent's: what it made of a router is taken over, and its chains give way to ours.
AGENT_PREFIX = "neutron-"
AGENT_CHAINS = (AGENT_CHAIN_PREFIX, AGENT_PREFIX + "filter-top", AGENT_PREFIX + "postrouting-bottom")

_UNREADABLE = re.compile(r"# Table `(\S+)' is incompatible")

_AGENTS_LINE = re.compile(r'^:%s|^-A %s| -[jg] %s[^ "]*$' % (AGENT_PREFIX, AGENT_PREFIX, AGENT_PREFIX))

_ESCAPED = re.compile(r"\\.")  # what a backslash takes the meaning from

UNTOUCHED: Tuple[str, ...] = (":ACCEPT",)  # a built-in chain in which nothing is ours


class SavedRules(NamedTuple):
    """What iptables-save printed: ours, the rules that are not, each in words, and the tables in which nothing is not ours.
    ``unreadable``: tables in which somebody has put by nft what iptables cannot show, so that it shows nothing of them.
    """

    ours: Tables
    foreign: Tuple[str, ...]
    own_tables: FrozenSet[str]
    unreadable: Tuple[str, ...] = ()


def is_ours(chain: str) -> bool:
    """Whether the chain is one of ours, or of the L3 agent before us."""
    return chain.startswith((CHAIN_PREFIX, *AGENT_CHAINS))


def without_agents(text: str) -> str:
    """What iptables-save printed, without Neutron's agents, which outside of routers' namespaces are not ours."""
    return "".join(line for line in _lines(text) if not _AGENTS_LINE.search(line))


def _lines(text: str) -> Iterator[str]:
    """Lines of iptables-save, with their ends. A comment in quotes can have line breaks in it, and so what looks like lines
    and is none.
    """
    parts: List[str] = []
    quoted = False
    for part in io.StringIO(text, newline="\n"):
        parts.append(part)
        if '"' in part:
            quoted ^= _ESCAPED.sub("", part).count('"') % 2 == 1
        if not quoted:
            yield "".join(parts)
            parts = []
    if parts:
        yield "".join(parts)


def _jumps_to_ours(rule: str) -> bool:
    words = rule.rsplit(" ", 2)
    return len(words) >= 2 and words[-2] in ("-j", "-g") and is_ours(words[-1]) and '"' not in words[-1]


def parse_save(text: str) -> SavedRules:
    """Read the output of iptables-save or ip6tables-save."""
    ours: Dict[str, Dict[str, Tuple[str, ...]]] = {}
    foreign: List[str] = []
    own_tables: Set[str] = set()
    policies: Dict[str, str] = {}
    rules: Dict[str, List[str]] = {}
    unreadable: List[str] = []
    table = ""
    for line in (whole.rstrip("\n") for whole in _lines(text)):
        if line.startswith("-A "):
            chain, _space, rule = line[3:].partition(" ")
            rules.setdefault(chain, []).append(rule)
        elif line.startswith(":"):
            chain, _space, policy = line[1:].partition(" ")
            policies[chain] = policy.partition(" ")[0]
        elif line.startswith("*"):
            table, policies, rules = line[1:].strip(), {}, {}
        elif line.startswith("#"):
            unreadable += _UNREADABLE.findall(line)
        elif line == "COMMIT":
            ours[table] = {}
            others_before = len(foreign)
            for chain, policy in policies.items():
                own, others = _split_chain(chain, policy, rules.get(chain, []))
                if own is not None:
                    ours[table][chain] = own
                foreign.extend("rule in chain %s of table %s: %s" % (chain, table, rule) for rule in others)
            if others_before == len(foreign) and _has_only_ours(policies):
                own_tables.add(table)
    return SavedRules(ours, tuple(foreign), frozenset(own_tables), tuple(unreadable))


def _has_only_ours(policies: Mapping[str, str]) -> bool:
    """Whether the chains of a table are as it was made, but for ours."""
    return all(policy == "ACCEPT" or is_ours(chain) for chain, policy in policies.items())


def _split_chain(chain: str, policy: str, rules: Sequence[str]) -> Tuple[Optional[Tuple[str, ...]], Sequence[str]]:
    if is_ours(chain):
        return tuple(rules), ()
    jumps = [number for number, rule in enumerate(rules) if _jumps_to_ours(rule)]
    others = [rule for number, rule in enumerate(rules) if number not in jumps]
    if policy == "-" and not jumps:
        return None, others
    return (":" + policy, *(rules[: jumps[-1] + 1] if jumps else ())), others


def _chain(chains: Chains, chain: str, other: Chains) -> Optional[Tuple[str, ...]]:
    """A chain's rules; where nothing is said of it, those of a chain with nothing of ours in it."""
    if chain in chains or is_ours(chain):
        return chains.get(chain)
    return other[chain][:1] if other.get(chain, UNTOUCHED)[0] == ":-" else UNTOUCHED


def differing_chains(desired: Tables, observed: Tables) -> Mapping[str, Sequence[str]]:
    """Table -> names of the chains that differ, sorted."""
    differing = {}
    for table in sorted(set(desired) | set(observed)):
        want, have = desired.get(table, {}), observed.get(table, {})
        chains = [c for c in sorted(set(want) | set(have)) if _chain(want, c, have) != _chain(have, c, want)]
        if chains:
            differing[table] = chains
    return differing


def restore_text(desired: Tables, observed: Tables) -> str:
    """The input of ``iptables-restore --noflush`` that makes the difference, and names no chain without one."""
    lines: List[str] = []
    for table, chains in differing_chains(desired, observed).items():
        want, have = desired.get(table, {}), observed.get(table, {})
        declared, rules, removed = [], [], []
        for chain in chains:
            wanted = want.get(chain)
            if not is_ours(chain):
                policy, commands = _jumps_change(chain, _chain(want, chain, have) or (), have.get(chain, UNTOUCHED))
                declared += policy
                rules += commands
            elif wanted is None:
                removed.append(chain)
            else:
                changes = edits(chain, wanted, have.get(chain, ()))
                if changes is None:
                    declared.append(":%s - [0:0]" % chain)
                    changes = ["-A %s %s" % (chain, rule) for rule in wanted]
                rules += changes
        lines += ["*" + table, *declared, *rules]
        lines += ["-F " + chain for chain in removed] + ["-X " + chain for chain in removed]
        lines.append("COMMIT")
    return "".join(line + "\n" for line in lines)


def _jumps_change(chain: str, want: Sequence[str], have: Sequence[str]) -> Tuple[List[str], List[str]]:
    """Lines that set the policy, and lines that put our jumps first; foreign rules stay."""
    policy = [] if want[0] == have[0] else [":%s %s [0:0]" % (chain, want[0][1:])]
    if list(want[1:]) == list(have[1:]):
        return policy, []
    jumps = [(place, rule) for place, rule in enumerate(have[1:], 1) if _jumps_to_ours(rule)]
    # What has a line break in it would be several lines to iptables-restore: it goes by its number, the last one first.
    commands = ["-D %s %d" % (chain, place) for place, rule in reversed(jumps) if "\n" in rule]
    commands += ["-D %s %s" % (chain, rule) for _place, rule in jumps if "\n" not in rule]
    commands += ["-I %s %d %s" % (chain, place, rule) for place, rule in enumerate(want[1:], 1)]
    return policy, commands


def describe_changes(desired: Tables, observed: Tables, suffix: str = "") -> List[str]:
    """One sentence per change. ``suffix`` is put behind the table's name (" (IPv6)")."""
    sentences = []
    for table, chains in differing_chains(desired, observed).items():
        want, have = desired.get(table, {}), observed.get(table, {})
        for chain in chains:
            place = "chain %s of table %s%s" % (chain, table, suffix)
            sentences += _describe_chain(place, is_ours(chain), _chain(want, chain, have), _chain(have, chain, want))
    return sentences


def _describe_chain(place: str, ours: bool, want: Optional[Tuple[str, ...]], have: Optional[Tuple[str, ...]]) -> List[str]:
    if want is None:
        return ["%s removed" % place]
    if have is None:
        return ["%s created with %d rule%s" % (place, len(want), "" if len(want) == 1 else "s")]
    sentences = []
    if want and have and want[0] != have[0] and want[0].startswith(":"):
        sentences.append("policy of %s set to %s" % (place, want[0][1:]))
    wanted, present = set(want), set(have)
    # In chains that are not ours, other rules stay and our jump moves before them.
    gone = [rule for rule in have if rule not in wanted and (ours or _jumps_to_ours(rule))]
    sentences += ["rule removed from %s: %s" % (place, rule) for rule in gone]
    added = [rule for rule in want if rule not in present and not rule.startswith(":")]
    sentences += ["rule added to %s: %s" % (place, rule) for rule in added]
    return sentences or ["rules of %s put in order" % place]
