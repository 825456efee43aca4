# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking over a node from Neutron's L3 agent: what it built stays, and traffic goes on."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from sandbox import Machine, MetadataServer, Node
from sandbox.engine import run_confirm, run_engine

from ..agent_built import NAMESPACE, agent_built_router, build_as_agent
from ..kernel_state import differences, snapshot
from ..routers import forwarding
from .traffic import Session, Stream, serve_echo

FLOATING, FIXED, ROUTER, OUTSIDE = "203.0.113.101", "10.20.1.50", "203.0.113.10", "203.0.113.1"
BRIDGE = "brqaaaaaaa1-00"


def links(node: Node) -> list[tuple[Any, ...]]:
    """What tells whether a device is the same one: its index, and the other end's."""
    found = json.loads(node.run("ip", "-n", NAMESPACE, "-json", "link").stdout)
    return [(link["ifname"], link["ifindex"], link.get("link_index"), link.get("address"), link["mtu"]) for link in found]


def test_a_run_adopts_what_the_agent_built(node: Node) -> None:
    build_as_agent(node)
    before = links(node)
    predicted = run_engine(node, [agent_built_router()], check=True, diff=True)
    taken = run_engine(node, [agent_built_router()], diff=True)
    assert "failed" not in taken, taken["msg"]
    assert (predicted["routers"], predicted["diff"]) == (taken["routers"], taken["diff"])
    assert links(node) == before
    actions = taken["routers"][0]["actions"]
    assert not [a for a in actions if a.startswith(("address", "route", "device", "flows", "MAC", "MTU"))], actions
    for command in ("iptables-save", "ip6tables-save"):
        assert "neutron" not in node.run("ip", "netns", "exec", NAMESPACE, command).stdout
    assert run_engine(node, [agent_built_router()])["changed"] is False


def test_it_can_be_taken_back(node: Node) -> None:
    """The kernel makes link-local routes anew as soon as devices speak IPv6 again."""
    build_as_agent(node)
    inside = ("ip", "netns", "exec", NAMESPACE)
    deadline = time.monotonic() + 20
    while "fe80::/64 dev qg-" not in node.run(*inside, "ip", "-6", "route").stdout:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    before = snapshot(node)
    assert run_engine(node, [agent_built_router()], confirm_timeout=60)["unconfirmed"]
    result = run_confirm(node, "taken_back")
    assert "failed" not in result, result["msg"]
    assert differences(before, snapshot(node)) == []


def test_afterwards_it_is_a_router_like_any_other(node: Node) -> None:
    build_as_agent(node)
    run_engine(node, [agent_built_router()])
    with Node("other") as other:
        other.add_bridge("br-ex")
        run_engine(other, [agent_built_router()])
        adopted, built = snapshot(node), snapshot(other)
    different = [line for line in differences(built, adopted) if "brq" not in line and "203.0.113.10" not in line]
    assert different == []  # the bridges are the agent's, and the broadcast addresses of its floating IPs


def test_a_connection_through_a_floating_ip_survives(node: Node) -> None:
    build_as_agent(node)
    outside = Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24"])
    vm = Machine(node, "vm", BRIDGE, [f"{FIXED}/24"], [("default", "10.20.1.1")])
    other = Machine(node, "other", BRIDGE, ["10.20.1.7/24"], [("default", "10.20.1.1")])
    for machine in (vm, outside):
        serve_echo(machine)
    staying = [Session(outside, FLOATING), Session(vm, OUTSIDE), Session(other, OUTSIDE)]
    stream = Stream(other, FLOATING)
    assert "failed" not in run_engine(node, [agent_built_router()])
    assert [session.went_on() for session in staying] == [True, True, True]
    assert stream.lost() == 0
    outside.serve_whoami()
    vm.serve_whoami()
    assert (vm.seen_as(OUTSIDE), other.seen_as(OUTSIDE)) == (FLOATING, ROUTER)
    assert (outside.seen_as(FLOATING), other.seen_as(FLOATING)) == (OUTSIDE, ROUTER)


