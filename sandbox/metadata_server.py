# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A metadata server on a unix socket of a sandboxed node, that tells what it was asked.

This file is also the program that the node runs: with its own Python, and nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .node import RunningNode

SLOW = "/slow"
_PIECES, _PAUSE = 9, 0.25


class MetadataServer:
    """Answers every GET on the socket with a JSON mapping: ``path``, and ``headers`` as a list of pairs, as received.

    The body of what is asked below ``SLOW`` takes two seconds.
    """

    def __init__(self, node: RunningNode, path: str) -> None:
        self.node = node
        self.path = path
        self._server = node.start("/usr/bin/python3", "-I", __file__, path)
        assert self._server.stdout is not None
        self._pid = self._server.stdout.readline().strip()
        if not self._pid.isdigit():
            raise RuntimeError(f"{node.name}: no metadata server: {self._pid} {self._server.stdout.read()}")

    def stop(self) -> None:
        """End it. Its socket stays behind, as that of any server that was killed."""
        self.node.run("kill", self._pid)
        self._server.communicate()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Nobody reads what is printed; that a client went away is seen there."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "headers": self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not self.path.startswith(SLOW):
            self.wfile.write(body)
            return
        length = -(-len(body) // _PIECES)
        for start in range(0, len(body), length):
            time.sleep(_PAUSE if start else 0)
            self.wfile.write(body[start : start + length])

    def log_message(self, *_message: object) -> None:
        """Nobody reads it, and a client on a unix socket has no address to log."""


def _serve(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with _Server(str(path), _Handler) as server:
        path.chmod(0o666)  # whoever the proxies run as
        print(os.getpid(), flush=True)
        server.serve_forever()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
