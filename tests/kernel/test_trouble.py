# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node can refuse in the middle of a run: a clear word of it, the others converged, and the next run makes it good."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sandbox import Node
from sandbox.engine import How, run_engine

from ..kernel_state import differences, snapshot
from ..routers import router, scoped_router, small_router

ROUTERS = [router(), small_router(1), small_router(2)]
HANG = How(settings={"TIMEOUT": 1})


def errors(result: dict[str, Any]) -> dict[str, str]:
    return {entry["id"]: entry["error"] for entry in result["routers"] if "error" in entry}


def wrap(node: Node, command: str, script: str) -> None:
    """Have a command do something else first, where the namespace is that of router r1, and only there."""
    path = node.run("readlink", "-f", f"/usr/sbin/{command}").stdout.strip()
    guard = '[ "$(readlink /proc/self/ns/net)" = "net:[$(stat -L -c %i /run/netns/qrouter-r1 2>/dev/null)]" ]'
    node.file("/run/wrapper").write_text(f'#!/bin/sh\nif {guard}; then\n{script}\nfi\nexec /run/{command} "$@"\n')
    node.run("cp", path, f"/run/{command}")
    node.run("chmod", "+x", "/run/wrapper")
    node.run("mount", "--bind", "/run/wrapper", path) if command == "ip" else node.run(
        "ln", "-sfn", "/run/wrapper", link(command)
    )


def unwrap(node: Node, command: str) -> None:
    path = node.run("readlink", "-f", f"/usr/sbin/{command}").stdout.strip()
    node.run(*(("umount", path) if command == "ip" else ("ln", "-sfn", f"/run/{command}", link(command))))


def link(command: str) -> str:
    """What says which variant of iptables a command is: in /etc, which is the node's own."""
    return f"/etc/alternatives/{command}"


def heals(node: Node) -> None:
    """The next run ends where no run failed."""
    assert "failed" not in run_engine(node, ROUTERS)
    assert not run_engine(node, ROUTERS)["changed"]
    with Node("fresh") as fresh:
        fresh.add_bridge("br-ex")
        run_engine(fresh, ROUTERS)
        assert differences(snapshot(fresh), snapshot(node)) == []


@pytest.mark.parametrize(
    ("command", "script", "message"),
    [
        ("iptables-restore", "echo 'no memory for this table' >&2; exit 4", "no memory for this table"),
        ("iptables-restore", "sleep 60", "no answer within 1 seconds"),
        ("iptables-restore", "exec >&- 2>&-; sleep 60", "no answer within 1 seconds"),
        ("ip", "kill -9 $$", "exit status -9"),
        ("ip", "sleep 60", "no answer within 1 seconds"),
    ],
)
def test_a_command_that_fails_or_hangs_is_one_routers(node: Node, command: str, script: str, message: str) -> None:
    wrap(node, command, script)
    begun = time.monotonic()
    result = run_engine(node, ROUTERS, how=HANG)
    assert time.monotonic() - begun < 10
    assert list(errors(result)) == ["r1"], result["msg"]
    assert command in errors(result)["r1"]
    assert message in errors(result)["r1"]
    assert [entry["changed"] for entry in result["routers"]] == [True, True, True]
    assert "sleep 60" not in node.run("ps", "-eo", "args").stdout
    unwrap(node, command)
    heals(node)


def test_a_kernel_without_a_helper_costs_nothing_but_the_helpers(node: Node) -> None:
    refuse = """text=$(cat)
        case $text in *--helper*) echo "line 3: RULE_APPEND failed (No such file or directory)" >&2; exit 4;; esac
        printf '%s\\n' "$text" | /run/iptables-restore "$@"
        exit $?"""
    wrap(node, "iptables-restore", refuse)
    routers = [scoped_router(), *ROUTERS[1:]]
    result = run_engine(node, routers)
    assert list(errors(result)) == ["r1"], result["msg"]
    assert errors(result)["r1"].startswith(
        "conntrack_helpers are not in place, which need the kernel modules nf_conntrack_ftp, nf_conntrack_tftp: iptables-restore"
    )
    assert "No such file or directory" in errors(result)["r1"]
    rule = "rule added to chain l3-cthelper of table raw"
    missing = [f"{rule}: -p tcp -m tcp --dport 21 -j CT --helper ftp", f"{rule}: -p udp -m udp --dport 69 -j CT --helper tftp"]
    assert not set(missing) & set(result["routers"][0]["actions"])
    again = run_engine(node, routers)
    assert (list(errors(again)), again["changed"]) == (["r1"], False)
    unwrap(node, "iptables-restore")
    assert run_engine(node, routers)["routers"][0]["actions"] == missing
    assert not run_engine(node, routers)["changed"]
    with Node("fresh") as fresh:
        fresh.add_bridge("br-ex")
        run_engine(fresh, routers)
        assert differences(snapshot(fresh), snapshot(node)) == []


