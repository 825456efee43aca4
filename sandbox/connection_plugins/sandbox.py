# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection "sandbox": into a sandboxed node. Only for the demo and the tests, and no part of the collection."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
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

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file into the node."""
        # Not by way of /proc/<pid>/root: Ansible resolves links, and that one to the host's own root.
        self._copy("cat > " + shlex.quote(out_path), Path(in_path).read_bytes())

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out of the node."""
        Path(out_path).write_bytes(self._copy("cat " + shlex.quote(in_path), b""))

    def _copy(self, command: str, data: bytes) -> bytes:
        status, output, errors = self.exec_command(command, in_data=data, sudoable=False)
        if status != 0:
            raise AnsibleError(f"{command}: {errors.decode()}")
        return bytes(output)
