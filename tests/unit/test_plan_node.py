# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run over a node: which routers go and come, and what the node's one metadata proxy is told. Reading is made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils import plan_node as tested
from ansible_collections.netnode.l3.plugins.module_utils.host.command import CommandError
from ansible_collections.netnode.l3.plugins.module_utils.host.known_rules import KnownRules
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.bridge import BridgeDriver
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.driver import InterfaceDriver
from ansible_collections.netnode.l3.plugins.module_utils.observe import Observer, Place
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.plan_node import NodePlan
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import (
    MetadataProxy,
    Upstream,
    lines_of,
)
from ansible_collections.netnode.l3.plugins.module_utils.state import ABSENT

from ..routers import router
from .engine_objects import bind_lines, converged, node, steps

UPSTREAM = "unix:/run/metadata.sock"
PlanRun = Callable[..., NodePlan]


def data(*router_ids: str) -> list[dict[str, Any]]:
    return [{"id": router_id} for router_id in router_ids]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> PlanRun:
    """Plans a run over a node that has these routers, each as it is found there: in its namespace, or at a Place.

    ``moved``: where the upstream is since the proxy was told of it. ``before``: the options with which it was told.
    """

    def plan(
        given: Sequence[str],
        on_node: Mapping[Any, Any],
        state: str = "overridden",
        served: Sequence[str] = (),
        unavailable: str | None = None,
        upstream: str | None = UPSTREAM,
        dead: Sequence[str] = (),
        moved: str | None = None,
        before: Options | None = None,
        **changes: Any,
    ) -> NodePlan:
        found = {key if isinstance(key, Place) else Place(key, f"qrouter-{key}"): what for key, what in on_node.items()}
        monkeypatch.setattr(tested, "places", lambda _driver: list(found))
        monkeypatch.setattr(tested, "is_alive", lambda place: place.router_id not in dead)
        observer = Observer(BridgeDriver(Options("bridge"), node()), KnownRules({}))
        monkeypatch.setattr(observer, "observe", lambda wanted, _desired: {p: found.get(p, ABSENT) for p in wanted})
        options = Options("bridge", metadata_upstream=upstream)
        there = Upstream.unseen(UPSTREAM)
        proxy = MetadataProxy(before or options, there)
        proxy = proxy.with_text(proxy.render(bind_lines(proxy, *served)))
        now = replace(there, address=moved) if moved is not None else there
        proxy = replace(proxy, options=options, upstream=now if upstream else None, **changes)
        driver: InterfaceDriver = BridgeDriver(options, node())
        driver.unavailable = unavailable
        return tested.plan_node(data(*given), state, options, driver, proxy, observer)

    return plan


def serving(router_id: str) -> Any:
    """A router on the node, with metadata."""
    return converged({"id": router_id}, metadata_upstream=UPSTREAM)


def plain(router_id: str) -> Any:
    """A router on the node, without metadata."""
    return converged({"id": router_id})


def told(plan: NodePlan) -> list[str]:
    """What is done for the node as a whole."""
    assert set(steps(plan.node)) <= {"load proxy"}
    return plan.node.actions


def binds(plan: NodePlan) -> list[str]:
    """The routers that the proxy is to listen for in the end."""
    return [line.split(" name ")[1] for line in plan.proxy_after.splitlines() if line.startswith("    bind ")]


def test_where_all_is_as_it_should_be_nothing_is_done(run: PlanRun) -> None:
    plan = run(["r1", "r2"], {"r1": serving("r1"), "r2": serving("r2")}, served=["r1", "r2"])
    assert (told(plan), [change.plan.operations for change in plan.changes]) == ([], [(), ()])
    assert (plan.proxy.text if plan.proxy else None) == plan.proxy_after


@pytest.mark.parametrize(
    ("given", "on_node", "served", "action", "after"),
    [
        (["r1"], {}, [], "started", ["r1"]),
        (["r1", "r2"], {"r1": serving("r1")}, ["r1"], "reloaded", ["r1", "r2"]),
        (["r1"], {"r1": serving("r1"), "r2": serving("r2")}, ["r1", "r2"], "reloaded", ["r1"]),
        (["r1"], {"r1": replace(serving("r1"), metadata=False)}, ["r1"], "reloaded", ["r1"]),
    ],
    ids=["first", "one more", "one less", "does not listen any more"],
)
def test_the_proxy_is_told_once_for_all(
    run: PlanRun, given: list[str], on_node: dict[str, Any], served: list[str], action: str, after: list[str]
) -> None:
    present = {f"other{number}": plain(f"other{number}") for number in range(5)}
    plan = run([*given, *present], {**on_node, **present}, served=served)
    assert told(plan) == [f"metadata proxy {action}"]
    assert binds(plan) == sorted([*after, *present])


