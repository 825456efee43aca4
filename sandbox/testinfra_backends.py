# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sandboxed nodes, and namespaces of any node, as hosts of testinfra.

With ``register()``, ``sandbox://node1`` is the node of that name in the inventory that Molecule's step "create" made.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from testinfra.backend import BACKENDS
from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from .hold import running
from .node import RunningNode


def inventory() -> Path:
    """The inventory of the nodes that Molecule made."""
    return Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "inventory", "sandbox.json")


def register() -> None:
    """Have testinfra know hosts that begin with ``sandbox://``."""
    BACKENDS["sandbox"] = f"{__name__}.SandboxBackend"


def namespace(host: Host, name: str) -> Host:
    """A network namespace of a host, whatever the host's backend, as a host of its own."""
    return Host(_NamespaceBackend(host, name))


class SandboxBackend(BaseBackend):  # type: ignore[misc]
    """A sandboxed node: commands are run in its namespaces."""

    NAME = "sandbox"

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.node: RunningNode = running(inventory(), name)

    def run(self, command: str, *args: str, **_options: Any) -> CommandResult:
        """Run a command."""
        return self.run_local(shlex.join([*self.node.entering, "/bin/sh", "-c", self.get_command(command, *args)]))


class _NamespaceBackend(BaseBackend):  # type: ignore[misc]
    NAME = "namespace"

    def __init__(self, node: Host, name: str) -> None:
        super().__init__(name)
        self._node = node
        self._name = name

    def run(self, command: str, *args: str, **_options: Any) -> CommandResult:
        """Run a command."""
        return self._node.run("ip netns exec %s /bin/sh -c %s", self._name, self.get_command(command, *args))
