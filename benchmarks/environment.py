# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the figures depend on: the machine and the versions of what was used. Nothing that names the machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version

_COMMANDS = {
    "python3 of the nodes": ("/usr/bin/python3", "--version"),
    "ip": ("ip", "-Version"),
    "iptables": ("iptables", "--version"),
    "haproxy": ("haproxy", "-v"),
}
_VERSION = re.compile(r"\d+\.\d+[\w.]*(?: \(nf_tables\)| \(legacy\))?")


def environment() -> dict[str, str]:
    """Name -> version or number."""
    # Of the kernel's release, what is not its builder's own.
    found = {"kernel": _number("the kernel", platform.release()), "CPUs": str(len(os.sched_getaffinity(0)))}
    for name, command in _COMMANDS.items():
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found[name] = _number(" ".join(command), said)
    return {**found, "python3 of the controller": platform.python_version(), "ansible-core": version("ansible-core")}


def _number(who: str, said: str) -> str:
    match = _VERSION.search(said)
    if match is None:
        raise SystemExit(f"{who} tells no version: {said}")
    return match[0]
