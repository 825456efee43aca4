# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines get their addresses, their way out and what else they need by the router advertisements of their router."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from sandbox import Machine, MetadataServer, Node
from sandbox.engine import run_confirm, run_engine, run_object

from ..kernel_state import differences, snapshot
from ..routers import DB_BRIDGE, WEB_BRIDGE, WEB_SUBNET, advertising, limited_router, router, small_router
from .advertisements import Listener

pytestmark = pytest.mark.firewall_driver("iptables")

OUTSIDE, WEB = "2001:db8:e::1", "qr-bbbb0000-we"
OWN = "fe80::f816:3eff:fe00:c0"  # of its MAC address
CIDR = WEB_SUBNET["cidr"]
STARTED, AGAIN = f"router advertisements on {WEB} started", f"router advertisements on {WEB} put right"
SOCKET = "/var/lib/neutron/metadata_proxy"
SOON = 10.0  # seconds; duplicate address detection takes a host one of them, and a test's own machine can be busy


def second_router() -> dict[str, Any]:
    """Another router with the same addresses inside."""
    return advertising(
        small_router(1, interfaces=[{"id": "0001in-port", "network_id": "net0001", "addresses": ["2001:db8:1::1/64"]}])
    )


def run(node: Node, *routers: dict[str, Any], **options: Any) -> list[str]:
    """What a run did, which check mode had predicted."""
    predicted = run_engine(node, list(routers), check=True, diff=True, **options)
    done = run_engine(node, list(routers), diff=True, **options)
    assert "failed" not in done, done["msg"]
    assert (predicted["routers"], predicted["node"], predicted["diff"]) == (done["routers"], done["node"], done["diff"])
    assert run_engine(node, list(routers), **options)["changed"] is False
    return [action for part in (*done["routers"], done["node"]) for action in part["actions"]]


def pids(node: Node) -> dict[str, str]:
    """Router id -> the process of its radvd, by pid files; all that run are among them, with a helper each."""
    files = node.file("/run/netnode-l3").glob("radvd-*.pid")
    found = {file.stem.removeprefix("radvd-"): file.read_text(encoding="ascii").strip() for file in files}
    processes = [line.split() for line in node.run("ps", "-eo", "pid=,ppid=,comm=").stdout.splitlines()]
    running = {pid: parent for pid, parent, name in processes if name == "radvd"}
    assert sorted(pid for pid, parent in running.items() if parent not in running) == sorted(found.values())
    return found


def left(node: Node) -> list[str]:
    """What is on the node of any radvd."""
    files = [file.name for file in node.file("/run/netnode-l3").glob("radvd*")]
    return [*files, *node.run("pgrep", "-x", "radvd", check=False).stdout.split()]


def own_address(machine: Machine) -> str:
    """The address that a machine made itself, once nobody else was found to have it."""
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        [link] = json.loads(machine.run("ip", "-json", "-6", "address", "show", "dev", "eth0", "scope", "global").stdout) or [{}]
        made = [entry["local"] for entry in link.get("addr_info", ()) if entry.get("dynamic") and not entry.get("tentative")]
        if made:
            return str(made[0])
        time.sleep(0.05)
    raise AssertionError(f"{machine.name} has no address of its own")


def test_a_machine_gets_its_address_and_reaches_the_outside(node: Node) -> None:
    run(node, advertising(router()))
    outside = Machine(node, "outside", "br-ex", [f"{OUTSIDE}/64"], [(CIDR, "2001:db8:e::10")])
    machine = Machine(node, "vm", WEB_BRIDGE, [])
    address = own_address(machine)
    assert address.startswith("2001:db8:1:")
    assert machine.pings(OUTSIDE)
    outside.serve_whoami()
    assert machine.seen_as(OUTSIDE) == address
    assert machine.run("cat", "/proc/sys/net/ipv6/conf/eth0/mtu").stdout.strip() == "1450"
    [route] = json.loads(machine.run("ip", "-json", "-6", "route", "show", "default").stdout)
    assert (route["protocol"], route["gateway"]) == ("ra", "fe80::f816:3eff:fe00:c0")


@pytest.mark.parametrize(
    ("mode", "managed", "other", "options"),
    [
        ("slaac", False, False, [["prefix", CIDR, True, True], ["rdnss", "2001:db8:1::53"]]),
        ("dhcpv6-stateful", True, False, [["prefix", CIDR, True, False]]),
        ("dhcpv6-stateless", False, True, [["prefix", CIDR, True, True]]),
    ],
)
@pytest.mark.parametrize("metadata", [False, True])
def test_what_machines_are_told(
    node: Node, mode: str, managed: bool, other: bool, options: list[list[Any]], metadata: bool
) -> None:
    given: dict[str, Any] = {}
    if metadata:
        MetadataServer(node, SOCKET)
        given = {"metadata_upstream": f"unix:{SOCKET}"}
    run(node, advertising(router(), {**WEB_SUBNET, "ipv6_ra_mode": mode}), **given)
    listener = Listener(Machine(node, "vm", WEB_BRIDGE, []))
    listener.ask()
    told = listener.next()
    assert (told.source, told.lifetime, told.managed, told.other) == (OWN, 300, managed, other)
    wanted = [*options, ["mtu", 1450], *([["route", "fe80::a9fe:a9fe/128"]] if metadata else [])]
    assert sorted(told.options) == sorted(wanted)


