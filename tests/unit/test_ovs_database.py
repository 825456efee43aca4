# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open vSwitch's database: what ovs-vsctl prints is read, and what it is told is put into few transactions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils import apply_jointly
from ansible_collections.netnode.l3.plugins.module_utils.apply import Outcome
from ansible_collections.netnode.l3.plugins.module_utils.apply_jointly import Jointly
from ansible_collections.netnode.l3.plugins.module_utils.host import ovs
from ansible_collections.netnode.l3.plugins.module_utils.host.command import CommandError
from ansible_collections.netnode.l3.plugins.module_utils.operations import Ovs
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.plan import RouterPlan
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import MetadataProxy

VSCTL = ["ovs-vsctl", "--timeout=10"]


def uuid(name: str) -> list[str]:
    return ["uuid", f"uuid-of-{name}"]


def read(monkeypatch: pytest.MonkeyPatch, *tables: list[Any], lines: int | None = None) -> ovs.Database:
    """What is read where the switch has these rows of bridges, ports and interfaces."""
    printed = [json.dumps({"data": rows, "headings": ["of", "no", "matter"]}) for rows in tables][:lines]

    def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        assert list(arguments[:3]) == [*VSCTL, "--format=json"]
        assert " ".join(arguments[3:]) == (
            "--columns=name,ports list Bridge -- --columns=_uuid,name,tag list Port -- --columns=name,external_ids list Interface"
        )
        return subprocess.CompletedProcess(list(arguments), 0, "".join(line + "\n" for line in printed), "")

    monkeypatch.setattr(ovs, "run", run)
    return ovs.read()


@pytest.mark.parametrize(
    ("value", "members"),
    [
        (7, [7]),
        ("br-int", ["br-int"]),
        (["uuid", "a"], ["a"]),
        (["set", []], []),
        (["set", [7, 8]], [7, 8]),
        (["set", [["uuid", "a"], ["uuid", "b"]]], ["a", "b"]),
        ("set", ["set"]),
    ],
)
def test_one_member_stands_for_a_set_of_one(value: Any, members: list[Any]) -> None:
    assert ovs._set(value) == members


def test_a_switch_without_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, [], [], []) == ovs.Database([], {})


def test_bridges_ports_tags_and_external_ids_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    bridges = [
        ["br-int", ["set", [uuid("br-int"), uuid("qr-a"), uuid("qr-b")]]],
        ["br-ex", uuid("qg-a")],
        ["br-new", ["set", []]],
    ]
    none = ["set", []]
    ports = [[uuid(name), name, tag] for name, tag in (("qg-a", none), ("qr-a", 7), ("br-int", none), ("qr-b", ["set", [8]]))]
    ids = {"iface-id": "a", "netnode-l3": "netnode.l3/r1/"}
    interfaces = [["qr-a", ["map", [list(pair) for pair in ids.items()]]], ["br-int", ["map", []]], ["qg-a", ["map", []]]]
    assert read(monkeypatch, bridges, ports, interfaces) == ovs.Database(
        ["br-int", "br-ex", "br-new"],
        {
            "qg-a": ovs.Port("br-ex", None, {}),
            "qr-a": ovs.Port("br-int", 7, ids),
            "br-int": ovs.Port("br-int", None, {}),
            "qr-b": ovs.Port("br-int", 8, {}),  # without an interface of its name, as a bond
        },
    )


