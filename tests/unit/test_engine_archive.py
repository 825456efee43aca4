# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command l3node as one file: all of the engine, the same each time, for the node's Python alone."""

from __future__ import annotations

import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from ansible_collections.netnode.l3.plugins.plugin_utils import engine_archive


def test_it_has_the_engine_as_it_is_in_the_tree(tmp_path: Path) -> None:
    path, digest = engine_archive.write_archive(tmp_path)
    assert path.name.endswith(digest)
    with zipfile.ZipFile(path) as archive:
        names = {name.removeprefix("netnode_l3/"): name for name in archive.namelist()}
        for module in engine_archive.ENGINE.rglob("*.py"):
            assert archive.read(names[module.relative_to(engine_archive.ENGINE).as_posix()]) == module.read_bytes()


def test_the_same_code_makes_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = engine_archive.archive()
    engine_archive.archive.cache_clear()
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert engine_archive.archive() == first


def test_it_runs_with_nothing_but_python(tmp_path: Path) -> None:
    path, _digest = engine_archive.write_archive(tmp_path)
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", str(path), "--help"], capture_output=True, text=True, cwd="/", env={}, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "status" in done.stdout
