# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The legacy variant of iptables prints and takes the same rule sets."""

from __future__ import annotations

import pytest

from sandbox import Node
from sandbox.engine import run_engine

from ..routers import router, scoped_router

NAMESPACE = ["ip", "netns", "exec", "qrouter-r1"]


@pytest.fixture
def node(node: Node) -> Node:
    """A node with the legacy variant."""
    # /etc is the node's own, so that its alternatives are too.
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            node.run("ln", "-sfn", f"/usr/sbin/{name}-legacy{suffix}", f"/etc/alternatives/{name}{suffix}")
    assert "legacy" in node.run("iptables", "--version").stdout
    return node


def test_legacy_iptables_converges_repairs_and_cleans_up(node: Node) -> None:
    assert "failed" not in run_engine(node, [router()])
    assert node.run(*NAMESPACE, "iptables-nft-save").stdout.count("\n-A") == 0
    rules = node.run(*NAMESPACE, "iptables-legacy-save", "-t", "nat").stdout
    assert rules.count("\n-A ") == 3 + 12
    assert not run_engine(node, [router()])["changed"]
    node.run(*NAMESPACE, "iptables", "-t", "nat", "-D", "l3-snat", "-j", "l3-float-snat")
    [entry] = run_engine(node, [router()])["routers"]
    assert entry["actions"] == ["rule added to chain l3-snat of table nat: -j l3-float-snat"]
    with_metadata = {"metadata_upstream": "127.0.0.1:80"}
    assert "failed" not in run_engine(node, [router()], **with_metadata)
    assert not run_engine(node, [router()], **with_metadata)["changed"]
    node.run(*NAMESPACE, "ip6tables", "-F", "l3-INPUT")
    [entry] = run_engine(node, [router()], **with_metadata)["routers"]
    assert entry["actions"] == [
        f"rule added to chain l3-INPUT of table filter (IPv6): -p tcp -m tcp --dport 9697 -m conntrack ! {match} -j DROP"
        for match in ("--ctstate DNAT", "--ctorigdst fe80::a9fe:a9fe")
    ]
    run_engine(node, [router()])
    assert "l3-" not in node.run(*NAMESPACE, "ip6tables-legacy-save").stdout
    run_engine(node, [router(gateway=None, floating_ips=[])])
    assert "l3-" not in node.run(*NAMESPACE, "iptables-legacy-save").stdout


def test_address_scopes_and_helpers(node: Node) -> None:
    assert "failed" not in run_engine(node, [scoped_router()])
    assert not run_engine(node, [scoped_router()])["changed"]
    node.run(*NAMESPACE, "ip6tables", "-D", "l3-scope", "1")
    node.run(*NAMESPACE, "iptables", "-t", "raw", "-F", "l3-cthelper")
    assert len(run_engine(node, [scoped_router()])["routers"][0]["actions"]) == 3
    assert not run_engine(node, [scoped_router()])["changed"]
    (gathered,) = run_engine(node, None, "gathered")["gathered"]
    assert gathered["gateway"]["address_scopes"] == scoped_router()["gateway"]["address_scopes"]
    run_engine(node, [router()])
    for command in ("iptables-legacy-save", "ip6tables-legacy-save"):
        saved = node.run(*NAMESPACE, command).stdout
        assert "scope" not in saved
        assert "helper" not in saved
