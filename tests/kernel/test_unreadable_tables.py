# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody has put by nft what iptables cannot show into a table of its own: then it shows nothing of that table."""

from __future__ import annotations

import pytest

from sandbox import Node
from sandbox.engine import run_engine

from ..routers import router

DRIVERS = ("iptables", "nftables")
PLACES = [{}, {"use_namespaces": False, "router_id": "r1"}]
TROUBLE = (
    "router r1: iptables-save: in the table nat is what iptables cannot read, and so what is ours there is not known. See it with"
    " nft list table ip nat, and have what somebody else put there by nft in a table of its own"
)


def nft(node: Node, place: dict[str, object], *commands: str) -> str:
    inside = () if place else ("ip", "netns", "exec", "qrouter-r1")
    return "".join(node.run(*inside, "nft", "--stateless", command).stdout for command in commands)


def spoil(node: Node, place: dict[str, object]) -> str:
    nft(node, place, "add table ip nat", "add chain ip nat theirs", "add rule ip nat theirs snat to 192.0.2.1 persistent")
    return nft(node, place, "list ruleset")


@pytest.fixture
def node(node: Node) -> Node:
    node.run("sysctl", "--quiet", "--write", "net.ipv6.conf.all.forwarding=1")
    return node


@pytest.mark.parametrize("place", PLACES, ids=["namespace", "own namespace"])
def test_rules_of_ours_there_are_neither_doubled_nor_left(node: Node, place: dict[str, object]) -> None:
    run_engine(node, [router()], **place)
    before = spoil(node, place)
    for driver in DRIVERS:
        assert run_engine(node, [router()], firewall_driver=driver, **place)["msg"].splitlines()[1] == TROUBLE
        assert nft(node, place, "list ruleset") == before
    nft(node, place, "delete chain ip nat theirs")
    assert not run_engine(node, [router()], **place)["changed"]
    assert "failed" not in run_engine(node, [router()], firewall_driver="nftables", **place)
    assert "l3-" not in nft(node, place, "list ruleset")


@pytest.mark.parametrize("place", PLACES, ids=["namespace", "own namespace"])
def test_where_nothing_is_ours_the_table_is_foreign(node: Node, place: dict[str, object]) -> None:
    nftables = {"firewall_driver": "nftables", **place}
    run_engine(node, [router()], **nftables)
    before = spoil(node, place)
    for floating_ips in ([], router()["floating_ips"]):
        data = router(floating_ips=floating_ips)
        [entry] = run_engine(node, [data], **nftables)["routers"]
        assert entry["changed"]
        assert entry.get("foreign", []) == ([] if place else ["table ip nat"])
        assert not run_engine(node, [data], **nftables)["changed"]
    assert nft(node, place, "list table ip nat") in before
    assert run_engine(node, [router()], **place)["msg"].splitlines()[1] == TROUBLE
    assert nft(node, place, "list table ip nat") in before
    assert [router["id"] for router in run_engine(node, None, "gathered", **nftables)["gathered"]] == ["r1"]
