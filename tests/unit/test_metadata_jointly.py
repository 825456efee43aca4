# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the metadata proxy is told while a plan is executed, and what becomes of the plan when it does not take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ansible_collections.netnode.l3.plugins.module_utils import apply_jointly, converge
from ansible_collections.netnode.l3.plugins.module_utils.apply import Outcome
from ansible_collections.netnode.l3.plugins.module_utils.apply_jointly import Jointly
from ansible_collections.netnode.l3.plugins.module_utils.host import haproxy, ip
from ansible_collections.netnode.l3.plugins.module_utils.host.command import CommandError
from ansible_collections.netnode.l3.plugins.module_utils.host.progress import Progress
from ansible_collections.netnode.l3.plugins.module_utils.operations import Ip, LoadProxy, Operation, Serve, Unserve
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.plan import RouterPlan
from ansible_collections.netnode.l3.plugins.module_utils.plan_node import NODE, Change, NodePlan
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import (
    MetadataProxy,
    Upstream,
    lines_of,
)

from .engine_objects import bind_lines

OPTIONS = Options("bridge", metadata_upstream="unix:/run/metadata.sock")
PROXY = MetadataProxy(OPTIONS, Upstream.unseen("unix:/run/metadata.sock"))
LOAD = LoadProxy(None, ("metadata proxy reloaded",))
TROUBLE = "metadata proxy: haproxy: no such namespace"


class Node:
    """Stands in for what the proxy and ``ip`` would do: what they were told, and which routers the proxy chokes on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.told: list[list[str]] = []
        self.texts: list[str] = []
        self.batches: list[list[str]] = []
        self.fatal: set[str] = set()
        patch.setattr(haproxy, "load", self._load)
        patch.setattr(haproxy, "stop", lambda: self.told.append([]))
        patch.setattr(ip, "batch", self.batches.append)
        patch.setattr(apply_jointly, "_listens", lambda namespace, _port: bool(self._listening(namespace)))

    def _load(self, text: str) -> None:
        self.told.append(sorted(lines_of(text)))
        self.texts.append(text)
        if self.fatal & {*self.told[-1]}:
            raise CommandError(["haproxy"], "no such namespace")

    def _listening(self, namespace: str | None) -> bool:
        return bool(self.told) and (namespace or "").replace("qrouter-", "") in self.told[-1]


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(monkeypatch)


def text(*routers: str) -> str:
    return PROXY.render(bind_lines(PROXY, *routers))


def unserve(router_id: str) -> Unserve:
    return Unserve(f"qrouter-{router_id}", (), router_id)


def serve(router_id: str) -> Serve:
    return Serve(f"qrouter-{router_id}", (f"{router_id} served",), router_id)


def deletion(router_id: str) -> RouterPlan:
    gone = Ip(None, (f"{router_id} removed",), f"netns delete qrouter-{router_id}")
    return RouterPlan(router_id, freed=(unserve(router_id), gone))


def executed(plans: Sequence[RouterPlan], before: str, after: str) -> tuple[list[Outcome], Jointly]:
    outcomes = [Outcome(plan) for plan in (*plans, RouterPlan(NODE, served=(LOAD,)))]
    jointly = Jointly(outcomes, PROXY.with_text(before), after)
    jointly.execute(lambda outcome: outcome.plan.freed)
    jointly.execute(lambda outcome: outcome.plan.served)
    return outcomes, jointly


@pytest.mark.parametrize("running", [True, False])
def test_the_line_of_a_router_that_vanished_is_never_loaded(node: Node, running: bool) -> None:
    """A namespace that is missing is fatal to the proxy, and so to all routers."""
    node.fatal = {"gone"}
    plans = [deletion("r1"), RouterPlan("r3", served=(serve("r3"),))]
    outcomes = [Outcome(plan) for plan in (*plans, RouterPlan(NODE, served=(LOAD,)))]
    proxy = replace(PROXY.with_text(text("r1", "r2", "gone")), running=running)
    jointly = Jointly(outcomes, proxy, text("r2", "r3"))
    jointly.execute(lambda outcome: outcome.plan.freed)
    jointly.execute(lambda outcome: outcome.plan.served)
    assert node.told == [["r2"], ["r2", "r3"]]
    assert [(outcome.error, outcome.trouble) for outcome in outcomes] == [(None, None)] * 3
    assert jointly.proxy.text == text("r2", "r3")


def test_a_router_that_is_let_go_of_for_a_moment_is_not_in_the_first_text(node: Node) -> None:
    plans = [RouterPlan("r1", freed=(unserve("r1"),), served=(serve("r1"),))]
    executed(plans, text("r1", "r2"), text("r1", "r2"))
    assert node.told == [["r2"], ["r1", "r2"]]


def test_a_router_whose_plan_failed_is_not_taken_up(node: Node) -> None:
    failed = Outcome(RouterPlan("r1", served=(serve("r1"),)))
    failed.error = "no"
    outcomes = [failed, Outcome(RouterPlan("r3", served=(serve("r3"),))), Outcome(RouterPlan(NODE, served=(LOAD,)))]
    Jointly(outcomes, PROXY.with_text(text("r2")), text("r1", "r2", "r3")).execute(lambda outcome: outcome.plan.served)
    assert node.told == [["r2", "r3"]]


def test_a_router_that_vanished_and_could_not_be_made_anew_is_not_taken_up_by_a_proxy_that_ended(node: Node) -> None:
    """Nothing lets go of it before, as the proxy does not run; its line in the text that is left would be fatal."""
    adding = Ip(None, ("r1 created",), "netns add qrouter-r1")
    failed = Outcome(RouterPlan("r1", own=(adding,), served=(serve("r1"),)))
    failed.error = "no namespace"
    outcomes = [failed, Outcome(RouterPlan("r2", served=(serve("r2"),))), Outcome(RouterPlan(NODE, served=(LOAD,)))]
    node.fatal = {"r1"}
    ended = replace(PROXY.with_text(text("r1", "r2")), running=False)
    Jointly(outcomes, ended, text("r1", "r2")).execute(lambda outcome: outcome.plan.served)
    assert node.told == [["r2"]]
    assert outcomes[1].error is None


def test_what_a_router_that_stays_was_told_with_other_options_is_loaded_as_it_is(node: Node) -> None:
    other = MetadataProxy(replace(OPTIONS, metadata_port=80))
    lines = {"r1": PROXY.line("r1"), "r2": other.line("r2")}
    after = PROXY.render({"r2": lines["r2"]})
    executed([deletion("r1")], PROXY.render(lines), after)
    assert set(node.texts) == {after}
    assert lines_of(after) == {"r2": other.line("r2")}


def test_a_line_that_changes_is_loaded_as_it_is_to_be(node: Node) -> None:
    other = MetadataProxy(replace(OPTIONS, metadata_port=80))
    before = PROXY.render({"r1": other.line("r1"), "r2": other.line("r2")})
    after = PROXY.render({"r1": PROXY.line("r1"), "r2": other.line("r2")})
    executed([RouterPlan("r1", freed=(unserve("r1"),), served=(serve("r1"),))], before, after)
    assert [lines_of(told) for told in node.texts] == [{"r2": other.line("r2")}, lines_of(after)]


def test_when_nobody_is_left_the_proxy_ends(node: Node) -> None:
    outcomes, jointly = executed([deletion("r1")], text("r1"), "")
    assert not any(node.told)
    assert (jointly.proxy.running, outcomes[0].error, outcomes[0].actions) == (False, None, ["r1 removed"])


def test_where_the_proxy_cannot_let_go_the_router_goes_all_the_same(node: Node) -> None:
    node.fatal = {"r2"}
    outcomes, jointly = executed([deletion("r1"), deletion("r3")], text("r1", "r2", "r3"), text("r2"))
    assert node.batches == [["netns delete qrouter-r1", "netns delete qrouter-r3"]]
    for outcome, router_id in zip(outcomes, ("r1", "r3"), strict=False):
        assert (outcome.error, outcome.trouble, outcome.actions) == (None, TROUBLE, [f"{router_id} removed"])
    assert (outcomes[2].error, outcomes[2].actions) == (TROUBLE, [])  # it was tried again, in the end
    assert jointly.proxy.text == text("r1", "r2", "r3")


def test_where_the_proxy_does_not_let_go_the_router_goes_and_it_is_told(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when it may not end its workers: the namespace lives on without a name."""
    monkeypatch.setattr(apply_jointly, "CLOSED_WITHIN", 0.01)
    monkeypatch.setattr(apply_jointly, "_listens", lambda namespace, _port: namespace != "qrouter-r3")
    outcomes, _jointly = executed([deletion("r1"), deletion("r3")], text("r1", "r2", "r3"), text("r2"))
    assert [outcome.trouble for outcome in outcomes] == ["The metadata proxy still listens in qrouter-r1.", None, None]
    assert node.batches == [["netns delete qrouter-r1", "netns delete qrouter-r3"]]


