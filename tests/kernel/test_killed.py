# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that is killed before each of its steps: the next one ends where no run was killed, and nothing is left over.

Random states are killed on the way to in test_any_state.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from sandbox import Node
from sandbox.engine import How, Killed, run_engine

from ..kernel_state import differences, empty, settle, snapshot
from ..routers import router, small_router

# But for the sandbox's own, and the notes of rules that were read, which cost nothing and are not there after every run.
FILES = r"find /run \( -path /run/overlay -o -path /run/netns \) -prune -o -type f -not -name known-rules.json -print | sort"
# A worker that was told to end may take a moment.
PROXIES = (
    "for again in $(seq 50); do proxies=$(cat /proc/[0-9]*/comm | grep -c haproxy); [ $proxies -le 2 ] && break; sleep 0.1;"
    " done; echo $proxies"
)


def changed() -> dict[str, Any]:
    """The router with something else of every kind: a port gone and one come, addresses, rules, routes, MAC address, MTU."""
    data = router(
        floating_ips=[{"floating_ip_address": "203.0.113.20", "fixed_ip_address": "10.0.0.6"}],
        routes=[
            {"destination": "192.168.50.0/24", "nexthop": "10.0.0.10"},
            {"destination": "10.0.1.0/24", "nexthop": "10.0.0.9"},
        ],
    )
    data["gateway"].update(addresses=["203.0.113.10/25", "2001:db8:e::10/80"], extra_subnets=["203.0.113.0/24"])
    data["interfaces"][0].update(mac_address="fa:16:3e:00:00:ee", mtu=1400, addresses=["10.0.0.1/25", "10.0.0.2/25"])
    data["interfaces"][1].update(id="dddd0000-new-port", network_id="new-network", addresses=["10.0.2.1/24"])
    return data


def with_ipv6(number: int) -> dict[str, Any]:
    data = small_router(number)
    data["interfaces"][0]["addresses"].append("2001:db8:1::1/64")
    return data


CASES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], bool, bool]] = {
    # from, to, with metadata before and after
    "build": ([], [router()], False, False),
    "change": ([router()], [changed()], False, False),
    "remove": ([router(), small_router(1)], [], False, False),
    "metadata comes": ([small_router(1)], [small_router(1), small_router(2)], False, True),
    "metadata stays for others": ([small_router(1), small_router(2)], [small_router(2)], True, True),
    "metadata goes": ([small_router(1)], [small_router(1)], True, False),
    "metadata by IPv6 comes": ([small_router(1)], [with_ipv6(1)], True, True),
    "metadata by IPv6 goes": ([with_ipv6(1)], [with_ipv6(1)], True, False),
}


@pytest.fixture
def fresh() -> Iterator[Node]:
    with Node("fresh") as fresh:
        fresh.add_bridge("br-ex")
        yield fresh


def everything(node: Node) -> dict[str, Any]:
    """What the kernel has, and what is in files and processes."""
    files = node.run("/bin/sh", "-c", FILES).stdout.splitlines()
    return {**snapshot(node), "files": files, "proxies": node.run("/bin/sh", "-c", PROXIES, check=False).stdout}


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_is_killed_anywhere_is_made_good_by_the_next(node: Node, fresh: Node, case: str) -> None:
    start, target, metadata_before, metadata_after = CASES[case]
    before, after = ({"metadata_upstream": "127.0.0.1:80"} if metadata else {} for metadata in (metadata_before, metadata_after))
    run_engine(fresh, start, **before)
    run_engine(fresh, target, **after)
    expected = everything(fresh)
    # To the first run that had no such step: haproxy, told again when it was slow, makes their number differ.
    for step in count():
        run_engine(node, start, **before)
        try:
            run_engine(node, target, how=How(end_before=step), **after)
        except Killed:
            settle(node)
        else:
            break
        done = run_engine(node, target, **after)
        assert "failed" not in done, (step, done["msg"])
        assert differences(expected, everything(node)) == [], step
        assert not run_engine(node, target, **after)["changed"], step
        empty(node)
    assert step > 2


def test_what_was_begun_and_is_not_wanted_any_more_goes(node: Node) -> None:
    run_engine(node, [])
    nothing = everything(node)
    data = [{"id": "r1", "interfaces": [{"id": "port", "network_id": "net", "addresses": ["10.0.0.1/24"]}]}]
    for step in range(run_engine(node, data)["cost"]["steps"]):
        empty(node)
        with pytest.raises(Killed):
            run_engine(node, data, how=How(end_before=step))
        settle(node)
        assert "failed" not in run_engine(node, [])
        settle(node)  # a device without its mark yet goes with its namespace, and is not waited for
        assert differences(nothing, everything(node)) == [], step
