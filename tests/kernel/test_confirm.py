# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change that is to be confirmed: it stands when it is, and the node takes it back when it is not, whoever died meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from sandbox import MetadataServer, Node
from sandbox.engine import How, Killed, run_confirm, run_engine

from ..kernel_state import differences, snapshot
from ..routers import router, small_router
from .slow_commands import slow_down, speed_up

UPSTREAM = "/run/metadata_proxy"
SOCKET = "/run/netnode-l3/guard.socket"
PATIENCE = 20.0

BEFORE = [router(), small_router(1), small_router(2)]
# Another mapping, a port less, other routes; one router goes, one comes, one stays as it is.
AFTER = [
    router(
        interfaces=router()["interfaces"][:1],
        floating_ips=[{"floating_ip_address": "203.0.113.20", "fixed_ip_address": "10.0.0.9"}],
        routes=[{"destination": "192.168.51.0/24", "nexthop": "10.0.0.254"}],
    ),
    small_router(2),
    small_router(3),
]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_guarded(node: Node) -> bool:
    return node.file(SOCKET).exists()


def guard_of(node: Node) -> str:
    """The pid by which the guard signed the lock."""
    text = node.file("/run/netnode-l3.lock").read_text(encoding="utf-8")
    return text.split("guarded by process ")[1].split()[0]


def told(node: Node) -> str:
    """What the module says when nothing waits any more."""
    return str(run_confirm(node)["msg"])


def test_a_change_that_is_confirmed_stands(node: Node) -> None:
    run_engine(node, BEFORE)
    result = run_engine(node, AFTER, confirm_timeout=60)
    assert result["unconfirmed"]
    assert result["msg"].splitlines()[-1] == "Unless it is confirmed within 60 seconds, the node takes the change back."
    done = snapshot(node)
    assert run_confirm(node)["msg"] == "The change is confirmed."
    assert not is_guarded(node)
    assert differences(done, snapshot(node)) == []
    assert not run_engine(node, AFTER)["changed"]
    assert told(node) == "No change waits to be confirmed on this node."


def test_a_change_that_is_taken_back(node: Node) -> None:
    run_engine(node, BEFORE)
    before = snapshot(node)
    run_engine(node, AFTER, confirm_timeout=60)
    assert run_confirm(node, "taken_back", check=True)["changed"]
    result = run_confirm(node, "taken_back")
    assert "failed" not in result, result["msg"]
    assert result["changed"] and result["why"] == "it was asked for"
    assert differences(before, snapshot(node)) == []
    assert not run_engine(node, BEFORE)["changed"]


def test_a_change_that_nobody_confirms(node: Node) -> None:
    run_engine(node, BEFORE)
    before = snapshot(node)
    assert run_engine(node, AFTER, confirm_timeout=0.3)["unconfirmed"]
    until(lambda: not is_guarded(node))
    assert differences(before, snapshot(node)) == []
    assert "was taken back at" in told(node)
    assert "since nobody confirmed the change within 0.3 seconds" in told(node)


def test_from_nothing_and_to_nothing(node: Node) -> None:
    empty = snapshot(node)
    run_engine(node, BEFORE, confirm_timeout=60)
    assert "failed" not in run_confirm(node, "taken_back")
    assert differences(empty, snapshot(node)) == []
    run_engine(node, BEFORE)
    built = snapshot(node)
    run_engine(node, [], confirm_timeout=60)
    assert "failed" not in run_confirm(node, "taken_back")
    assert differences(built, snapshot(node)) == []


def test_what_somebody_did_by_hand_comes_back_as_well(node: Node) -> None:
    """The state before a run is what it found, right or wrong."""
    run_engine(node, BEFORE)
    for command in (
        "ip -n qrouter-r1 address add 10.0.0.77/24 broadcast + dev qr-bbbb0000-we",
        "ip -n qrouter-r1 route delete 192.168.51.0/24",
        "ip netns exec qrouter-r1 iptables -t nat -F l3-float-snat",
    ):
        node.run(*command.split())
    before = snapshot(node)
    run_engine(node, AFTER, confirm_timeout=60)
    assert "failed" not in run_confirm(node, "taken_back")
    assert differences(before, snapshot(node)) == []


