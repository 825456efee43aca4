# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long after the power is there again a machine behind a floating IP is reached from outside."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import Lab

from .nodes import converge_well, floating_ip, machine_of, reaches, router, unit, wait_until_restored

LONGEST = 60.0  # seconds, on a machine that is busy with other things
# Asks each address every 20 milliseconds, and tells for each when the first answer came, by the clock that all machines share.
_WATCH = """
import json, os, select, socket, struct, sys, time
addresses, until = sys.argv[2:], time.time() + float(sys.argv[1])
icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
checksum = 0xffff - (0x0800 + 0x6c61)
question = struct.pack("!BBHHH", 8, 0, checksum, 0x6c61, 0)
first = {}
while len(first) < len(addresses) and time.time() < until:
    for address in addresses:
        if address not in first:
            try:
                icmp.sendto(question, (address, 0))
            except OSError:
                pass
    again = time.time() + 0.02
    while (left := again - time.time()) > 0 and select.select([icmp], [], [], left)[0]:
        packet, (address, _port) = icmp.recvfrom(200)
        if packet[20] == 0 and address in addresses:
            first.setdefault(address, time.time())
print(json.dumps(first))
"""


@pytest.mark.parametrize("count", [1, 100])
def test_seconds_from_boot_to_the_first_packet(prepared: Lab, count: int) -> None:
    node, outside = prepared.machines["node2"], prepared.machines["outside"]
    numbers = range(1, count + 1)
    converge_well(prepared, {"node2": [router(number) for number in numbers]})
    addresses = [floating_ip(number) for number in numbers]
    outside.write("/root/watch.py", _WATCH)
    with machine_of(prepared, *numbers):
        reaches(prepared, node, count)
        port = ["ip", "link", "set", "dev", "node2-ex0"]
        # What is still under way from before the boot is none of its answers.
        subprocess.run(prepared.in_network(*port, "down"), check=True)
        with ThreadPoolExecutor() as pool:
            watching = pool.submit(outside.run, f"python3 /root/watch.py {LONGEST} {' '.join(addresses)}")
            node.cut_power()
            first = json.loads(watching.result())
    monotonic = float(node.run("systemctl show --property UserspaceTimestampMonotonic --value")) / 1e6
    booted = monotonic + float(node.run("python3 -c 'import time; print(time.time() - time.monotonic())'"))
    wait_until_restored(node)
    done = float(unit(node, "netnode-l3-restore")["ExecMainExitTimestampMonotonic"]) / 1e6 - monotonic
    seconds = sorted(time - booted for time in first.values())
    assert len(seconds) == count, f"{count - len(seconds)} floating IPs were not reached within {LONGEST:g} seconds"
    print(f"\n{count} routers: first {seconds[0]:.2f} s, last {seconds[-1]:.2f} s, unit done {done:.2f} s after the boot began")
    assert seconds[-1] < LONGEST
    converge_well(prepared, {"node2": []})
