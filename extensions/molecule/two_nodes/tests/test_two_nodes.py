# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each node has its own router of the same name, and packets go from one to the other by the external network."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from testinfra import get_host
from testinfra.host import Host

from sandbox import Machine
from sandbox.testinfra_backends import namespace

testinfra_hosts = ["sandbox://left", "sandbox://right"]  # each test is run for each of them

ADDRESSES = {"left": ["203.0.113.10", "203.0.113.20"], "right": ["203.0.113.30", "203.0.113.40"]}


@pytest.fixture(scope="module")
def router(host: Host) -> Host:
    return namespace(host, "qrouter-tenant-a")


def test_devices_and_addresses(host: Host, router: Host) -> None:
    assert router.interface("qr-a1-web").addresses == ["10.0.0.1"]
    assert router.interface("qg-a0-gateway").addresses == ADDRESSES[host.backend.get_hostname()]


def test_routes(router: Host) -> None:
    destinations = [route.split()[0] for route in router.check_output("ip route").splitlines()]
    assert sorted(destinations) == ["10.0.0.0/24", "203.0.113.0/24"]


def test_kernel_parameters(router: Host) -> None:
    assert router.sysctl("net.ipv4.ip_forward") == 1


def test_rules(host: Host, router: Host) -> None:
    _gateway, floating_ip = ADDRESSES[host.backend.get_hostname()]
    translated = [rule for rule in router.iptables.rules("nat", "l3-PREROUTING") if "DNAT" in rule]
    assert translated == [f"-A l3-PREROUTING -d {floating_ip}/32 -j DNAT --to-destination 10.0.0.5"]


def test_processes(host: Host) -> None:
    assert not host.process.filter(comm="haproxy")  # no metadata was asked for


def test_packets(machine: Callable[..., Machine]) -> None:
    left, right = (get_host(name) for name in testinfra_hosts)
    client = machine(left, "client", "brqweb", ["10.0.0.7/24"], [("default", "10.0.0.1")])
    known = machine(left, "known", "brqweb", ["10.0.0.5/24"], [("default", "10.0.0.1")])
    server = machine(right, "server", "brqweb", ["10.0.0.5/24"], [("default", "10.0.0.1")])
    server.serve_whoami()  # it tells who asks it which address that came from
    assert client.seen_as("203.0.113.40") == "203.0.113.10"  # the router's own address
    assert known.seen_as("203.0.113.40") == "203.0.113.20"  # its floating IP
    assert client.seen_as("10.0.0.5") is None  # that of its own network, who serves nothing