@pytest.mark.parametrize("change", [{"running": False}, {"loaded": False}, {"text": "# by hand\n"}])
def test_a_proxy_that_is_not_as_it_was_told_is_told_again(run: PlanRun, change: dict[str, Any]) -> None:
    plan = run(["r1"], {"r1": replace(serving("r1"), metadata=change.get("running", True))}, served=["r1"], **change)
    assert told(plan) == [f"metadata proxy {'reloaded' if change.get('running', True) else 'started'}"]


def test_when_the_upstream_moves_the_proxy_is_told_again(run: PlanRun) -> None:
    """Its name has another address, say: haproxy would never look again by itself."""
    plan = run(["r1"], {"r1": serving("r1")}, served=["r1"], moved="192.0.2.7:80")
    assert (told(plan), plan.changes[0].plan.operations) == (["metadata proxy reloaded"], ())
    assert plan.proxy_after.endswith("server metadata 192.0.2.7:80\n")


def test_routers_that_are_not_part_of_the_run_keep_theirs(run: PlanRun) -> None:
    on_node = {"r1": plain("r1"), "r2": serving("r2")}
    plan = run(["r1"], on_node, state="replaced", served=["r2", "gone"])
    assert (told(plan), binds(plan)) == (["metadata proxy reloaded"], ["r1", "r2"])
    without = run(["r1"], on_node, state="replaced", served=["r2"], upstream=None)
    assert (told(without), binds(without)) == ([], ["r2"])


OTHER_OPTIONS = {"another port": {"metadata_port": 80}, "without namespaces": {"use_namespaces": False}}


@pytest.mark.parametrize("upstream", [UPSTREAM, None])
@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("differing", OTHER_OPTIONS.values(), ids=OTHER_OPTIONS)
def test_a_router_that_is_not_part_of_the_run_keeps_its_line(
    run: PlanRun, differing: dict[str, Any], running: bool, upstream: str | None
) -> None:
    """Its rules lead to the port that they led to, and it lives where it did."""
    before = Options("bridge", metadata_upstream=UPSTREAM, **differing)
    place = Place("r2", before.namespace_of("r2"))
    on_node = {"r1": plain("r1"), place: serving("r2")}
    plan = run(["r1"], on_node, state="replaced", served=["r2"], before=before, running=running, upstream=upstream)
    assert plan.proxy is not None
    kept = MetadataProxy(before).line("r2")
    assert kept != plan.proxy.line("r2")
    expected = {"r2": kept, **({"r1": plan.proxy.line("r1")} if upstream else {})}
    assert lines_of(plan.proxy_after) == expected


def test_a_router_of_the_run_gets_the_line_that_the_options_ask_for(run: PlanRun) -> None:
    before = Options("bridge", metadata_upstream=UPSTREAM, metadata_port=80)
    on_node = {"r1": replace(serving("r1"), metadata=False), "r2": serving("r2")}
    plan = run(["r1"], on_node, state="replaced", served=["r1", "r2"], before=before)
    assert plan.proxy is not None
    assert lines_of(plan.proxy_after) == {"r1": plan.proxy.line("r1"), "r2": MetadataProxy(before).line("r2")}
    assert [line for line in steps(plan.changes[0].plan) if "serve" in line] == [
        "unserve r1 in qrouter-r1",
        "serve r1 in qrouter-r1",
    ]


def test_a_router_that_could_not_be_deleted_keeps_its_line(run: PlanRun) -> None:
    before = Options("bridge", metadata_upstream=UPSTREAM, metadata_port=80)
    plan = run(["r1"], {"r1": serving("r1")}, state="deleted", served=["r1"], before=before, unavailable="The switch is away.")
    assert lines_of(plan.proxy_after) == {"r1": MetadataProxy(before).line("r1")}


@pytest.mark.parametrize("upstream", [UPSTREAM, None])
@pytest.mark.parametrize("running", [True, False])
def test_lines_of_namespaces_that_vanished_go(run: PlanRun, running: bool, upstream: str | None) -> None:
    """haproxy does not start at all when one of them is missing."""
    on_node = {"r1": plain("r1"), "r2": serving("r2"), "r3": serving("r3")}
    served = ["r2", "r3", "gone"]
    plan = run(["r1"], on_node, state="replaced", served=served, dead=["r3"], running=running, upstream=upstream)
    assert binds(plan) == [*(["r1"] if upstream else []), "r2"]
    assert told(plan) == [f"metadata proxy {'reloaded' if running else 'started'}"]


