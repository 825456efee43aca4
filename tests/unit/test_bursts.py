# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is heard of hosts becomes few events, none is lost, and each is in time; by a clock that the test turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.bursts import ALL, Bursts

QUIET, LONGEST = 1.0, 5.0


def bursts(*heard: tuple[float, str, list[str]]) -> Bursts:
    result = Bursts(QUIET, LONGEST)
    for now, host, router_ids in heard:
        result.heard(host, router_ids, now)
    return result


def test_a_burst_is_due_when_it_is_quiet() -> None:
    waiting = bursts((0, "a", ["r2"]), (0.9, "a", ["r1"]), (1.8, "a", ["r2"]))
    assert waiting.take(2.7) is None
    assert waiting.due() == 2.8
    assert waiting.take(2.8) == ("a", ["r1", "r2"])
    assert waiting.due() is None
    assert waiting.take(9) is None


def test_a_burst_that_does_not_end_is_due_all_the_same() -> None:
    waiting = bursts(*((tenth / 2, "a", [f"r{tenth}"]) for tenth in range(10)))
    assert waiting.due() == LONGEST
    assert waiting.take(LONGEST) == ("a", [f"r{tenth}" for tenth in range(10)])
    waiting.heard("a", ["r10"], LONGEST)
    assert waiting.take(LONGEST + QUIET) == ("a", ["r10"])


def test_all_routers_are_more_than_some() -> None:
    assert bursts((0, "a", ["r1"]), (0, "a", list(ALL)), (0, "a", ["r2"])).take(1) == ("a", [])


def test_hosts_have_their_own_bursts_and_the_one_that_waits_longest_is_first() -> None:
    waiting = bursts((0, "b", ["r1"]), (0.1, "a", ["r2"]), (0.2, "b", ["r3"]))
    assert [waiting.take(2), waiting.take(2), waiting.take(2)] == [("a", ["r2"]), ("b", ["r1", "r3"]), None]


HEARD = st.tuples(
    st.floats(0, 3), st.sampled_from(["a", "b"]), st.lists(st.sampled_from(["r1", "r2", "r3"]), max_size=2), st.booleans()
)


@given(st.lists(HEARD, max_size=40))
def test_nothing_is_lost_or_late(news: list[tuple[float, str, list[str], bool]]) -> None:
    waiting = Bursts(QUIET, LONGEST)
    now = 0.0
    untold: dict[str, dict[str, float]] = {"a": {}, "b": {}}  # since when; "all" for all

    def take_what_is_due() -> None:
        while (taken := waiting.take(now)) is not None:
            host, router_ids = taken
            assert set(router_ids or ["all"]) == set(untold[host]) if router_ids else "all" in untold[host]
            untold[host].clear()

    for pause, host, router_ids, in_time in news:
        until = now + pause
        while in_time and (due := waiting.due()) is not None and due <= until:
            now = max(now, due)
            take_what_is_due()
            assert all(now - since <= LONGEST for told in untold.values() for since in told.values())
        now = until
        waiting.heard(host, router_ids, now)
        for router_id in router_ids or ["all"]:
            untold[host].setdefault(router_id, now)
    now += LONGEST
    take_what_is_due()
    assert untold == {"a": {}, "b": {}}
    assert waiting.due() is None
