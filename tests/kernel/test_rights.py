# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The capabilities that docs/threat-model.md names are enough, and without one of them a run says what it cannot do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sandbox import MetadataServer, Node
from sandbox.engine import How, run_engine

from ..agent_built import agent_built_router, build_as_agent
from ..routers import advertising, router, small_router

SOCKET = "/var/lib/neutron/metadata_proxy"
PLAIN = ["SYS_ADMIN", "NET_ADMIN"]
METADATA = ["SETUID", "SETGID", "KILL", "SYS_PTRACE", "DAC_OVERRIDE"]
AGENT = """
mkdir -p /var/lib/neutron/external/pids /var/lib/neutron/ns-metadata-proxy
cat > /var/lib/neutron/ns-metadata-proxy/$1.conf <<EOF
global
    daemon
    user nobody
    pidfile /var/lib/neutron/external/pids/$1.pid.haproxy
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
listen listener
    bind 0.0.0.0:9697
    server metadata /var/lib/neutron/metadata_proxy
EOF
exec ip netns exec "qrouter-$1" haproxy -f /var/lib/neutron/ns-metadata-proxy/$1.conf
"""


def only(*capabilities: str) -> How:
    """Runs of a root that has these capabilities for good, and no other."""
    names = ",".join("+" + name.lower() for name in capabilities)
    return How(prefix=("setpriv", f"--bounding-set=-all,{names}", "--inh-caps=-all"))


def life(node: Node, how: How, first: dict[str, Any] | None = None, **options: Any) -> list[dict[str, Any]]:
    """What becomes of a router that is made, left, changed, and removed. A run with all rights puts right what another left."""
    results = []
    changed = router(gateway=None, floating_ips=[], routes=[])
    first = first or router()
    for routers in ([first, small_router(1)], [first, small_router(1)], [changed, small_router(2)], []):
        results.append(run_engine(node, routers, how=how, **options))
        assert "failed" not in run_engine(node, routers, **options)
        assert run_engine(node, routers, **options)["changed"] is False
    return results


def said(results: list[dict[str, Any]]) -> str:
    """Everything that went wrong, or was warned of."""
    return "\n".join(text for result in results for text in (*result.get("warnings", ()), result.get("msg", "")))


def with_metadata(node: Node) -> dict[str, Any]:
    """Options for metadata of a socket that is another user's alone."""
    MetadataServer(node, SOCKET)
    node.run("chown", "1234:4321", SOCKET)
    node.run("chmod", "0660", SOCKET)
    return {"metadata_upstream": f"unix:{SOCKET}"}


def taken_over(node: Node, how: How) -> dict[str, Any]:
    """The result of a run that takes a router over from the L3 agent, whose metadata proxy is not root's."""
    build_as_agent(node)
    data = agent_built_router()
    node.run("/bin/sh", "-c", AGENT, "sh", data["id"])
    return run_engine(node, [data], how=how)


def is_well(results: list[dict[str, Any]]) -> bool:
    """Whether nothing failed, and nothing was warned of."""
    return not any("failed" in result or "warnings" in result for result in results)


def test_the_documentation_names_these() -> None:
    text = (Path(__file__).parents[2] / "docs" / "threat-model.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (`CAP_.*) \| .* \|$", text, re.MULTILINE)
    named = {name for cell in table for name in re.findall(r"CAP_(\w+)", cell)}
    assert named == {*PLAIN, *METADATA, "NET_RAW", "NET_BIND_SERVICE"}


@pytest.mark.parametrize("firewall_driver", ["iptables", "nftables"])
def test_two_are_enough_for_routers(node: Node, firewall_driver: str) -> None:
    assert is_well(life(node, only(*PLAIN), firewall_driver=firewall_driver))


def test_another_is_enough_for_announcements(node: Node) -> None:
    assert is_well(life(node, only(*PLAIN, "NET_RAW"), send_arp_for_ha=1))


def test_five_more_are_enough_for_metadata(node: Node) -> None:
    assert is_well(life(node, only(*PLAIN, *METADATA), **with_metadata(node)))


def test_another_is_enough_for_metadata_on_a_low_port(node: Node) -> None:
    assert is_well(life(node, only(*PLAIN, *METADATA, "NET_BIND_SERVICE"), metadata_port=80, **with_metadata(node)))


def test_five_are_enough_for_router_advertisements(node: Node) -> None:
    rights = (*PLAIN, "NET_RAW", "SETUID", "SETGID", "KILL", "SYS_PTRACE")
    assert is_well(life(node, only(*rights), advertising(router())))


def test_without_one_of_them_there_are_none_and_the_run_says_so(node: Node) -> None:
    [made, *_others] = life(node, only(*PLAIN, "SETUID", "SETGID", "KILL", "SYS_PTRACE"), advertising(router()))
    assert made["routers"][0]["error"] == "The run lacks CAP_NET_RAW: radvd, which sends router advertisements, needs it."


def test_one_is_enough_for_taking_over(node: Node) -> None:
    assert is_well([taken_over(node, only(*PLAIN, "KILL"))])


WITHOUT = {
    "SYS_ADMIN": "router r1: namespace qrouter-r1 cannot be entered: Operation not permitted",
    "NET_ADMIN": "router r1: ip link add name .* type bridge: RTNETLINK answers: Operation not permitted",
    "NET_RAW": "The run lacks CAP_NET_RAW: no address is announced.",
    "SETUID": "The run lacks CAP_SETUID: the metadata proxy needs it to have workers of another user.",
    "SETGID": "The run lacks CAP_SETGID: the metadata proxy needs it to have workers of another user.",
    "KILL": "The run lacks CAP_KILL: the metadata proxy needs it to have workers of another user.",
    "SYS_PTRACE": "The run lacks CAP_SYS_PTRACE: it cannot see whether port 9697 of router r1 is the metadata proxy's.",
    "DAC_OVERRIDE": f"metadata_upstream: unix:{SOCKET} cannot be reached: Permission denied.",
}


@pytest.mark.parametrize("capability", WITHOUT)
def test_without_one_of_them_the_run_says_so(node: Node, capability: str) -> None:
    how = only(*(name for name in (*PLAIN, "NET_RAW", *METADATA) if name != capability))
    assert re.search(WITHOUT[capability], said(life(node, how, send_arp_for_ha=1, **with_metadata(node))))


def test_without_the_right_to_a_low_port_the_run_says_so(node: Node) -> None:
    results = life(node, only(*PLAIN, *METADATA), metadata_port=80, **with_metadata(node))
    assert re.search(r"metadata proxy: haproxy .*\[ALERT\] .*Binding .*0.0.0.0:80", said(results), re.DOTALL)


def test_without_the_right_to_end_the_agents_proxy_the_run_says_so(node: Node) -> None:
    result = taken_over(node, only(*PLAIN))
    message = r"metadata proxy of the L3 agent \(process \d+\): Operation not permitted"
    assert re.fullmatch(message, result["routers"][0]["error"])
