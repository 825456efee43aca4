# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sandboxed nodes and router data for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from sandbox import Node, run_playbook

_NEED_A_SERVER = "tests/neutron/"
_HAVE_ONE_TO_THEMSELVES = tuple(f"{_NEED_A_SERVER}test_{name}.py" for name in ("events", "rulebook", "sources"))


class _Scheduling(LoadScopeScheduling):
    """Each test goes to the next worker, but those that share a server go to one: first, since they take longest. There are two
    servers, each for about half of that time.
    """

    def _split_scope(self, nodeid: str) -> str:
        if not nodeid.startswith(_NEED_A_SERVER):
            return nodeid
        return "one server" if nodeid.startswith(_HAVE_ONE_TO_THEMSELVES) else "the other"


def pytest_xdist_make_scheduler(config: Any, log: Any) -> _Scheduling:
    return _Scheduling(config, log)


def pytest_xdist_auto_num_workers(config: Any) -> int:
    """Most tests wait half of the time: for packets that do not come, and for others' processes."""
    return 3 * (os.cpu_count() or 1)


@pytest.fixture
def node() -> Iterator[Node]:
    """An empty node with an external bridge."""
    with Node("node") as node:
        node.add_bridge("br-ex")
        yield node


@pytest.fixture(scope="session")
def prepared_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the role network_node writes to a node's disk, for nodes that are to be in order from the beginning."""
    files = tmp_path_factory.mktemp("prepared")
    playbook = files / "prepare.yml"
    playbook.write_text("[{hosts: network_nodes, gather_facts: false, roles: [netnode.l3.network_node]}]")
    with Node("node") as node:
        play = run_playbook(str(playbook), [node])
        assert play.status == 0, play.output
        node.keep_files(files)
    return files
