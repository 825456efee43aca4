# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A router on Open vSwitch, as the switch and the kernel have it, and as packets see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from testinfra.host import Host

from sandbox import Machine
from sandbox.testinfra_backends import namespace

testinfra_hosts = ["sandbox://switch"]


@pytest.fixture(scope="module")
def router(host: Host) -> Host:
    return namespace(host, "qrouter-tenant-a")


@pytest.mark.parametrize(("bridge", "port", "tag"), [("br-int", "qr-a1-web", "7"), ("br-ex", "qg-a0-gateway", "[]")])
def test_ports(host: Host, bridge: str, port: str, tag: str) -> None:
    assert host.check_output("ovs-vsctl list-ports %s", bridge).splitlines() == [port]
    assert host.check_output("ovs-vsctl get Port %s tag", port) == tag


def test_neutrons_agents_know_the_ports(host: Host) -> None:
    ids = host.check_output("ovs-vsctl get Interface qr-a1-web external_ids")
    assert "iface-id=a1-web" in ids
    assert 'attached-mac="fa:16:3e:00:0a:01"' in ids


def test_addresses_and_routes(router: Host) -> None:
    assert router.interface("qr-a1-web").addresses == ["10.0.0.1"]
    assert router.interface("qg-a0-gateway").addresses == ["203.0.113.10", "203.0.113.20"]
    assert "default via 203.0.113.1 dev qg-a0-gateway proto static" in router.check_output("ip route")


def test_kernel_parameters(router: Host) -> None:
    assert router.sysctl("net.ipv4.ip_forward") == 1


def test_rules(router: Host) -> None:
    assert "-A l3-PREROUTING -d 203.0.113.20/32 -j DNAT --to-destination 10.0.0.5" in router.iptables.rules("nat")


def test_processes(host: Host) -> None:
    assert host.process.filter(comm="ovs-vswitchd")
    assert not host.process.filter(comm="haproxy")  # no metadata was asked for


@pytest.fixture
def port(host: Host) -> Iterator[Callable[..., Callable[[Machine], None]]]:
    """What plugs a machine into a bridge of the switch, as a port with these settings; the ports go after the test."""
    devices = []

    def on(bridge: str, *settings: str) -> Callable[[Machine], None]:
        def plug(each: Machine) -> None:
            host.check_output(" ".join(["ovs-vsctl add-port", bridge, each.device, *settings]))
            devices.append(each.device)
            # The datapath in user space fills in no checksums, and a virtual device leaves them to whoever sends on.
            each.run("ethtool", "--offload", "eth0", "tx", "off")

        return plug

    yield on
    for device in devices:
        host.check_output("ovs-vsctl del-port %s", device)


def test_packets(host: Host, machine: Callable[..., Machine], port: Callable[..., Callable[[Machine], None]]) -> None:
    outside = machine(host, "outside", port("br-ex"), ["203.0.113.1/24"])
    web = machine(host, "web", port("br-int", "tag=7"), ["10.0.0.5/24"], [("default", "10.0.0.1")])
    plain = machine(host, "plain", port("br-int", "tag=7"), ["10.0.0.7/24"], [("default", "10.0.0.1")])
    elsewhere = machine(host, "elsewhere", port("br-int", "tag=8"), ["10.0.0.9/24"], [("default", "10.0.0.1")])
    for each in (outside, web):
        each.serve_whoami()  # each tells who asks it which address that came from
    assert plain.seen_as("203.0.113.1") == "203.0.113.10"  # the router's own address
    assert web.seen_as("203.0.113.1") == "203.0.113.20"  # its floating IP
    assert outside.seen_as("203.0.113.20") == "203.0.113.1"  # to the floating IP, without source NAT
    assert elsewhere.seen_as("203.0.113.1", timeout=1) is None  # from another VLAN
