# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""systemd, where it is the node's first process: services that it starts again when they were killed."""

from __future__ import annotations

import os
from typing import Sequence

from .command import run


def runs() -> bool:
    """Whether the node has it."""
    return os.path.isdir("/run/systemd/system")


def start_daemon(unit: str, command: Sequence[str], pid_file: str, namespace: str) -> None:
    """Start a command that goes to the background as a service until the next boot. ``namespace``: the file of the network
    namespace that it is to be in, now as when it is started again. Raises :class:`CommandError`.
    """
    stop([unit])  # one that ended, and is about to be started again, has the name
    properties = {
        "Type": "forking",
        "PIDFile": pid_file,
        "NetworkNamespacePath": namespace,
        "Restart": "on-failure",
        "RestartSec": "1",
        "StartLimitIntervalSec": "0",  # however often it is killed
        "IgnoreOnIsolate": "yes",  # no target wants it, and routers need it whichever one the node is in
        "KillMode": "mixed",
        "TimeoutStopSec": "5",
    }
    settings = ["--property=%s=%s" % pair for pair in properties.items()]
    run(["systemd-run", "--quiet", "--collect", "--unit", unit, *settings, "--", *command], stays=True)


def stop(units: Sequence[str]) -> None:
    """End services, those of them that there are."""
    run(["systemctl", "stop", *units], accept=range(256))  # it exits so when one is not known
