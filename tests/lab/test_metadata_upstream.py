# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upstream of metadata comes later than the routers at boot: what the last run saw of it is known then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import Lab, Machine

from .nodes import METADATA, converge_well, machine_of, router, wait_until_restored

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
SOCKET = "/run/metadata_proxy"
_ASK = "import urllib.request; print(urllib.request.urlopen('http://169.254.169.254/', timeout=2).read().decode())"


def start(machine: Machine, *arguments: str) -> None:
    machine.write("/root/upstream.py", _SERVER)
    machine.run(f"systemd-run --unit upstream python3 /root/upstream.py {' '.join(arguments)}")


@pytest.fixture
def node(prepared: Lab) -> Iterator[Machine]:
    yield prepared.machines["node2"]
    for name in ("node2", "outside"):
        prepared.machines[name].run("systemctl stop upstream", check=False)
    converge_well(prepared, {"node2": []})


def wait_until_served(prepared: Lab, node: Machine) -> None:
    with machine_of(prepared, 3) as tenant:
        tenant.run("ip", "route", "replace", "169.254.169.254", "via", "10.0.3.1")
        node.wait_until("serves metadata", lambda: tenant.run("/usr/bin/python3", "-c", _ASK).stdout == "router-3\n", 20)


def test_a_socket_that_comes_after_the_routers(prepared: Lab, node: Machine) -> None:
    start(node, SOCKET)
    node.wait_until("listens", lambda: node.try_to_run(f"test -S {SOCKET}").returncode == 0)
    converge_well(prepared, {"node2": [router(3)]}, l3_sync_metadata_upstream=f"unix:{SOCKET}")
    wait_until_served(prepared, node)
    node.reboot()
    wait_until_restored(node)
    assert node.try_to_run(f"test -e {SOCKET}").returncode != 0
    start(node, SOCKET)
    wait_until_served(prepared, node)


def test_a_name_that_cannot_be_resolved_at_boot(prepared: Lab, node: Machine) -> None:
    start(prepared.machines["outside"])
    host, _colon, port = METADATA.partition(":")
    node.run(f"echo {host} metadata.example.org >> /etc/hosts")
    converge_well(prepared, {"node2": [router(3)]}, l3_sync_metadata_upstream=f"metadata.example.org:{port}")
    wait_until_served(prepared, node)
    node.run("sed -i /metadata.example.org/d /etc/hosts")
    node.reboot()
    wait_until_restored(node)
    assert node.try_to_run("getent hosts metadata.example.org").returncode != 0
    wait_until_served(prepared, node)