def test_a_command_that_leaves_its_output_to_somebody_is_not_waited_for(node: Node) -> None:
    wrap(node, "iptables-restore", "sleep 60 &")
    begun = time.monotonic()
    assert "failed" not in run_engine(node, ROUTERS, how=How(settings={"TIMEOUT": 30}))
    assert time.monotonic() - begun < 10


def test_no_space_for_files(node: Node) -> None:
    """Of the metadata proxy's configuration; notes that only save time may go missing."""
    metadata = {"metadata_upstream": "127.0.0.1:80"}
    run_engine(node, ROUTERS, **metadata)
    target = [*ROUTERS, small_router(3)]
    keep = "cp -a /run/netnode-l3 /run/kept; mount -t tmpfs -o size=64k tmpfs /run/netnode-l3; cp -a /run/kept/. /run/netnode-l3"
    node.run("/bin/sh", "-c", f"{keep}; cat /dev/zero > /run/netnode-l3/full; true", check=False)
    result = run_engine(node, target, **metadata)
    assert "small-3" in errors(result), result["msg"]
    assert "metadata proxy: No space left on device" in result["msg"].replace("[Errno 28] ", "")
    node.run("rm", "/run/netnode-l3/full")
    assert "failed" not in run_engine(node, target, **metadata)
    assert not run_engine(node, target, **metadata)["changed"]


def test_no_more_file_descriptors(node: Node) -> None:
    result = run_engine(node, ROUTERS, how=How(prefix=("prlimit", "--nofile=12:12")))
    assert result["failed"]
    assert "Too many open files" in result["msg"]
    heals(node)


# A thread's stack has the greatest size that is allowed, which is more than there is here.
NO_THREADS = How(prefix=("prlimit", f"--stack={1 << 42}:{1 << 42}"))


def test_no_memory_for_the_threads_that_read(node: Node) -> None:
    run_engine(node, ROUTERS)
    before = snapshot(node)
    result = run_engine(node, [router(enable_snat=False), *ROUTERS[1:]], how=NO_THREADS)
    assert (result["failed"], result["changed"], result["msg"]) == (True, False, "can't start new thread")
    assert differences(before, snapshot(node)) == []


def test_no_memory_for_the_threads_that_change(node: Node) -> None:
    """What was done until then is told. Rules that are known need not be read, nor those of a router that goes."""
    for _time in range(2):
        run_engine(node, [*ROUTERS, small_router(3)])
    result = run_engine(node, [*ROUTERS, small_router(4)], how=NO_THREADS)
    reason = "The run broke off before all was done, and the next one goes on from there: can't start new thread"
    assert errors(result) == {"small-3": reason, "small-4": reason}
    actions = {entry["id"]: entry["actions"] for entry in result["routers"]}
    assert actions["small-3"] == ["namespace qrouter-small-3 removed"]
    assert "namespace qrouter-small-4 created" in actions["small-4"]
    heals(node)


def test_the_lock_of_iptables_is_held_by_somebody(node: Node) -> None:
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            node.run("ln", "-sfn", f"/usr/sbin/{name}-legacy{suffix}", f"/etc/alternatives/{name}{suffix}")
    holder = node.start("flock", "/run/xtables.lock", "/bin/sh", "-c", "echo $$; exec sleep 60")
    assert holder.stdout is not None
    pid = holder.stdout.readline().strip()
    result = run_engine(node, ROUTERS, how=HANG)
    assert set(errors(result)) == {"r1", "small-1", "small-2"}
    assert all(error.startswith("iptables-restore --noflush --wait 10: ") for error in errors(result).values())
    node.run("kill", pid)
    assert "failed" not in run_engine(node, ROUTERS)
    assert not run_engine(node, ROUTERS)["changed"]
