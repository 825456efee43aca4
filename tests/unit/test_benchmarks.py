# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the benchmarks that need no node."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.node_run import run_node
from benchmarks.cases import many_floating_ips, many_routers
from benchmarks.floor import cpu_seconds, script_inside, steps_of
from benchmarks.measure import in_rounds, medians
from benchmarks.page import page
from benchmarks.report import CASE, MISSING, PLAYBOOK, count_of, markdown
from benchmarks.routers import benchmark_router, large_router
from sandbox.engine import DEFAULTS


def rendered(*numbers: int) -> list[dict[str, Any]]:
    routers = [benchmark_router(number) for number in numbers]
    result = run_node({**DEFAULTS, "routers": routers, "state": "rendered"}, False, False)
    return list(result["rendered"])


def test_the_floor_does_all_that_the_engine_would() -> None:
    [entry] = rendered(7)
    steps = steps_of(entry, set())
    count = len(steps.outside) + len(steps.node_parameters) + len(steps.parameters) + len(steps.rules) + len(steps.inside)
    assert count == len(entry["commands"])
    assert steps.outside[-1].endswith("up")
    assert ("net/ipv4/ip_forward", "1") in steps.parameters
    assert "address add 10.0.0.1/24 broadcast + dev qr-00000007-00" in steps.inside
    script = script_inside(steps, "/d").splitlines()
    assert script[0] == "echo 1 >/proc/sys/net/ipv4/ip_forward"
    assert script[-2:] == ["iptables-restore --noflush </d/iptables-restore", "exec ip -batch /d/inside"]


def test_the_floor_makes_shared_bridges_once() -> None:
    done: set[str] = set()
    first, second = (steps_of(entry, done) for entry in rendered(0, 1))
    assert sum("type bridge" in line for line in first.outside) == 2
    assert not [line for line in second.outside if "type bridge" in line]
    assert len(first.inside) == len(second.inside)


def test_the_floor_refuses_what_it_does_not_know() -> None:
    entry = {"id": "r1", "commands": ["ovs-vsctl add-port br-int tap1"], "rules": {}}
    with pytest.raises(SystemExit, match="ovs-vsctl add-port"):
        steps_of(entry, set())


def test_the_shells_times_are_summed_up() -> None:
    assert cpu_seconds("0m0.010000s 0m0.020000s\n1m0.500000s 0m2.000000s\n") == pytest.approx(62.53)


@pytest.mark.parametrize(("count", "drifted"), [(1, 1), (10, 1), (100, 10)])
def test_cases_say_what_they_change(count: int, drifted: int) -> None:
    cases = {case.name: case for case in many_routers(count)}
    assert {name: len(case.changes) for name, case in cases.items()} == {
        "build": count,
        "first check": 0,
        "nothing to do": 0,
        "one floating IP changed": 1,
        "10 % drifted": drifted,
        "remove all": count,
    }
    [changed] = cases["one floating IP changed"].routers
    assert changed in cases["10 % drifted"].routers  # only what drifted is to be put right then
    assert len(cases["10 % drifted"].drift.splitlines()) == drifted


def test_drift_is_of_three_kinds() -> None:
    script = many_routers(30)[4].drift
    assert [script.count(word) for word in ("address delete", "--flush l3-snat", "route delete default")] == [1, 1, 1]


@pytest.mark.parametrize("case", [*many_routers(300), *many_floating_ips(5000)], ids=lambda case: case.name)
def test_all_data_is_right(case: Any) -> None:
    result = run_node({**DEFAULTS, "routers": case.routers, "state": "rendered"}, False, False)
    assert "failed" not in result


def test_a_large_router_has_as_many_different_floating_ips() -> None:
    floating_ips = large_router(5000)["floating_ips"]
    for key in ("floating_ip_address", "fixed_ip_address"):
        assert len({entry[key] for entry in floating_ips}) == 5000


def test_the_median_of_rounds_counts() -> None:
    assert medians([{"s": 3.0, "n": 1}, {"s": 1.0, "n": 1}, {"s": 2.0, "n": 4}]) == {"s": 2.0, "n": 1}
    seconds = iter([3.0, 1.0, 2.0])
    assert list(in_rounds(10, 10, lambda: {"build": {"s": next(seconds)}})) == [
        {"count": 10, "case": "build", "rounds": 3, "s": 2.0}
    ]


def test_a_table_shows_what_is_missing_and_leaves_out_rows_without_figures() -> None:
    rows = [
        {"count": 1000, "case": "build", "playbook_seconds": 1.25, "controller_kib": 2048},
        {"count": 1000, "case": "10 % drifted", "seconds": 1.0},
    ]
    table = markdown(rows, (count_of("routers"), CASE, *PLAYBOOK)).splitlines()
    assert len(table) == 3
    assert table[2].split(" | ")[:4] == ["| 1,000", "build", "1.25", MISSING]


def test_the_page_has_the_parts_that_were_measured() -> None:
    row = {"count": 5, "what": "open files", "value": 1234, "unit": ""}
    text = page({"CPUs": "2"}, {"health": {"date": "2026-01-02", "rows": [row]}})
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## A large node with metadata"]
    assert "Measured on 2026-01-02." in text
    assert "| 5 | open files | 1,234 |  |" in text
