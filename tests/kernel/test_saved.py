# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs save on a node for its next boot, and what l3node makes of it: the kernel has then what it had before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox import Node
from sandbox.engine import How, Killed, run_confirm, run_engine, run_object
from sandbox.l3node import SAVED, install, l3node

from ..kernel_state import differences, empty, settle, snapshot
from ..routers import limited_router, publishing_router, router, scoped_router, small_router

WRONG = {**small_router(1), "enable_snat": "perhaps"}


@pytest.fixture
def prepared(node: Node) -> Node:
    install(node)
    return node


def saved(node: Node) -> dict[str, Any]:
    """The content of the file, and the routers by their ids."""
    content: dict[str, Any] = json.loads(node.file(SAVED).read_text().splitlines()[1])
    content["routers"] = {router["id"]: router for router in content["routers"]}
    return content


def test_nothing_is_saved_where_nothing_restores(node: Node) -> None:
    run_engine(node, [router()])
    assert not node.file("/var/lib/netnode-l3").exists()


@pytest.mark.parametrize("umask", ["000", "077"])
def test_root_alone_reads_what_is_saved(prepared: Node, umask: str) -> None:
    how = How(prefix=("/bin/sh", "-c", f'umask {umask}; exec "$@"', "sh"))
    run_engine(prepared, [router()], how=how)
    found = prepared.run("find", "/var/lib/netnode-l3", "-printf", "%m %u %P\n").stdout.splitlines()
    assert found == ["700 root ", "600 root last-converged.jsonl"]


def test_after_a_boot_the_node_is_what_it_was(prepared: Node) -> None:
    data = [scoped_router(), small_router(1)]
    run_engine(prepared, data, clamp_mss_to_pmtu=True)
    before = snapshot(prepared)
    empty(prepared)
    assert "2 routers: 2 changed, 0 failed" in l3node(prepared, "converge").stdout
    assert differences(before, snapshot(prepared)) == []
    assert not run_engine(prepared, data, clamp_mss_to_pmtu=True)["changed"]


@pytest.mark.parametrize(
    "data",
    [publishing_router("2001:db8:1::5"), limited_router({"203.0.113.20": [{"max_kbps": 1000, "direction": "egress"}]})],
)
def test_all_that_router_data_has_is_saved(prepared: Node, data: dict[str, Any]) -> None:
    result = run_engine(prepared, [data])
    assert "failed" not in result, result["msg"]
    assert saved(prepared)["routers"] == {"r1": data}


def test_check_mode_and_runs_that_change_nothing_write_nothing(prepared: Node) -> None:
    run_engine(prepared, [router()], check=True)
    assert not prepared.file(SAVED).exists()
    run_engine(prepared, [router()])
    before = prepared.file(SAVED).stat()
    run_engine(prepared, [router()])
    run_object(
        prepared, "floating_ip", check=True, router_id="r1", floating_ip_address="203.0.113.9", fixed_ip_address="10.0.0.9"
    )
    assert prepared.file(SAVED).stat() == before


def test_each_state_keeps_it_current(prepared: Node) -> None:
    one, two, three = (small_router(number) for number in (1, 2, 3))
    run_engine(prepared, [one, two])
    run_engine(prepared, [three], "replaced")
    assert saved(prepared)["routers"] == {"small-1": one, "small-2": two, "small-3": three}
    changed = {**two, "floating_ips": []}
    run_engine(prepared, [changed], "replaced")
    run_engine(prepared, [{"id": "small-1"}, {"id": "never-there"}], "deleted", metadata_port=1)
    assert saved(prepared)["routers"] == {"small-2": changed, "small-3": three}
    assert saved(prepared)["options"]["metadata_port"] == 9697  # of what is there
    run_engine(prepared, [{**three, "admin_state_up": False}], "replaced")
    assert saved(prepared)["routers"] == {"small-2": changed}
    run_engine(prepared, [one], metadata_port=9000)
    assert saved(prepared)["routers"] == {"small-1": one}
    assert saved(prepared)["options"]["metadata_port"] == 9000
    run_engine(prepared, [])
    assert saved(prepared)["routers"] == {}


