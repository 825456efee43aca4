# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One lab for all tests, with two nodes that the playbook has prepared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import Lab
from lab.plan import CHECKOUT

from .nodes import converge


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab(CHECKOUT / ".cache" / "lab" / "tested") as lab:
        yield lab


@pytest.fixture(scope="session")
def prepared(lab: Lab) -> Lab:
    """The lab with the nodes as the playbook leaves them when it has no routers for them."""
    play = converge(lab, {"node1": [], "node2": []})
    assert play.status == 0, play.output
    return lab
