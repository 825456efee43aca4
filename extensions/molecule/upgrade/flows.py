# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines around a node, and connections between them that go on until they break. Of each, a file has the count of answers."""

from __future__ import annotations

import sys

from sandbox import Machine
from sandbox.hold import running
from sandbox.testinfra_backends import inventory

DIRECTORY = "/run/flows"  # on the node
PORT = "7779"

_SERVER = """
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    def server_activate(self):
        super().server_activate()
        print("ready", flush=True)
Server(("", int(sys.argv[1])), Echo).serve_forever()
"""
# Each line must come back within 20 seconds, before the next one is sent; else this ends, and the count stays as it is.
_CLIENT = """
import os, socket, sys, time
address, port, file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with socket.create_connection((address, port), 20) as peer, peer.makefile("rb") as lines:
    number = 0
    while True:
        number += 1
        peer.sendall(b"%d\\n" % number)
        if lines.readline() != b"%d\\n" % number:
            sys.exit("ended")
        with open(file + ".new", "w") as count:
            count.write(str(number))
        os.replace(file + ".new", file)
        if number == 1:
            print("ready", flush=True)
        time.sleep(0.01)
"""


def _start(machine: Machine, program: str, *arguments: str) -> None:
    # In a session of its own: Ansible ends what is in that of its task, at times.
    process = machine.start("setsid", "/usr/bin/python3", "-c", program, *arguments)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        raise RuntimeError(f"{machine.name}: {process.stdout.read()}")


def main(name: str) -> None:
    """Open connections through the router of a node, each in another way."""
    node = running(inventory(), name)
    node.run("mkdir", "-p", DIRECTORY)
    outside = Machine(node, "outside", "br-ex", ["203.0.113.1/24"])
    web = Machine(node, "web", "brqweb", ["10.0.0.5/24"], [("default", "10.0.0.1")])
    plain = Machine(node, "plain", "brqweb", ["10.0.0.7/24"], [("default", "10.0.0.1")])
    db = Machine(node, "db", "brqdb", ["10.0.1.5/24"], [("default", "10.0.1.1")])
    for machine in (outside, web, db):
        _start(machine, _SERVER, PORT)
    for machine, address, flow in (
        (outside, "203.0.113.20", "to-the-floating-ip"),
        (web, "203.0.113.1", "from-the-floating-ip"),
        (plain, "203.0.113.1", "by-source-nat"),
        (plain, "203.0.113.20", "to-the-floating-ip-from-inside"),
        (plain, "10.0.1.5", "between-networks"),
    ):
        _start(machine, _CLIENT, address, PORT, f"{DIRECTORY}/{flow}")


if __name__ == "__main__":
    main(sys.argv[1])
