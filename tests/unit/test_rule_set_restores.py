# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever rules a namespace has: once the text that is written for it is applied, nothing of ours differs any more."""

from __future__ import annotations

import copy

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.netnode.l3.plugins.module_utils.firewall.iptables_rules import with_jumps
from ansible_collections.netnode.l3.plugins.module_utils.firewall.iptables_save import (
    describe_changes,
    differing_chains,
    parse_save,
    restore_text,
)
from ansible_collections.netnode.l3.plugins.module_utils.state import Tables

BUILT_IN = {"nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"), "filter": ("INPUT", "FORWARD", "OUTPUT")}
OURS = ("l3-PREROUTING", "l3-OUTPUT", "l3-INPUT", "l3-snat", "l3-old", "l3-older")
FOREIGN = ("DOCKER", "KUBE")
TARGETS = ("ACCEPT", "DROP", "RETURN", "DNAT", "SNAT", "MARK", "CONNMARK", "REDIRECT")


class Kernel:
    """Tables of chains, and iptables-restore --noflush as its manual page and the kernel have it."""

    def __init__(self, built_in: dict[str, tuple[str, ...]]) -> None:
        self.policies = {table: dict.fromkeys(chains, "ACCEPT") for table, chains in built_in.items()}
        self.rules: dict[str, dict[str, list[str]]] = {table: {c: [] for c in chains} for table, chains in built_in.items()}

    def save(self) -> str:
        lines = []
        for table, chains in self.rules.items():
            lines += ["*" + table, *(f":{chain} {self.policies[table].get(chain, '-')} [0:0]" for chain in chains)]
            lines += [f"-A {chain} {rule}" for chain, rules in chains.items() for rule in rules]
            lines.append("COMMIT")
        return "".join(line + "\n" for line in lines)

    def restore(self, text: str) -> None:
        table = ""
        for line in text.splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith(":"):
                chain, policy, counters = line[1:].split(" ")
                assert counters == "[0:0]"
                if policy == "-":
                    assert chain not in self.policies[table], "a built-in chain has a policy"
                    self.rules[table][chain] = []  # a chain that is there is flushed
                else:
                    assert chain in self.policies[table], "only a built-in chain has a policy"
                    self.policies[table][chain] = policy
            elif line != "COMMIT":
                self._command(self.rules[table], *line.split(" ", 2))
        assert text == "" or text.endswith("COMMIT\n")

    def _command(self, chains: dict[str, list[str]], command: str, chain: str, rest: str = "") -> None:
        rules = chains[chain]
        if command == "-A":
            self._check_target(chains, rest)
            rules.append(rest)
        elif command == "-I":
            place, rule = rest.split(" ", 1)
            self._check_target(chains, rule)
            assert 1 <= int(place) <= len(rules) + 1
            rules.insert(int(place) - 1, rule)
        elif command == "-D":
            rules.remove(rest)
        elif command == "-F":
            rules.clear()
        elif command == "-X":
            assert not rules, "only an empty chain can be deleted"
            assert not any(rule.endswith(" " + chain) for others in chains.values() for rule in others), "it is in use"
            del chains[chain]
        else:
            raise AssertionError(command)

    @staticmethod
    def _check_target(chains: dict[str, list[str]], rule: str) -> None:
        words = rule.split(" ")
        [target] = [words[place + 1] for place, word in enumerate(words) if word in ("-j", "-g")]
        assert target in chains or target in TARGETS


plain_rules = st.builds(
    "{}-j {}".format, st.sampled_from(["", "-p tcp ", "-i qg-a ", "! -o qg-a "]), st.sampled_from(["ACCEPT", "DROP", "RETURN"])
)


