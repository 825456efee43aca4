# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From each of many states to the next: as predicted, and as if built on an empty node."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from sandbox import Node
from sandbox.engine import run_engine

from ..kernel_state import differences, empty, snapshot
from ..routers import router, small_router


def gateway(**changes: Any) -> dict[str, Any]:
    return {**router()["gateway"], **changes}


def interfaces(*changes: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The router's interfaces with changes; None leaves one out."""
    return [{**port, **change} for port, change in zip(router()["interfaces"], changes, strict=True) if change is not None]


STATES: dict[str, list[dict[str, Any]]] = {
    "full": [router()],
    "bare": [{"id": "r1"}],
    "no gateway": [router(gateway=None, floating_ips=[])],
    "no gateway, floating IPs still listed": [router(gateway=None)],
    "no SNAT, other gateway subnet": [
        router(enable_snat=False, gateway=gateway(addresses=["192.0.2.10/24"], gateway_ips=["192.0.2.1"], extra_subnets=[]))
    ],
    "other gateway port": [router(gateway=gateway(id="dddd0000-other-port", mac_address="fa:16:3e:00:00:b9"))],
    "off-subnet gateway, other prefix lengths": [
        router(
            gateway=gateway(addresses=["203.0.113.10/25", "2001:db8:e::10/80"], gateway_ips=["192.0.2.1", "fe80::1"]),
            interfaces=interfaces({"addresses": ["10.0.0.1/25", "2001:db8:1::1/96"]}, {"addresses": ["10.0.1.1/30"]}),
            routes=[],
        )
    ],
    "ports change in place": [
        router(
            interfaces=interfaces(
                {
                    "mac_address": "fa:16:3e:00:00:ee",
                    "mtu": 1400,
                    "addresses": ["10.0.0.1/24", "10.0.0.2/24", "2001:db8:1::1/64"],
                },
                {"network_id": "other-network"},
            )
        )
    ],
    "another address is the first of its network": [
        router(
            interfaces=interfaces(
                {"addresses": ["10.0.0.2/24", "10.0.0.1/24", "2001:db8:1::1/64"]}, {"addresses": ["10.0.1.9/24", "10.0.1.1/24"]}
            )
        )
    ],
    "and the one that was the first goes": [
        router(
            interfaces=interfaces(
                {"addresses": ["10.0.0.3/24", "10.0.0.1/24", "2001:db8:1::1/64"]}, {"addresses": ["10.0.1.1/24", "10.0.1.9/24"]}
            )
        )
    ],
    "a route by both ports": [
        router(routes=[{"destination": "192.168.60.0/24", "nexthop": nexthop} for nexthop in ("10.0.0.254", "10.0.1.254")])
    ],
    "one port down, one renumbered": [
        router(
            interfaces=interfaces({"admin_state_up": False}, {"addresses": ["10.0.9.1/24", "10.7.0.1/24"]}),
            routes=[{"destination": "192.168.50.0/24", "nexthop": "10.0.9.9"}],
        )
    ],
    "ports swap addresses": [
        router(interfaces=interfaces({"addresses": ["10.0.1.1/24"]}, {"addresses": ["10.0.0.1/24", "2001:db8:1::1/64"]}))
    ],
    "a network is behind a next hop now": [
        router(
            interfaces=interfaces({}, {"addresses": ["10.0.9.1/24"]}),
            routes=[{"destination": "10.0.1.0/24", "nexthop": "10.0.9.254"}],
        )
    ],
    "the gateway's network was larger": [
        router(gateway=gateway(addresses=["203.0.113.10/25", "2001:db8:e::10/64"], extra_subnets=["203.0.113.0/24"]))
    ],
    "IPv6 for an extra subnet alone": [
        router(gateway=gateway(addresses=["203.0.113.10/24"], gateway_ips=[], extra_subnets=["2001:db8:ee::/64"]), routes=[])
    ],
    "floating IPs remapped and one without a fixed address": [
        router(
            floating_ips=[
                {"floating_ip_address": "203.0.113.20", "fixed_ip_address": "10.0.1.5"},
                {"floating_ip_address": "203.0.113.21"},
                {"floating_ip_address": "203.0.113.22", "fixed_ip_address": "10.0.0.5"},
            ]
        )
    ],
    "routes change, one replaces the default": [
        router(
            routes=[
                {"destination": "192.168.50.0/24", "nexthop": "10.0.0.254"},
                {"destination": "192.168.51.0/24", "nexthop": "10.0.1.253"},
                {"destination": "192.168.51.0/24", "nexthop": "10.0.1.252"},
                {"destination": "0.0.0.0/0", "nexthop": "10.0.1.254"},
                {"destination": "10.8.0.1/32", "nexthop": "10.0.1.1"},
                {"destination": "2001:db8:77::/48", "nexthop": "2001:db8:1::fd"},
                {"destination": "2001:db8:77::/48", "nexthop": "2001:db8:1::fe"},
            ]
        )
    ],
    "administratively down": [router(admin_state_up=False)],
    "another router has its ports": [{**router(), "id": "r2"}],
    "others too": [router(), small_router(1), small_router(2)],
    "nothing": [],
}


def test_every_change_is_predicted_and_complete(node: Node) -> None:
    """Through all of these states and back; tests/kernel/test_any_state.py has random ones."""
    expected = {}
    with Node("fresh") as fresh:
        fresh.add_bridge("br-ex")
        for name, state in STATES.items():
            assert "failed" not in run_engine(fresh, state)
            expected[name] = snapshot(fresh)
            empty(fresh)
    for name in [*STATES, *reversed(STATES)]:
        predicted = run_engine(node, STATES[name], check=True, diff=True)
        done = run_engine(node, STATES[name], diff=True)
        assert "failed" not in done, (name, done["msg"])
        assert done["routers"] == predicted["routers"], name
        assert done["diff"] == predicted["diff"], name
        assert differences(expected[name], snapshot(node)) == [], name
        again = run_engine(node, STATES[name])
        assert not again["changed"], (name, again["routers"])


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(["full", "ports swap addresses", "nothing"], 2)))
def test_replaced_leaves_others_alone(node: Node, first: str, second: str) -> None:
    run_engine(node, [*STATES[first], small_router(7)])
    result = run_engine(node, STATES[second], "replaced")
    assert "failed" not in result
    names = node.run("ip", "netns", "list").stdout
    assert "qrouter-small-7" in names
    assert ("qrouter-r1" in names) == (first != "nothing" or second != "nothing")


