# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process of the metadata proxy: which one it is, and what it is told in the moments after it began."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from sandbox import Node
from sandbox.engine import run_engine, run_python

from ..routers import small_router

METADATA = {"metadata_upstream": "127.0.0.1:80"}
CONFIG, PID_FILE = "/run/netnode-l3/metadata-proxy.cfg", "/run/netnode-l3/metadata-proxy.pid"
AGENTS_PID_FILE = "/var/lib/neutron/external/pids/small-1.pid.haproxy"
AGENTS_CONFIG = "/var/lib/neutron/ns-metadata-proxy/small-1.conf"

# Starts, reloads and stops with pauses of 0 to 20 ms, in which haproxy reads its configuration, forks, and executes itself anew.
RACES = """
import os, time
from ansible_collections.netnode.l3.plugins.module_utils.host import haproxy, process
text = haproxy.configuration()
result = []
def timed(what, *arguments):
    begun = time.monotonic()
    what(*arguments)
    if time.monotonic() - begun > 1.5:
        result.append("%s took %.1f s" % (what.__name__, time.monotonic() - begun))
for number in range(40):
    timed(haproxy.load, text + "# %d\\n" % number)
    for again in range(number % 3):
        time.sleep(number % 7 / 300)
        timed(haproxy.load, text + "# %d, %d\\n" % (number, again))
    time.sleep(number % 5 / 200)
    timed(haproxy.stop)
    result += ["%d goes on" % pid for pid in process.pids() if process.arguments(pid, "haproxy")]
"""

# The master ends between the moment in which it is looked for and that in which it is signalled.
VANISHING = """
import os, signal, time
from ansible_collections.netnode.l3.plugins.module_utils.host import haproxy, process
before, send = haproxy.master(), process.send
def late(pid, number, is_it):
    os.kill(pid, signal.SIGKILL)
    while process.arguments(pid, "haproxy"):
        time.sleep(0.001)
    process.send = send
    return send(pid, number, is_it if LOOKS else lambda _pid: True)
process.send = late
haproxy.load(haproxy.configuration() + "# more\\n")
process.send = late
reloaded = haproxy.master()
haproxy.stop()
result = [before != reloaded, reloaded is not None, haproxy.master() is None]
"""


@pytest.fixture
def served(node: Node) -> Node:
    """A node with a router that has metadata."""
    assert "failed" not in run_engine(node, [small_router(1)], **METADATA)
    return node


def test_workers_whose_master_was_killed_are_waited_for(served: Node) -> None:
    master = served.file(PID_FILE).read_text().strip()
    worker = served.run("cat", f"/proc/{master}/task/{master}/children").stdout.strip()
    served.run("kill", "-STOP", worker)
    served.run("kill", "-KILL", master)
    with served.start("sh", "-c", f"sleep 0.5; kill -CONT {worker}"):
        result = run_engine(served, [small_router(1)], **METADATA)
    assert "failed" not in result, result
    assert result["node"]["actions"] == ["metadata proxy started"]


def test_it_is_told_in_time_whatever_it_is_at(served: Node) -> None:
    assert run_python(served, RACES) == []


@pytest.mark.parametrize("looks", [True, False])
def test_one_that_vanishes_before_it_is_told_is_started_anew(served: Node, looks: bool) -> None:
    assert run_python(served, f"LOOKS = {looks}\n{VANISHING}") == [True, True, True]


