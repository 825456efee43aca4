# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A signal goes to the process that is meant, and to no other."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.host import process


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as sleeper:
        while not is_sleep(sleeper.pid):  # it has its name a moment after it began
            time.sleep(0.001)
        yield sleeper
        sleeper.kill()


@pytest.fixture(params=["by descriptor", "by number"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.8 has no descriptors of processes."""
    if request.param == "by number":
        monkeypatch.delattr(os, "pidfd_open")
        monkeypatch.delattr(signal, "pidfd_send_signal")


def is_sleep(pid: int) -> bool:
    return process.arguments(pid, "sleep") == ["sleep", "600"]


def test_the_one_that_is_meant_gets_it(sleeper: subprocess.Popen[bytes]) -> None:
    assert process.send(sleeper.pid, signal.SIGTERM, is_sleep)
    assert sleeper.wait(5) == -signal.SIGTERM


def test_another_does_not(sleeper: subprocess.Popen[bytes]) -> None:
    assert not process.send(sleeper.pid, signal.SIGTERM, lambda pid: process.arguments(pid, "haproxy") != [])
    assert process.send(sleeper.pid, 0, is_sleep)


def test_one_that_has_ended_is_no_error(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not is_sleep(sleeper.pid)  # nobody has asked for its end yet, so that its number is still there
    sleeper.wait()
    assert not process.send(sleeper.pid, signal.SIGTERM, lambda _pid: True)


def test_one_that_ends_while_it_is_looked_at_is_no_error(sleeper: subprocess.Popen[bytes]) -> None:
    def ends(_pid: int) -> bool:
        sleeper.kill()
        sleeper.wait()
        return True

    assert not process.send(sleeper.pid, signal.SIGTERM, ends)
