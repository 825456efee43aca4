# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever ends a run, its end is one clear sentence, and what was done is told: to the controller, or in the node's log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# A module with the arguments that it finds in the environment, of which WORK is what it does, and PREPARE what it does before.
PROGRAM = """
import json, os, signal, sys
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.netnode.l3.plugins.module_utils import converge, module
def work(params, check_mode, diff):
    exec(os.environ["WORK"])
    return {"changed": True, "msg": "1 router: 1 changed.", "diff": "x" * 1000, "warnings": ["careful"]}
logged = open(os.environ["LOG"], "w")
basic.AnsibleModule.log = lambda self, message, **_more: print(message, file=logged, flush=True)
exec(os.environ["PREPARE"])
with patch_module_args({}):
    module.run_module(basic.AnsibleModule(argument_spec={}), work)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def start(log: Path, work: str = "", prepare: str = "", **more: Any) -> subprocess.Popen[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        "WORK": work,
        "PREPARE": prepare,
        "LOG": str(log),
        "PYTHONPATH": f"{ROOT}/.cache",
        "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.cache",
    }
    return subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stderr=subprocess.PIPE, text=True, **more)


def told(log: Path, work: str = "", prepare: str = "") -> tuple[int, dict[str, Any]]:
    """The exit status and the result of a module that does this. There is nothing else that it says."""
    module = start(log, work, prepare, stdout=subprocess.PIPE)
    output, errors = module.communicate(timeout=60)
    assert errors == ""
    result: dict[str, Any] = json.loads(output)
    return module.returncode, {key: result[key] for key in ("failed", "changed", "msg") if key in result}


ENDS = {
    "raise MemoryError": "There is no memory left.",
    "raise KeyboardInterrupt": "The run was interrupted.",
    "raise BrokenPipeError(32, 'Broken pipe')": "system call: Broken pipe.",
    "open('/no/such/file')": "/no/such/file: No such file or directory.",
    'raise RuntimeError("can\'t start new thread")': "can't start new thread",
    "x = 'x' * (1 << 62)": "There is no memory left.",
}


@pytest.mark.parametrize("work", ENDS)
def test_a_run_that_cannot_go_on_says_so(log: Path, work: str) -> None:
    assert told(log, work) == (1, {"failed": True, "changed": False, "msg": ENDS[work]})


@pytest.mark.parametrize("work", ENDS)
def test_and_that_the_node_may_have_changed(log: Path, work: str) -> None:
    unknown = "The node was being changed, and how far that came is not known: the next run goes on from there."
    expected = {"failed": True, "changed": True, "msg": f"{ENDS[work]} {unknown}"}
    assert told(log, f"converge.begun.append(True); {work}") == (1, expected)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_when_all_is_done_takes_no_result_away(log: Path, name: str) -> None:
    interrupted = f"""
tell = basic.AnsibleModule.exit_json
def late(self, **result):
    os.kill(os.getpid(), signal.{name})
    tell(self, **result)
basic.AnsibleModule.exit_json = late
"""
    assert told(log, prepare=interrupted) == (0, {"changed": True, "msg": "1 router: 1 changed."})


def test_a_result_that_there_is_no_memory_for_is_told_in_brief(log: Path) -> None:
    exhausted = """
tell = basic.AnsibleModule.exit_json
def exhausted(self, **result):
    raise MemoryError
basic.AnsibleModule.exit_json = exhausted
"""
    message = "1 router: 1 changed.\nThere is no memory left for more of the result."
    assert told(log, prepare=exhausted) == (1, {"failed": True, "changed": True, "msg": message})


@pytest.mark.parametrize(
    "prepare",
    ["", "basic.AnsibleModule.exit_json = lambda self, **result: (print(json.dumps(result)), sys.exit(0))"],
    ids=["as it is", "as ansible-core did it"],
)
def test_a_result_that_nobody_reads_is_in_the_log(log: Path, prepare: str) -> None:
    reading, writing = os.pipe()
    module = start(log, prepare=prepare, stdout=writing)
    os.close(writing)
    os.close(reading)
    _nothing, errors = module.communicate(timeout=60)
    assert (module.returncode, errors) == (1, "")
    assert log.read_text().splitlines()[-1] == "The result could not be told: 1 router: 1 changed."


def test_nobody_waits_for_a_module_that_is_interrupted_twice(log: Path) -> None:
    work = "os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGINT)"
    module = start(log, work, stdout=subprocess.PIPE)
    assert module.communicate(timeout=60) == ("", "")
    assert module.returncode == -signal.SIGINT