def test_what_is_gathered_keeps_the_address_that_others_are_translated_to(node: Node) -> None:
    """The kernel lists addresses in the order in which they came."""
    for addresses in (["203.0.113.10/24"], ["192.0.2.10/24", "203.0.113.10/24"]):
        run_engine(node, [router(gateway=gateway(addresses=addresses, gateway_ips=["203.0.113.1"]), routes=[])])
    gathered = run_engine(node, None, "gathered")["gathered"]
    assert gathered[0]["gateway"]["addresses"] == ["192.0.2.10/24", "203.0.113.10/24"]
    assert not run_engine(node, gathered)["changed"]


def test_deleted_removes_exactly_these(node: Node) -> None:
    run_engine(node, [router(), small_router(1), small_router(2)])
    before = snapshot(node)
    result = run_engine(node, [{"id": "r1"}, {"id": "never-was"}], "deleted")
    assert [(r["id"], r["changed"]) for r in result["routers"]] == [("never-was", False), ("r1", True)]
    after = snapshot(node)
    gone = differences(before, after)
    assert "/qrouter-r1: only before" in gone
    assert {line.split(":")[0] for line in gone} == {"/qrouter-r1", "//links"}
    assert sum("'tap" in line for line in gone) == 3
    assert not run_engine(node, [{"id": "r1"}], "deleted")["changed"]


def test_a_floating_ip_that_goes_takes_its_flows_with_it(node: Node) -> None:
    run_engine(node, [router()])
    inside = ["ip", "netns", "exec", "qrouter-r1"]
    flow = "-I -p tcp -s 203.0.113.1 -d {0} --dst-nat {1} --sport 1000 --dport 22 --state ESTABLISHED --timeout 300"
    for floating, fixed in (("203.0.113.20", "10.0.0.5"), ("203.0.113.21", "10.0.1.5")):
        node.run(*inside, "conntrack", *flow.format(floating, fixed).split())
    out = "-I -p tcp -s 10.0.0.5 -d 203.0.113.1 --src-nat 203.0.113.20 --sport 1001 --dport 80 --state ESTABLISHED --timeout 300"
    node.run(*inside, "conntrack", *out.split())
    data = router(floating_ips=[{"floating_ip_address": "203.0.113.21", "fixed_ip_address": "10.0.1.5"}])
    [entry] = run_engine(node, [data])["routers"]
    assert entry["actions"][-1] == "flows through 203.0.113.20 ended"
    left = node.run(*inside, "conntrack", "-L", "-p", "tcp").stdout
    assert "203.0.113.20" not in left
    assert "203.0.113.21" in left


def test_flows_end_though_one_of_them_vanishes_while_they_are_deleted(node: Node) -> None:
    """As it happens: conntrack gives up with "such conntrack doesn't exist" and the exit status of "nothing matched"."""
    run_engine(node, [router()])
    inside = ["ip", "netns", "exec", "qrouter-r1"]
    flow = "-I -p tcp -s 203.0.113.1 -d 203.0.113.20 --dst-nat 10.0.0.5 --sport {} --dport 22 --state ESTABLISHED --timeout 300"
    for sport in (1000, 1001):
        node.run(*inside, "conntrack", *flow.format(sport).split())
    wrapper = """
        cat > /run/rival <<'EOF'
#!/bin/sh
case $* in *--orig-dst*)
    [ -e /run/once ] || { touch /run/once; echo "Operation failed: such conntrack doesn't exist" >&2; exit 1; } ;;
esac
exec /run/conntrack "$@"
EOF
        cp /usr/sbin/conntrack /run/conntrack; chmod +x /run/rival; mount --bind /run/rival /usr/sbin/conntrack
    """
    node.run("/bin/sh", "-c", wrapper)
    result = run_engine(node, [router(floating_ips=[])])
    assert "failed" not in result, result["msg"]
    assert "203.0.113.20" not in node.run(*inside, "/run/conntrack", "-L", "-p", "tcp").stdout


def test_flows_from_an_external_address_that_is_given_up_end(node: Node) -> None:
    run_engine(node, [router()])
    inside = ["ip", "netns", "exec", "qrouter-r1"]
    flow = "-I -p udp -s 10.0.0.7 -d 203.0.113.1 --src-nat {} --sport {} --dport 53 --timeout 300"
    node.run(*inside, "conntrack", *flow.format("203.0.113.10", 1000).split())
    node.run(*inside, "conntrack", *flow.format("203.0.113.20", 1001).split())
    [entry] = run_engine(node, [router(gateway=gateway(addresses=["203.0.113.11/24", "2001:db8:e::10/64"]))])["routers"]
    assert entry["actions"][-1] == "flows through 203.0.113.10 ended"
    left = node.run(*inside, "conntrack", "-L", "-p", "udp").stdout
    assert "dst=203.0.113.10 " not in left
    assert "dst=203.0.113.20 " in left
