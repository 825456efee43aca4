# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input and broken nodes: what is wrong and where, others converged, nothing half-done in silence."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Node
from sandbox.engine import WITHOUT_ROOT, How, run_engine

from ..kernel_state import differences, snapshot
from ..routers import router, small_router


def errors(result: dict[str, Any]) -> dict[str, str]:
    return {entry["id"]: entry["error"] for entry in result["routers"] if "error" in entry}


def test_a_router_with_errors_is_left_as_it_is_and_the_others_are_converged(node: Node) -> None:
    run_engine(node, [router(), small_router(1)])
    before = snapshot(node)
    bad = router(name=7, floating_ips=[{"floating_ip_address": "203.0.113.300"}])
    result = run_engine(node, [bad, small_router(1), small_router(2)])
    assert result["failed"]
    assert errors(result)["r1"].split("; ") == [
        "routers[0].name: 7 is not text",
        "routers[0].floating_ips[0].floating_ip_address: '203.0.113.300' is not an IP address",
    ]
    changed = [entry["id"] for entry in result["routers"] if entry["changed"]]
    assert changed == ["small-2"]
    assert not [line for line in differences(before, snapshot(node)) if "r1" in line]


def test_an_entry_without_a_usable_id_keeps_all_routers_from_being_purged(node: Node) -> None:
    run_engine(node, [router(), small_router(1)])
    result = run_engine(node, [small_router(1), {"id": "no/id"}])
    assert errors(result) == {
        "routers[1]": "routers[1].id: 'no/id' is not an id"
        " (1 to 64 letters, digits, '_', '.', '-', beginning with a letter or digit)"
    }
    assert result["warnings"] == ["No router was purged, since routers[1] cannot be told from those on the node."]
    assert "qrouter-r1" in node.run("ip", "netns", "list").stdout


def test_what_two_routers_claim_fails_both(node: Node) -> None:
    first, second = small_router(1), small_router(2, floating_ips=small_router(1)["floating_ips"])
    result = run_engine(node, [first, second, small_router(3)])
    assert errors(result) == {
        "small-1": "routers[0].floating_ips[0].floating_ip_address: floating IP 203.0.213.31 is claimed by"
        " routers[1].floating_ips[0].floating_ip_address too",
        "small-2": "routers[1].floating_ips[0].floating_ip_address: floating IP 203.0.213.31 is claimed by"
        " routers[0].floating_ips[0].floating_ip_address too",
    }
    assert "qrouter-small-3" in node.run("ip", "netns", "list").stdout


@pytest.mark.parametrize("data", ["all of them", {"id": "r1"}, None, 7])
def test_what_is_no_list_of_routers_fails_the_run(node: Node, data: object) -> None:
    run_engine(node, [router()])
    before = snapshot(node)
    result = run_engine(node, data)
    assert result["failed"]
    assert result["msg"].startswith("routers: expected a list of routers, not ")
    assert differences(before, snapshot(node)) == []


@pytest.mark.parametrize(
    ("limit", "left", "refused"),
    [("50%", 0, True), ("50%", 1, True), ("50%", 2, False), ("2", 2, False), ("1", 2, True), ("0", 3, True), ("100%", 0, False)],
)
def test_a_purge_beyond_the_limit_is_refused_with_the_numbers(node: Node, limit: str, left: int, refused: bool) -> None:
    routers = [small_router(number) for number in range(4)]
    run_engine(node, routers)
    before = snapshot(node)
    result = run_engine(node, routers[:left], max_deletions=limit)
    if refused:
        assert result["msg"] == (
            f"Refused: {4 - left} of the 4 routers on this node would be purged, and max_deletions is {limit}. Nothing was"
            " touched. If they are to go, raise max_deletions (100% for no limit)."
        )
        assert differences(before, snapshot(node)) == []
    else:
        assert "failed" not in result
        assert len(node.run("ip", "netns", "list").stdout.splitlines()) == left


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"interface_driver": None},
            "interface_driver is not given; say which one plugs the routers in (known are: bridge, openvswitch).",
        ),
        ({"interface_driver": "magic"}, "interface_driver: 'magic' is unknown (known are: bridge, openvswitch)."),
        ({"external_network_bridge": "-x"}, "external_network_bridge: '-x' cannot be the name of a bridge."),
        (
            {"internal_bridge": "br {network_id}"},
            "internal_bridge: 'br {network_id}' cannot be the name of a bridge, which has at most 15 characters;"
            " '{network_id}' is the only pattern and stands for 11.",
        ),
        ({"max_deletions": "half"}, "max_deletions: 'half' is neither a count (5) nor a percentage (50%)."),
    ],
)
def test_a_wrong_option_is_one_clear_sentence(node: Node, options: dict[str, Any], message: str) -> None:
    result = run_engine(node, [router()], **options)
    assert (result["failed"], result["msg"]) == (True, message)


