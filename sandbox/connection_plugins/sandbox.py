# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection "sandbox": into a sandboxed node. Only for the demo and the tests, and no part of the collection."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from ansible.plugins.connection.local import Connection as LocalConnection

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from sandbox.node import nsenter

DOCUMENTATION = """
name: sandbox
short_description: Enter a sandboxed node
description:
  - Runs commands in the namespaces of a process.
author: The netnode.l3 contributors
version_added: 0.1.0
options:
  pid:
    description: The first process of the node.
    type: int
    required: true
    vars:
      - name: sandbox_pid
extends_documentation_fragment:
  - connection_pipelining
"""


class Connection(LocalConnection):  # type: ignore[misc]
    """As "local", with every command in the node and every file below its root."""

    transport = "sandbox"

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Any:
        """Run a command in the node."""
        inside = shlex.join([*nsenter(self.get_option("pid")), "/bin/sh", "-c", cmd])
        return super().exec_command(inside, in_data=in_data, sudoable=sudoable)

    def _inside(self, path: str) -> str:
        return f"/proc/{self.get_option('pid')}/root{path}"

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file into the node."""
        super().put_file(in_path, self._inside(out_path))

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out of the node."""
        super().fetch_file(self._inside(in_path), out_path)
