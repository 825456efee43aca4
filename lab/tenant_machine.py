# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine of a tenant, on the lab's network of tenants: a namespace, as it has to do nothing but answer."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from .lab import Lab
from .machine import LabFailed


class TenantMachine:
    """A machine with an address in each of some subnets; what it answers to one goes by the router of that subnet.

    ``addresses``: pairs of an address with its prefix length, and the router's address there. A context manager.
    """

    def __init__(self, lab: Lab, name: str, addresses: Sequence[tuple[str, str]]) -> None:
        self.lab, self.name = lab, name
        lines = [
            f"netns add {name}",
            f"link add name v-{name} type veth peer name eth0 netns {name}",
            f"link set dev v-{name} addrgenmode none master br-tn up",
        ]
        self._batch(["ip", "-batch", "-"], lines)
        lines = ["link set dev lo up", "link set dev eth0 up"]
        for number, (address, router) in enumerate(addresses, start=1):
            lines += [
                f"address add {address} dev eth0",
                f"route add default via {router} table {number}",
                f"rule add from {address.partition('/')[0]} table {number}",
            ]
        self._batch(["ip", "-n", name, "-batch", "-"], lines)

    def __enter__(self) -> TenantMachine:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._batch(["ip", "-batch", "-"], [f"link delete dev v-{self.name}", f"netns delete {self.name}"])

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on it."""
        return subprocess.run(
            self.lab.in_network("ip", "netns", "exec", self.name, *command),
            capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def _batch(self, command: list[str], lines: list[str]) -> None:
        text = "\n".join(lines) + "\n"
        done = subprocess.run(self.lab.in_network(*command), input=text, text=True, check=False, capture_output=True)
        if done.returncode != 0:
            raise LabFailed(f"{self.name}: {done.stderr.strip()}")
