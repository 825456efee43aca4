# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``use_namespaces: false``: one router lives in the node's own namespace, beside what the node has there."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Machine, MetadataServer, Node, OpenVSwitch
from sandbox.engine import run_engine, run_object

from ..kernel_state import differences, snapshot
from ..routers import DB_BRIDGE, WEB_BRIDGE, forwarding, router, scoped_router, small_router

OWN = {"use_namespaces": False, "router_id": "r1"}
DRIVERS = [{"firewall_driver": name} for name in ("iptables", "nftables")]
METADATA = {"metadata_upstream": "unix:/var/lib/neutron/metadata_proxy"}
FOREIGN_RULES = """\
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:admin - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -j admin
-A admin -s 192.0.2.0/24 -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:neutron-openvswi-POSTROUTING - [0:0]
:neutron-postrouting-bottom - [0:0]
-A PREROUTING -d 192.0.2.9/32 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.0.2.10:80
-A POSTROUTING -s 172.17.0.0/16 -o uplink -j MASQUERADE
-A POSTROUTING -j neutron-openvswi-POSTROUTING
-A POSTROUTING -j neutron-postrouting-bottom
COMMIT
"""


@pytest.fixture
def host(node: Node) -> Node:
    """A node that is a host in its own right: an uplink with addresses, routes, rules and a device named like ours."""
    node.run("sysctl", "--quiet", "--write", "net.ipv6.conf.all.forwarding=1")
    node.run("ip", "netns", "add", "elsewhere")
    node.run("ip", "link", "add", "name", "uplink", "type", "veth", "peer", "name", "far", "netns", "elsewhere")
    node.run("ip", "link", "add", "name", "qr-not-ours", "type", "veth", "peer", "name", "far2", "netns", "elsewhere")
    node.run("ip", "link", "add", "name", "tapzzz", "type", "veth", "peer", "name", "qr-zzz")
    for device in ("uplink", "qr-not-ours"):
        node.run("ip", "link", "set", "dev", device, "addrgenmode", "none", "up")
    node.run("ip", "-n", "elsewhere", "link", "set", "dev", "far", "up")
    node.run("ip", "address", "add", "192.0.2.9/24", "broadcast", "+", "dev", "uplink")
    node.run("ip", "address", "add", "172.30.0.1/24", "dev", "qr-not-ours")
    node.run("ip", "route", "add", "198.18.0.0/15", "via", "192.0.2.1", "dev", "uplink")
    node.run("ip", "route", "add", "192.168.99.0/24", "dev", "qr-not-ours", "proto", "static")
    node.run("iptables-restore", text=FOREIGN_RULES)
    for family in ("-4", "-6"):
        node.run("ip", family, "rule", "add", "pref", "100", "fwmark", "9", "lookup", "77")
    return node


def run(node: Node, *routers: dict[str, Any], **options: Any) -> dict[str, Any]:
    return run_engine(node, list(routers), **{**OWN, **options})


def kept(before: dict[str, object], after: dict[str, object]) -> list[str]:
    """What of the node's own things differs: all that is there now and is not ours is passed over."""
    return [line for line in differences(before, after) if " + " not in line and ": + " not in line]


@pytest.mark.parametrize("options", DRIVERS)
def test_the_router_is_built_beside_the_hosts_own_things_and_goes_without_a_trace(host: Node, options: dict[str, str]) -> None:
    before = snapshot(host)
    predicted = run(host, router(), diff=True, check=True, **options)
    assert snapshot(host) == before
    built = run(host, router(), diff=True, **options)
    assert "failed" not in built, built["msg"]
    assert (predicted["routers"], predicted["diff"]) == (built["routers"], built["diff"])
    assert "qrouter-r1" not in host.run("ip", "netns").stdout
    with_router = snapshot(host)
    lost = [line for line in differences(before, with_router) if ": - " in line and "/rules/" not in line]
    assert lost == []
    again = run(host, router(), **options)
    assert (again["changed"], again["routers"][0]["actions"]) == (False, [])
    gone = run(host, **options)
    assert "failed" not in gone, gone["msg"]
    assert differences(before, snapshot(host)) == []


