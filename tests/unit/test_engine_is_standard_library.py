# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine runs on the managed node, where there is Python and nothing else: no pip package, no Ansible."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.errors import InvalidOption
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers import DRIVERS, interface_driver

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
    modules = {"router_data.py", "plan.py", "apply.py", "iptables.py", "bridge.py", "openvswitch.py", "metadata_proxy.py"}
    assert modules <= {file.name for file in FILES}


def test_every_interface_driver_is_imported_where_drivers_are_named() -> None:
    """Else it would not travel to the node, and nobody could choose it."""
    files = {file.stem for file in (ENGINE / "interface_drivers").glob("*.py")} - {"__init__", "driver"}
    assert files == set(DRIVERS) == {driver.name for driver in DRIVERS.values()}
    with pytest.raises(InvalidOption, match=", ".join(sorted(files))):
        interface_driver("no such driver")


@pytest.mark.parametrize("name", [None, ""])
def test_there_is_no_interface_driver_by_default(name: str | None) -> None:
    with pytest.raises(InvalidOption, match="interface_driver is not given"):
        interface_driver(name or "")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ENGINE)))
def test_the_oldest_python_of_a_node_can_parse_it(file: Path) -> None:
    ast.parse(file.read_text(), feature_version=(3, 8))


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