def jumps_to(chains: list[str]) -> st.SearchStrategy[str]:
    return st.builds("{}-{} {}".format, st.sampled_from(["", "-p udp "]), st.sampled_from("jg"), st.sampled_from(chains))


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    """Any state: our chains and foreign ones, jumps to both anywhere, policies. (Foreign chains do not jump to ours.)"""
    kernel = Kernel(BUILT_IN)
    for table, built_in in BUILT_IN.items():
        ours = draw(st.lists(st.sampled_from(OURS), unique=True))
        foreign = draw(st.lists(st.sampled_from(FOREIGN), unique=True))
        own_chains = [*built_in, *ours]
        kernel.rules[table] = {chain: [] for chain in draw(st.permutations([*own_chains, *foreign]))}
        for chain in own_chains:
            # No loops, which the kernel refuses: chains jump to later ones only.
            targets = [*ours[ours.index(chain) + 1 if chain in ours else 0 :], *foreign]
            rules = plain_rules | jumps_to(targets) if targets else plain_rules
            kernel.rules[table][chain] = draw(st.lists(rules, max_size=5))
        for chain in foreign:
            kernel.rules[table][chain] = draw(st.lists(plain_rules, max_size=3))
        for chain in built_in:
            kernel.policies[table][chain] = draw(st.sampled_from(["ACCEPT", "ACCEPT", "DROP"]))
    return kernel


@st.composite
def wanted_tables(draw: st.DrawFn) -> Tables:
    """What may be asked for: chains of ours that jump to each other, and the jumps to them from built-in ones."""
    tables = {}
    for table, built_in in BUILT_IN.items():
        possible = [chain for chain in OURS if not chain[3:].isupper() or chain[3:] in built_in]
        chains = draw(st.lists(st.sampled_from(possible), unique=True))
        rules = {}
        for number, chain in enumerate(chains):
            later = chains[number + 1 :]
            rules[chain] = tuple(draw(st.lists(plain_rules | jumps_to(later) if later else plain_rules, max_size=4)))
        if rules:
            tables[table] = with_jumps(rules)
    return tables


def foreign_rules(kernel: Kernel) -> dict[tuple[str, str], list[str]]:
    return {
        (table, chain): [rule for rule in rules if not rule.rsplit(" ", 1)[1].startswith("l3-")]
        for table, chains in kernel.rules.items()
        for chain, rules in chains.items()
        if not chain.startswith("l3-")
    }


def mentioned_chains(text: str) -> set[tuple[str, str]]:
    table, chains = "", set()
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line != "COMMIT":
            chains.add((table, line[1:].split(" ")[0] if line.startswith(":") else line.split(" ")[1]))
    return chains


def assert_jumps_stand_first_and_once(kernel: Kernel, wanted: Tables) -> None:
    for table, built_in in BUILT_IN.items():
        for chain in built_in:
            jumps = [n for n, rule in enumerate(kernel.rules[table][chain]) if rule.rsplit(" ", 1)[1].startswith("l3-")]
            assert jumps == ([0] if "l3-" + chain in wanted.get(table, {}) else [])
            assert kernel.policies[table][chain] == "ACCEPT"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kernels(), wanted_tables())
def test_applying_the_text_leaves_no_difference(kernel: Kernel, wanted: Tables) -> None:
    before = parse_save(kernel.save())
    others = copy.deepcopy(foreign_rules(kernel))
    differing = differing_chains(wanted, before.ours)
    text = restore_text(wanted, before.ours)
    assert mentioned_chains(text) == {(table, chain) for table, chains in differing.items() for chain in chains}

    kernel.restore(text)
    after = parse_save(kernel.save())
    assert differing_chains(wanted, after.ours) == {}
    assert restore_text(wanted, after.ours) == ""
    assert_jumps_stand_first_and_once(kernel, wanted)
    assert foreign_rules(kernel) == others
    assert sorted(after.foreign) == sorted(before.foreign)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=25)
@given(kernels(), wanted_tables())
def test_each_difference_is_told_and_nothing_else(kernel: Kernel, wanted: Tables) -> None:
    ours = parse_save(kernel.save()).ours
    sentences = describe_changes(wanted, ours)
    differing = [
        f"chain {chain} of table {table}" for table, chains in differing_chains(wanted, ours).items() for chain in chains
    ]
    assert all(any(place in sentence for sentence in sentences) for place in differing)
    assert all(any(place in sentence for place in differing) for sentence in sentences)
