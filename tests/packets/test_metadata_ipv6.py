# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines ask for metadata by IPv6: at one link-local address, the same on the networks of all routers."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from sandbox import Machine, MetadataServer, Node
from sandbox.engine import run_engine

from ..kernel_state import differences, snapshot
from ..routers import DB_BRIDGE, WEB_BRIDGE, router, small_router
from .test_metadata import CONFIG, FORGED, SLOW, UPSTREAM, fetch, run

SOCKET = UPSTREAM.removeprefix("unix:")
ADDRESS = "fe80::a9fe:a9fe"
URL = f"http://[{ADDRESS}%25eth0]/latest/meta-data/"
NAMESPACE = "qrouter-r1"
WEB = "qr-bbbb0000-we"


@pytest.fixture
def served(node: Node) -> Node:
    """A node with a metadata agent, or what answers as one."""
    MetadataServer(node, SOCKET)
    return node


def machine(node: Node, name: str, bridge: str, address: str = "fe80::5") -> Machine:
    """One with this link-local address and no other."""
    made = Machine(node, name, bridge, [])
    lines = ["link set dev eth0 addrgenmode none", "address flush dev eth0", f"address add {address}/64 dev eth0 nodad"]
    made.run("/bin/sh", "-ec", "\n".join(f"ip {line}" for line in lines))
    return made


def with_ipv6(number: int) -> dict[str, Any]:
    """A small router whose network has IPv6, which overlaps with all others'."""
    data = small_router(number)
    data["interfaces"][0]["addresses"].append("2001:db8:1::1/64")
    return data


def without_ipv6_inside() -> dict[str, Any]:
    data = router(routes=[])
    data["interfaces"][0]["addresses"] = ["10.0.0.1/24"]
    return data


def seen(machine: Machine, *headers: str) -> tuple[list[str], list[str]] | None:
    """Which router a machine is told to be behind, and at which address; None when there was no answer."""
    found = fetch(machine, *headers, url=URL)
    return found and (found["x-neutron-router-id"], found["x-forwarded-for"])


def addresses_of(node: Node) -> dict[str, dict[str, Any]]:
    """What the device on the network has of IPv6, by address."""
    [link] = json.loads(node.run("ip", "-n", NAMESPACE, "-json", "-6", "address", "show", "dev", WEB).stdout)
    return {address["local"]: address for address in link["addr_info"]}


def on_devices(node: Node, namespace: str = NAMESPACE) -> list[str]:
    """The devices of a router that have the address."""
    lines = node.run("ip", "-n", namespace, "-oneline", "address", "show", "to", ADDRESS).stdout.splitlines()
    return [line.split()[1] for line in lines]


def test_a_machine_with_nothing_but_what_the_kernel_gave_it_has_metadata(served: Node) -> None:
    assert "failed" not in run(served, router())
    vm = Machine(served, "vm", WEB_BRIDGE, [])
    mac = vm.mac_address().split(":")
    eui64 = [int(mac[0], 16) ^ 2, *(int(byte, 16) for byte in (*mac[1:3], "ff", "fe", *mac[3:]))]
    groups = (f"{high << 8 | low:x}" for high, low in zip(eui64[::2], eui64[1::2], strict=True))
    deadline = time.monotonic() + 5
    while "tentative" in vm.run("ip", "-6", "address").stdout and time.monotonic() < deadline:
        time.sleep(0.05)
    found = fetch(vm, *FORGED, url=URL)
    assert found is not None
    assert (found["x-neutron-router-id"], found["x-forwarded-for"]) == (["r1"], ["fe80::" + ":".join(groups)])
    assert not {name for name in found if "other" in str(found[name])}, found
    assert "forwarded" not in found
    assert run(served, router())["changed"] is False


def test_routers_with_the_same_networks_have_one_proxy_and_each_its_own_machines(served: Node) -> None:
    routers = [with_ipv6(number) for number in range(5)]
    result = run(served, *routers)
    assert (result.get("failed"), result["node"]["actions"]) == (None, ["metadata proxy started"])
    for number in range(5):
        vm = machine(served, f"vm{number}", f"brqnet{number:04}")
        assert seen(vm, *FORGED) == ([f"small-{number}"], ["fe80::5"])
    assert run(served, *routers)["changed"] is False


def test_a_machine_may_ask_from_any_address_of_its(served: Node) -> None:
    run(served, router())
    vm = machine(served, "vm", WEB_BRIDGE)
    vm.run("ip", "address", "add", "2001:db8:1::7/64", "dev", "eth0", "nodad")
    vm.run("ip", "address", "delete", "fe80::5/64", "dev", "eth0")
    vm.run("ip", "route", "add", f"{ADDRESS}/128", "dev", "eth0")
    assert seen(vm) == (["r1"], ["2001:db8:1::7"])


