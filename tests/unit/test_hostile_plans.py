# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Router data of any shape: the check refuses it in words, and what passes makes operations of safe text only."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.netnode.l3.plugins.module_utils.errors import NotRouterData
from ansible_collections.netnode.l3.plugins.module_utils.operations import ChangeRules, Ip, Operation, Ovs, SetSysctl
from ansible_collections.netnode.l3.plugins.module_utils.plan import RouterPlan
from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_router_ids, check_routers
from ansible_collections.netnode.l3.plugins.module_utils.state import ABSENT

from ..routers import router, small_router
from .engine_objects import desired, node, ovs_driver, planner

HOSTILE = ["-x", "a b", "a\nb", "a/b", "a\0b", "é", "", ".", "..", "$(id)", "x" * 65, "10.0.0.1", "10.0.0.1/24"]
HOSTILE += ["0.0.0.0/0", "::/0", "169.254.169.254/32", "fe80::1/64", "224.0.0.1", "203.0.113.20", "10.0.0.5\n-F", "r1"]
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.integers(64, 20000).map(lambda bits: 2**bits), TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
PATH = re.compile(r"routers\[\d+\](\.[a-z_]+(\[\d+\])?)*: |and \d+ more errors\Z")
ARGUMENT = re.compile(r"[A-Za-z0-9+:][A-Za-z0-9_.:/+-]*\Z")
OF_SWITCH = re.compile(r'(?:--(?:if-exists)?|[A-Za-z0-9][A-Za-z0-9_.:/+="-]*)\Z')
RULE = re.compile(r"[A-Za-z0-9_.:/ +!*\[\]-]*\Z")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all values inside of a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way for key, inner in pairs for way in [(*path, key), *places(inner, (*path, key))]]


@st.composite
def mutated(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> list[Any]:
    """Good routers in which some values are others, or gone, or there twice, or under another key."""
    data: Any = [router(name="n", admin_state_up=True), small_router(1)]
    for _time in range(draw(st.integers(1, 4))):
        ways = places(data)
        if not ways:
            break
        way = draw(st.sampled_from(ways))
        parent = data
        for key in way[:-1]:
            parent = parent[key]
        kind = draw(st.sampled_from(["set", "set", "set", "drop", "copy", "rename"]))
        if kind == "drop":
            del parent[way[-1]]
        elif kind == "copy" and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[way[-1]]))
        elif kind == "rename" and isinstance(parent, dict):
            parent[draw(st.text(max_size=12))] = parent.pop(way[-1])
        else:
            parent[way[-1]] = draw(values)
    return list(data)


def unsafe(operation: Operation) -> list[str]:
    """What of an operation is not safe where it goes."""
    if isinstance(operation, Ip):
        words = operation.line.split(" ")
    elif isinstance(operation, Ovs):
        return [
            word for word in operation.arguments if not re.fullmatch(r'(--(if-exists)?)|[A-Za-z0-9][\w.:/+="-]*', word, re.ASCII)
        ]
    elif isinstance(operation, SetSysctl):
        words = [operation.key, operation.value]
        assert ".." not in operation.key.split("/")
    elif isinstance(operation, ChangeRules):
        return [line for line in operation.text.split("\n") if not RULE.match(line)]
    else:
        words = [value for value in vars(operation).values() if isinstance(value, str) and value]
    return [word for word in words if not ARGUMENT.match(word)]


def operations(data: dict[str, Any], kind: str) -> tuple[Operation, ...]:
    """What makes the router on an empty node, and then unmakes it in favour of one that has nothing."""
    driver = ovs_driver() if kind == "openvswitch" else planner(node(bridges=("br-ex",)), metadata_upstream="unix:/run/m").driver
    planning = planner()
    planning.driver = driver
    wanted = desired(data, driver)
    bare = desired({"id": wanted.router.id}, driver)
    plans: list[RouterPlan] = [planning.plan(wanted, ABSENT), planning.plan(bare, wanted.state)]
    return tuple(operation for plan in plans for operation in plan.operations)


def check(data: Any) -> list[dict[str, Any]]:
    """The routers that pass; of the others, each error has its path, and all are short."""
    if not isinstance(data, list):
        with pytest.raises(NotRouterData, match=r"\Arouters: expected a list of routers, not .{1,80}\Z"):
            check_routers(data)
        return []
    checked = check_routers(data, network_ids_required=True)
    for rejected in checked.rejected:
        assert rejected.errors
        assert [error for error in rejected.errors if not PATH.match(error) or len(error) > 1000] == []
    check_router_ids(data)
    passed = [router.id for router in checked.routers]
    return [entry for entry in data if isinstance(entry, dict) and entry.get("id") in passed]


FUZZ = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(FUZZ, max_examples=300)
@given(VALUES)
def test_anything(data: Any) -> None:
    check(data)
    check([data])


@settings(FUZZ, max_examples=400)
@given(mutated(VALUES), st.sampled_from(["bridge", "openvswitch"]))
def test_what_passes_is_safe_in_every_operation(data: list[Any], kind: str) -> None:
    for entry in check(data):
        made = operations(entry, kind)
        assert made
        assert [(operation, words) for operation in made if (words := unsafe(operation))] == []


@settings(FUZZ, max_examples=100)
@given(IDS, IDS, IDS, st.sampled_from(["bridge", "openvswitch"]))
def test_every_id_that_is_one_is_safe(router_id: str, port: str, network: str, kind: str) -> None:
    data = router(id=router_id)
    data["interfaces"][0].update(id="1" + port[:63], network_id=network)
    data["gateway"].update(id="2" + port[:63], network_id=network)
    [entry] = check([data])
    assert [words for operation in operations(entry, kind) if (words := unsafe(operation))] == []


@pytest.mark.parametrize("word", ["-x", "a;b", "a\n", "", "é", "$(id)", "a#b", "a'b"])
def test_what_is_unsafe_is_seen(word: str) -> None:
    assert unsafe(Ip(None, (), f"link delete dev {word}"))
    assert unsafe(SetSysctl(None, (), "net/ipv4/ip_forward", word))
    assert unsafe(Ovs(None, (), ("del-port", word)))