def test_a_proxy_that_does_not_listen_where_it_was_told_to_is_told_again(run: PlanRun) -> None:
    plan = run(["r1", "r2"], {"r1": replace(serving("r1"), metadata=False), "r2": serving("r2")}, served=["r1", "r2"])
    assert (told(plan), plan.proxy_after) == (["metadata proxy reloaded"], plan.proxy.text if plan.proxy else None)


WITH_IPV6 = {"id": "r1", "interfaces": [{"id": "p1", "network_id": "web-network", "addresses": ["2001:db8::1/64"]}]}


@pytest.mark.parametrize("was_told", [True, False])
@pytest.mark.parametrize("listens", [True, False])
def test_a_proxy_that_does_not_listen_for_ipv6_is_told_again(
    run: PlanRun, monkeypatch: pytest.MonkeyPatch, was_told: bool, listens: bool
) -> None:
    monkeypatch.setattr(f"{__name__}.data", lambda *_ids: [WITH_IPV6])
    proxy = MetadataProxy(Options("bridge", metadata_upstream=UPSTREAM), Upstream.unseen(UPSTREAM))
    state = replace(converged(WITH_IPV6, metadata_upstream=UPSTREAM), metadata_ipv6=listens)
    plan = run(["r1"], {"r1": state}, text=proxy.render({"r1": proxy.line("r1", ipv6=was_told)}), running=True)
    assert told(plan) == ([] if was_told and listens else ["metadata proxy reloaded"])
    assert plan.changes[0].plan.operations == ()
    assert lines_of(plan.proxy_after) == {"r1": proxy.line("r1", ipv6=True)}


def test_lines_of_a_proxy_without_files_are_known_by_its_sockets(run: PlanRun) -> None:
    on_node = {"r1": serving("r1"), "r2": replace(serving("r2"), metadata_ipv6=True), "r3": serving("r3"), "r4": plain("r4")}
    plan = run(["r1"], on_node, state="replaced", text="", running=True)
    lines = {f"r{number}": plan.proxy.line(f"r{number}", ipv6=number == 2) for number in (1, 2, 3)}
    assert lines_of(plan.proxy_after) == lines


def test_a_router_that_is_not_part_of_the_run_and_has_no_namespace_any_more_is_let_go_of(run: PlanRun) -> None:
    on_node = {"r1": serving("r1"), "r2": serving("r2")}
    plan = run(["r1"], on_node, state="replaced", served=["r1", "r2"], dead=["r2"])
    assert (told(plan), binds(plan)) == (["metadata proxy reloaded"], ["r1"])


def test_a_router_that_cannot_be_read_gets_nothing_new(run: PlanRun) -> None:
    plan = run(["r1", "r2"], {"r1": FAILURE, "r2": serving("r2")}, served=["r2"])
    assert (told(plan), binds(plan)) == ([], ["r2"])


FAILURE = CommandError(["ip"], "no answer")


def test_a_router_that_cannot_be_read_keeps_its(run: PlanRun) -> None:
    plan = run(["r1", "r2"], {"r1": FAILURE, "r2": serving("r2")}, served=["r1", "r2"])
    assert (told(plan), binds(plan)) == ([], ["r1", "r2"])
    assert plan.changes[0].error == "ip: no answer"


@pytest.mark.parametrize("upstream", [None, UPSTREAM])
def test_a_proxy_without_routers_ends(run: PlanRun, upstream: str | None) -> None:
    plan = run(["r1"], {"r1": serving("r1")}, state="deleted", served=["r1"], upstream=upstream)
    assert (told(plan), plan.proxy_after) == (["metadata proxy ended"], "")
    assert plan.changes[0].plan.actions == ["namespace qrouter-r1 removed"]


def test_a_proxy_that_no_router_is_to_have_ends(run: PlanRun) -> None:
    plan = run(["r1", "r2"], {"r1": serving("r1"), "r2": plain("r2"), "r3": serving("r3")}, served=["r1", "r3"], upstream=None)
    assert (told(plan), plan.proxy_after) == (["metadata proxy ended"], "")
    assert plan.changes[0].plan.actions[0] == "metadata proxy no longer listens for router r1"


