# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much one run can take away: what is said of it before, and what no run takes."""

from __future__ import annotations

import pytest

from sandbox import Node
from sandbox.engine import run_engine

from ..kernel_state import differences, snapshot
from ..routers import router, small_router

ALL = [router(), small_router(1), small_router(2)]


@pytest.mark.parametrize(
    ("data", "state", "figures", "words"),
    [
        (ALL, "overridden", (0, 0), ""),
        (ALL[:2], "overridden", (1, 1), "1 router and 1 floating IP"),
        ([], "overridden", (3, 4), "3 routers and 4 floating IPs"),
        ([router(floating_ips=[])], "replaced", (0, 2), "2 floating IPs"),
        ([{"id": "small-1"}], "deleted", (1, 1), "1 router and 1 floating IP"),
        # One that moves to another router is still there.
        (
            [router(floating_ips=[]), {**small_router(1), "floating_ips": router()["floating_ips"]}, small_router(2)],
            "overridden",
            (0, 1),
            "1 floating IP",
        ),
    ],
)
def test_what_goes_is_counted(node: Node, data: list[object], state: str, figures: tuple[int, int], words: str) -> None:
    run_engine(node, ALL)
    predicted, done = run_engine(node, data, state, check=True), run_engine(node, data, state)
    assert predicted["removed"] == done["removed"] == dict(zip(("routers", "floating_ips"), figures, strict=True))
    assert predicted["msg"].endswith(f" To be removed: {words}." if words else "skipped.")
    assert done["msg"].endswith(f" Removed: {words}." if words else "skipped.")


def test_a_protected_router_is_not_purged(node: Node) -> None:
    run_engine(node, ALL)
    before = snapshot(node)
    result = run_engine(node, ALL[1:], protected_routers=["r1", "not-here"])
    assert "failed" not in result and not result["changed"]
    assert result["warnings"] == ["Router r1 stays, though the router data does not want it here: it is protected."]
    assert differences(before, snapshot(node)) == []
    # It does not count for max_deletions either: one of three goes.
    assert "failed" not in run_engine(node, ALL[1:2], protected_routers=["r1"], max_deletions="34%")
    assert run_engine(node, [router(floating_ips=[]), small_router(1)], protected_routers=["r1"])["changed"]


@pytest.mark.parametrize(
    ("data", "state"),
    [([{"id": "r1"}, {"id": "small-1"}], "deleted"), ([router(admin_state_up=False), small_router(1)], "replaced")],
)
def test_a_protected_router_that_somebody_wants_to_go_fails_and_stays(node: Node, data: list[object], state: str) -> None:
    run_engine(node, ALL)
    before = snapshot(node)["qrouter-r1"]
    predicted, result = (run_engine(node, data, state, check=check, protected_routers=["r1"]) for check in (True, False))
    errors = {entry["id"]: entry.get("error") for entry in result["routers"]}
    assert errors == {"r1": "protected_routers names it: it is not removed. Take it from there first.", "small-1": None}
    assert predicted["routers"] == result["routers"]
    assert snapshot(node)["qrouter-r1"] == before


def test_a_protected_router_that_is_down_stays_with_overridden(node: Node) -> None:
    run_engine(node, ALL)
    before = snapshot(node)
    result = run_engine(node, [router(admin_state_up=False), *ALL[1:]], protected_routers=["r1"])
    assert differences(before, snapshot(node)) == []
    assert result["warnings"] == ["Router r1 stays, though the router data does not want it here: it is protected."]


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x"])
def test_what_cannot_be_an_id_cannot_be_protected(node: Node, name: str) -> None:
    result = run_engine(node, ALL, protected_routers=["r1", name])
    assert result["failed"]
    assert result["msg"].startswith(f"protected_routers[1]: {name!r} is not an id ")
    assert "qrouter" not in node.run("ip", "netns", "list").stdout


def test_no_router_data_is_no_empty_list(node: Node) -> None:
    run_engine(node, ALL)
    for data in (None, "", "null", {}):
        result = run_engine(node, data)
        assert result["failed"]
        assert result["msg"].startswith("routers: expected a list of routers, not ")
    assert len(run_engine(node, None, "gathered")["gathered"]) == 3


def test_given_routers_that_are_down_go_as_far_as_is_allowed(node: Node) -> None:
    run_engine(node, ALL)
    before = snapshot(node)
    down = [{"id": entry["id"], "admin_state_up": False} for entry in ALL]
    result = run_engine(node, [*down[:2], {"id": "unknown", "admin_state_up": False}], "replaced", max_deletions="50%")
    assert result["msg"].startswith("Refused: 2 of the 3 routers on this node would be purged, and max_deletions is 50%.")
    assert differences(before, snapshot(node)) == []
    assert run_engine(node, down[:1], "replaced", max_deletions="0")["removed"]["routers"] == 1
    assert run_engine(node, down[1:], "replaced", max_deletions="100%")["removed"]["routers"] == 2