@pytest.mark.parametrize("mac_address", [None, router()["interfaces"][0]["mac_address"]])
def test_the_routers_own_address_is_told_when_metadata_comes_and_when_it_goes(node: Node, mac_address: str | None) -> None:
    """All routers of a network have the one for metadata, and it goes with that."""
    MetadataServer(node, SOCKET)
    data = advertising(router())
    data["interfaces"][0] = {**data["interfaces"][0], "mac_address": mac_address}
    sources = set()
    metadata = {"metadata_upstream": f"unix:{SOCKET}"}
    for number, given in enumerate(({}, metadata, {})):
        assert (AGAIN if number else STARTED) in run(node, data, **given)
        listener = Listener(Machine(node, f"vm{number}", WEB_BRIDGE, []))
        listener.ask()
        told = listener.next()
        assert (["route", "fe80::a9fe:a9fe/128"] in told.options) == bool(given)
        sources.add(told.source)
    [source] = sources
    assert source != "fe80::a9fe:a9fe"
    if mac_address is not None:
        assert source == OWN


def test_another_mac_address_does_not_silence_it(node: Node) -> None:
    """The kernel keeps the link-local address that it made of the former."""
    MetadataServer(node, SOCKET)
    given = {"metadata_upstream": f"unix:{SOCKET}"}
    data = advertising(router())
    run(node, data, **given)
    data["interfaces"][0] = {**data["interfaces"][0], "mac_address": "fa:16:3e:00:00:ee"}
    assert run(node, data, **given) == [f"MAC address of {WEB} set to fa:16:3e:00:00:ee"]
    listener = Listener(Machine(node, "vm", WEB_BRIDGE, []))
    listener.ask()
    assert listener.next().source == OWN


def test_machines_are_told_at_once_and_the_run_waits_for_nothing(node: Node) -> None:
    """The link-local address is not looked for with others, without which radvd would be silent for the first 16 seconds."""
    run(node, router(gateway=None, floating_ips=[], interfaces=router()["interfaces"][1:], routes=[]))
    node.add_bridge(WEB_BRIDGE)
    listener = Listener(Machine(node, "vm", WEB_BRIDGE, []))
    begun = time.time()
    result = run_engine(node, [advertising(router())])
    took = time.time() - begun
    told = listener.next()
    assert "failed" not in result, result["msg"]
    assert told.time < begun + took + 1, (told, begun, took)
    assert took < 1.0, "no detection of others is waited for"


def test_machines_hear_of_it_when_no_subnet_asks_any_more(node: Node) -> None:
    run(node, router())
    before = snapshot(node)
    run(node, advertising(router()))
    listener = Listener(Machine(node, "vm", WEB_BRIDGE, []))
    actions = run(node, router())
    assert actions == ["router advertisements ended"]
    node.run("ip", "netns", "delete", "vm")
    assert listener.last().lifetime == 0
    assert left(node) == []
    assert differences({**before, "": {}}, {**snapshot(node), "": {}}) == []


def test_they_hear_of_it_when_the_router_goes(node: Node) -> None:
    run(node, advertising(router()))
    listener = Listener(Machine(node, "vm", WEB_BRIDGE, []))
    # A foreign device goes with the namespace and in no other way.
    node.run("ip", "link", "add", "name", "witness", "type", "veth", "peer", "name", "inside", "netns", "qrouter-r1")
    run(node)
    assert listener.last().lifetime == 0
    assert left(node) == []
    deadline = time.monotonic() + SOON
    while "witness" in node.run("ip", "-oneline", "link").stdout:
        assert time.monotonic() < deadline, "something keeps the namespace"


def test_they_hear_of_it_when_the_port_goes(node: Node) -> None:
    """It is told before the port is unplugged."""
    run(node, advertising(router()))
    listener = Listener(Machine(node, "vm", WEB_BRIDGE, []))
    run(node, router(interfaces=router()["interfaces"][1:], routes=[]))
    assert (listener.last().lifetime, left(node)) == (0, [])


