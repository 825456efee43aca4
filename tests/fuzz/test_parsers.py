# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each fuzzer of parsers.py for a moment: a process of its own, since libFuzzer ends the one that it runs in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ["iptables-save", "netlink-messages", "netlink-bodies", "ovs-vsctl", "haproxy", "known-rules", "conntrack", "marks"]
NAMES += ["router-data", "saved-routers"]
SECONDS = 1


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_is_read_is_too_much(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.parsers", name, f"-max_total_time={SECONDS}", "-seed=1"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / '.cache'}:{ROOT}", "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "DONE" in done.stderr
