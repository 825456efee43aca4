# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command l3node: what it says to people, and that it does what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import Node
from sandbox.engine import run_engine
from sandbox.l3node import COMMAND, SAVED, install, l3node

from ..kernel_state import differences, empty, snapshot
from ..routers import router, small_router


@pytest.fixture
def converged(node: Node) -> Node:
    """A node with two routers, as they were saved."""
    install(node)
    run_engine(node, [router(), small_router(1)])
    return node


def test_status(converged: Node) -> None:
    done = l3node(converged, "status")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert lines[0].startswith("2 routers, saved 2")
    assert lines[1:] == ["  r1       as saved", "  small-1  as saved"]
    converged.run("ip", "-n", "qrouter-r1", "link", "set", "dev", "qr-bbbb0000-we", "down")
    converged.run("ip", "netns", "add", "qrouter-by-hand")
    before = snapshot(converged)
    done = l3node(converged, "status")
    assert done.returncode == 1
    assert "  r1       differs, " in done.stdout
    assert done.stdout.splitlines()[-1] == "  by-hand  on the node and not saved: left alone"
    assert differences(before, snapshot(converged)) == []


def test_plan_says_what_converge_does(converged: Node) -> None:
    before = snapshot(converged)
    converged.run("ip", "-n", "qrouter-r1", "address", "delete", "203.0.113.20/32", "dev", "qg-aaaa0000-ex")
    converged.run("ip", "netns", "delete", "qrouter-small-1")
    # Its devices go some time later, and not together.
    converged.run("/bin/sh", "-c", "while ls /sys/class/net | grep -q ^tap0001; do sleep 0.01; done")
    drifted = snapshot(converged)
    planned = l3node(converged, "plan")
    assert planned.returncode == 1
    assert "router r1: address 203.0.113.20/32 added to qg-aaaa0000-ex" in planned.stdout.splitlines()
    assert planned.stdout.splitlines()[-1] == "2 routers: 2 changed, 0 failed, 0 skipped."
    assert differences(drifted, snapshot(converged)) == []
    done = l3node(converged, "converge")
    assert (done.returncode, done.stdout) == (0, planned.stdout)
    assert differences(before, snapshot(converged)) == []
    assert l3node(converged, "plan").stdout == "2 routers: 0 changed, 0 failed, 0 skipped.\n"


def test_export_is_what_an_inventory_takes(converged: Node) -> None:
    assert json.loads(l3node(converged, "export", "--saved").stdout)["l3_sync_routers"] == [router(), small_router(1)]
    for arguments in (("--saved",), ()):
        routers = json.loads(l3node(converged, "export", *arguments).stdout)["l3_sync_routers"]
        assert [entry["id"] for entry in routers] == ["r1", "small-1"]
        assert not run_engine(converged, routers)["changed"]


def test_a_router_in_the_nodes_own_namespace(node: Node) -> None:
    install(node)
    node.run("sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1")
    assert "failed" not in run_engine(node, [router()], use_namespaces=False, router_id="r1")
    assert l3node(node, "status").stdout.splitlines()[1:] == ["  r1    as saved"]
    node.run("ip", "address", "delete", "203.0.113.20/32", "dev", "qg-aaaa0000-ex")
    assert "router r1: address 203.0.113.20/32 added to qg-aaaa0000-ex" in l3node(node, "converge").stdout
    assert not run_engine(node, [router()], use_namespaces=False, router_id="r1")["changed"]


def test_export_needs_nothing_that_was_saved(converged: Node) -> None:
    converged.file(SAVED).unlink()
    routers = json.loads(l3node(converged, "export").stdout)["l3_sync_routers"]
    assert not run_engine(converged, routers)["changed"]


def test_what_was_not_saved_is_not_exported(converged: Node) -> None:
    converged.file(SAVED).unlink()
    done = l3node(converged, "export", "--saved")
    assert (done.returncode, done.stdout) == (3, "")
    assert "Nothing is saved on this node" in done.stderr


@pytest.mark.parametrize(
    ("spoil", "said", "status"),
    [
        (lambda file: file.unlink(), "Nothing is saved on this node", 0),
        (lambda file: file.write_text(""), "it is damaged: it is no JSON", 3),
        (lambda file: file.write_bytes(b"\xff\x00" * 1000), "it is damaged: it is no JSON", 3),
        (lambda file: file.write_text(file.read_text()[:-100]), "it is damaged: its checksum does not fit", 3),
        (lambda file: file.write_text(file.read_text().replace("10.0.0.5", "10.0.0.6")), "its checksum does not fit", 3),
        (lambda file: file.write_text("[" * 100000), "it is damaged: it is no JSON", 3),
        (lambda file: file.write_text('{"format": 7}\n'), "a newer version (format 7, and this version reads up to 1)", 3),
        (lambda file: (file.unlink(), file.mkdir()), "it cannot be read: Is a directory", 3),
    ],
)
@pytest.mark.parametrize("command", ["converge", "status"])
def test_what_cannot_be_used_is_said_and_nothing_is_touched(
    converged: Node, spoil: Callable[[Path], object], said: str, status: int, command: str
) -> None:
    empty(converged)
    before = snapshot(converged)
    spoil(converged.file(SAVED))
    done = l3node(converged, command)
    assert (done.returncode, said in done.stdout + done.stderr) == (status, True), done
    assert "Traceback" not in done.stderr
    assert differences(before, snapshot(converged)) == []


def test_a_run_after_that_saves_its_routers_and_warns(converged: Node) -> None:
    converged.file(SAVED).write_text("{")
    result = run_engine(converged, [small_router(1)], "replaced")
    assert [warning for warning in result["warnings"] if "could not be read" in warning] != []
    routers = json.loads(l3node(converged, "export", "--saved").stdout)["l3_sync_routers"]
    assert routers == [small_router(1)]


def test_a_router_that_fails_does_not_stop_the_others(converged: Node) -> None:
    empty(converged)
    converged.run("ip", "link", "add", "tap0001in-port", "type", "bridge")  # somebody else has the name
    done = l3node(converged, "converge")
    assert done.returncode == 1
    assert ", 1 failed, 0 skipped.\nrouter small-1: The device tap0001in-port that port 0001in-port needs" in done.stdout
    assert "10.0.1.1/24" in converged.run("ip", "-n", "qrouter-r1", "address").stdout
    assert "error" not in done.stderr.lower()
    converged.run("ip", "link", "delete", "tap0001in-port")
    assert l3node(converged, "converge").returncode == 0


def test_another_run_is_waited_for(converged: Node) -> None:
    holder = converged.start("flock", "/run/netnode-l3.lock", "sh", "-c", "echo held; exec sleep 60")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    done = l3node(converged, "converge", "--lock-timeout", "0.2")
    holder.kill()
    assert done.returncode == 1
    assert "Another run is at work on this node" in done.stderr


def test_who_is_not_root_is_told(converged: Node) -> None:
    done = converged.run("setpriv", "--reuid=65534", "--clear-groups", COMMAND, "status", check=False)
    assert (done.returncode, done.stderr) == (1, "l3node: it needs root: sudo l3node status\n")


def test_who_has_read_enough_hears_no_complaint(converged: Node) -> None:
    done = converged.run("sh", "-c", f"{COMMAND} export | true", check=False)
    assert done.stderr == ""
