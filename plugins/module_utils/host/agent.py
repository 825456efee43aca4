# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Neutron's L3 agent leaves running when it is stopped: a metadata proxy in each router's namespace."""

from __future__ import annotations

import signal
import time
from typing import Optional

from . import process

# By the router's id; the agent's default state_path.
PID_FILE = "/var/lib/neutron/external/pids/%s.pid.haproxy"
CONFIG = "/var/lib/neutron/ns-metadata-proxy/%s.conf"
_ENDS_WITHIN = 5.0  # seconds


def metadata_proxy_of(router_id: str) -> Optional[int]:
    """The process that the agent started for this router; None when there is none."""
    try:
        with open(PID_FILE % router_id, encoding="ascii") as file:
            pid = int(file.read())
    except (OSError, ValueError):
        return None
    return pid if _serves(pid, router_id) else None


def _serves(pid: int, router_id: str) -> bool:
    """Whether the process is that haproxy, and none that names the router or was given the number of one that ended."""
    return process.arguments(pid, "haproxy")[1:] == ["-f", CONFIG % router_id]


def end_metadata_proxy(pid: int, router_id: str) -> None:
    """End it, and wait until it has let go of its port. Raises OSError."""
    process.send(pid, signal.SIGTERM, lambda number: _serves(number, router_id))
    deadline = time.monotonic() + _ENDS_WITHIN
    while _serves(pid, router_id) and time.monotonic() < deadline:
        time.sleep(0.005)
