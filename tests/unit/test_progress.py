# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that says how far a run is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.host import progress, run_directory


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is written, at every step."""
    monkeypatch.setattr(run_directory, "PATH", str(tmp_path))
    monkeypatch.setattr(progress, "FILE", str(tmp_path / "progress.json"))
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    return tmp_path / "progress.json"


def test_it_counts_a_stage_and_is_gone_in_the_end(file: Path) -> None:
    with progress.Progress() as counting:
        counting.begin("converged", 3)
        counting.advance(changed=True)
        counting.advance(failed=True)
        assert json.loads(file.read_text()) == {"stage": "converged", "routers": 3, "done": 2, "changed": 1, "failed": 1}
    assert not file.exists()


def test_outside_of_a_run_nothing_is_written(file: Path) -> None:
    """As in check mode, which must not touch the node."""
    counting = progress.Progress()
    counting.begin("read", 1)
    counting.advance()
    assert not file.exists()