def test_two_routers_have_one_each_and_one_that_was_killed_comes_again(node: Node) -> None:
    routers = advertising(router()), second_router()
    run(node, *routers)
    first = Machine(node, "vm1", WEB_BRIDGE, [])
    second = Machine(node, "vm2", "brqnet0001", [])
    assert own_address(first).startswith("2001:db8:1:") and own_address(second).startswith("2001:db8:1:")
    before = pids(node)
    assert set(before) == {"r1", "small-1"}
    node.run("kill", "-KILL", before["r1"])
    assert run(node, *routers) == [STARTED]
    after = pids(node)
    assert (after["r1"] != before["r1"], after["small-1"]) == (True, before["small-1"])
    listener = Listener(first)
    listener.ask()
    assert listener.next().lifetime == 300


def test_a_change_is_read_by_the_process_that_is_there(node: Node) -> None:
    run(node, advertising(router()))
    before = pids(node)
    listener = Listener(Machine(node, "vm", WEB_BRIDGE, []))
    assert run(node, advertising(router(), {**WEB_SUBNET, "dns_nameservers": ["2001:db8::1", "2001:db8::2"]})) == [AGAIN]
    deadline = time.monotonic() + SOON
    while ["rdnss", "2001:db8::1", "2001:db8::2"] not in listener.next().options:
        assert time.monotonic() < deadline
    assert pids(node) == before


@pytest.mark.parametrize(
    ("harm", "action"),
    [
        ("sed -i s/AdvAutonomous.on/AdvAutonomous\\ off/ /run/netnode-l3/radvd-r1.conf", AGAIN),
        ("rm /run/netnode-l3/radvd-r1.conf", AGAIN),
        ("rm -r /run/netnode-l3", AGAIN),
        ("rm /run/netnode-l3/radvd-r1.pid", AGAIN),
    ],
)
def test_its_files_are_put_right_and_it_goes_on(node: Node, harm: str, action: str) -> None:
    run(node, advertising(router()))
    before = pids(node)
    node.run("/bin/sh", "-c", harm)
    assert run(node, advertising(router())) == [action]
    assert pids(node) == before
    run(node)
    assert left(node) == []


def test_without_its_files_it_goes_with_the_last_router(node: Node) -> None:
    run(node, advertising(router()))
    node.run("rm", "-r", "/run/netnode-l3")
    run(node)
    assert left(node) == []


@pytest.mark.parametrize("again", ["", "; ip netns add qrouter-r1"])
def test_one_in_a_namespace_that_is_gone_gives_way(node: Node, again: str) -> None:
    run(node, advertising(router()))
    before = pids(node)
    node.run("/bin/sh", "-c", "ip netns delete qrouter-r1" + again)
    assert STARTED in run(node, advertising(router()))
    after = pids(node)
    assert after["r1"] != before["r1"]
    assert own_address(Machine(node, "vm", WEB_BRIDGE, []))


def test_one_whose_router_is_gone_is_stale(node: Node) -> None:
    run(node, advertising(router()), small_router(1))
    node.run("ip", "netns", "delete", "qrouter-r1")
    run_engine(node, [small_router(1)], "replaced")
    assert set(pids(node)) == {"r1"}  # with "replaced", others are left alone
    assert "router advertisements of router r1, which is gone, ended" in run(node, small_router(1))
    assert left(node) == []


def test_a_device_that_is_made_anew_is_advertised_on(node: Node) -> None:
    run(node, advertising(router()))
    node.run("ip", "-n", "qrouter-r1", "link", "delete", WEB)
    assert AGAIN in run(node, advertising(router()))
    assert own_address(Machine(node, "vm", WEB_BRIDGE, []))