def test_a_run_that_is_killed_at_any_step_is_taken_back(node: Node) -> None:
    run_engine(node, BEFORE)
    before = snapshot(node)
    steps = run_engine(node, AFTER)["cost"]["steps"]
    run_engine(node, BEFORE)
    assert steps > 20
    killed = 0
    for step in range(0, steps, 3):
        try:
            run_engine(node, AFTER, confirm_timeout=60, how=How(end_before=step))
        except Killed:
            until(lambda: not is_guarded(node))
            killed += 1
        else:  # it has fewer steps than the first time
            run_confirm(node, "taken_back")
        assert differences(before, snapshot(node)) == [], step
        assert step == 0 or "was taken back at" in told(node)
    assert killed > 10


@pytest.mark.parametrize("seconds", [0.15, 0.25, 0.4])
def test_a_command_that_outlives_its_run_is_waited_for(node: Node, seconds: float) -> None:
    """The kernel ends the run's process alone: a batch of ip for many routers goes on, and would build on what is taken back."""
    run_engine(node, BEFORE)
    before = snapshot(node)
    killing = How(prefix=("timeout", "--foreground", "--signal=KILL", str(seconds)))
    with suppress(Killed):
        run_engine(node, [*BEFORE, *(small_router(number) for number in range(10, 50))], confirm_timeout=0.1, how=killing)
    until(lambda: not is_guarded(node))
    assert differences(before, snapshot(node)) == []


@pytest.mark.parametrize("signal", ["TERM", "INT", "HUP"])
def test_a_guard_that_is_told_to_end_takes_the_change_back(node: Node, signal: str) -> None:
    run_engine(node, BEFORE)
    before = snapshot(node)
    run_engine(node, AFTER, confirm_timeout=60)
    node.run("kill", "-" + signal, guard_of(node))
    until(lambda: not is_guarded(node))
    assert differences(before, snapshot(node)) == []
    assert f"since the guard was told to end (SIG{signal})" in told(node)


def test_a_guard_that_is_told_to_end_while_the_run_is_at_work_waits_for_it(node: Node) -> None:
    run_engine(node, BEFORE)
    before = snapshot(node)
    slow_down(node, "iptables-restore", 0.5)
    with ThreadPoolExecutor() as pool:
        run = pool.submit(run_engine, node, AFTER, confirm_timeout=60)
        until(lambda: node.file("/run/begun").exists())
        node.run("kill", "-INT", guard_of(node))
    assert run.result()["unconfirmed"]
    speed_up(node, "iptables-restore")
    until(lambda: not is_guarded(node))
    assert differences(before, snapshot(node)) == []
    assert "since the guard was told to end (SIGINT)" in told(node)


def test_a_guard_that_is_killed_is_missed(node: Node) -> None:
    run_engine(node, BEFORE)
    run_engine(node, AFTER, confirm_timeout=60)
    node.run("kill", "-KILL", guard_of(node))
    until(lambda: "failed" not in run_engine(node, AFTER, lock_timeout=0.1))
    for state in ("confirmed", "taken_back"):
        result = run_confirm(node, state)
        assert result["failed"]
        assert "the guard of the last one was killed. That change STANDS" in result["msg"]


def test_a_removal_that_could_not_be_taken_back_is_refused(node: Node) -> None:
    run_engine(node, BEFORE)
    before = snapshot(node)
    node.run("mount", "--bind", "/bin/false", "/usr/sbin/iptables-save")
    refused = run_engine(node, [], confirm_timeout=60)
    node.run("umount", "/usr/sbin/iptables-save")
    assert refused["failed"]
    assert refused["msg"].startswith("Refused: router r1 would be removed, and cannot be read (iptables-save: exit status 1)")
    assert differences(before, snapshot(node)) == []


