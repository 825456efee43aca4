# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What answers requests for metadata, with the id of the router that they came by, and a machine that asks."""

from __future__ import annotations

from lab import Machine, TenantMachine

# Its socket is for its own user, as that of Neutron's metadata agent is.
_SERVER = """
import http.server, os, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers["X-Neutron-Router-ID"].encode())
    def log_message(self, *_arguments):
        pass
if sys.argv[1:]:
    server = socketserver.ThreadingUnixStreamServer(sys.argv[1], Handler)
    os.chown(sys.argv[1], 1, 1)
    os.chmod(sys.argv[1], 0o644)
else:
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 8775), Handler)
server.serve_forever()
"""
_ASK = "import urllib.request; print(urllib.request.urlopen('http://169.254.169.254/', timeout=2).read().decode())"


def start_upstream(machine: Machine, *socket: str) -> None:
    """Have it listen, on a socket of this path or else on port 8775, as the unit ``upstream``."""
    machine.write("/root/upstream.py", _SERVER)
    machine.run(f"systemd-run --unit upstream python3 /root/upstream.py {' '.join(socket)}")


def gets_metadata(tenant: TenantMachine, number: int) -> bool:
    """Whether a machine gets metadata by the router of this number."""
    tenant.run("ip", "route", "replace", "169.254.169.254", "via", f"10.0.{number}.1")
    return tenant.run("/usr/bin/python3", "-c", _ASK).stdout.strip() == f"router-{number}"