def test_fewer_tables_than_asked_for_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="printed 2 tables for 3"):
        read(monkeypatch, [], [], [], lines=2)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The calls of ovs-vsctl. The switch refuses to have a port twice, or one that is called bad."""
    made: list[list[str]] = []
    ports: set[str] = set()

    def run(arguments: list[str]) -> None:
        made.append(arguments)
        names = [arguments[place + 2] for place, word in enumerate(arguments) if word == "add-port"]
        for name in names:
            if name == "bad" or name in ports:
                raise CommandError(arguments, f"cannot create a port named {name}")
        ports.update(names)

    monkeypatch.setattr(ovs, "run", run)
    return made


def test_commands_are_one_transaction(calls: list[list[str]]) -> None:
    ovs.change([("add-port", "br", "a", "--", "set", "Interface", "a"), ("--if-exists", "del-port", "b")])
    assert calls == [
        [*VSCTL, "--", *("add-port", "br", "a", "--", "set", "Interface", "a"), "--", "--if-exists", "del-port", "b"]
    ]


def test_they_are_however_many_there_are(monkeypatch: pytest.MonkeyPatch, calls: list[list[str]]) -> None:
    """Who calls sees to it that there are not too many: what fails then is whole, for whole routers."""
    monkeypatch.setattr(ovs, "AT_ONCE", 2)
    ovs.change([("add-port", "br", f"p{number}") for number in range(5)])
    assert [call.count("add-port") for call in calls] == [5]


def test_of_commands_that_fail_none_is_tried_again(calls: list[list[str]]) -> None:
    with pytest.raises(CommandError, match="cannot create a port named bad"):
        ovs.change([("add-port", "br", name) for name in ("a", "bad", "b")])
    assert len(calls) == 1


def outcomes(*names: str, ports: int = 1) -> list[Outcome]:
    """Routers with so many ports each, all executed."""
    found = []
    for name in names:
        commands = [("add-port", "br", name if number == 0 else f"{name}{number}") for number in range(ports)]
        operations = [Ovs(None, (f"{command[2]} added",), command) for command in commands]
        found.append(Outcome(RouterPlan(name, shared=tuple(operations))))
    Jointly(found, MetadataProxy(Options("openvswitch"))).execute(lambda outcome: outcome.plan.shared)
    return found


def test_all_routers_share_a_transaction(calls: list[list[str]]) -> None:
    assert [outcome.actions for outcome in outcomes("a", "b")] == [["a added"], ["b added"]]
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("at_once", "ports", "sizes"),
    [(500, 3, [12]), (12, 3, [12]), (11, 3, [9, 3]), (6, 3, [6, 6]), (5, 3, [3] * 4), (2, 3, [3] * 4), (1, 1, [1] * 4)],
)
def test_very_many_commands_are_few_transactions_and_no_routers_are_torn_apart(
    monkeypatch: pytest.MonkeyPatch, calls: list[list[str]], at_once: int, ports: int, sizes: list[int]
) -> None:
    monkeypatch.setattr(ovs, "AT_ONCE", at_once)
    found = outcomes("a", "b", "c", "d", ports=ports)
    assert [call.count("add-port") for call in calls] == sizes
    assert [len(outcome.actions) for outcome in found] == [ports] * 4


def slow_clock() -> SimpleNamespace:
    """A clock by which everything takes nine seconds."""
    moments = count(0.0, 9.0)
    return SimpleNamespace(monotonic=lambda: next(moments))


def test_a_switch_that_takes_its_time_is_not_one_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of ports can take seconds to be made."""
    monkeypatch.setattr(apply_jointly, "time", slow_clock())
    monkeypatch.setattr(ovs, "run", lambda _arguments: None)
    monkeypatch.setattr(ovs, "AT_ONCE", 1)
    assert [(outcome.error, outcome.actions) for outcome in outcomes("a", "b")] == [(None, ["a added"]), (None, ["b added"])]


def test_a_switch_that_takes_its_time_to_fail_is_not_asked_for_each_router(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(arguments: list[str]) -> None:
        asked.append(arguments)
        raise CommandError(arguments, "no answer")

    monkeypatch.setattr(apply_jointly, "time", slow_clock())
    monkeypatch.setattr(ovs, "run", run)
    monkeypatch.setattr(ovs, "AT_ONCE", 2)
    found = outcomes("a", "b", "c", "d", "e")
    assert all(outcome.error and outcome.actions == [] for outcome in found)
    assert [outcome.error for outcome in found[2:]] == [apply_jointly.NO_ANSWER] * 3
    assert len(asked) == 1


def test_nor_when_it_begins_to_take_its_time_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses at once what is asked for all, follows for the first router, and then answers no more."""
    now = 0.0
    asked: list[list[str]] = []

    def run(arguments: list[str]) -> None:
        nonlocal now
        names = [arguments[place + 2] for place, word in enumerate(arguments) if word == "add-port"]
        asked.append(names)
        if names != ["a"]:
            now += 0.1 if len(asked) == 1 else 9.0
            raise CommandError(arguments, "refused" if len(asked) == 1 else "no answer")

    monkeypatch.setattr(apply_jointly, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(ovs, "run", run)
    monkeypatch.setattr(ovs, "AT_ONCE", 4)
    found = outcomes("a", "b", "c", "d", "e", "f")
    assert asked == [["a", "b", "c", "d"], ["a"], ["b"]]
    assert [(outcome.error is None, outcome.actions) for outcome in found] == [(True, ["a added"]), *[(False, [])] * 5]
    assert [outcome.error for outcome in found[4:]] == [apply_jointly.NO_ANSWER] * 2


@pytest.mark.parametrize("at_once", [500, 4, 2, 1])
@pytest.mark.parametrize("names", [("a", "b", "bad", "c"), ("bad", "a", "b", "c"), ("a", "b", "c", "bad")])
def test_what_fails_is_one_routers(
    monkeypatch: pytest.MonkeyPatch, calls: list[list[str]], names: tuple[str, ...], at_once: int
) -> None:
    """Also when there is more than one transaction, and those before the one that failed took effect."""
    monkeypatch.setattr(ovs, "AT_ONCE", at_once)
    found = outcomes(*names)
    assert [outcome.plan.router_id for outcome in found if outcome.error] == ["bad"]
    assert [outcome.actions for outcome in found if not outcome.error] == [[f"{name} added"] for name in "abc"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("2026|fatal-signal|WARN|terminating with signal 14 (Alarm clock)", "is ovs-vswitchd running?"),
        ("no bridge named br", "no bridge named br"),
    ],
)
def test_a_switch_that_does_not_follow_is_called_so(monkeypatch: pytest.MonkeyPatch, said: str, message: str) -> None:
    def run(arguments: list[str]) -> None:
        raise CommandError(arguments, said)

    monkeypatch.setattr(ovs, "run", run)
    with pytest.raises(CommandError) as error:
        ovs.change([("add-port", "br", "a")])
    assert message in str(error.value)
