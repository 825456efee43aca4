# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Protocols that open further connections get through source NAT by helpers of connection tracking, and not without."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import TFTP, WEB_BRIDGE, router

PYTHON = "/usr/bin/python3"
OUTSIDE, ROUTER = "203.0.113.1", "203.0.113.10"
FTP = {"protocol": "tcp", "port": 21, "helper": "ftp"}

# TFTP (RFC 1350): the file comes from another port than the one that was asked.
_TFTP_SERVER = """
import socket
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.bind(("", 69))
print("ready", flush=True)
while True:
    request, client = asked.recvfrom(99)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as transfer:
        transfer.bind(("", 0))
        transfer.sendto(b"\\0\\3\\0\\1" + client[0].encode(), client)
"""
_TFTP_CLIENT = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as transfer:
    transfer.settimeout(1)
    transfer.sendto(b"\\0\\1file\\0octet\\0", (sys.argv[1], 69))
    print(transfer.recvfrom(99)[0][4:].decode())
"""
# FTP in its active mode (RFC 959): the server connects to the address that the client says. The kernel looks at lines after
# the first.
_FTP_SERVER = """
import socket
server = socket.create_server(("", 21))
print("ready", flush=True)
while True:
    control, client = server.accept()
    control.sendall(b"220 ready\\r\\n")
    lines = control.makefile()
    try:
        lines.readline()
        control.sendall(b"331 who\\r\\n")
        numbers = lines.readline().removeprefix("PORT ").strip().split(",")
        address = ".".join(numbers[:4]), int(numbers[4]) * 256 + int(numbers[5])
        control.sendall(b"200 PORT\\r\\n")
        with socket.create_connection(address, timeout=1) as transfer:
            transfer.sendall(address[0].encode())
    except OSError:
        pass
    control.close()
"""
_FTP_CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], 21), timeout=2) as control, socket.create_server(("", 0)) as server:
    server.settimeout(2)
    answers = control.makefile()
    answers.readline()
    control.sendall(b"USER x\\r\\n")
    answers.readline()
    port = server.getsockname()[1]
    own = control.getsockname()[0].replace(".", ",")
    control.sendall(f"PORT {own},{port // 256},{port % 256}\\r\\n".encode())
    with server.accept()[0] as transfer:
        print(transfer.recv(99).decode())
"""
TRANSFERS = {"tftp": (TFTP, _TFTP_SERVER, _TFTP_CLIENT), "ftp": (FTP, _FTP_SERVER, _FTP_CLIENT)}
OWN = {"use_namespaces": False, "router_id": "r1"}


def converge(node: Node, data: dict[str, Any], **options: Any) -> list[str]:
    result = run_engine(node, [data], **options)
    assert "failed" not in result, result["msg"]
    return list(result["routers"][0]["actions"])


def serve(machine: Machine, program: str) -> None:
    server = machine.start(PYTHON, "-c", program)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n", server.stdout.read()


def transferred(machine: Machine, program: str, address: str = OUTSIDE) -> str | None:
    """The address that the server sent to, as it says in what it sends; None when nothing comes."""
    result = machine.run(PYTHON, "-c", program, address, check=False)
    return result.stdout.strip() if result.returncode == 0 else None


@pytest.mark.parametrize("options", [{}, OWN], ids=["namespace", "own namespace"])
@pytest.mark.parametrize("name", TRANSFERS)
def test_a_transfer_gets_through_source_nat_with_the_helper_alone(
    node: Node, name: str, options: dict[str, Any], firewall_driver: str
) -> None:
    helper, server, client = TRANSFERS[name]
    converge(node, router(), **options)
    outside = Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24"])
    plain = Machine(node, "plain", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    serve(outside, server)
    outside.serve_whoami()
    assert transferred(plain, client) is None
    converge(node, router(conntrack_helpers=[helper]), **options)
    assert transferred(plain, client) == ROUTER
    assert plain.seen_as(OUTSIDE) == ROUTER
    assert converge(node, router(conntrack_helpers=[helper]), **options) == []
    other = {**helper, "port": helper["port"] + 1}
    converge(node, router(conntrack_helpers=[other]), **options)
    assert transferred(plain, client) is None
    actions = converge(node, router(), **options)
    removed = {
        "iptables": ["chain l3-cthelper of table raw removed", "chain l3-cthelper of table raw (IPv6) removed"],
        "nftables": ["chain conntrack_helpers of table l3 removed", f"ct helper {name}-{helper['protocol']} of table l3 removed"],
    }
    assert [action for action in actions if "helper" in action and "rule" not in action] == removed[firewall_driver]
    read = "iptables-save; nft list ruleset"
    assert "helper" not in node.run("sh", "-c", f"{read}; ip netns exec qrouter-r1 sh -c '{read}'", check=False).stdout


def test_a_server_behind_a_floating_ip(node: Node) -> None:
    """What comes from outside has its helper as well: the address in the answer is put right on its way out."""
    data = router(conntrack_helpers=[FTP])
    converge(node, data)
    outside = Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24"])
    web = Machine(node, "web", WEB_BRIDGE, ["10.0.0.5/24"], [("default", "10.0.0.1")])
    passive = """
import socket
server = socket.create_server(("", 21))
print("ready", flush=True)
control, _client = server.accept()
control.sendall(b"220 ready\\r\\n")
control.makefile().readline()
with socket.create_server(("", 0)) as data:
    port = data.getsockname()[1]
    own = control.getsockname()[0].replace(".", ",")
    control.sendall(f"227 Entering Passive Mode ({own},{port // 256},{port % 256})\\r\\n".encode())
    with data.accept()[0] as transfer:
        transfer.sendall(b"file")
"""
    client = """
import socket, sys
with socket.create_connection((sys.argv[1], 21), timeout=2) as control:
    answers = control.makefile()
    answers.readline()
    control.sendall(b"PASV\\r\\n")
    answer = answers.readline()
    numbers = answer.partition("(")[2].partition(")")[0].split(",")
    address = ".".join(numbers[:4]), int(numbers[4]) * 256 + int(numbers[5])
    with socket.create_connection(address, timeout=2) as transfer:
        print(address[0], transfer.recv(99).decode())
"""
    serve(web, passive)
    assert transferred(outside, client, "203.0.113.20") == "203.0.113.20 file"


@pytest.mark.firewall_driver("iptables")
@pytest.mark.parametrize("family", [4, 6])
def test_each_helper_is_one_that_the_kernel_takes(node: Node, family: int) -> None:
    """Of its name, protocol and address families; and they come back."""
    protocols = {"amanda": ["udp"], "h323": ["tcp", "udp"], "netbios-ns": ["udp"], "sip": ["tcp", "udp"], "snmp": ["udp"]}
    helpers = [
        {"protocol": protocol, "port": 4000 + number, "helper": name}
        for number, name in enumerate(["amanda", "ftp", "h323", "irc", "netbios-ns", "pptp", "sane", "sip", "snmp", "tftp"])
        for protocol in protocols.get(name, ["udp" if name == "tftp" else "tcp"])
    ]
    data = router(conntrack_helpers=helpers)
    converge(node, data)
    assert converge(node, data) == []
    saved = node.run("ip", "netns", "exec", "qrouter-r1", "iptables-save" if family == 4 else "ip6tables-save").stdout
    assert saved.count("--helper") == {4: 12, 6: 8}[family]
    (gathered,) = run_engine(node, None, "gathered")["gathered"]
    assert sorted(gathered["conntrack_helpers"], key=str) == sorted(helpers, key=str)
