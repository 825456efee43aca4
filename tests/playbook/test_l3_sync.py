# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role l3_sync gives the module, and what it makes of the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox import Node, run_playbook
from sandbox.engine import run_engine
from sandbox.playbook import Play

from ..kernel_state import differences, snapshot
from ..routers import router, small_router

PLAYBOOK = """
- hosts: network_nodes
  gather_facts: false
  tasks:
    - block:
        - import_role:
            name: netnode.l3.l3_sync
      always:
        - copy:
            content: "{{ l3_sync_result | to_json }}"
            dest: /run/result.json
            mode: "0644"
"""


def sync(node: Node, routers: Any, playbook: str = "netnode.l3.sync", *arguments: str, **others: Any) -> Play:
    variables = {"l3_sync_routers": routers, "l3_sync_interface_driver": "bridge", **others}
    return run_playbook(playbook, [node], *arguments, host_vars={"node": variables})


def result(node: Node, directory: Path, routers: Any) -> dict[str, Any]:
    """The variable l3_sync_result after the role."""
    playbook = directory / "playbook.yml"
    playbook.write_text(PLAYBOOK)
    play = sync(node, routers, str(playbook))
    found: dict[str, Any] = json.loads(node.file("/run/result.json").read_text(encoding="utf-8"))
    assert (play.status == 0) is found["success"], play.output
    return found


def test_a_run_with_nothing_to_do_has_few_tasks(node: Node) -> None:
    run_engine(node, [router()])
    play = sync(node, [router()])
    assert (play.status, play.changed) == (0, {"node": 0}), play.output
    assert [line.partition(" : ")[2].split("]")[0][:39] for line in play.output.splitlines() if line.startswith("TASK")] == [
        "Validating arguments against arg spec '",
        "Look whether the node is in order",
        "Put the node in order",
        "Validating arguments against arg spec '",
        "Ask Neutron for the routers",
        "See how the routers are before the run",
        "Converge the routers",
        "See that the routers work, and confirm ",
        "Leave a report on the node",
        "Report to Neutron",
        "Say what was done, and fail if anything",
    ]
    assert '"msg": "1 router: 0 changed, 0 failed, 0 skipped."' in play.output


def test_routers_as_the_text_of_json(node: Node) -> None:
    routers = [router(), small_router(1, name="Zürich")]
    assert sync(node, json.dumps(routers)).status == 0
    again = sync(node, [router(), small_router(1)])
    assert (again.status, again.changed) == (0, {"node": 0}), again.output


def test_text_that_is_no_list_of_routers_touches_nothing(node: Node) -> None:
    run_engine(node, [router()])
    before = snapshot(node)
    for text in ('[{"id": "r1"', '{"id": "r1"}', ""):
        play = sync(node, text)
        assert play.status != 0
        assert "routers: expected a list of routers, not " in play.output, play.output
    assert differences(before, snapshot(node)) == []


def test_values_of_a_list_may_be_templates(node: Node) -> None:
    assert sync(node, [small_router(1, id="{{ inventory_hostname }}-router")]).status == 0
    assert "qrouter-node-router" in node.run("ip", "netns").stdout


def test_a_limit_of_requests_for_metadata_comes_to_the_proxy(node: Node) -> None:
    upstream = {"l3_sync_metadata_upstream": "127.0.0.1:80"}
    limit = {"base_query_rate_limit": "{{ 2 + 3 }}", "base_window_duration": 60}
    play = sync(node, [router()], l3_sync_metadata_rate_limit=limit, **upstream)
    assert play.status == 0, play.output
    text = node.file("/run/netnode-l3/metadata-proxy.cfg").read_text(encoding="utf-8")
    assert ("gt 5 }" in text, "http_req_rate(60s)" in text) == (True, True)
    refused = sync(node, [router()], l3_sync_metadata_rate_limit={"base_window_duration": 60}, **upstream)
    message = "metadata_rate_limit.base_window_duration: there is no base_query_rate_limit, which it is for."
    assert (refused.status != 0, message in refused.output) == (True, True)


def test_the_result_tells_success(node: Node, tmp_path: Path) -> None:
    assert result(node, tmp_path, [router(), small_router(1)])["success"] is True
    assert result(node, tmp_path, [router(), {"id": "no/id"}])["success"] is False


def test_the_result_has_the_number_of_routers_and_not_all_that_was_given(node: Node) -> None:
    for given in ([router(), small_router(1)], json.dumps([router(), small_router(1)])):
        output = sync(node, given, "netnode.l3.sync", "-vvv").output
        assert '"routers": 2,' in output.partition('"module_args"')[2]
        assert "fa:16:3e:01:00:01" not in output


def test_a_run_for_some_routers_makes_those_removes_what_the_source_lacks_and_leaves_the_others(node: Node) -> None:
    run_engine(node, [small_router(number) for number in range(4)])
    data = [small_router(0, name="a"), small_router(1), {**small_router(2), "enable_snat": False}]

    def limited(ids: Any, routers: Any) -> Play:
        variables = {"l3_sync_routers": routers, "l3_sync_interface_driver": "bridge", "l3_sync_router_ids": ids}
        return run_playbook("netnode.l3.sync", [node], host_vars={"node": variables})

    before = snapshot(node)
    play = limited(["small-0"], data)
    assert (play.status, play.changed) == (0, {"node": 0}), play.output
    assert differences(before, snapshot(node)) == []
    for ids, routers in (("small-2, small-3", data), (["small-2", "small-3"], json.dumps(data))):
        play = limited(ids, routers)
        assert play.status == 0, play.output
    assert sorted(line.split()[0] for line in node.run("ip", "netns", "list").stdout.splitlines()) == [
        f"qrouter-small-{number}" for number in range(3)
    ]
    assert play.changed == {"node": 0}
    assert "1 router: 0 changed, 0 failed, 1 skipped. Neither the source nor the node has small-3." in play.output
