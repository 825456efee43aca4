# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which chains are made right by single rules, and by which."""

from __future__ import annotations

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.firewall.iptables_edits import MOST_DELETED, edits


def rules(text: str) -> list[str]:
    return [f"-d 203.0.113.{ord(name)}/32 -j DNAT --to-destination 10.0.0.1" for name in text]


def short(text: str, have: str) -> list[str] | None:
    """The edits that make one chain of another, each rule being a letter."""
    lines = edits("c", rules(text), rules(have))
    if lines is None:
        return None
    for name in {*text, *have}:
        lines = [line.replace(rules(name)[0], name) for line in lines]
    return [line.replace(" c ", " ") for line in lines]


@pytest.mark.parametrize(
    ("want", "have", "lines"),
    [
        ("abc", "ab", ["-A c"]),
        ("abc", "bc", ["-I 1 a"]),
        ("axybz", "ab", ["-I 2 x", "-I 3 y", "-A z"]),
        ("ac", "abc", ["-D b"]),
        ("axc", "abc", ["-D b", "-I 2 x"]),
        ("bca", "abc", ["-D a", "-A a"]),
    ],
)
def test_only_what_differs_is_deleted_and_inserted(want: str, have: str, lines: list[str]) -> None:
    assert short(want, have) == lines


@pytest.mark.parametrize(("want", "have"), [("a", ""), ("", "a"), ("ab", "cd"), ("ab", "aab"), ("aba", "ab")])
def test_a_chain_of_which_nothing_stays_or_with_a_rule_twice_is_written_anew(want: str, have: str) -> None:
    assert short(want, have) is None


@pytest.mark.parametrize(
    "rule",
    [
        "-m limit --limit 5/sec -j ACCEPT",
        '-m comment --comment "x" -j ACCEPT',
        "-j LOG",
        "-j SET --add-set hosts src",
    ],
)
def test_a_rule_that_may_not_be_found_by_its_text_is_flushed_with_its_chain(rule: str) -> None:
    assert edits("c", rules("a"), [*rules("a"), rule]) is None
    assert edits("c", rules("a"), [*rules("a"), "-j ACCEPT"]) == ["-D c -j ACCEPT"]


def test_of_many_rules_that_go_none_is_searched_for() -> None:
    have = [f"-s 10.0.{n}.0/24 -j ACCEPT" for n in range(MOST_DELETED + 2)]
    assert edits("c", have[:1], have) is None
    assert edits("c", have[:2], have) is not None
