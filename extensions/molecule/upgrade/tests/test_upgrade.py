# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections went on while this version took the node over, and the node is as a fresh one."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from testinfra import get_host
from testinfra.host import Host

from sandbox.testinfra_backends import namespace

testinfra_hosts = ["sandbox://upgraded"]

FLOWS = ["to-the-floating-ip", "from-the-floating-ip", "by-source-nat", "to-the-floating-ip-from-inside", "between-networks"]


@pytest.fixture(scope="module")
def fresh() -> Host:
    """A node that only this version has been on."""
    return get_host("sandbox://fresh")


@pytest.mark.parametrize("flow", FLOWS)
def test_the_connection_goes_on(host: Host, flow: str) -> None:
    def answers() -> int:
        return int(host.file(f"/run/flows/{flow}").content_string)

    before, deadline = answers(), time.monotonic() + 25
    while answers() == before:
        assert time.monotonic() < deadline, f"broke after {before} answers"
        time.sleep(0.05)


def _devices(host: Host) -> dict[str, Any]:
    found = json.loads(host.check_output("ip -json address"))
    keys = ("ifalias", "address", "mtu", "flags")
    return {
        link["ifname"]: [
            *(link.get(key) for key in keys),
            sorted((address["local"], address["prefixlen"], address["scope"]) for address in link["addr_info"]),
        ]
        for link in found
    }


STATE = {
    "routes": "ip -4 route show table all",
    # What the kernel makes for link-local addresses comes later, and in any order.
    "routes of IPv6": "ip -6 route show table all | grep --invert-match -e fe80: -e ff00: | sort",
    "policy rules": "ip rule; ip -6 rule",
    "rules": "iptables-save | sed '/^#/d; s/ .[0-9]*:[0-9]*.$//'",  # without counters
    "rules of IPv6": "ip6tables-save | sed '/^#/d; s/ .[0-9]*:[0-9]*.$//'",
    "kernel parameters": "sysctl --all --pattern 'ip_forward$|ipv[46].conf|nf_conntrack_tcp_be_liberal'",
}


@pytest.mark.parametrize("what", STATE)
def test_the_router_is_as_a_fresh_one(host: Host, fresh: Host, what: str) -> None:
    upgraded, made = (namespace(each, "qrouter-tenant-a").check_output(STATE[what]) for each in (host, fresh))
    assert upgraded.splitlines() == made.splitlines()


def test_the_devices_are_as_fresh_ones(host: Host, fresh: Host) -> None:
    assert _devices(namespace(host, "qrouter-tenant-a")) == _devices(namespace(fresh, "qrouter-tenant-a"))


def test_the_bridges_are_as_fresh_ones(host: Host, fresh: Host) -> None:
    for bridge in ("brqweb", "brqdb", "br-ex"):
        names = [f"net.ipv4.conf.{bridge}.rp_filter", f"net.ipv6.conf.{bridge}.disable_ipv6"]
        assert [host.sysctl(name) for name in names] == [fresh.sysctl(name) for name in names]
        assert host.check_output("cat /sys/class/net/%s/ifalias", bridge) == fresh.check_output(
            "cat /sys/class/net/%s/ifalias", bridge
        )


def test_processes(host: Host, fresh: Host) -> None:
    for each in (host, fresh):
        assert len(each.process.filter(comm="haproxy", ppid=1)) == 1
        assert namespace(each, "qrouter-tenant-a").socket("tcp://0.0.0.0:9697").is_listening


def test_no_file_is_left_of_the_earlier_version(host: Host, fresh: Host) -> None:
    listing = "find /etc /run/netnode-l3 /var/lib -path '*netnode*' | sort"
    assert host.check_output(listing) == fresh.check_output(listing)
    for name in ("/run/netnode-l3/metadata-proxy.cfg", "/etc/sysctl.d/60-netnode-l3.conf"):
        assert host.file(name).content_string == fresh.file(name).content_string
