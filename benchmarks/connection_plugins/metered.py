# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection "metered": as "sandbox", and notes what went through it in the file that NETNODE_METER names."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from sandbox.connection_plugins.sandbox import Connection as SandboxConnection

DOCUMENTATION = """
name: metered
short_description: Enter a sandboxed node, and measure
description:
  - Runs commands in the namespaces of a process, and notes what they cost.
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


class Connection(SandboxConnection):
    """As "sandbox". Files are copied by commands too, so that one method sees everything."""

    transport = "metered"

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Any:
        """Run a command in the node; note the bytes to it and from it, and the CPU seconds of its processes."""
        before = _of_children()
        status, output, errors = super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        call = {
            "sent": len(cmd.encode()) + len(in_data or b""),
            "received": len(output) + len(errors),
            "cpu_seconds": _of_children() - before,
        }
        # Workers write at once; one short line is written as a whole.
        with Path(os.environ["NETNODE_METER"]).open("a", encoding="ascii") as meter:
            meter.write(json.dumps(call) + "\n")
        return status, output, errors


def _of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
