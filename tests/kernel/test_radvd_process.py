# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The process of a router's radvd: which one it is, and what it is told in the moments after it began."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sandbox import Node
from sandbox.engine import run_engine, run_python

from ..routers import advertising, router, small_router
from .test_metadata_process import Decoy

CONFIG, PID_FILE = "/run/netnode-l3/radvd-r1.conf", "/run/netnode-l3/radvd-r1.pid"
ARGUMENTS = ["-C", CONFIG, "-p", PID_FILE, "-m", "stderr_syslog", "-u", "radvd"]

# Starts, reloads and ends with pauses of 0 to 10 ms, in which it forks, gives up root, and learns to heed signals.
RACES = """
import time
from ansible_collections.netnode.l3.plugins.module_utils.host import netns, process, radvd
text = radvd.configuration("r1")
radvd.end({"r1": radvd.running("r1")})
result = []
def timed(what, *arguments):
    begun = time.monotonic()
    what(*arguments)
    if time.monotonic() - begun > 1:
        result.append("%s took %.1f s" % (what.__name__, time.monotonic() - begun))
with netns.entered("qrouter-r1"):
    for number in range(40):
        timed(radvd.load, "r1", text + "# %d\\n" % number, None)
        begun = radvd.running("r1")
        for again in range(number % 3):
            time.sleep(number % 7 / 700)
            timed(radvd.load, "r1", text + "# %d, %d\\n" % (number, again), begun)
            if radvd.running("r1") != begun:
                result.append("%d was started anew" % number)
        time.sleep(number % 5 / 400)
        timed(radvd.end, {"r1": begun})
        result += ["%d goes on" % pid for pid in process.pids() if radvd._is_of("r1")(pid)]
"""

# It ends between the moment in which it is looked for and that in which it is signalled.
VANISHING = """
import os, signal, time
from ansible_collections.netnode.l3.plugins.module_utils.host import netns, process, radvd
before, send = radvd.running("r1"), process.send
def late(pid, number, is_it):
    os.kill(pid, signal.SIGKILL)
    while process.arguments(pid, "radvd"):
        time.sleep(0.001)
    return send(pid, number, is_it)
process.send = late
with netns.entered("qrouter-r1"):
    radvd.load("r1", radvd.configuration("r1") + "# more\\n", before)
result = [radvd.running("r1") not in (None, before)]
radvd.end({"r1": radvd.running("r1")})
result += [radvd.running("r1") is None, radvd.lost(), radvd.known() == set()]
"""


@pytest.fixture
def advertised(node: Node) -> Node:
    """A node with a router that has a radvd."""
    assert "failed" not in run_engine(node, [advertising(router())])
    return node


def test_it_is_told_in_time_whatever_it_is_at(advertised: Node) -> None:
    assert run_python(advertised, RACES) == []


def test_one_that_vanishes_before_it_is_told_is_started_anew(advertised: Node) -> None:
    assert run_python(advertised, VANISHING) == [True, True, {}, True]


def test_what_it_says_against_its_configuration_is_told(advertised: Node) -> None:
    source = """
from ansible_collections.netnode.l3.plugins.module_utils.host import command, netns, radvd
radvd.end({"r1": radvd.running("r1")})
try:
    with netns.entered("qrouter-r1"):
        radvd.load("r1", "interface x\\n{\\n    nonsense;\\n};\\n", None)
    result = ""
except command.CommandError as error:
    result = str(error)
"""
    said = run_python(advertised, source)
    assert said.startswith(f"radvd {' '.join(ARGUMENTS)}: ") and "syntax error" in said, said


DECOYS: dict[str, Callable[[Node], Decoy]] = {
    "a pager": lambda node: Decoy(node, "less", ["less", CONFIG]),
    "a check": lambda node: Decoy(node, "radvd", ["radvd", "-c", *ARGUMENTS]),
    "another router's": lambda node: Decoy(node, "radvd", ["radvd", *(a.replace("r1", "r11") for a in ARGUMENTS)]),
    "another program": lambda node: Decoy(node, "python3", ["radvd", *ARGUMENTS]),
    "another user's": lambda node: Decoy(node, "radvd", ["radvd", *ARGUMENTS], "setpriv", "--reuid=65534", "--clear-groups"),
    "a container's": lambda node: Decoy(node, "radvd", ["radvd", *ARGUMENTS], "unshare", "--pid", "--fork", "--mount-proc"),
}


@pytest.mark.parametrize("pid_file", [True, False])
@pytest.mark.parametrize("kind", DECOYS)
def test_another_process_is_never_taken_for_it(node: Node, kind: str, pid_file: bool) -> None:
    """Neither one that was given the number of a radvd that ended, nor one that looks like one whose files are gone."""
    decoy = DECOYS[kind](node)
    for routers in ([advertising(router())], [advertising(router()), small_router(1)], [router()], []):
        if pid_file:
            node.run("/bin/sh", "-c", f"mkdir -p /run/netnode-l3; echo {decoy.pid} > {PID_FILE}")
        result = run_engine(node, routers)
        assert "failed" not in result, result["msg"]
        assert decoy.is_alive()
