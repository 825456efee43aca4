# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open vSwitch on a sandboxed node: the real daemons, with the datapath in user space, as the kernel's may be missing."""

from __future__ import annotations

import time
from collections.abc import Callable

from .machine import Machine
from .node import RunningNode

_DIRECTORY = "/run/openvswitch"
_DATABASE, _SOCKET = f"{_DIRECTORY}/conf.db", f"{_DIRECTORY}/db.sock"
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
DATABASE_SERVER, SWITCH = "ovsdb-server", "ovs-vswitchd"
_ARGUMENTS = {DATABASE_SERVER: (_DATABASE, f"--remote=punix:{_SOCKET}"), SWITCH: (f"unix:{_SOCKET}",)}


class OpenVSwitch:
    """Open vSwitch on a node, running and without bridges. It ends with the node at the latest."""

    def __init__(self, node: RunningNode) -> None:
        self.node = node
        node.run("mkdir", "-p", _DIRECTORY)
        node.run("ovsdb-tool", "create", _DATABASE, _SCHEMA)
        self.start()

    def start(self) -> None:
        """Start those of the daemons that do not run."""
        for daemon, arguments in _ARGUMENTS.items():
            if self.pid(daemon) is None:
                log = (f"--log-file={_DIRECTORY}/{daemon}.log", "-vsyslog:off", "-vconsole:off")
                self.node.run(daemon, *arguments, f"--pidfile={_DIRECTORY}/{daemon}.pid", "--detach", *log)
            if daemon == DATABASE_SERVER:
                self.vsctl("--no-wait", "init")

    def stop(self, *daemons: str) -> None:
        """End these daemons, or both, as a service manager would: with the signal TERM."""
        for daemon in daemons or (SWITCH, DATABASE_SERVER):
            pid = self.pid(daemon)
            if pid is None:
                continue
            self.node.run("kill", str(pid))
            deadline = time.monotonic() + 10
            while self.node.file(f"/proc/{pid}").exists():
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{self.node.name}: {daemon} does not end")
                time.sleep(0.01)

    def pid(self, daemon: str) -> int | None:
        """The process of a daemon, in the node's numbers; None when it does not run."""
        file = self.node.file(f"{_DIRECTORY}/{daemon}.pid")
        return int(file.read_text(encoding="ascii")) if file.exists() else None

    def vsctl(self, *arguments: str) -> str:
        """What a call of ovs-vsctl prints. It waits for the switch to follow, unless told not to, and fails in the end."""
        return self.node.run("ovs-vsctl", "--timeout=10", *arguments).stdout

    def add_bridge(self, name: str) -> None:
        """Make a bridge that learns addresses, as any switch does."""
        self.vsctl("add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev")

    def port(self, bridge: str, tag: int | None = None) -> Callable[[Machine], None]:
        """What plugs a machine into a bridge, to be given to it as its bridge. ``tag``: its VLAN."""

        def plug(machine: Machine) -> None:
            self.vsctl("add-port", bridge, machine.device, *([] if tag is None else [f"tag={tag}"]))
            # A veth leaves checksums to whoever sends the packet on, and this datapath fills in none: TCP and UDP would fail.
            machine.run("ethtool", "--offload", "eth0", "tx", "off")

        return plug
