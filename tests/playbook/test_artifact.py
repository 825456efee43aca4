# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection as users install it: all of it, nothing of the checkout's litter, and it works from there."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

from sandbox.playbook import CHECKOUT


def galaxy(*arguments: str) -> None:
    program = str(Path(sys.executable).with_name("ansible-galaxy"))
    subprocess.run([program, "collection", *arguments], cwd=CHECKOUT, check=True, capture_output=True)


def test_the_artifact_has_what_users_need_and_installs(tmp_path: Path) -> None:
    galaxy("build", "--output-path", str(tmp_path))
    [artifact] = tmp_path.glob("netnode-l3-*.tar.gz")
    with tarfile.open(artifact) as archive:
        names = archive.getnames()
    assert {name.split("/")[0] for name in names} == {
        "CHANGELOG.rst",
        "COPYING",
        "FILES.json",
        "MANIFEST.json",
        "README.md",
        "changelogs",
        "docs",
        "examples",
        "extensions",
        "meta",
        "playbooks",
        "plugins",
        "roles",
    }
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    galaxy("install", str(artifact), "--collections-path", str(tmp_path / "collections"), "--offline", "--force")
    shown = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-doc")), "-t", "module", "netnode.l3.l3_routers"],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections")},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert str(tmp_path) in shown
    assert "external_network_bridge" in shown