def test_all_networks_of_a_router_that_have_ipv6_have_it_and_the_others_do_not(served: Node) -> None:
    data = router()
    run(served, data)
    assert on_devices(served) == [WEB]
    db = machine(served, "db", DB_BRIDGE)
    assert seen(db) is None
    data["interfaces"][1]["addresses"].append("2001:db8:2::1/64")
    result = run(served, data)
    assert "failed" not in result, result["msg"]
    assert sorted(on_devices(served)) == [WEB, "qr-cccc0000-db"]
    web = machine(served, "web", WEB_BRIDGE, "fe80::5")
    assert (seen(web), seen(db)) == ((["r1"], ["fe80::5"]), (["r1"], ["fe80::5"]))


def test_the_port_of_the_proxy_is_closed_to_direct_access(served: Node) -> None:
    run(served, router())
    outside = Machine(served, "outside", "br-ex", ["2001:db8:e::1/64", "fe80::1/64"], [("2001:db8:1::/64", "2001:db8:e::10")])
    web = Machine(served, "web", WEB_BRIDGE, ["2001:db8:1::7/64", "fe80::5/64"], [("default", "2001:db8:1::1")])
    assert seen(web) is not None
    [link_local] = [address for address in addresses_of(served) if address.startswith("fe80:") and address != ADDRESS]
    inside = ["2001:db8:1::1", f"{ADDRESS}%25eth0", f"{link_local}%25eth0", "2001:db8:e::10"]
    assert [host for host in inside if fetch(web, url=f"http://[{host}]:9697/") is not None] == []
    for host in ("2001:db8:e::10", "2001:db8:1::1", f"{ADDRESS}%25eth0"):
        for port in (80, 9697):
            assert fetch(outside, url=f"http://[{host}]:{port}/") is None


def test_the_router_sends_nothing_else_from_that_address(served: Node) -> None:
    """Or two routers of one network would both be taken for the neighbour that has it."""
    run(served, router())
    assert addresses_of(served)[ADDRESS].keys() >= {"nodad", "deprecated"}
    deadline = time.monotonic() + 5
    while any("tentative" in address for address in addresses_of(served).values()) and time.monotonic() < deadline:
        time.sleep(0.05)  # it has no other until the kernel has found nobody else to have that
    for neighbour in ("fe80::5", "fe80::a9fe:a9ff"):
        chosen = served.run("ip", "-n", NAMESPACE, "route", "get", neighbour, "oif", WEB).stdout
        assert "src fe80::f816:3eff:fe00:c0 " in chosen


def test_without_metadata_nothing_of_it_is_there(served: Node) -> None:
    run_engine(served, [router()])
    before = snapshot(served)
    assert on_devices(served) == []
    run(served, router())
    assert on_devices(served) == [WEB]
    assert "address fe80::a9fe:a9fe/128 removed from " + WEB in run_engine(served, [router()])["routers"][0]["actions"]
    assert differences(before, snapshot(served)) == []
    assert run_engine(served, [router()])["changed"] is False


def test_it_comes_with_the_first_ipv6_address_of_a_port_and_goes_with_the_last(served: Node) -> None:
    without = without_ipv6_inside()
    run(served, without)
    web = Machine(served, "web", WEB_BRIDGE, ["10.0.0.7/24", "fe80::5/64"], [("default", "10.0.0.1")])
    before, configuration = snapshot(served), served.file(CONFIG).read_text(encoding="utf-8")
    assert ":::" not in configuration
    for data, answers in ((router(routes=[]), True), (without, False)):
        predicted = run(served, data, check=True, diff=True)
        slow = web.start("curl", "--silent", "--max-time", "20", f"http://169.254.169.254{SLOW}")
        time.sleep(0.3)
        done = run(served, data, diff=True)
        assert "failed" not in done, done["msg"]
        assert slow.poll() is None, "it was over before the change was"
        assert (done["routers"], done["node"], done["diff"]) == (predicted["routers"], predicted["node"], predicted["diff"])
        assert done["node"]["actions"] == ["metadata proxy reloaded"]
        assert run(served, data)["changed"] is False
        body, _nothing = slow.communicate(timeout=30)
        assert json.loads(body)["path"] == SLOW
        by_ipv4 = fetch(web)
        assert by_ipv4 is not None
        assert (seen(web) is not None, by_ipv4["x-forwarded-for"]) == (answers, ["10.0.0.7"])
    assert (differences(before, snapshot(served)), served.file(CONFIG).read_text(encoding="utf-8")) == ([], configuration)