@pytest.mark.parametrize("options", DRIVERS)
def test_port_forwardings(host: Node, options: dict[str, str]) -> None:
    data = router(port_forwardings=[forwarding(80, 7777, internal_ip_address="10.0.0.7")])
    built = run(host, data, **options)
    assert "failed" not in built, built["msg"]
    assert run(host, data, **options)["changed"] is False
    outside = Machine(host, "outside", "br-ex", ["203.0.113.1/24"])
    plain = Machine(host, "plain", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    db = Machine(host, "db", DB_BRIDGE, ["10.0.1.7/24"], [("default", "10.0.1.1")])
    plain.serve_whoami()
    assert outside.seen_as("203.0.113.30", port=80) == "203.0.113.1"
    assert db.seen_as("203.0.113.30", port=80) == "203.0.113.10"
    ask = "import socket; s = socket.create_connection(('203.0.113.30', 80), 2); raise SystemExit(not s.recv(9))"
    assert host.run("/usr/bin/python3", "-c", ask, check=False).returncode == 0
    assert "dst=203.0.113.30" in host.run("conntrack", "--dump").stdout
    gone = run(host, router(), **options)
    assert "stale flows to 203.0.113.30 tcp 80 ended" in gone["routers"][0]["actions"]
    assert "dst=203.0.113.30" not in host.run("conntrack", "--dump").stdout


def test_a_floating_ip_of_port_forwardings_that_is_the_nodes_own_is_refused(host: Node) -> None:
    result = run(host, router(port_forwardings=[forwarding(80, 80, floating_ip_address="192.0.2.9")]))
    assert result["routers"][0]["error"] == (
        "routers[0].port_forwardings[0].floating_ip_address: 192.0.2.9 is the node's own address, on uplink"
    )


def test_foreign_rules_stay_where_they_are_and_ours_stand_first(host: Node) -> None:
    own = [line for line in FOREIGN_RULES.splitlines() if line.startswith(("-A", ":INPUT"))]
    MetadataServer(host, "/var/lib/neutron/metadata_proxy")
    run(host, router(), **METADATA)
    saved = [line.split(" [")[0] for line in host.run("iptables-save").stdout.splitlines()]
    assert [line for line in saved if line in [rule.split(" [")[0] for rule in own]] == [rule.split(" [")[0] for rule in own]
    in_postrouting = [line for line in saved if line.startswith("-A POSTROUTING")]
    assert in_postrouting[0] == "-A POSTROUTING -j l3-POSTROUTING"


@pytest.mark.parametrize("options", DRIVERS)
def test_packets_go_through_it(host: Node, options: dict[str, str]) -> None:
    if options["firewall_driver"] == "nftables":  # which cannot open what somebody else closes
        for command in ("iptables", "ip6tables"):
            host.run(command, "-I", "INPUT", "-i", "qr-+", "-p", "tcp", "--dport", "9697", "-j", "ACCEPT")
    MetadataServer(host, "/var/lib/neutron/metadata_proxy")
    result = run(host, router(), **METADATA, **options)
    assert "failed" not in result, result["msg"]
    outside = Machine(host, "outside", "br-ex", ["203.0.113.1/24"])
    web = Machine(host, "web", WEB_BRIDGE, ["10.0.0.5/24"], [("default", "10.0.0.1")])
    plain = Machine(host, "plain", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    outside.serve_whoami()
    web.serve_whoami()
    assert plain.seen_as("203.0.113.1") == "203.0.113.10"
    assert web.seen_as("203.0.113.1") == "203.0.113.20"
    assert outside.seen_as("203.0.113.20") == "203.0.113.1"
    assert plain.seen_as("203.0.113.20") == "203.0.113.10"
    ask = "import socket; s = socket.create_connection(('203.0.113.20', 7777), 2); raise SystemExit(not s.recv(9))"
    assert host.run("/usr/bin/python3", "-c", ask, check=False).returncode == 0
    fetched = plain.run("curl", "--silent", "--max-time", "3", "http://169.254.169.254/latest/meta-data/").stdout
    assert '"r1"' in fetched
    assert plain.run("curl", "--silent", "--max-time", "1", "http://10.0.0.1:9697/", check=False).returncode != 0
    plain.run("ip", "address", "add", "fe80::7/64", "dev", "eth0", "nodad")
    fetched = plain.run("curl", "--silent", "--max-time", "3", "http://[fe80::a9fe:a9fe%25eth0]/latest/meta-data/").stdout
    assert '"r1"' in fetched
    direct = "http://[fe80::a9fe:a9fe%25eth0]:9697/"
    assert plain.run("curl", "--silent", "--max-time", "1", direct, check=False).returncode != 0
    assert run(host, router(), **METADATA, **options)["changed"] is False


def test_address_scopes_and_helpers(host: Node) -> None:
    before = snapshot(host)
    predicted, built = (run(host, scoped_router(), diff=True, check=check) for check in (True, False))
    assert "failed" not in built, built["msg"]
    assert (predicted["routers"], predicted["diff"]) == (built["routers"], built["diff"])
    assert run(host, scoped_router())["changed"] is False
    inner = [("10.0.0.0/23", "203.0.113.10"), ("2001:db8::/46", "2001:db8:e::10")]
    outside = Machine(host, "outside", "br-ex", ["203.0.113.1/24", "2001:db8:e::1/64"], inner)
    web, db, floating = (
        Machine(host, name, bridge, [f"{network}.{number}/24", f"{network6}::{number}/64"],
                [("default", f"{network}.1"), ("::/0", f"{network6}::1")])
        for name, bridge, network, network6, number in (
            ("web", WEB_BRIDGE, "10.0.0", "2001:db8:1", 7),
            ("db", DB_BRIDGE, "10.0.1", "2001:db8:2", 7),
            ("floating", DB_BRIDGE, "10.0.1", "2001:db8:2", 5),
        )
    )  # fmt: skip
    for machine in (outside, web, db, floating):
        machine.serve_whoami()
    assert web.seen_as("203.0.113.1") == "10.0.0.7"
    assert db.seen_as("203.0.113.1") == "203.0.113.10"
    assert outside.seen_as("10.0.0.7") == "203.0.113.1"
    assert outside.seen_as("203.0.113.21") == "203.0.113.1"
    assert web.seen_as("2001:db8:e::1") == "2001:db8:1::7"
    for machine, address in ((web, "10.0.1.7"), (outside, "10.0.1.7"), (web, "2001:db8:2::7"), (db, "2001:db8:e::1")):
        assert machine.seen_as(address, timeout=1) is None
    gathered = run_engine(host, None, "gathered", **OWN)["gathered"]
    assert gathered[0]["gateway"]["address_scopes"] == {"4": "public-4", "6": "public-6"}
    assert [helper["helper"] for helper in gathered[0]["conntrack_helpers"]] == ["ftp", "tftp"]
    for machine in (outside, web, db, floating):
        host.run("ip", "netns", "delete", machine.name)
    run(host)
    assert [line for line in differences(before, snapshot(host)) if "/rules/" in line] == []


def test_the_default_route_of_the_node_stays(host: Node) -> None:
    host.run("ip", "route", "add", "default", "via", "192.0.2.1", "dev", "uplink", "metric", "100")
    result = run(host, router())
    assert ("failed" not in result, result["warnings"]) == (
        True,
        ["The node has a default route of its own, and router r1, which lives in the node's own namespace, got none."],
    )
    assert host.run("ip", "route", "show", "default").stdout.strip() == "default via 192.0.2.1 dev uplink metric 100"
    assert run(host, router())["changed"] is False


def test_only_the_one_router_is_for_the_node(host: Node) -> None:
    result = run(host, router(), small_router(1))
    assert result["skipped_routers"] == [{"id": "small-1", "reason": "router_id is r1"}]
    assert [entry["id"] for entry in result["routers"]] == ["r1"]


def test_a_router_moves_between_its_namespace_and_the_nodes_own(host: Node) -> None:
    MetadataServer(host, "/var/lib/neutron/metadata_proxy")
    run_engine(host, [router()], **METADATA)
    in_namespace = snapshot(host)
    for options in (OWN, {}):
        predicted = run_engine(host, [router()], check=True, **options, **METADATA)
        moved = run_engine(host, [router()], **options, **METADATA)
        assert "failed" not in moved, moved["msg"]
        assert predicted["routers"] == moved["routers"]
        assert run_engine(host, [router()], **options, **METADATA)["changed"] is False
    assert differences(in_namespace, snapshot(host)) == []


def test_another_router_takes_the_place(host: Node) -> None:
    before = snapshot(host)
    run(host, router())
    other = small_router(1)
    result = run(host, other, router_id="small-1")
    assert "failed" not in result, result["msg"]
    assert run(host, other, router_id="small-1")["changed"] is False
    assert "bbbb0000" not in host.run("ip", "-oneline", "link").stdout
    run(host, router_id="small-1")
    assert differences(before, snapshot(host)) == []


def test_a_second_router_is_refused(host: Node) -> None:
    run(host, router())
    before = snapshot(host)
    result = run_engine(host, [small_router(1)], "replaced", use_namespaces=False, router_id="small-1")
    assert result["msg"].startswith("Refused: router r1 lives in the node's own namespace already, which has room for one.")
    assert snapshot(host) == before


def test_the_node_must_forward_ipv6_itself(host: Node) -> None:
    host.run("sysctl", "--quiet", "--write", "net.ipv6.conf.all.forwarding=0")
    message = "Router r1, which lives in the node's own namespace, does not route IPv6: net.ipv6.conf.all.forwarding is 0."
    assert run(host, router())["warnings"] == [message]
    host.run("sysctl", "--quiet", "--write", "net.ipv6.conf.all.forwarding=1")
    assert "warnings" not in run(host, router())


def test_without_router_id_it_is_refused(host: Node) -> None:
    result = run_engine(host, [router()], use_namespaces=False)
    message = "use_namespaces: false needs router_id: the node's own namespace has room for one router."
    assert (result["failed"], result["msg"]) == (True, message)


def with_port(*addresses: str, **more: Any) -> dict[str, Any]:
    """A router with one port."""
    return router(interfaces=[{"id": "dddd0000-a", "network_id": "a", "addresses": [*addresses], **more}], routes=[])


def with_floating_ip(**floating_ip: str) -> dict[str, Any]:
    return router(floating_ips=[{"floating_ip_address": "203.0.113.20"}, floating_ip])


GATEWAY = router()["gateway"]
CLAIMS = {
    "interfaces[0].addresses[0]: 172.30.0.1 is the node's own address, on qr-not-ours": with_port("172.30.0.1/24"),
    "interfaces[0].addresses[1]: 2001:db8:77::9 is the node's own address, on uplink": with_port(
        "10.9.0.1/24", "2001:db8:77::9/64"
    ),
    "gateway.addresses[0]: 192.0.2.9 is the node's own address, on uplink": router(
        gateway={**GATEWAY, "addresses": ["192.0.2.9/28"], "gateway_ips": []}, routes=[]
    ),
    "floating_ips[1].floating_ip_address: 192.0.2.50 is the node's own address, on lo": with_floating_ip(
        floating_ip_address="192.0.2.50", fixed_ip_address="10.0.0.5"
    ),
}


@pytest.fixture
def addressed(host: Node) -> Node:
    """Such a host with addresses of all kinds."""
    host.run("ip", "address", "add", "2001:db8:77::9/64", "dev", "uplink", "nodad")
    host.run("ip", "address", "add", "192.0.2.50/32", "dev", "lo")
    return host


@pytest.mark.parametrize("error", CLAIMS)
@pytest.mark.parametrize("present", [[], [router()]], ids=["new", "present"])
def test_an_address_that_the_node_has_itself_is_refused(addressed: Node, error: str, present: list[dict[str, Any]]) -> None:
    run(addressed, *present)
    before = snapshot(addressed)
    for options in ({"check": True}, {}, {"state": "replaced"}):
        result = run(addressed, small_router(1), CLAIMS[error], **options)
        assert result["failed"]
        assert [entry.get("error") for entry in result["routers"]] == [f"routers[1].{error}"]
        assert result["changed"] is False
    assert differences(before, snapshot(addressed)) == []


def test_an_address_that_the_node_was_given_later_leaves_the_router_as_it_is(addressed: Node) -> None:
    run(addressed, router())
    addressed.run("ip", "address", "add", "10.0.0.1/32", "dev", "uplink")
    before = snapshot(addressed)
    [entry] = run(addressed, router(enable_snat=False))["routers"]
    assert entry["error"] == "routers[0].interfaces[0].addresses[0]: 10.0.0.1 is the node's own address, on uplink"
    assert differences(before, snapshot(addressed)) == []


@pytest.mark.parametrize(
    "data",
    [
        with_floating_ip(floating_ip_address="192.0.2.50"),
        with_port("192.0.2.9/24", admin_state_up=False),
        with_port("192.0.2.8/29"),
    ],
    ids=["not installed", "not there", "beside it"],
)
def test_what_is_not_on_the_node_claims_nothing(addressed: Node, data: dict[str, Any]) -> None:
    assert "failed" not in run(addressed, data)


def test_in_a_namespace_addresses_are_the_routers_own(addressed: Node) -> None:
    assert "failed" not in run_engine(addressed, [next(iter(CLAIMS.values()))])


def test_another_router_may_have_the_addresses_of_the_one_in_whose_place_it_is(addressed: Node) -> None:
    run(addressed, router())
    other = {**router(), "id": "r2", "gateway": {**GATEWAY, "id": "eeee0000-x"}}
    other["interfaces"] = [{**port, "id": f"f{n}"} for n, port in enumerate(router()["interfaces"])]
    result = run(addressed, other, router_id="r2")
    assert "failed" not in result, result["msg"]


def test_a_single_object_is_refused_in_its_own_words(addressed: Node) -> None:
    run(addressed, router())
    before = snapshot(addressed)
    port = {"router_id": "r1", "id": "dddd0000-a", "network_id": "a", "addresses": ["10.9.0.1/24", "192.0.2.9/24"]}
    result = run_object(addressed, "interface", use_namespaces=False, **port)
    assert (result["failed"], result["msg"]) == (True, "addresses[1]: 192.0.2.9 is the node's own address, on uplink")
    assert differences(before, snapshot(addressed)) == []


def test_on_open_vswitch(host: Node) -> None:
    host.run("ip", "link", "delete", "dev", "br-ex")
    switch = OpenVSwitch(host)
    switch.add_bridge("br-ex")
    switch.add_bridge("br-int")
    before = snapshot(host)
    options = {"interface_driver": "openvswitch", "vlan_tags": {"web-network": 7, "db-network": 8}}
    assert "failed" not in run(host, router(), **options)
    assert run(host, router(), **options)["changed"] is False
    outside = Machine(host, "outside", switch.port("br-ex"), ["203.0.113.1/24"])
    web = Machine(host, "web", switch.port("br-int", 7), ["10.0.0.5/24"], [("default", "10.0.0.1")])
    # With the datapath in user space, the node hears what comes to its switch's ports too; with the kernel's it does not.
    for machine in (outside, web):
        host.run("iptables", "-t", "raw", "-I", "PREROUTING", "-i", machine.device, "-j", "DROP")
        host.run("sysctl", "--quiet", "--write", f"net.ipv4.conf.{machine.device}.arp_ignore=8")
    outside.serve_whoami()
    assert web.seen_as("203.0.113.1") == "203.0.113.20"
    for machine in (web, outside):
        host.run("iptables", "-t", "raw", "-D", "PREROUTING", "-i", machine.device, "-j", "DROP")
        switch.vsctl("del-port", machine.device)
        host.run("ip", "link", "delete", "dev", machine.device)
        host.run("ip", "netns", "delete", machine.name)
    run(host, **options)
    assert differences(before, snapshot(host)) == []


def test_a_router_moves_on_open_vswitch_too(node: Node) -> None:
    node.run("ip", "link", "delete", "dev", "br-ex")
    switch = OpenVSwitch(node)
    switch.add_bridge("br-ex")
    switch.add_bridge("br-int")
    options = {"interface_driver": "openvswitch"}
    run_engine(node, [router()], **options)
    in_namespace = snapshot(node)
    for place in (OWN, {}):
        predicted = run_engine(node, [router()], check=True, **place, **options)
        moved = run_engine(node, [router()], **place, **options)
        assert "failed" not in moved, moved["msg"]
        assert predicted["routers"] == moved["routers"]
        assert run_engine(node, [router()], **place, **options)["changed"] is False
    assert differences(in_namespace, snapshot(node)) == []
