# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Neutron's L3 agent leaves running when it is stopped: in each router's namespace a metadata proxy, and a radvd."""

from __future__ import annotations

import os
import signal
import time
from typing import Dict, Optional

from . import process

# By the router's id; the agent's default state_path.
PID_FILE = "/var/lib/neutron/external/pids/%s.pid.haproxy"
CONFIG = "/var/lib/neutron/ns-metadata-proxy/%s.conf"
PIDS = "/var/lib/neutron/external/pids"
_RADVD_PID_FILE = PIDS + "/%s.pid.radvd"
_RADVD_CONFIG = "/var/lib/neutron/ra/%s.radvd.conf"
_ENDS_WITHIN = 5.0  # seconds


def metadata_proxy_of(router_id: str) -> Optional[int]:
    """The process that the agent started for this router; None when there is none."""
    pid = _pid(PID_FILE % router_id)
    return pid if pid is not None and _serves(pid, router_id) else None


def _pid(path: str) -> Optional[int]:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _serves(pid: int, router_id: str) -> bool:
    """Whether the process is that haproxy, and none that names the router or was given the number of one that ended."""
    return process.arguments(pid, "haproxy")[1:] == ["-f", CONFIG % router_id]


def end_metadata_proxy(pid: int, router_id: str) -> None:
    """End it, and wait until it has let go of its port. Raises OSError."""
    process.send(pid, signal.SIGTERM, lambda number: _serves(number, router_id))
    deadline = time.monotonic() + _ENDS_WITHIN
    while _serves(pid, router_id) and time.monotonic() < deadline:
        time.sleep(0.005)


def advertisers() -> Dict[str, int]:
    """Router id -> the radvd that the agent started for it."""
    try:
        names = os.listdir(PIDS)
    except OSError:
        return {}
    end = _RADVD_PID_FILE.rpartition("%s")[2]
    ids = [name[: -len(end)] for name in names if name.endswith(end)]
    found = {router_id: _pid(_RADVD_PID_FILE % router_id) for router_id in ids}
    return {router_id: pid for router_id, pid in found.items() if pid is not None and _advertises(pid, router_id)}


def _advertises(pid: int, router_id: str) -> bool:
    arguments = process.arguments(pid, "radvd")[1:]
    return arguments[:4] == ["-C", _RADVD_CONFIG % router_id, "-p", _RADVD_PID_FILE % router_id]


def end_radvd(pid: int, router_id: str, replaced: bool) -> None:
    """End it, and wait for that. Unless it is ``replaced``, it tells hosts to go without the router. Raises OSError."""
    process.send(pid, signal.SIGKILL if replaced else signal.SIGTERM, lambda number: _advertises(number, router_id))
    deadline = time.monotonic() + _ENDS_WITHIN
    while _advertises(pid, router_id) and time.monotonic() < deadline:
        time.sleep(0.005)
