# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first process of a lab, in namespaces of its own: makes the networks, boots the machines, and boots them again.

Whoever started it says by its standard input what it is to do, a line each: ``cut NAME`` takes the power of a machine away,
which comes back at once. The end of the input ends the lab, unless it was started to stay.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

from . import control_groups
from .files import write_files
from .plan import CONTROLLER, IMAGE, MACHINES, NETWORKS

MACHINES_DIRECTORY = Path("/run/machines")  # in memory, and so gone with the lab
REBOOTED = 133  # by systemd-nspawn, when the machine wants to be booted again
_SWEPT_WITHIN = 10.0  # seconds


def main(directory: Path, stays: bool) -> None:
    """Hold the lab; ``directory`` has the keys, and gets the machines' consoles."""
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    for path in ("/run/netns", "/run/systemd/nspawn", MACHINES_DIRECTORY):
        Path(path).mkdir(parents=True)
    _run("ip", "link", "set", "dev", "lo", "up")
    for bridge in NETWORKS:
        _run("ip", "link", "add", "name", bridge, "type", "bridge")
        _run("ip", "link", "set", "dev", bridge, "addrgenmode", "none", "up")
    _run("ip", "address", "add", CONTROLLER, "dev", "br-mg")
    machines = {name: _Machine(name, directory) for name in MACHINES}
    for machine in machines.values():
        Thread(target=machine.keep_running, daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        machines[line.split()[1]].cut_power()
    while stays:
        signal.pause()


class _Machine:
    """A machine: its disk, and the systemd-nspawn that runs it."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self._console = directory / f"{name}.console"
        self._groups = [group / name for group in control_groups.of(directory)]
        self._nspawn: subprocess.Popen[bytes] | None = None
        place = MACHINES_DIRECTORY / name
        for part in ("changes", "work", "root"):
            (place / part).mkdir(parents=True)
        self._root = place / "root"
        layers = f"lowerdir={IMAGE},upperdir={place / 'changes'},workdir={place / 'work'}"
        _run("mount", "-t", "overlay", "-o", layers, "overlay", str(self._root))
        write_files(self._root, name, directory)

    def keep_running(self) -> None:
        """Boot the machine, and again whenever it has rebooted or lost its power. One that was powered off stays so."""
        while self._boot() in (REBOOTED, -signal.SIGKILL):
            pass

    def cut_power(self) -> None:
        """End it as it is."""
        if self._nspawn is not None:
            self._nspawn.kill()

    def _boot(self) -> int:
        """Boot once, with a network namespace that knows nothing of the last boot, and say how it ended."""
        self._plug()
        for group in self._groups:
            group.mkdir(parents=True, exist_ok=True)
        command = [
            *("systemd-nspawn", f"--directory={self._root}", f"--machine={self.name}"),
            *("--register=no", "--keep-unit", "--boot", "--console=pipe", "--quiet"),
            *(f"--network-namespace-path=/run/netns/{self.name}", "--capability=CAP_NET_ADMIN"),
        ]
        entering = "".join(f"echo 0 >{group}/cgroup.procs; " for group in self._groups)
        with self._console.open("ab") as console:
            self._nspawn = subprocess.Popen(
                ["/bin/sh", "-ec", f'{entering}exec "$@"', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
            )
            status = self._nspawn.wait()
        self._sweep()
        self._unplug()
        return status

    def _sweep(self) -> None:
        """End what is left of the machine."""
        deadline = time.monotonic() + _SWEPT_WITHIN
        pids = self._processes()
        while pids and time.monotonic() < deadline:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
            pids = self._processes()
        for group in self._groups:
            control_groups.remove(group)

    def _processes(self) -> list[int]:
        files = [file for group in self._groups for file in group.rglob("cgroup.procs")]
        return [int(pid) for file in files for pid in file.read_text(encoding="ascii").split()]

    def _plug(self) -> None:
        """The devices of the machine, each on its network."""
        lines = [f"netns add {self.name}"]
        for network, (bridge, device) in enumerate(NETWORKS.items()):
            port = self._port(device)
            address = f"02:00:00:00:{network:02x}:{MACHINES[self.name]:02x}"
            lines += [
                f"link add name {port} type veth peer name {device} address {address} netns {self.name}",
                f"link set dev {port} addrgenmode none master {bridge} up",
            ]
        _run("ip", "-batch", "-", text="\n".join(lines) + "\n")

    def _unplug(self) -> None:
        """The kernel would remove the devices some time after their namespace, and the next boot needs the names."""
        lines = [*(f"link delete dev {self._port(device)}" for device in NETWORKS.values()), f"netns delete {self.name}"]
        _run("ip", "-batch", "-", text="\n".join(lines) + "\n")

    def _port(self, device: str) -> str:
        return f"{self.name}-{device}"


def _run(*command: str, text: str | None = None) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--stays" in sys.argv)
