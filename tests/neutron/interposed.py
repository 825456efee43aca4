# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Something between a client and a real API that can disturb single requests."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Disturb = Callable[[str, http.client.HTTPMessage], int | bytes | None]

_ERROR = b'{"error": {"message": "disturbed"}}'


class Interposed:
    """Passes each GET on, on a port of its own of loopback; a context manager.

    ``disturb`` is told the path with the query, and the headers, before a request is passed on. It can take its time, do
    something else in between, or return what is to be answered instead: the status of an error, or a body.
    """

    def __init__(self, url: str, disturb: Disturb) -> None:
        server = urlsplit(url)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                instead = disturb(self.path, self.headers)
                if instead is not None:
                    status, body = (200, instead) if isinstance(instead, bytes) else (instead, _ERROR)
                    self._answer(status, body)
                    return
                connection = http.client.HTTPConnection(str(server.hostname), server.port)
                connection.request("GET", self.path, headers={"Accept": "application/json"})
                answer = connection.getresponse()
                self._answer(answer.status, answer.read())
                connection.close()

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Interposed:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