class Decoy:
    """A process of the node that sleeps, with this command line. ``program``: its executable file, in a copy of its name."""

    def __init__(self, node: Node, program: str, words: list[str], *prefix: str, like: str = "/usr/bin/python3") -> None:
        self.node = node
        node.run("/bin/sh", "-c", f"mkdir -p /run/decoys; cp {like} /run/decoys/{program}")
        sleeping = ["-c", "import time; time.sleep(600)"] if like == "/usr/bin/python3" else []
        executing = f"import os; os.execv('/run/decoys/{program}', {[words[0], *sleeping, *words[1:]]!r})"
        node.start("env", "DECOY=it", *prefix, "/usr/bin/python3", "-c", executing)
        find = f"grep -lz DECOY=it $(grep -lx {program} /proc/[0-9]*/comm | sed s/comm/environ/)"
        deadline = time.monotonic() + 10
        while not (found := node.run("/bin/sh", "-c", find, check=False).stdout.split()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.pid = found[-1].split("/")[2]

    def is_alive(self) -> bool:
        """Whether nobody has ended it."""
        return self.node.run("kill", "-0", self.pid, check=False).returncode == 0


LIKE_OURS = ["haproxy", "-W", "-D", "-p", PID_FILE, "-f", CONFIG]
DECOYS: dict[str, Callable[[Node], Decoy]] = {
    "a pager": lambda node: Decoy(node, "less", ["less", CONFIG]),
    "a check": lambda node: Decoy(node, "haproxy", ["haproxy", "-f", CONFIG]),
    "one with the path in an argument": lambda node: Decoy(node, "haproxy", ["haproxy", "-W", f"-p{PID_FILE}", f"-f{CONFIG}"]),
    "another program": lambda node: Decoy(node, "python3", LIKE_OURS),
    "another user's": lambda node: Decoy(node, "haproxy", LIKE_OURS, "setpriv", "--reuid=65534", "--clear-groups"),
    "a container's": lambda node: Decoy(node, "haproxy", LIKE_OURS, "unshare", "--pid", "--fork", "--mount-proc"),
}


@pytest.fixture(params=DECOYS)
def decoy(node: Node, request: pytest.FixtureRequest) -> Decoy:
    """Each of them."""
    return DECOYS[request.param](node)


@pytest.mark.parametrize("pid_file", [True, False])
def test_another_process_is_never_taken_for_it(node: Node, decoy: Decoy, pid_file: bool) -> None:
    """Neither one that was given the number of a proxy that ended, nor one that looks like a proxy whose files are gone."""
    for routers, options in (([small_router(1)], METADATA), ([small_router(1), small_router(2)], METADATA), ([], {})):
        if pid_file:
            node.run("/bin/sh", "-c", f"mkdir -p /run/netnode-l3; echo {decoy.pid} > {PID_FILE}")
        result = run_engine(node, routers, **options)
        assert "failed" not in result, result["msg"]
        assert decoy.is_alive()
    assert set(node.run("pgrep", "-x", "haproxy", check=False).stdout.split()) <= {decoy.pid}


# tail(1) follows a file, with the words of the agent's proxy.
AGENTS_DECOYS = {
    "one that names the router": ("haproxy", ["haproxy", "-f", AGENTS_CONFIG, "-q"]),
    "another router's": ("haproxy", ["haproxy", "-f", AGENTS_CONFIG.replace("small-1", "small-10")]),
    "another program": ("tail", ["haproxy", "-f", AGENTS_CONFIG]),
    "a name that ends alike": ("haproxy", ["nohaproxy", "-f", AGENTS_CONFIG]),
}


@pytest.mark.parametrize("kind", AGENTS_DECOYS)
def test_another_process_is_never_taken_for_the_agents_proxy(node: Node, kind: str) -> None:
    run_engine(node, [small_router(1)])
    program, words = AGENTS_DECOYS[kind]
    node.run("/bin/sh", "-c", f"mkdir -p $(dirname {AGENTS_CONFIG}); touch {AGENTS_CONFIG} {words[2]}")
    decoy = Decoy(node, program, words, like="/usr/bin/tail")
    listening = "import socket, time; s = socket.create_server(('', 9697)); print('ready', flush=True); time.sleep(600)"
    port = node.start("ip", "netns", "exec", "qrouter-small-1", "/usr/bin/python3", "-c", listening)
    assert port.stdout is not None
    assert port.stdout.readline() == "ready\n"
    node.run("/bin/sh", "-c", f"mkdir -p $(dirname {AGENTS_PID_FILE}); echo {decoy.pid} > {AGENTS_PID_FILE}")
    result: dict[str, Any] = run_engine(node, [small_router(1)], **METADATA)
    assert "is taken by another process" in result["routers"][0]["error"]
    ending = "from ansible_collections.netnode.l3.plugins.module_utils.host import agent\n"
    assert run_python(node, f"{ending}agent.end_metadata_proxy({decoy.pid}, 'small-1')\nresult = 0") == 0
    assert decoy.is_alive()
