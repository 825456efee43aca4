# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A device speaks IPv6 where it is asked for, and nowhere else: not so much as by a link-local address or a report of MLD."""

from __future__ import annotations

from sandbox import Node
from sandbox.engine import run_engine

from ..routers import router, small_router

NAMESPACE = "qrouter-small-1"
EXTERNAL = {"2001:db8:e::11/64"}


def link_local(node: Node) -> list[str]:
    """The router's devices that have one."""
    lines = node.run("ip", "-n", NAMESPACE, "-6", "-oneline", "address", "show", "scope", "link").stdout.splitlines()
    return [line.split()[1][:3] for line in lines]


def ipv6_packets(node: Node) -> int:
    """How many packets of IPv6 the router has sent."""
    lines = node.run("ip", "netns", "exec", NAMESPACE, "cat", "/proc/net/snmp6").stdout.splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Ip6OutRequests")))


def test_ipv6_begins_with_its_first_address_and_ends_with_its_last(node: Node) -> None:
    data = small_router(1)
    run_engine(node, [data])
    assert link_local(node) == []
    assert ipv6_packets(node) == 0
    with_ipv6 = {**data, "gateway": {**data["gateway"], "addresses": [*data["gateway"]["addresses"], *EXTERNAL]}}
    run_engine(node, [with_ipv6])
    assert link_local(node) == ["qg-"]
    assert not run_engine(node, [with_ipv6])["changed"]
    predicted = run_engine(node, [data], check=True)
    done = run_engine(node, [data])
    assert "failed" not in done, done["msg"]
    assert done["routers"] == predicted["routers"]
    assert done["routers"][0]["actions"][-1] == "sysctl net.ipv6.conf.qg-0001gw-port.disable_ipv6 set to 1"
    assert link_local(node) == []
    assert not run_engine(node, [data])["changed"]


def test_ipv6_goes_with_its_routes(node: Node) -> None:
    data = router()
    run_engine(node, [data])
    for port in (data["gateway"], *data["interfaces"]):
        port["addresses"] = [address for address in port["addresses"] if ":" not in address]
    data["gateway"]["gateway_ips"] = data["gateway"]["gateway_ips"][:1]
    data["routes"] = [route for route in data["routes"] if ":" not in route["nexthop"]]
    done = run_engine(node, [data])
    assert "failed" not in done, done["msg"]
    assert node.run("ip", "-n", "qrouter-r1", "-6", "address", "show", "scope", "global").stdout == ""
    assert not run_engine(node, [data])["changed"]