def test_a_connection_through_a_port_forwarding_survives(node: Node) -> None:
    """Its rules and address are as the extension of the agent makes them."""
    build_as_agent(node)
    gateway = next(name for name, *_rest in links(node) if name.startswith("qg-"))
    rule = "-d 203.0.113.120/32 -p tcp -m tcp --dport 7000:7009 -j DNAT --to-destination 10.20.1.7:7778-7787/7000"
    commands = (
        f"ip address add 203.0.113.120/32 broadcast 203.0.113.120 dev {gateway}",
        "iptables -t nat -N neutron-l3-agent-fip-pf",
        "iptables -t nat -N neutron-l3-agent-pf-e790ec43",
        "iptables -t nat -A neutron-l3-agent-PREROUTING -j neutron-l3-agent-fip-pf",
        "iptables -t nat -A neutron-l3-agent-fip-pf -j neutron-l3-agent-pf-e790ec43",
        f"iptables -t nat -A neutron-l3-agent-pf-e790ec43 {rule}",
    )
    node.run("ip", "netns", "exec", NAMESPACE, "/bin/sh", "-ec", "; ".join(commands))
    outside = Machine(node, "outside", "br-ex", [f"{OUTSIDE}/24"])
    other = Machine(node, "other", BRIDGE, ["10.20.1.7/24"], [("default", "10.20.1.1")])
    serve_echo(other)
    session = Session(outside, "203.0.113.120", port=7000)
    entry = forwarding(
        "7000:7009", "7778:7787", floating_ip_address="203.0.113.120", internal_ip_address="10.20.1.7"
    )  # fmt: skip
    assert run_engine(node, None, state="gathered")["gathered"][0]["port_forwardings"] == [entry]
    taken = run_engine(node, [{**agent_built_router(), "port_forwardings": [entry]}])
    assert "failed" not in taken, taken["msg"]
    assert not [action for action in taken["routers"][0]["actions"] if action.startswith(("address", "flows", "stale"))]
    assert session.went_on()
    assert Session(outside, "203.0.113.120", port=7000).went_on()
    gone = run_engine(node, [agent_built_router()])["routers"][0]["actions"]
    assert "stale flows to 203.0.113.120 tcp 7000:7009 ended" in gone


@pytest.mark.firewall_driver("iptables")
@pytest.mark.parametrize("family", ["iptables", "ip6tables"])
def test_the_agents_chains_give_way_in_one_step(node: Node, family: str) -> None:
    """One call of iptables-restore for each family: there is no moment with neither rules, nor one with both."""
    build_as_agent(node)
    node.run("/bin/sh", "-c", f"""
        cat > /run/wrapped <<'EOF'
#!/bin/sh
cat > "/run/{family}.$$"
exec /usr/sbin/xtables-nft-multi {family}-restore "$@" < "/run/{family}.$$"
EOF
        chmod +x /run/wrapped && ln -sfn /run/wrapped /etc/alternatives/{family}-restore
    """)  # fmt: skip
    assert "failed" not in run_engine(node, [agent_built_router()])
    texts = [file.read_text(encoding="ascii") for file in node.file("/run").glob(f"{family}.*")]
    assert len(texts) == 1
    assert ("-X neutron-l3-agent-PREROUTING" in texts[0], "neutron-filter-top" in texts[0]) == (True, True)


# As the agent starts it: under its own name and with a configuration file named after the router.
_AGENTS_PROXY = """
directory=/var/lib/neutron/external/pids; mkdir -p "$directory" /var/lib/neutron/ns-metadata-proxy
configuration=/var/lib/neutron/ns-metadata-proxy/$1.conf
cat > "$configuration" <<EOF
global
    daemon
    pidfile $directory/$1.pid.haproxy
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
listen listener
    bind 0.0.0.0:9697
    server metadata /var/lib/neutron/metadata_proxy
EOF
exec ip netns exec "qrouter-$1" haproxy -f "$configuration"
"""


@pytest.mark.parametrize("upstream", ["unix:/var/lib/neutron/metadata_proxy", None])
def test_the_agents_metadata_proxy_gives_way(node: Node, upstream: str | None) -> None:
    build_as_agent(node)
    MetadataServer(node, "/var/lib/neutron/metadata_proxy")
    router = agent_built_router()
    node.run("/bin/sh", "-c", _AGENTS_PROXY, "sh", router["id"])
    pid = node.file(f"/var/lib/neutron/external/pids/{router['id']}.pid.haproxy").read_text(encoding="ascii").strip()
    taken = run_engine(node, [router], metadata_upstream=upstream)
    assert "failed" not in taken, taken["msg"]
    assert f"metadata proxy of the L3 agent ended (process {pid})" in taken["routers"][0]["actions"]
    vm = Machine(node, "vm", BRIDGE, [f"{FIXED}/24"], [("default", "10.20.1.1")])
    fetched = vm.run("curl", "--silent", "--max-time", "2", "http://169.254.169.254/", check=False).stdout
    assert (router["id"] in fetched) is (upstream is not None)
    assert run_engine(node, [router], metadata_upstream=upstream)["changed"] is False


def test_a_floating_ip_that_was_moved_meanwhile_ends_its_flows(node: Node) -> None:
    build_as_agent(node)
    data = agent_built_router()
    moved = {**data, "floating_ips": [{"floating_ip_address": FLOATING, "fixed_ip_address": "10.20.1.51"}]}
    actions = run_engine(node, [moved])["routers"][0]["actions"]
    assert f"flows through {FLOATING} ended" in actions
    assert "flows through 203.0.113.102 ended" in actions


def test_gathered_reads_what_the_agent_built(node: Node) -> None:
    build_as_agent(node)
    [router] = run_engine(node, None, "gathered")["gathered"]
    assert router["floating_ips"] == [
        {"floating_ip_address": FLOATING, "fixed_ip_address": FIXED},
        {"floating_ip_address": "203.0.113.102", "fixed_ip_address": "10.20.2.50"},
    ]
    assert (router["enable_snat"], router["gateway"]["addresses"]) == (True, [f"{ROUTER}/24"])