@pytest.mark.parametrize("text", ["", "# of the past\n"])
def test_without_metadata_only_what_is_left_of_a_proxy_is_ended(run: PlanRun, text: str) -> None:
    plan = run(["r1"], {"r1": plain("r1")}, upstream=None, text=text)
    assert told(plan) == (["metadata proxy ended"] if text else [])


def test_a_router_whose_port_is_taken_is_not_given_to_the_proxy(run: PlanRun) -> None:
    """Else it would be told of that router at every run, and be unable to listen for it."""
    taken = replace(serving("r1"), metadata=False, port_taken=True)
    plan = run(["r1", "r2"], {"r1": taken, "r2": serving("r2")}, served=["r2"])
    assert "is taken by another process" in plan.changes[0].plan.problems[0]
    assert (binds(plan), told(plan)) == (["r2"], [])


TWICE = {"r1": serving("r1"), Place("r1", None): converged(router(), metadata_upstream=UPSTREAM)}
OTHERS = {"r2": serving("r2"), "r3": serving("r3")}


@pytest.mark.parametrize("on_node", [TWICE, dict(reversed(TWICE.items()))], ids=["namespace first", "namespace last"])
@pytest.mark.parametrize(("state", "given"), [("deleted", ["r1"]), ("deleted", ["r1", "r1"]), ("overridden", ["r2", "r3"])])
def test_a_router_in_two_places_goes_from_both_and_is_told_of_once(
    run: PlanRun, on_node: dict[Any, Any], state: str, given: list[str]
) -> None:
    """A run in between ended before it was done, with use_namespaces changed."""
    plan = run(given, {**on_node, **OTHERS}, state=state, served=["r1", "r2", "r3"])
    [change] = [change for change in plan.changes if change.router_id == "r1"]
    assert sorted(steps(change.plan)[:2]) == ["unserve r1 in None", "unserve r1 in qrouter-r1"]
    assert sorted(steps(change.plan)[2:-2]) == [
        *(f"link delete dev tap{port}" for port in ("aaaa0000-ex", "bbbb0000-we", "cccc0000-db")),
        "netns delete qrouter-r1",
    ]
    assert steps(change.plan)[-2:] == ["rules of IPv4", "rules of IPv6"]
    assert (change.error, change.after) == (None, ABSENT)
    assert change.before in on_node.values()
    assert len(change.plan.actions) == len(set(change.plan.actions))
    assert (told(plan), binds(plan)) == (["metadata proxy reloaded"], ["r2", "r3"])


def test_a_router_in_two_places_goes_from_the_one_that_it_is_not_to_be_in(run: PlanRun) -> None:
    plan = run(["r1"], TWICE, served=["r1"])
    [change] = plan.changes
    assert [line for line in steps(change.plan) if "serve" not in line] == [
        *(f"link delete dev tap{port}" for port in ("bbbb0000-we", "cccc0000-db", "aaaa0000-ex")),
        "rules of IPv4",
        "rules of IPv6",
    ]
    assert (change.before, change.after) == (serving("r1"), serving("r1"))
    assert binds(plan) == ["r1"]


@pytest.mark.parametrize("served", [["r1"], ["r1", "r2"]])
def test_a_router_in_two_places_has_its_metadata_in_the_end(run: PlanRun, served: list[str]) -> None:
    """The proxy knows routers, not places: what lets go of one for its old place must take it up again for the other."""
    [change] = run(["r1"], TWICE, served=served).changes
    services = [line for line in steps(change.plan) if "serve" in line]
    assert services in ([], ["unserve r1 in None", "serve r1 in qrouter-r1"])


def test_a_router_in_two_places_that_cannot_go_is_told_of_once_and_stays_in_both(run: PlanRun) -> None:
    plan = run(["r1"], TWICE, state="deleted", served=["r1"], unavailable="The switch is away.")
    assert [(change.router_id, change.error, change.plan.operations) for change in plan.changes] == [
        ("r1", "The switch is away.", ())
    ]
    assert (binds(plan), told(plan)) == (["r1"], [])


def test_a_router_that_cannot_go_keeps_its_metadata(run: PlanRun) -> None:
    on_node = {"r1": serving("r1"), "r2": serving("r2")}
    plan = run(["r1"], on_node, state="deleted", served=["r1", "r2"], unavailable="The switch is away.")
    assert (plan.changes[0].error, plan.changes[0].plan.operations) == ("The switch is away.", ())
    assert (binds(plan), told(plan)) == (["r1", "r2"], [])
