# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command l3node on a sandboxed node, as the role network_node installs it, and what it saves."""

from __future__ import annotations

import subprocess

from ansible_collections.netnode.l3.plugins.plugin_utils.engine_archive import archive

from .node import Node

COMMAND = "/usr/local/sbin/l3node"
SAVED = "/var/lib/netnode-l3/last-converged.jsonl"


def install(node: Node) -> None:
    """Have runs on the node save what they converge, and the command there."""
    file = node.file(COMMAND)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(archive())
    file.chmod(0o755)
    node.run("mkdir", "--mode=0700", "/var/lib/netnode-l3")


def l3node(node: Node, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What became of the command."""
    return node.run(COMMAND, *arguments, check=False)
