# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic that goes on until it is told to stop, while something changes around it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sandbox import Machine

PYTHON = "/usr/bin/python3"
PORT = "7778"
PATIENCE = 20  # seconds within which an answer comes, however busy the test's own machine is

# Over TCP: says the name of the machine, and sends back what it gets. Over UDP: sends back what it gets.
_ECHO = """
import socket, sys, threading
name, port = sys.argv[1].encode(), int(sys.argv[2])
def converse(peer):
    with peer:
        try:
            peer.sendall(name + b"\\n")
            while data := peer.recv(4096):
                peer.sendall(data)
        except OSError:
            pass
def accept(server):
    while True:
        threading.Thread(target=converse, args=(server.accept()[0],), daemon=True).start()
threading.Thread(target=accept, args=(socket.create_server(("", port), backlog=64),), daemon=True).start()
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE: what waits while this does not get to run
datagrams.bind(("", port))
print("ready", flush=True)
while True:
    data, sender = datagrams.recvfrom(4096)
    try:
        datagrams.sendto(data, sender)
    except OSError:
        pass
"""

# Each line must come back before the next one is sent. One more goes there and back after the word to stop.
_SESSION = """
import select, socket, sys
address, port, patience = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with socket.create_connection((address, port), 20) as peer, peer.makefile("rb") as lines:
    lines.readline()
    peer.settimeout(patience)
    print("ready", flush=True)
    number, stopping = 0, False
    while not stopping:
        stopping = bool(select.select([sys.stdin], [], [], 0.005)[0])
        number += 1
        try:
            peer.sendall(b"%d\\n" % number)
            answer = lines.readline()
        except OSError as error:
            sys.exit(f"ended: {error}")
        if answer != b"%d\\n" % number:
            sys.exit(f"ended: {answer}")
print("unbroken")
"""

# Few are on their way at a time, so that none is lost in the full queue of a process that did not get to run.
_STREAM = """
import contextlib, select, socket, sys, time
address, port, patience = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.connect((address, port))
for _ in range(100):
    peer.send(b"0")
    if select.select([peer], [], [], 0.2)[0]:
        break
print("ready", flush=True)
sent, waiting, end = 0, set(), None
while end is None or (waiting and time.monotonic() < end):
    if end is None and len(waiting) < 20:
        sent += 1
        waiting.add(sent)
        with contextlib.suppress(OSError):
            peer.send(b"%d" % sent)
    time.sleep(0.002)
    for readable in select.select([peer] if end else [peer, sys.stdin], [], [], 0)[0]:
        if readable is sys.stdin:
            end = time.monotonic() + patience
        else:
            with contextlib.suppress(OSError):
                waiting.discard(int(peer.recv(99)))
print(len(waiting))
"""


# A thousand in a second, by the clock and whatever comes back. Room for seconds of them, so that none is lost in a queue.
_STEADY_STREAM = """
import select, socket, sys, threading, time
address, port, patience, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), 1 / float(sys.argv[4])
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)
peer.connect((address, port))
for _ in range(100):
    peer.send(b"0")
    if select.select([peer], [], [], 0.2)[0]:
        break
print("ready", flush=True)
missing, stopping = set(), threading.Event()
def receive():
    while True:
        try:
            missing.discard(int(peer.recv(99)))
        except OSError:
            pass
def wait():
    sys.stdin.read()
    stopping.set()
threading.Thread(target=receive, daemon=True).start()
threading.Thread(target=wait, daemon=True).start()
sent, began = 0, time.monotonic()
while not stopping.is_set():
    sent += 1
    missing.add(sent)
    try:
        peer.send(b"%d" % sent)
    except OSError:
        pass
    time.sleep(max(0, began + sent * pause - time.monotonic()))
end = time.monotonic() + patience
while missing and time.monotonic() < end:
    time.sleep(0.01)
print(sent, len(missing), round(time.monotonic() - began, 2))
"""


class Tally(NamedTuple):
    """What became of a stream."""

    sent: int
    lost: int
    seconds: float


def serve_echo(machine: Machine) -> None:
    """From now on send back what sessions and streams send."""
    server = machine.start(PYTHON, "-c", _ECHO, machine.name, PORT)
    assert server.stdout is not None
    if server.stdout.readline() != "ready\n":
        raise RuntimeError(f"{machine.name}: no server: {server.stdout.read()}")


class Controlled:
    """A Python program on a machine that goes on until its standard input ends, and then says what became of it."""

    def __init__(self, machine: Machine, program: str, *arguments: object) -> None:
        command = ("ip", "netns", "exec", machine.name, PYTHON, "-c", program, *map(str, arguments))
        self._process = machine.node.start_with_input(*command)
        if self.line() != "ready":
            raise RuntimeError(f"{machine.name}: {self.stop()}")

    def line(self) -> str:
        """The next line that it says."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "it ended"
        return line.strip()

    def stop(self) -> str:
        """Stop it; what it said."""
        return self._process.communicate(timeout=60)[0].strip()


class Session(Controlled):
    """An open TCP connection with data going there and back all the time. ``mortal``: it may well end."""

    def __init__(self, machine: Machine, address: str, mortal: bool = False, port: int | str = PORT) -> None:
        super().__init__(machine, _SESSION, address, port, 1.5 if mortal else PATIENCE)

    def went_on(self) -> bool:
        """Stop it; whether all data came back until now."""
        return self.stop() == "unbroken"


class Stream(Controlled):
    """Datagrams that are sent back, some hundred in a second."""

    def __init__(self, machine: Machine, address: str, port: int | str = PORT) -> None:
        super().__init__(machine, _STREAM, address, port, 3)

    def lost(self) -> int:
        """Stop it; how many did not come back."""
        return int(self.stop())


class SteadyStream(Controlled):
    """Datagrams that are sent back, so many in each second."""

    def __init__(self, machine: Machine, address: str, per_second: int = 1000) -> None:
        super().__init__(machine, _STEADY_STREAM, address, PORT, 3, per_second)

    def tally(self) -> Tally:
        """Stop it; how many were sent, and how many did not come back."""
        sent, lost, seconds = self.stop().split()
        return Tally(int(sent), int(lost), float(seconds))


def answering(machine: Machine, addresses: Iterable[str], seconds: float = 1.5) -> set[str]:
    """Those addresses from which an echo comes back in time. All are asked at once, again and again."""
    ping = ("timeout", str(seconds), "ping", "-q", "-i", "0.1", "-c", "1", "-w", "9")
    asked = {address: machine.start(*ping, address) for address in addresses}
    for process in asked.values():
        process.communicate(timeout=60)
    return {address for address, process in asked.items() if process.returncode == 0}
