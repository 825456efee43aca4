# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rule sets that were found right are not read again while the kernel says that none changed; and any change shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from sandbox import Node
from sandbox.engine import run_engine

from ..routers import router, small_router

NOTES = "/run/netnode-l3/known-rules.json"
NAMESPACE = "qrouter-r1"


def inside(node: Node, *command: str) -> str:
    return node.run("ip", "netns", "exec", NAMESPACE, *command).stdout


def reads(result: dict[str, Any]) -> bool:
    """Whether a run read rule sets."""
    commands = result["cost"]["commands"]
    return bool(commands.get("iptables-save", 0) + commands.get("ip6tables-save", 0))


@pytest.fixture
def node(node: Node) -> Node:
    """A node with the router, whose rule sets are known."""
    run_engine(node, [router()])
    assert reads(run_engine(node, [router()]))
    assert not reads(run_engine(node, [router()]))
    return node


@pytest.mark.parametrize(
    ("change", "action"),
    [
        (("iptables", "-t", "nat", "-D", "l3-snat", "1"), "rule added to chain l3-snat of table nat: -j l3-float-snat"),
        (("iptables", "-t", "nat", "-F", "l3-OUTPUT"), "rule added to chain l3-OUTPUT of table nat"),
        (("iptables", "-t", "nat", "-D", "PREROUTING", "-j", "l3-PREROUTING"), "rule added to chain PREROUTING"),
        (("iptables", "-P", "FORWARD", "DROP"), "policy of chain FORWARD of table filter set to ACCEPT"),
        (("ip6tables", "-N", "l3-else"), "chain l3-else of table filter (IPv6) removed"),
        (("nft", "flush", "ruleset"), "chain l3-PREROUTING of table nat created"),
        (("nft", "delete", "table", "ip", "nat"), "chain l3-PREROUTING of table nat created"),
    ],
)
def test_a_change_by_anybody_is_seen_and_put_right(node: Node, change: Sequence[str], action: str) -> None:
    inside(node, *change)
    [predicted] = run_engine(node, [router()], check=True)["routers"]
    result = run_engine(node, [router()])
    [entry] = result["routers"]
    assert [done for done in entry["actions"] if done.startswith(action)]
    assert predicted["actions"] == entry["actions"]
    assert reads(run_engine(node, [router()]))  # what was changed is read once
    assert not reads(run_engine(node, [router()]))


def test_what_was_changed_and_changed_back_is_read_again(node: Node) -> None:
    inside(node, "iptables", "-t", "nat", "-I", "l3-snat", "-j", "RETURN")
    inside(node, "iptables", "-t", "nat", "-D", "l3-snat", "-j", "RETURN")
    assert reads(run_engine(node, [router()]))


def test_other_router_data_is_compared_with_what_is_there(node: Node) -> None:
    changed = router()
    changed["floating_ips"][0]["fixed_ip_address"] = "10.0.0.77"
    assert run_engine(node, [changed])["changed"]
    rules = inside(node, "iptables-save", "-t", "nat")
    assert "-A l3-OUTPUT -d 203.0.113.20/32 -j DNAT --to-destination 10.0.0.77" in rules
    assert not run_engine(node, [changed])["changed"]
    assert run_engine(node, [router()])["changed"]


def test_another_namespace_of_the_same_name_is_not_taken_for_the_old_one(node: Node) -> None:
    saved = inside(node, "iptables-save")
    node.run("ip", "netns", "delete", NAMESPACE)
    node.run("ip", "netns", "add", NAMESPACE)
    for _commit in range(20):  # to the generation of the old one, and past it
        node.run("ip", "netns", "exec", NAMESPACE, "iptables", "-N", "a")
        node.run("ip", "netns", "exec", NAMESPACE, "iptables", "-X", "a")
        again = run_engine(node, [router()], check=True)
        assert reads(again)
    run_engine(node, [router()])
    strip = [line for line in saved.splitlines() if line.startswith("-A")]
    assert [line for line in inside(node, "iptables-save").splitlines() if line.startswith("-A")] == strip


@pytest.mark.parametrize(
    "spoil",
    [
        "rm $1",
        "echo '{' > $1",
        "echo 17 > $1",
        "echo '{\"format\": 1}' > $1",
        "echo -n > $1",
        'sed -i \'s/"boot": "./"boot": "x/\' $1',
        'sed -i \'s/"format": ./"format": 0/\' $1',
        "sed -i 's/\\[[0-9]*, /[1, /' $1",
        'sed -i \'s/, "[0-9a-f]*"/, "0"/\' $1',
    ],
)
def test_notes_that_are_gone_or_spoilt_cost_no_more_than_reading(node: Node, spoil: str) -> None:
    node.run("/bin/sh", "-c", spoil, "sh", NOTES)
    result = run_engine(node, [router()])
    assert (reads(result), result["changed"]) == (True, False)
    assert not reads(run_engine(node, [router()]))


def test_notes_that_cannot_be_written_do_not_matter(node: Node) -> None:
    node.run("/bin/sh", "-c", f"rm {NOTES}; mkdir -p {NOTES}.new/in-the-way")
    for _run in range(2):
        assert reads(run_engine(node, [router()]))


def test_check_mode_leaves_no_notes(node: Node) -> None:
    node.run("rm", NOTES)
    for _run in range(2):
        assert reads(run_engine(node, [router()], check=True))
    assert not node.file(NOTES).exists()


def test_foreign_rules_are_told_whether_read_or_known(node: Node) -> None:
    inside(node, "iptables", "-A", "FORWARD", "-s", "192.0.2.66/32", "-j", "DROP")
    inside(node, "ip6tables", "-A", "FORWARD", "-s", "2001:db8:66::/48", "-j", "DROP")
    read, known = (run_engine(node, [router()]) for _run in range(2))
    assert (reads(read), reads(known)) == (True, False)
    assert read["routers"] == known["routers"]
    assert len(known["routers"][0]["foreign"]) == 2


def test_notes_of_other_routers_are_kept_and_those_of_routers_that_went_forgotten(node: Node) -> None:
    run_engine(node, [small_router(1)], "replaced")
    assert reads(run_engine(node, [small_router(1)], "replaced"))
    assert not reads(run_engine(node, [router(), small_router(1)]))
    assert len(json.loads(node.file(NOTES).read_text())["namespaces"]) == 2
    run_engine(node, [router()])
    run_engine(node, [router()])
    assert len(json.loads(node.file(NOTES).read_text())["namespaces"]) == 1


def test_where_iptables_is_of_the_legacy_variant_rules_are_read(node: Node) -> None:
    """Its changes are not counted by nf_tables."""
    for name in ("iptables-save", "ip6tables-save"):
        before = node.run("readlink", f"/etc/alternatives/{name}").stdout.strip()
        node.run("ln", "-sfn", f"/usr/sbin/{name.replace('-', '-legacy-')}", f"/etc/alternatives/{name}")
        result = run_engine(node, [router()], check=True)
        assert result["changed"] if name == "iptables-save" else reads(result)  # that variant has no rules
        node.run("ln", "-sfn", before, f"/etc/alternatives/{name}")


def test_single_objects_and_gathered_read_what_they_need(node: Node) -> None:
    assert reads(run_engine(node, None, "gathered"))
