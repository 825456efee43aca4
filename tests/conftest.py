# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sandboxed nodes and router data for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import Node


@pytest.fixture
def node() -> Iterator[Node]:
    """An empty node with an external bridge."""
    with Node("node") as node:
        node.add_bridge("br-ex")
        yield node