def test_no_root(node: Node) -> None:
    result = run_engine(node, [router()], how=How(prefix=WITHOUT_ROOT))
    assert result["msg"] == "Network namespaces need root: run the task with become: true."


def test_no_iptables(node: Node) -> None:
    # All of them are one program; /dev/null cannot be executed.
    node.run("mount", "--bind", "/dev/null", "/usr/sbin/iptables-save")
    result = run_engine(node, [router()])
    assert result["msg"] == (
        "The node lacks the commands iptables-save, iptables-restore, ip6tables-save, ip6tables-restore: install the"
        " package iptables, or run the role netnode.l3.network_node first."
    )
    assert node.run("ip", "netns", "list").stdout == ""


def test_no_external_bridge_fails_the_routers_that_need_it(node: Node) -> None:
    result = run_engine(node, [router(), {"id": "inner"}], external_network_bridge="br-none")
    assert list(errors(result)) == ["r1"]
    assert errors(result)["r1"].startswith("The external bridge br-none does not exist on this node")
    assert "qrouter-inner" in node.run("ip", "netns", "list").stdout


def test_an_external_bridge_that_vanished_does_not_take_the_gateway_down(node: Node) -> None:
    run_engine(node, [router()])
    before = snapshot(node)
    result = run_engine(node, [router()], external_network_bridge="br-none")
    assert list(errors(result)) == ["r1"]
    assert not result["changed"]
    assert differences(before, snapshot(node)) == []


def test_the_diff_shows_what_there_will_be_and_not_what_was_asked_for(node: Node) -> None:
    result = run_engine(node, [router()], external_network_bridge="br-none", diff=True)
    [gathered] = run_engine(node, None, "gathered")["gathered"]
    assert "gateway" not in gathered
    assert "qg-" not in result["diff"][0]["after"].split("rules:")[0]


def test_an_external_bridge_that_is_no_bridge(node: Node) -> None:
    node.run("ip", "link", "add", "name", "uplink", "type", "veth", "peer", "name", "other-end")
    result = run_engine(node, [router()], external_network_bridge="uplink")
    message = "The device uplink on this node is not a bridge, and qg-aaaa0000-ex is to be plugged into it."
    assert errors(result) == {"r1": message}
    assert result["msg"].splitlines() == ["1 router: 1 changed, 1 failed, 0 skipped.", f"router r1: {message}"]


def test_a_next_hop_on_no_network_fails_and_the_rest_of_the_router_is_built(node: Node) -> None:
    routes = [
        {"destination": "192.168.1.0/24", "nexthop": "172.16.0.1"},
        {"destination": "192.168.2.0/24", "nexthop": "10.0.0.9"},
    ]
    data = [router(routes=routes)]
    predicted = run_engine(node, data, check=True)
    result = run_engine(node, data)
    assert errors(result) == {"r1": "routes[0].nexthop: 172.16.0.1 is on no network of the router"}
    assert result["routers"] == predicted["routers"]
    assert "192.168.2.0/24" in node.run("ip", "-n", "qrouter-r1", "route").stdout