def test_what_was_rejected_or_failed_stays_as_it_was(prepared: Node) -> None:
    one, two = small_router(1), small_router(2)
    run_engine(prepared, [one, two])
    assert run_engine(prepared, [WRONG, two])["failed"]
    assert saved(prepared)["routers"] == {"small-1": one, "small-2": two}
    # The device that the new port would have is somebody else's.
    prepared.run("ip", "link", "add", "tapnew-port", "type", "bridge")
    port = {"id": "new-port", "network_id": "new", "addresses": ["10.7.0.1/24"]}
    more = {**one, "interfaces": [*one["interfaces"], port]}
    unknown = {**small_router(3), "enable_snat": "perhaps"}
    result = run_engine(prepared, [more, {**two, "floating_ips": []}, unknown])
    assert "is on the node already and is not ours" in result["routers"][0]["error"]
    assert "error" in result["routers"][2]
    assert saved(prepared)["routers"] == {"small-1": one, "small-2": {**two, "floating_ips": []}}


def test_an_entry_that_could_be_any_router_lets_none_go(prepared: Node) -> None:
    run_engine(prepared, [small_router(1), small_router(2)])
    assert run_engine(prepared, [small_router(1), {"gateway": None}])["failed"]
    assert saved(prepared)["routers"].keys() == {"small-1", "small-2"}


def test_a_protected_router_stays(prepared: Node) -> None:
    run_engine(prepared, [small_router(1), small_router(2)])
    run_engine(prepared, [small_router(1)], protected_routers=["small-2"])
    assert saved(prepared)["routers"].keys() == {"small-1", "small-2"}


def test_single_objects_keep_it_current(prepared: Node) -> None:
    run_object(prepared, "router", id="r1", gateway=router()["gateway"])
    run_object(prepared, "interface", router_id="r1", id="p1", network_id="web", addresses=["10.0.0.1/24"])
    run_object(prepared, "floating_ip", router_id="r1", floating_ip_address="203.0.113.20", fixed_ip_address="10.0.0.5")
    before = snapshot(prepared)
    empty(prepared)
    assert l3node(prepared, "converge").returncode == 0
    after = snapshot(prepared)
    # The MAC address of the port was the kernel's choice; all else is as it was.
    assert [line for line in differences(before, after) if "links" not in line] == []
    assert run_object(prepared, "router", state="absent", id="r1")["changed"]
    assert saved(prepared)["routers"] == {}


def test_a_run_that_is_killed_saves_nothing(prepared: Node) -> None:
    run_engine(prepared, [small_router(1)])
    before = snapshot(prepared)
    with pytest.raises(Killed):
        run_engine(prepared, [small_router(1), small_router(2)], how=How(end_before=10))
    settle(prepared)
    empty(prepared)
    l3node(prepared, "converge")
    assert differences(before, snapshot(prepared)) == []


def test_a_change_is_saved_when_it_is_confirmed(prepared: Node) -> None:
    one, two = small_router(1), small_router(2)
    run_engine(prepared, [one])
    for answer, routers in (("taken_back", {"small-1"}), ("confirmed", {"small-1", "small-2"})):
        result = run_engine(prepared, [one, two], confirm_timeout=60.0)
        assert result["unconfirmed"]
        assert saved(prepared)["routers"].keys() == {"small-1"}
        assert "failed" not in run_confirm(prepared, answer)
        assert saved(prepared)["routers"].keys() == routers
        assert prepared.run("ls", "/var/lib/netnode-l3").stdout == "last-converged.jsonl\n"
    # A change that turns out to be none needs nobody to confirm it.
    assert "unconfirmed" not in run_engine(prepared, [two, one], confirm_timeout=60.0, lock_timeout=10.0)
    assert list(saved(prepared)["routers"]) == ["small-1", "small-2"]


def test_what_cannot_be_saved_is_said(prepared: Node) -> None:
    run_engine(prepared, [small_router(1)])
    prepared.run("mount", "--bind", "-o", "ro", "/var/lib/netnode-l3", "/var/lib/netnode-l3")
    result = run_engine(prepared, [small_router(1), small_router(2)])
    prepared.run("umount", "/var/lib/netnode-l3")
    assert result["failed"]
    assert "What the run led to is not saved for the next boot: /var/lib/netnode-l3/last-converged.jsonl" in result["msg"]
    assert "The next boot or repair of the node sets its routers back." in result["msg"]
    assert [entry["changed"] for entry in result["routers"]] == [False, True]
    assert saved(prepared)["routers"].keys() == {"small-1"}
    assert "failed" not in run_engine(prepared, [small_router(1), small_router(2)])
    assert saved(prepared)["routers"].keys() == {"small-1", "small-2"}
