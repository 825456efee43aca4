# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A router on Linux bridges, as the kernel has it, and as packets see it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from testinfra.host import Host

from sandbox import Machine, MetadataServer
from sandbox.testinfra_backends import namespace

testinfra_hosts = ["sandbox://default"]  # ssh://root@node1.example.org for a node that is reached so


@pytest.fixture(scope="module")
def router(host: Host) -> Host:
    """The namespace of the router, as a host of testinfra."""
    return namespace(host, "qrouter-tenant-a")


@pytest.mark.parametrize(
    ("device", "addresses", "mtu"),
    [
        ("qg-a0-gateway", ["203.0.113.10", "203.0.113.20"], 1500),
        ("qr-a1-web", ["10.0.0.1"], 1450),
        ("qr-a2-db", ["10.0.1.1"], 1500),
    ],
)
def test_devices_and_addresses(router: Host, device: str, addresses: list[str], mtu: int) -> None:
    found = router.interface(device)
    assert found.exists
    assert sorted(found.addresses) == addresses
    (link,) = json.loads(router.check_output("ip -json link show dev %s", device))
    assert ("UP" in link["flags"], link["mtu"]) == (True, mtu)


def test_mac_addresses(router: Host) -> None:
    links = {link["ifname"]: link["address"] for link in json.loads(router.check_output("ip -json link"))}
    assert links["qg-a0-gateway"] == "fa:16:3e:00:0a:00"
    assert links["qr-a1-web"] == "fa:16:3e:00:0a:01"


def test_bridges(host: Host) -> None:
    plugged = {link["ifname"]: link.get("master") for link in json.loads(host.check_output("ip -json link show type veth"))}
    assert plugged == {"tapa0-gateway": "br-ex", "tapa1-web": "brqweb", "tapa2-db": "brqdb"}


def test_routes(router: Host) -> None:
    routes = [
        (route["dst"], route["gateway"], route["dev"])
        for route in json.loads(router.check_output("ip -json route show proto static"))
    ]
    assert routes == [("default", "203.0.113.1", "qg-a0-gateway"), ("192.168.50.0/24", "10.0.1.254", "qr-a2-db")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("net.ipv4.ip_forward", 1),
        ("net.ipv4.conf.all.arp_ignore", 1),
        ("net.ipv4.conf.all.arp_announce", 2),
        ("net.ipv4.conf.all.promote_secondaries", 1),
        ("net.ipv6.conf.all.forwarding", 1),
        ("net.netfilter.nf_conntrack_tcp_be_liberal", 1),
    ],
)
def test_kernel_parameters(router: Host, name: str, value: int) -> None:
    assert router.sysctl(name) == value


def test_rules(router: Host) -> None:
    assert router.iptables.rules("nat", "PREROUTING")[1] == "-A PREROUTING -j l3-PREROUTING"
    assert "-A l3-PREROUTING -d 203.0.113.20/32 -j DNAT --to-destination 10.0.0.5" in router.iptables.rules("nat")
    assert any("--to-source 203.0.113.10" in rule for rule in router.iptables.rules("nat", "l3-snat"))


def test_processes(host: Host, router: Host) -> None:
    (proxy,) = host.process.filter(comm="haproxy", ppid=1)  # one for all routers
    assert "/run/netnode-l3/metadata-proxy.cfg" in proxy.args
    assert router.socket("tcp://0.0.0.0:9697").is_listening


def test_packets(host: Host, machine: Callable[..., Machine]) -> None:
    outside = machine(host, "outside", "br-ex", ["203.0.113.1/24"])
    web = machine(host, "web", "brqweb", ["10.0.0.5/24"], [("default", "10.0.0.1")])
    plain = machine(host, "plain", "brqweb", ["10.0.0.7/24"], [("default", "10.0.0.1")])
    db = machine(host, "db", "brqdb", ["10.0.1.5/24"], [("default", "10.0.1.1")])
    for each in (outside, web, db):
        each.serve_whoami()  # each tells who asks it which address that came from
    assert plain.seen_as("203.0.113.1") == "203.0.113.10"  # the router's own address
    assert web.seen_as("203.0.113.1") == "203.0.113.20"  # its floating IP
    assert outside.seen_as("203.0.113.20") == "203.0.113.1"  # to the floating IP, without source NAT
    assert plain.seen_as("203.0.113.20") == "203.0.113.10"  # to the floating IP from inside
    assert plain.seen_as("10.0.1.5") == "10.0.0.7"  # no NAT between internal networks
    assert outside.seen_as("10.0.1.5") is None  # no way in


def test_metadata(host: Host, machine: Callable[..., Machine]) -> None:
    MetadataServer(host.backend.node, "/var/lib/neutron/metadata_proxy")
    asking = machine(host, "asking", "brqweb", ["10.0.0.8/24"], [("default", "10.0.0.1")])
    answer = asking.run("curl", "--silent", "--max-time", "5", "http://169.254.169.254/latest/meta-data/").stdout
    headers = dict(json.loads(answer)["headers"])
    assert (headers["x-neutron-router-id"], headers["x-forwarded-for"]) == ("tenant-a", "10.0.0.8")
