# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands of a node that take their time, so that something can happen meanwhile; ``/run/begun`` says that one has begun."""

from __future__ import annotations

from sandbox import Node


def slow_down(node: Node, command: str, seconds: float) -> None:
    """Have a variant of iptables take its time. What says which one a command is, is in /etc, which is the node's own."""
    path = node.run("readlink", "-f", f"/usr/sbin/{command}").stdout.strip()
    node.file("/run/slow").write_text(f'#!/bin/sh\necho >> /run/begun\nsleep {seconds}\nexec /run/{command} "$@"\n')
    node.run("chmod", "+x", "/run/slow")
    node.run("ln", "-sfn", path, f"/run/{command}")
    node.run("ln", "-sfn", "/run/slow", f"/etc/alternatives/{command}")


def speed_up(node: Node, command: str) -> None:
    node.run("ln", "-sfn", f"/run/{command}", f"/etc/alternatives/{command}")
