# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines around a network node: "VMs" on internal networks and hosts outside, which exchange real packets."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence

from .node import RunningNode

# Answers every connection with the address that it came from: what NAT made of the sender.
_WHOAMI = """
import socket, sys, threading
server = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
print("ready", flush=True)
while True:
    peer, address = server.accept()
    peer.sendall(address[0].removeprefix("::ffff:").encode())
    peer.close()
"""
_ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as peer:
    print(peer.recv(99).decode())
"""
_PYTHON = "/usr/bin/python3"
PORT = 7777


class Machine:
    """A machine in a namespace of its own, wired to one of the node's bridges.

    ``bridge``: the name of a Linux bridge, or what plugs the machine's ``device`` in elsewhere. ``addresses`` with prefix
    length; ``routes``: pairs of destination and next hop.
    """

    def __init__(
        self,
        node: RunningNode,
        name: str,
        bridge: str | Callable[[Machine], object],
        addresses: Sequence[str],
        routes: Sequence[tuple[str, str]] = (),
        mtu: int = 1500,
    ) -> None:
        self.node = node
        self.name = name
        self.bridge = bridge
        self.device = f"v{abs(hash(name)) % 10**10}"
        lines = [
            f"netns add {name}",
            f"link add name {self.device} mtu {mtu} type veth peer name eth0 mtu {mtu} netns {name}",
            f"link set dev {self.device} addrgenmode none",
            f"link set dev {self.device} {f'master {bridge} ' if isinstance(bridge, str) else ''}up",
        ]
        node.run("ip", "-batch", "-", text="\n".join(lines) + "\n")
        lines = ["link set dev lo up", "link set dev eth0 up"]
        lines += [f"address add {address} dev eth0{' nodad' if ':' in address else ''}" for address in addresses]
        lines += [f"route add {destination} via {nexthop}" for destination, nexthop in routes]
        node.run("ip", "-n", name, "-batch", "-", text="\n".join(lines) + "\n")
        if not isinstance(bridge, str):
            bridge(self)

    def run(self, *command: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command on the machine."""
        return self.node.run("ip", "netns", "exec", self.name, *command, check=check, timeout=timeout)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command that goes on."""
        return self.node.start("ip", "netns", "exec", self.name, *command)

    def serve_whoami(self, port: int = PORT) -> None:
        """From now on tell every client its address, as it arrives here."""
        server = self.start(_PYTHON, "-c", _WHOAMI, str(port))
        assert server.stdout is not None
        if server.stdout.readline() != "ready\n":
            raise RuntimeError(f"{self.name}: no server: {server.stdout.read()}")

    def seen_as(self, address: str, port: int = PORT, timeout: float = 3) -> str | None:
        """The address that a server sees this machine come from; None when it cannot be reached."""
        result = self.run(_PYTHON, "-c", _ASK, address, str(port), str(timeout), check=False)
        return result.stdout.strip() if result.returncode == 0 else None

    def pings(self, address: str) -> bool:
        """Whether an echo comes back within two seconds."""
        return self.run("ping", "-c", "1", "-W", "2", address, check=False).returncode == 0

    def mac_address(self) -> str:
        """The machine's MAC address."""
        link = json.loads(self.run("ip", "-json", "link", "show", "dev", "eth0").stdout)[0]
        return str(link["address"])