def test_where_the_proxy_cannot_take_a_router_up_its_plan_fails(node: Node) -> None:
    node.fatal = {"r1"}
    outcomes, _jointly = executed([RouterPlan("r1", served=(serve("r1"),))], text("r2"), text("r1", "r2"))
    assert (outcomes[0].error, outcomes[0].trouble, outcomes[0].actions) == (TROUBLE, None, [])


def test_that_the_proxy_could_not_let_go_is_told_in_the_end(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []
    monkeypatch.setattr(converge, "wait_until_gone", waited.extend)
    node.fatal = {"r2"}
    load: tuple[Operation, ...] = (LOAD,)
    plan = NodePlan(
        PROXY.with_text(text("r1", "r2")),
        [Change("r1", deletion("r1"))],
        RouterPlan(NODE, served=load),
        proxy_after=text("r2"),
        leaving={"r1": ["tap1"]},
    )
    result = converge.converge(plan, OPTIONS, Progress())
    [gone] = result.routers
    assert (gone.actions, gone.error, waited) == (("r1 removed",), TROUBLE, ["tap1"])
    assert (result.actions, result.error) == ((), TROUBLE)


def test_an_error_that_ended_the_plan_is_told_with_it(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    def batch(lines: list[str]) -> None:
        raise ip.BatchError(lines[0], 0, "busy")

    monkeypatch.setattr(ip, "batch", batch)
    node.fatal = {"r2"}
    proxy = PROXY.with_text(text("r1", "r2"))
    plan = NodePlan(proxy, [Change("r1", deletion("r1"))], RouterPlan(NODE), proxy_after=text("r2"))
    [stayed] = converge.converge(plan, OPTIONS, Progress()).routers
    assert stayed.actions == ()
    assert "busy" in (stayed.error or "")
    assert TROUBLE in (stayed.error or "")


def test_routers_of_a_proxy_whose_files_are_gone_are_all_taken_up_again(node: Node) -> None:
    """Its sockets told which; the text that it was given is unknown."""
    outcomes = [Outcome(RouterPlan("r1", served=(serve("r1"),))), Outcome(RouterPlan(NODE, served=(LOAD,)))]
    lost = replace(PROXY, running=True)
    Jointly(outcomes, lost, text("r1", "r2")).execute(lambda outcome: outcome.plan.served)
    assert node.told == [["r1", "r2"]]
