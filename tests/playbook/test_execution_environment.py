# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-builder finds what an execution environment with the collection needs, and the example of one is complete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from sandbox.playbook import CHECKOUT


def builder(*arguments: str) -> str:
    program = str(Path(sys.executable).with_name("ansible-builder"))
    return subprocess.run([program, *arguments], cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout


def test_ansible_builder_finds_libraries_and_programs() -> None:
    found = yaml.safe_load(builder("introspect", ".cache"))
    assert [line.split()[0] for line in found["python"]] == ["netaddr", "openstacksdk", "oslo.messaging"]
    assert [line.split("  #")[0] for line in found["system"]] == [
        "openssh-clients [platform:rpm]",
        "openssh-client [platform:dpkg]",
    ]


def test_the_example_is_a_definition_of_an_execution_environment(tmp_path: Path) -> None:
    example = CHECKOUT / "examples" / "awx"
    builder("create", "--file", str(example / "execution-environment.yml"), "--context", str(tmp_path))
    # Paths in the definition are from where it is.
    requirements = (tmp_path / "_build" / "requirements.yml").read_text(encoding="utf-8")
    assert requirements == (example / "collections" / "requirements.yml").read_text(encoding="utf-8")
    (steps,) = tmp_path.glob("*file")  # a Containerfile, or for docker a Dockerfile
    final = steps.read_text(encoding="utf-8").rpartition("FROM ")[2]
    assert "ENV ANSIBLE_COLLECTIONS_PATH=/runner/requirements_collections:/usr/share/ansible/collections" in final.splitlines()