def test_a_namespace_that_cannot_be_entered_is_not_taken_for_a_dead_one(node: Node) -> None:
    run_engine(node, [router(), small_router(1)])
    before = snapshot(node)
    helpless = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]
    result = run_engine(node, [router(), small_router(1)], how=How(prefix=helpless))
    assert errors(result)["r1"] == "namespace qrouter-r1 cannot be entered: Operation not permitted"
    assert not result["changed"]
    assert run_engine(node, None, "gathered", how=How(prefix=helpless))["failed"]
    assert differences(before, snapshot(node)) == []


def test_a_name_of_the_nodes_own_namespace_is_no_router(node: Node) -> None:
    node.run("iptables", "-P", "FORWARD", "DROP")
    node.run("ip", "netns", "attach", "qrouter-r1", "1")
    before = snapshot(node)
    assert errors(run_engine(node, [router()])) == {"r1": "namespace qrouter-r1 is the node's own, and no router's"}
    assert differences(before, snapshot(node)) == []


def test_next_hops_that_the_kernel_would_refuse_are_told_before_and_the_rest_is_built(node: Node) -> None:
    data = router(
        routes=[
            {"destination": "192.168.1.0/24", "nexthop": "10.0.0.255"},
            {"destination": "2001:db8:9::/48", "nexthop": "2001:db8:1::1"},
            {"destination": "192.0.2.1/32", "nexthop": "10.0.0.9"},
            {"destination": "192.168.2.0/24", "nexthop": "10.0.0.1"},
        ]
    )
    data["gateway"]["gateway_ips"] = ["192.0.2.1", "2001:db8:e::10"]
    predicted = run_engine(node, [data], check=True)
    result = run_engine(node, [data])
    assert result["routers"] == predicted["routers"]
    assert errors(result)["r1"].split("; ") == [
        "gateway.gateway_ips[1]: 2001:db8:e::10 is the router's own address",
        "routes[0].nexthop: 10.0.0.255 is the broadcast address of a network of the router",
        "routes[1].nexthop: 2001:db8:1::1 is the router's own address",
        "routes[2].destination: 192.0.2.1/32 is a network of the router itself",
    ]
    routes = node.run("ip", "-n", "qrouter-r1", "route").stdout
    assert "default via 192.0.2.1 dev qg-aaaa0000-ex" in routes
    assert "192.168.2.0/24 via 10.0.0.1" in routes


def test_an_external_bridge_that_is_down(node: Node) -> None:
    node.run("ip", "link", "set", "dev", "br-ex", "down")
    assert errors(run_engine(node, [router()])) == {"r1": "The external bridge br-ex is down: set it up."}
    node.run("ip", "link", "set", "dev", "br-ex", "up")
    again = run_engine(node, [router()])
    assert (again["changed"], errors(again)) == (False, {})


def test_a_device_name_that_somebody_else_has(node: Node) -> None:
    node.add_bridge("tapbbbb0000-we")
    result = run_engine(node, [router()])
    assert errors(result) == {
        "r1": "The device tapbbbb0000-we that port bbbb0000-web-port needs is on the node already and is not ours."
    }
    assert "tapbbbb0000-we" in node.run("ip", "link", "show", "type", "bridge").stdout


def test_a_command_that_fails_is_told_with_what_was_done_before(node: Node) -> None:
    # Nothing can be made below a /proc/sys that is read-only; that comes after the devices.
    node.run("mount", "--bind", "/proc/sys/net", "/proc/sys/net")
    node.run("mount", "-o", "remount,ro,bind", "/proc/sys/net")
    result = run_engine(node, [router(), small_router(1)])
    assert set(errors(result)) == {"r1", "small-1"}
    assert errors(result)["r1"] == "sysctl net.ipv4.conf.brqweb-network.rp_filter = 1: Read-only file system"
    entry = next(entry for entry in result["routers"] if entry["id"] == "r1")
    assert entry["actions"][-1] == "device qg-aaaa0000-ex created on bridge br-ex"
    node.run("umount", "/proc/sys/net")
    assert "failed" not in run_engine(node, [router(), small_router(1)])
    assert not run_engine(node, [router(), small_router(1)])["changed"]