def test_the_rest_of_a_router_is_made_where_radvd_is_missing(node: Node) -> None:
    node.run("mount", "--bind", "/dev/null", node.run("/bin/sh", "-c", "PATH=$PATH:/usr/sbin command -v radvd").stdout.strip())
    result = run_engine(node, [advertising(router()), small_router(1)])
    told = (
        "The node lacks the command radvd, which sends router advertisements: install the package radvd, or run the role "
        "netnode.l3.network_node with network_node_router_advertisements: true."
    )
    assert [entry.get("error") for entry in result["routers"]] == [told, None]
    outside = Machine(node, "outside", "br-ex", ["203.0.113.1/24"])
    machine = Machine(node, "vm", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    assert machine.pings("203.0.113.1") and outside.pings("203.0.113.10")
    assert (run_engine(node, [advertising(router()), small_router(1)])["changed"], left(node)) == (False, [])


# As the agent starts it.
_AGENTS = """
mkdir -p /var/lib/neutron/external/pids /var/lib/neutron/ra
cp /run/netnode-l3/radvd-r1.conf /var/lib/neutron/ra/r1.radvd.conf
exec ip netns exec qrouter-r1 radvd -C /var/lib/neutron/ra/r1.radvd.conf -p /var/lib/neutron/external/pids/r1.pid.radvd \
    -m syslog -u nobody
"""


def test_the_rest_of_a_router_is_made_where_radvd_refuses(node: Node) -> None:
    refusing = "#!/bin/sh\necho 'not today' >&2\nexit 1\n"
    node.run("install", "-m", "0755", "/dev/stdin", "/run/radvd", text=refusing)
    node.run("mount", "--bind", "/run/radvd", node.run("readlink", "-f", "/usr/sbin/radvd").stdout.strip())
    MetadataServer(node, SOCKET)
    limits = {"203.0.113.20": [{"direction": "egress", "max_kbps": 1000}]}
    done = run_engine(node, [advertising(limited_router(limits))], metadata_upstream=f"unix:{SOCKET}")
    (made,) = done["routers"]
    assert "not today" in made["error"]
    assert made["actions"][-2:] == [
        "egress of 203.0.113.20 limited to 1000 kbit/s with bursts of 800 kbit",
        "metadata proxy listens for router r1",
    ]


@pytest.mark.parametrize("asking", [True, False])
def test_that_of_the_l3_agent_gives_way(node: Node, asking: bool) -> None:
    run(node, advertising(router()))
    text = node.file("/run/netnode-l3/radvd-r1.conf").read_text(encoding="utf-8")
    run(node, router())
    node.run("/bin/sh", "-c", "cat > /run/netnode-l3/radvd-r1.conf", text=text)
    node.run("/bin/sh", "-c", _AGENTS)
    node.run("rm", "/run/netnode-l3/radvd-r1.conf")
    pid = node.file("/var/lib/neutron/external/pids/r1.pid.radvd").read_text(encoding="ascii").strip()
    listener = Listener(Machine(node, "vm", WEB_BRIDGE, []))
    actions = run(node, advertising(router()) if asking else router())
    assert f"radvd of the L3 agent ended (process {pid})" in actions
    if asking:
        assert set(pids(node)) == {"r1"}
        listener.ask()
        assert own_address(Machine(node, "vm2", WEB_BRIDGE, []))
        assert "0" not in {line.split('"lifetime": ')[1].split(",")[0] for line in listener.stop().splitlines()}
    else:
        assert (left(node), listener.last().lifetime) == ([], 0)


def test_an_interface_keeps_what_its_module_is_told(node: Node) -> None:
    run(node, advertising(router()))
    [gathered] = run_engine(node, None, "gathered")["gathered"]
    assert {port["id"]: port.get("subnets") for port in gathered["interfaces"]} == {
        "bbbb0000-web-port": [WEB_SUBNET],
        "cccc0000-db-port": None,
    }
    before = pids(node)
    port = {key: value for key, value in router()["interfaces"][1].items() if key != "admin_state_up"}
    port["addresses"] = [*port["addresses"], "2001:db8:2::1/64"]
    subnet = {"cidr": "2001:db8:2::/64", "ipv6_ra_mode": "slaac", "dns_nameservers": None, "ipv6_address_mode": None}
    done = run_object(node, "interface", router_id="r1", **port, subnets=[subnet])
    assert f"router advertisements on {WEB}, qr-cccc0000-db put right" in done["actions"], done
    assert pids(node) == before
    assert own_address(Machine(node, "vm", DB_BRIDGE, [])).startswith("2001:db8:2:")
    node.run("kill", "-KILL", before["r1"])
    refused = run_object(node, "interface", router_id="r1", **port, subnets=[subnet])
    assert "Router r1 is not whole: its radvd is gone." in refused["msg"]


def test_in_the_nodes_own_namespace(node: Node) -> None:
    """Where IPv6 is forwarded already."""
    node.run("sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1")
    own = {"use_namespaces": False, "router_id": "r1"}
    run(node, advertising(router(routes=[])), **own)
    machine = Machine(node, "vm", WEB_BRIDGE, [])
    assert own_address(machine).startswith("2001:db8:1:")
    assert machine.pings("2001:db8:e::10")
    assert STARTED in run(node, advertising(router(routes=[])))  # moved into a namespace
    run(node)
    assert left(node) == []


@pytest.mark.parametrize(("before", "after"), [(True, False), (False, True), (True, None), (None, True)])
def test_a_change_that_is_taken_back(node: Node, before: bool | None, after: bool | None) -> None:
    """None: the router is not there."""
    data = {True: [advertising(router())], False: [router()], None: []}
    run_engine(node, data[before])
    was = snapshot(node)
    assert run_engine(node, data[after], confirm_timeout=60.0)["unconfirmed"]
    assert set(pids(node)) == ({"r1"} if after else set())
    taken_back = run_confirm(node, "taken_back")
    assert "failed" not in taken_back, taken_back["msg"]
    assert set(pids(node)) == ({"r1"} if before else set())
    assert differences(was, snapshot(node)) == []
    assert run_engine(node, data[before])["changed"] is False
    if before:
        assert own_address(Machine(node, "vm", WEB_BRIDGE, []))
