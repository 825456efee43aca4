# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the verifiers of the scenarios share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from testinfra.host import Host

from sandbox import Machine
from sandbox.testinfra_backends import register

register()  # testinfra knows sandbox://NODE from now on


@pytest.fixture(scope="module")
def machine() -> Iterator[Callable[..., Machine]]:
    """Plugs a machine into a bridge of a node; the machines go when the tests of a file are done."""
    machines: list[tuple[Host, Machine]] = []

    def plug(host: Host, *arguments: Any) -> Machine:
        made = Machine(host.backend.node, *arguments)
        machines.append((host, made))
        return made

    yield plug
    for host, made in machines:
        host.run("ip netns pids %s | xargs --no-run-if-empty kill", made.name)
        host.run("ip netns delete %s", made.name)
        # A machine of the next run has the same address, and another MAC address.
        host.run("ip -all netns exec ip neighbour flush all")