SABOTAGES: dict[str, str | dict[str, str]] = {
    "address deleted": f"ip address delete {ADDRESS}/128 dev {WEB}",
    "redirection deleted": {"iptables": "ip6tables -t nat -F l3-PREROUTING", "nftables": "nft flush chain inet l3 prerouting"},
    "all rules deleted": {
        "iptables": "nft delete table ip6 nat; nft delete table ip6 filter",
        "nftables": "nft delete table inet l3",
    },
    "IPv6 turned off": f"sysctl -q -w net.ipv6.conf.{WEB}.disable_ipv6=1",
    "device deleted": f"ip link delete {WEB}",
    "proxy killed": "kill -KILL $(cat /run/netnode-l3/metadata-proxy.pid)",
    # It takes no notice of a signal in the moments after its start.
    "socket forgotten": f"sed -i 's/,:::9697 v6only//' {CONFIG}; for again in $(seq 20); do"
    f" kill -USR2 $(cat /run/netnode-l3/metadata-proxy.pid); sleep 0.3;"
    f" ip netns exec {NAMESPACE} ss -Hltn6 | grep -q 9697 || exit 0; done; exit 1",
}


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_the_next_run_repairs_it(served: Node, sabotage: str, firewall_driver: str) -> None:
    run(served, router())
    vm = machine(served, "vm", WEB_BRIDGE)
    before = snapshot(served, NAMESPACE)
    commands = SABOTAGES[sabotage]
    text = commands if isinstance(commands, str) else commands[firewall_driver]
    entering = [] if "/run" in text else ["ip", "netns", "exec", NAMESPACE]
    served.run(*entering, "/bin/sh", "-ec", text)
    assert seen(vm) is None
    predicted, repaired = run(served, router(), check=True), run(served, router())
    assert (predicted["routers"], predicted["node"]) == (repaired["routers"], repaired["node"])
    assert seen(vm) == (["r1"], ["fe80::5"])
    assert differences(before, snapshot(served, NAMESPACE)) == []
    assert run(served, router())["changed"] is False


def test_a_socket_that_the_proxy_was_told_of_and_does_not_have_is_missed(served: Node) -> None:
    """Its configuration is right, so that nothing but the kernel tells."""
    run(served, router())
    served.run("/bin/sh", "-ec", f"cp {CONFIG} /run/right; ({SABOTAGES['socket forgotten']}); cat /run/right > {CONFIG}")
    vm = machine(served, "vm", WEB_BRIDGE)
    assert seen(vm) is None
    result = run(served, router())
    assert (result["routers"][0]["actions"], result["node"]["actions"]) == ([], ["metadata proxy reloaded"])
    assert seen(vm) is not None


_SQUAT = """
import socket, time
squatter = socket.socket(socket.AF_INET6)
squatter.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
squatter.bind(("::", 9697))
squatter.listen()
print("ready", flush=True)
time.sleep(99)
"""


def test_who_has_the_port_for_ipv6_alone_fails_that_and_no_more(served: Node) -> None:
    run(served, without_ipv6_inside())
    squatter = served.start("ip", "netns", "exec", NAMESPACE, "/usr/bin/python3", "-c", _SQUAT)
    assert squatter.stdout is not None
    assert squatter.stdout.readline() == "ready\n"
    for _time in range(2):
        [entry] = run(served, router())["routers"]
        assert entry["error"] == "Port 9697 of router r1, which the metadata proxy needs, is taken by another process."
    web = Machine(served, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    assert fetch(web) is not None


def test_two_routers_on_one_network_both_answer(served: Node) -> None:
    """Whichever a machine asks, it is told to be behind that one, from where the upstream finds it."""
    first, second = router(), with_ipv6(1)
    second["interfaces"][0]["network_id"] = first["interfaces"][0]["network_id"]
    second["interfaces"][0]["addresses"] = ["10.0.0.2/24", "2001:db8:1::2/64"]
    assert "failed" not in run(served, first, second)
    vm = machine(served, "vm", WEB_BRIDGE)
    found = [seen(vm) for _time in range(4)][1:]  # the first meets both while it finds out
    assert all(answer in ((["r1"], ["fe80::5"]), (["small-1"], ["fe80::5"])) for answer in found), found
    for number, (router_id, hop) in enumerate({"r1": "fe80::f816:3eff:fe00:c0", "small-1": "fe80::f816:3eff:fe02:1"}.items(), 6):
        told = machine(served, f"vm{number}", WEB_BRIDGE, f"fe80::{number}")
        told.run("ip", "route", "add", f"{ADDRESS}/128", "via", hop, "dev", "eth0")  # as by Neutron's router advertisements
        assert [seen(told) for _time in range(2)] == [([router_id], [f"fe80::{number}"])] * 2
