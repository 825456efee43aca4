# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes that were prepared before, as most of the time of a first run is preparing. Tests of that make nodes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Node


@pytest.fixture
def node(prepared_files: Path) -> Iterator[Node]:
    """A node in order, with an external bridge."""
    with Node("node", prepared_files) as node:
        node.add_bridge("br-ex")
        yield node
