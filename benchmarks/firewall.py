# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One router with many floating IPs, by each firewall driver: how long its rules take, and what a new connection costs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from sandbox import Machine, Node
from sandbox.engine import How, run_engine

from .measure import Row, settle
from .routers import large_router, with_other_fixed_address

DRIVERS = ("iptables", "nftables")
CONNECTIONS = 4000
ROUNDS_OF_CONNECTIONS = 5  # of which the median counts
_ROUTER = "qrouter-00000000-0000-4000-8000-000000000000"
_INTERNAL = "qr-00000000-00"

# Packets of UDP from as many ports, once and again: microseconds that one takes longer while it is a new connection. The kernel
# takes a packet through the router before the sender goes on.
_SEND = """
import socket, struct, sys, time
address, count, first = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
packets = [struct.pack("!HHHH", port, 9, 8, 0) for port in range(first, first + count)]
def send():
    begun = time.perf_counter()
    for packet in packets:
        raw.sendto(packet, (address, 0))
    return time.perf_counter() - begun
raw.sendto(struct.pack("!HHHH", 9, 9, 8, 0), (address, 0))  # neighbours are asked for
new = send()
print((new - send()) / count * 1e6)
"""


def measure_firewall(count: int) -> Iterator[Row]:
    """A row for each firewall driver (``case``), with this many floating IPs."""
    for driver in DRIVERS:
        yield {"count": count, "case": driver, **_measured(count, driver)}


def _measured(count: int, driver: str) -> dict[str, float]:
    router = large_router(count)
    last = router["floating_ips"][-1]
    with Node("firewall") as node:
        node.add_bridge("br-ex")
        seconds = {}
        for name, data in (
            ("bare", {**router, "floating_ips": []}),
            ("apply", router),
            ("changed", with_other_fixed_address(router)),
            ("back", router),
        ):
            result = run_engine(node, [data], firewall_driver=driver, how=How(fresh=True))
            if "failed" in result or not result["changed"]:
                raise SystemExit(f"{driver}, {name}: {result.get('msg', 'nothing changed')}")
            seconds[name] = result["cost"]["seconds"]
        outside = Machine(node, "outside", "br-ex", ["198.19.255.254/15"])
        inside = Machine(node, "inside", "brqn0000-0", ["10.1.250.250/16"], [("default", "10.1.0.1")])
        for address in (last["fixed_ip_address"], "10.1.250.250"):
            mac = inside.run("cat", "/sys/class/net/eth0/address").stdout.strip()
            node.run("ip", "-n", _ROUTER, "neigh", "replace", address, "lladdr", mac, "dev", _INTERNAL, "nud", "permanent")
        costs = {"in_us": _cost(outside, last["floating_ip_address"]), "out_us": _cost(inside, "198.19.255.254")}
    settle(1)
    return {"apply_seconds": seconds["apply"], "changed_seconds": seconds["changed"], **costs}


def _cost(machine: Machine, address: str) -> float:
    """Microseconds of a new connection."""
    ports = (1000 + number * CONNECTIONS for number in range(ROUNDS_OF_CONNECTIONS))
    command = ("/usr/bin/python3", "-c", _SEND, address, str(CONNECTIONS))
    return statistics.median(float(machine.run(*command, str(first)).stdout) for first in ports)
