# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine runs on the managed node, where there is Python and nothing else: no pip package, no Ansible."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[2] / "plugins" / "module_utils"
FILES = sorted(ENGINE.rglob("*.py"))


def absolute_imports(source: str) -> set[str]:
    """The top-level names of what a file imports, relative imports aside; also those inside of functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module or "")
    return {name.split(".")[0] for name in names}


def test_the_engine_is_found() -> None:
    assert {"router_data.py", "plan.py", "apply.py", "iptables.py", "bridge.py"} <= {file.name for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ENGINE)))
def test_it_imports_itself_and_the_standard_library_only(file: Path) -> None:
    assert absolute_imports(file.read_text()) <= sys.stdlib_module_names


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ENGINE)))
def test_relative_imports_stay_inside_of_the_engine(file: Path) -> None:
    depth = len(file.relative_to(ENGINE).parts)
    levels = [n.level for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.ImportFrom)]
    assert max(levels, default=0) <= depth


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ENGINE)))
def test_nothing_imports_by_name_at_run_time(file: Path) -> None:
    """What is not in an import statement does not travel to the node with the module."""
    names = {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
    assert not names & {"__import__", "importlib", "import_module"}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import netaddr", {"netaddr"}),
        ("def f():\n    import ansible.module_utils.basic", {"ansible"}),
        ("try:\n    from yaml import safe_load\nexcept ImportError:\n    pass", {"yaml"}),
        ("from .model import Router\nfrom . import state", set()),
    ],
)
def test_the_search_finds_imports_wherever_they_stand(source: str, names: set[str]) -> None:
    assert absolute_imports(source) == names
