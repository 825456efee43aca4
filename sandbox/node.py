# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A network node in a sandbox: private network, mount, UTS and PID namespaces, with its own /run and /etc."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

# What is written to /etc, /var/lib and /usr/local stays in the node; /run is empty, with the places that ip(8) and locks need.
# The second argument has what the node has in these directories besides what is in the host's.
_SETUP = r"""
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock /run/overlay
for directory in etc var/lib usr/local; do
    layer=/run/overlay/$directory
    mkdir -p "$layer/upper" "$layer/work"
    [ -z "$2" ] || cp -a "$2/$directory/." "$layer/upper"
    mount -t overlay -o "lowerdir=/$directory,upperdir=$layer/upper,workdir=$layer/work" overlay "/$directory"
done
mount -t sysfs sysfs /sys
hostname "$1"
ip link set dev lo up
echo ready
# The first process reaps nothing. As it ignores SIGCHLD, the kernel does, and a daemon that ends is gone.
exec env --ignore-signal=CHLD cat
"""


class RunningNode:
    """A sandboxed node that somebody holds, by its name and the pid of its first process."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self.entering = nsenter(pid)

    def run(
        self, *command: str, check: bool = True, text: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the node."""
        result = subprocess.run(
            [*self.entering, *command], input=text, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and result.returncode != 0:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {result.stderr.strip() or result.stdout.strip()}")
        return result

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in the node that goes on; it ends with the node at the latest."""
        return subprocess.Popen([*self.entering, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def start_with_input(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in the node that goes on, and that can be written to."""
        return subprocess.Popen(
            [*self.entering, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def add_bridge(self, name: str) -> None:
        """Make a bridge that is up and has no address of its own."""
        for command in (
            ("add", "name", name, "type", "bridge"),
            ("set", "dev", name, "addrgenmode", "none"),
            ("set", "dev", name, "up"),
        ):
            self.run("ip", "link", *command)

    def file(self, path: str) -> Path:
        """The node's file, as this process reaches it."""
        return Path(f"/proc/{self.pid}/root{path}")


class Node(RunningNode):
    """A sandboxed node; a context manager. Its processes and namespaces end with it, or with this process.

    ``files``: a directory that :meth:`keep_files` filled, the files of which the node has from the beginning.
    """

    def __init__(self, name: str, files: Path | None = None) -> None:
        rootless = [] if os.geteuid() == 0 else ["--map-root-user"]
        command = ["unshare", *rootless, "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._holder = subprocess.Popen(
            [*command, "/bin/sh", "-c", _SETUP, "sh", name, str(files or "")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout is not None and self._holder.stderr is not None
        if self._holder.stdout.readline() != "ready\n":
            raise RuntimeError(f"cannot make the sandboxed node {name}: {self._holder.stderr.read()}")
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children").read_text(encoding="ascii")
        super().__init__(name, int(children.split()[0]))
        # Whatever enters must find the node's own files, not the host's.
        self.run("test", "-d", "/run/overlay")

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def keep_files(self, files: Path) -> None:
        """Copy what was written to the node's files to a directory, for other nodes."""
        for directory in ("etc", "var/lib", "usr/local"):
            written = self.file(f"/run/overlay/{directory}/upper")
            shutil.copytree(written, files / directory, symlinks=True)

    def stop(self) -> None:
        """End the node, with every process and namespace in it."""
        if self._holder.poll() is None:
            os.kill(self.pid, signal.SIGKILL)  # this one is gone when all others are
        self._holder.communicate()


def nsenter(pid: int) -> Sequence[str]:
    """The command that enters the namespaces of the node whose first process has this pid."""
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    return ["nsenter", "--target", str(pid), *user, "--net", "--mount", "--uts", "--ipc", "--pid", "--root", "--wd", "--"]