def test_what_would_not_come_back_is_said(node: Node) -> None:
    run_engine(node, BEFORE)
    node.run(*["ip", "netns", "exec", "qrouter-r1", "iptables", "-A", "FORWARD", "-s", "192.0.2.1/32", "-j", "DROP"])
    result = run_engine(node, BEFORE[1:], confirm_timeout=60)
    assert result["warnings"] == [
        "Router r1 goes with what is not ours in its namespace, and that would not come back:"
        " rule in chain FORWARD of table filter: -s 192.0.2.1/32 -j DROP."
    ]
    run_confirm(node, "taken_back")


def test_routes_that_no_run_makes_do_not_keep_others_from_coming_back(node: Node) -> None:
    run_engine(node, BEFORE)
    before = snapshot(node)
    for route in (
        "blackhole 10.95.0.0/16",
        "10.96.0.0/16 via inet6 fe80::5 dev qr-bbbb0000-we",
        "10.97.0.0/16 via 10.0.0.9 table 100",
        "10.98.0.0/16 via 10.0.0.9 metric 7",
    ):
        node.run("ip", "-n", "qrouter-r1", "route", "add", *route.split())
    node.run(*["ip", "-n", "qrouter-r1", "rule", "add", "from", "10.0.0.0/24", "lookup", "77", "priority", "100"])
    result = run_engine(node, BEFORE[1:], confirm_timeout=60)
    assert len([warning for warning in result["warnings"] if "is none that a run makes, and would not come back" in warning]) == 5
    assert "failed" not in run_confirm(node, "taken_back")
    assert differences(before, snapshot(node)) == []


def test_weights_of_a_route_made_by_hand_come_back(node: Node) -> None:
    run_engine(node, BEFORE)
    way = "nexthop via 10.0.0.8 weight 3 nexthop via 10.0.0.9"
    node.run(*f"ip -n qrouter-r1 route add 10.99.0.0/16 proto static {way}".split())
    before = snapshot(node)
    run_engine(node, AFTER, confirm_timeout=60)
    assert "failed" not in run_confirm(node, "taken_back")
    assert differences(before, snapshot(node)) == []


def test_a_port_that_somebody_unplugged_comes_back_plugged_in(node: Node) -> None:
    run_engine(node, BEFORE)
    whole = snapshot(node)
    node.run("ip", "link", "set", "dev", "tapbbbb0000-we", "nomaster")
    run_engine(node, BEFORE[1:], confirm_timeout=60)
    assert "failed" not in run_confirm(node, "taken_back")
    assert differences(whole, snapshot(node)) == []


def test_bridges_that_were_there_and_empty_stay(node: Node) -> None:
    run_engine(node, BEFORE)
    for command in ("add name brqempty type bridge", "set dev brqempty addrgenmode none alias netnode.l3 up"):
        node.run("ip", "link", *command.split())
    before = snapshot(node)
    run_engine(node, AFTER, "replaced", confirm_timeout=60)
    assert "failed" not in run_confirm(node, "taken_back")
    assert differences(before, snapshot(node)) == []


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e12, -1.0])
def test_what_is_no_time_to_confirm(node: Node, seconds: float) -> None:
    result = run_engine(node, BEFORE, confirm_timeout=seconds)
    assert result["msg"] == f"confirm_timeout: {seconds!r} is not a number of seconds from 0 to 86400."
    assert "qrouter" not in node.run("ip", "netns", "list").stdout


def test_another_run_waits_until_the_change_is_confirmed(node: Node) -> None:
    run_engine(node, BEFORE)
    run_engine(node, AFTER, confirm_timeout=60)
    refused = run_engine(node, BEFORE, lock_timeout=0.2)
    assert refused["msg"].startswith(
        "Another run is at work on this node (a change that is not confirmed yet, guarded by process "
    )
    assert run_engine(node, AFTER, check=True)["changed"] is False
    run_confirm(node)
    assert run_engine(node, BEFORE, lock_timeout=0.2)["changed"]


def test_without_a_change_there_is_nothing_to_confirm(node: Node) -> None:
    run_engine(node, BEFORE)
    result = run_engine(node, BEFORE, confirm_timeout=60)
    assert "unconfirmed" not in result
    until(lambda: not is_guarded(node))
    assert "unconfirmed" not in run_engine(node, AFTER, check=True, confirm_timeout=60)
    assert not is_guarded(node)


def test_metadata_comes_back_as_it_was(node: Node) -> None:
    MetadataServer(node, UPSTREAM)
    options = {"metadata_upstream": f"unix:{UPSTREAM}"}
    run_engine(node, BEFORE, **options)
    before, configuration = snapshot(node), node.file("/run/netnode-l3/metadata-proxy.cfg").read_text(encoding="utf-8")

    def same() -> bool:
        assert differences(before, snapshot(node)) == []
        assert not run_engine(node, BEFORE, **options)["changed"]
        return node.file("/run/netnode-l3/metadata-proxy.cfg").read_text(encoding="utf-8") == configuration

    changes: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
        (AFTER, options),
        (AFTER, {}),
        ([], {}),
        (BEFORE, {"metadata_upstream": "127.0.0.1:8775"}),
    ]
    for data, others in changes:
        assert run_engine(node, data, confirm_timeout=60, **others)["unconfirmed"]
        result = run_confirm(node, "taken_back")
        assert "failed" not in result, result["msg"]
        assert same(), (data, others)


def test_the_nodes_own_namespace(node: Node) -> None:
    options = {"use_namespaces": False, "router_id": "r1"}
    node.run("sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1")
    run_engine(node, BEFORE, **options)
    before = snapshot(node)
    assert run_engine(node, AFTER, confirm_timeout=60, **options)["unconfirmed"]
    assert "failed" not in run_confirm(node, "taken_back")
    assert differences(before, snapshot(node)) == []
    moved = run_engine(node, AFTER[:1], confirm_timeout=60)
    assert moved["msg"].startswith("Refused: router r1 would be moved between a namespace and the node's own")
    assert differences(before, snapshot(node)) == []


def test_a_failed_way_back_is_told(node: Node) -> None:
    run_engine(node, BEFORE)
    run_engine(node, AFTER, confirm_timeout=60)
    node.run("mount", "--bind", "/bin/false", "/usr/sbin/iptables-restore")  # and so over all of iptables, which is one file
    result = run_confirm(node, "taken_back")
    assert result["failed"]
    assert "router r1: iptables-save: " in result["msg"]
    node.run("umount", "/usr/sbin/iptables-restore")
    assert "failed" not in run_engine(node, BEFORE)


@pytest.mark.parametrize(("there", "then"), [("iptables", "nftables"), ("nftables", "iptables")])
def test_the_way_back_is_by_the_firewall_driver_that_was_there(node: Node, there: str, then: str) -> None:
    run_engine(node, BEFORE, firewall_driver=there)
    before = snapshot(node)
    run_engine(node, AFTER, firewall_driver=then, confirm_timeout=60)
    assert "failed" not in run_confirm(node, "taken_back")
    assert differences(before, snapshot(node)) == []


@pytest.mark.parametrize("then", ["iptables", "nftables"])
def test_a_table_that_slept_sleeps_again(node: Node, then: str) -> None:
    run_engine(node, [router()], firewall_driver="nftables")
    inside = ("ip", "netns", "exec", "qrouter-r1", "nft")
    node.run(*inside, "add table inet l3 { flags dormant; }")
    before = node.run(*inside, "list", "ruleset").stdout
    assert "flags dormant" in before
    run_engine(node, [router()], firewall_driver=then, confirm_timeout=60)
    assert "flags dormant" not in node.run(*inside, "list", "ruleset").stdout
    result = run_confirm(node, "taken_back")
    assert "failed" not in result, result["msg"]
    assert node.run(*inside, "list", "ruleset").stdout == before
