# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands end, or are ended: also where Python or the kernel does not tell when."""

from __future__ import annotations

import time

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.host import command


@pytest.fixture(params=["told", "not told"], autouse=True)
def end_is_told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "not told":
        monkeypatch.setattr(command, "_end_of", lambda _process: None)


def shell(script: str) -> str:
    return command.run(["/bin/sh", "-c", script]).stdout


def test_all_that_is_said_is_read() -> None:
    assert shell("echo first; sleep 0.1; seq 1 50000; echo last").count("\n") == 50002


@pytest.mark.parametrize("script", ["sleep 9", "exec >&- 2>&-; sleep 9", "trap '' TERM; sleep 9 & wait"])
def test_what_does_not_end_is_ended_with_all_that_it_started(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(command, "TIMEOUT", 0.3)
    begun = time.monotonic()
    with pytest.raises(command.CommandError, match="no answer within"):
        shell(script)
    assert time.monotonic() - begun < 3


def test_whoever_has_the_output_is_not_waited_for() -> None:
    begun = time.monotonic()
    assert shell("sleep 5 & echo done") == "done\n"
    assert time.monotonic() - begun < 3
