# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told when something gives out in the middle of a change: it is one router's where it can be, and never untold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.netnode.l3.plugins.module_utils import converge
from ansible_collections.netnode.l3.plugins.module_utils.converge import NodeResult
from ansible_collections.netnode.l3.plugins.module_utils.host import ip
from ansible_collections.netnode.l3.plugins.module_utils.host.progress import Progress
from ansible_collections.netnode.l3.plugins.module_utils.operations import Ip
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.plan import RouterPlan
from ansible_collections.netnode.l3.plugins.module_utils.plan_node import Change, NodePlan
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import MetadataProxy

OPTIONS = Options("bridge", send_arp_for_ha=0)
ENDS = [MemoryError(), BrokenPipeError(32, "Broken pipe"), RuntimeError("can't start new thread"), SystemError()]


def plan(router_id: str, *steps: str) -> Change:
    """A plan of a router: what is freed, and then what is its own."""
    freed, own = ((Ip(None, (f"{step} of {router_id}",), f"{step} {router_id}"),) for step in steps) if steps else ((), ())
    return Change(router_id, RouterPlan(router_id, freed=freed, own=own))


def converged(*changes: Change) -> NodeResult:
    return converge.converge(NodePlan(MetadataProxy(OPTIONS), list(changes)), OPTIONS, Progress())


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
def test_what_gives_out_in_a_routers_own_step_is_that_routers(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def batch(lines: list[str]) -> None:
        if "own r1" in lines:
            raise error

    monkeypatch.setattr(ip, "batch", batch)
    first, second = converged(plan("r1", "freed", "own"), plan("r2", "freed", "own")).routers
    assert first.actions == ("freed of r1",)
    assert (first.error or "").startswith("A step may or may not have taken effect, and the next run goes on from there: ")
    assert not (first.error or "").endswith(": ")
    assert (second.actions, second.error) == (("freed of r2", "own of r2"), None)


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
def test_what_gives_out_for_all_is_told_of_all_that_had_something_to_do(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pool(**_options: int) -> None:
        raise error

    monkeypatch.setattr(ip, "batch", lambda _lines: None)
    monkeypatch.setattr("ansible_collections.netnode.l3.plugins.module_utils.apply.ThreadPoolExecutor", pool)
    first, idle = converged(plan("r1", "freed", "own"), plan("r2")).routers
    assert first.actions == ("freed of r1",)
    assert (first.error or "").startswith("The run broke off before all was done, and the next one goes on from there: ")
    assert (idle.actions, idle.error) == ((), None)


def test_a_run_has_begun_when_there_is_something_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ip, "batch", lambda _lines: None)
    wrong = replace(plan("r1", "freed", "own"), error="it is wrong")
    for changes, begun in (([plan("r1")], False), ([wrong], False), ([plan("r1", "freed", "own")], True), ([], False)):
        converged(*changes)
        assert bool(converge.begun) is begun
