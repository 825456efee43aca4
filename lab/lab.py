# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab that runs, from the outside: its directory, its machines, the networks that they are on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import control_groups
from .machine import LabFailed, Machine
from .plan import CHECKOUT, IMAGE, MACHINES, NODES, management_address

_NAMESPACES = ("--net", "--mount", "--propagation", "private", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")
_SSH = """#!/bin/sh
# ssh to a machine of the lab, from the namespace that the lab's networks are in.
exec nsenter --target {pid} --net -- ssh -F {directory}/ssh_config "$@"
"""
_SSH_CONFIG = """IdentityFile {directory}/key
IdentitiesOnly yes
UserKnownHostsFile {directory}/known_hosts
User root
ConnectTimeout 2
LogLevel ERROR
"""
_HOST = "\nHost {name}\n    HostName {address}\n    HostKeyAlias lab\n"
_ENDS_WITHIN = 30.0


class Lab:
    """The lab of a directory, which is its own. A context manager."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.ssh = self.directory / "ssh"
        self.inventory = self.directory / "inventory.json"
        self._pid_file = self.directory / "pid"
        self._holder: subprocess.Popen[str] | None = None
        self.machines = {name: self._machine(name) for name in MACHINES}

    def _machine(self, name: str) -> Machine:
        return Machine(name, self.ssh, self.directory / f"{name}.console", self._cut)

    def __enter__(self) -> Lab:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def nodes(self) -> list[Machine]:
        """The network nodes."""
        return [self.machines[name] for name in NODES]

    @property
    def variables(self) -> dict[str, str]:
        """How Ansible reaches the machines."""
        return {
            "ansible_user": "root",
            "ansible_ssh_executable": str(self.ssh),
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    def start(self, stays: bool = False) -> None:
        """Boot the machines, and wait until they can be reached. ``stays``: when this process has ended, too."""
        if os.geteuid() != 0 or not IMAGE.is_dir():
            raise LabFailed("The lab needs root, and the tree that tools/prepare-lab makes.")
        if self.pid() is not None:
            raise LabFailed("The lab is running: make lab-down ends it.")
        shutil.rmtree(self.directory, ignore_errors=True)  # of a lab that could not end itself
        self.directory.mkdir(parents=True)
        self._make_keys()
        command = ["unshare", *_NAMESPACES, sys.executable, "-m", "lab.holder", str(self.directory)]
        log = self.directory / "holder.log"
        with log.open("w", encoding="utf-8") as errors:
            self._holder = subprocess.Popen(
                [*command, *(["--stays"] if stays else [])],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=CHECKOUT, start_new_session=stays,
            )  # fmt: skip
        self._pid_file.write_text(f"{self._holder.pid}\n", encoding="ascii")
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "ready\n":
            self.stop()
            raise LabFailed(f"The lab could not be started: {log.read_text(encoding='utf-8').strip()}")
        self._write_ssh()
        for machine in self.machines.values():
            machine.wait_until_there()
            machine.wait_until_booted()

    def stop(self) -> None:
        """End the lab: all of its processes, and with them its namespaces, and what is on the disk."""
        pid = self.pid()
        if pid is not None:
            # All others end with the first one in there, and then the process that made it.
            for ending in _children(pid) or [pid]:
                os.kill(ending, signal.SIGKILL)
        if self._holder is not None:
            self._holder.communicate()
        deadline = time.monotonic() + _ENDS_WITHIN
        while self.pid() is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        for group in control_groups.of(self.directory):
            while group.exists() and time.monotonic() < deadline:
                control_groups.remove(group)
                time.sleep(0.02)
        shutil.rmtree(self.directory, ignore_errors=True)

    def pid(self) -> int | None:
        """The process whose end is the lab's; None when the lab does not run."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
            words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")
        except (OSError, ValueError):
            return None
        return pid if str(self.directory) in words else None

    def in_network(self, *command: str) -> list[str]:
        """The command that runs a command where the lab's networks are, in its mounts as well."""
        (first,) = _children(self.pid() or 0)
        return ["nsenter", "--target", str(first), "--net", "--mount", "--pid", "--", *command]

    def _cut(self, name: str) -> None:
        if self._holder is None or self._holder.stdin is None:
            raise LabFailed("Only who has started the lab can cut the power of its machines.")
        self._holder.stdin.write(f"cut {name}\n")
        self._holder.stdin.flush()

    def _make_keys(self) -> None:
        for name in ("key", "host-key"):
            path = self.directory / name
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path)], check=True)
        host_key = (self.directory / "host-key.pub").read_text(encoding="ascii")
        (self.directory / "known_hosts").write_text(f"lab {host_key}", encoding="ascii")

    def _write_ssh(self) -> None:
        """What people and Ansible need to reach the machines."""
        pid = self.in_network()[2]
        hosts = "".join(_HOST.format(name=name, address=management_address(name)) for name in MACHINES)
        settings = f"{hosts}\nHost *\n{_SSH_CONFIG.format(directory=self.directory)}"
        (self.directory / "ssh_config").write_text(settings, encoding="utf-8")
        self.ssh.write_text(_SSH.format(pid=pid, directory=self.directory), encoding="utf-8")
        self.ssh.chmod(0o755)
        nodes = {"hosts": {name: {} for name in NODES}, "vars": self.variables}
        self.inventory.write_text(json.dumps({"network_nodes": nodes}, indent=2) + "\n", encoding="utf-8")


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []
