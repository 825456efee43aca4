# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing of the collection is left on the node, and all else is."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

testinfra_hosts = ["sandbox://torn"]


def test_namespaces(host: Host) -> None:
    assert host.check_output("ls /run/netns").split() == ["qdhcp-1"]


def test_devices(host: Host) -> None:
    links = {link["ifname"]: link.get("master") for link in json.loads(host.check_output("ip -json link"))}
    assert links == {"lo": None, "brqforeign": None, "tapforeign": "brqforeign", "far": None}


def test_rules(host: Host) -> None:
    assert host.iptables.rules("nat", "PREROUTING") == ["-P PREROUTING ACCEPT", "-A PREROUTING -i tapforeign -j ACCEPT"]
    assert "l3-" not in host.check_output("iptables-save; ip6tables-save")


@pytest.mark.parametrize("name", ["haproxy", "radvd"])
def test_processes(host: Host, name: str) -> None:
    assert not host.process.filter(comm=name)


def test_files(host: Host) -> None:
    # The lock stays until the next boot.
    assert (
        host.check_output("find /etc /run /var/lib/neutron -iname '*netnode*' ! -name netnode-l3.lock 2>/dev/null || true") == ""
    )
