# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The legacy variant of iptables prints and takes the same rule sets."""

from __future__ import annotations

from sandbox import Node
from sandbox.engine import run_engine

from ..routers import router

NAMESPACE = ["ip", "netns", "exec", "qrouter-r1"]


def test_legacy_iptables_converges_repairs_and_cleans_up(node: Node) -> None:
    # /etc is the node's own, so that its alternatives are too.
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            node.run("ln", "-sfn", f"/usr/sbin/{name}-legacy{suffix}", f"/etc/alternatives/{name}{suffix}")
    assert "legacy" in node.run("iptables", "--version").stdout
    assert "failed" not in run_engine(node, [router()])
    assert node.run(*NAMESPACE, "iptables-nft-save").stdout.count("\n-A") == 0
    rules = node.run(*NAMESPACE, "iptables-legacy-save", "-t", "nat").stdout
    assert rules.count("\n-A ") == 3 + 12
    assert not run_engine(node, [router()])["changed"]
    node.run(*NAMESPACE, "iptables", "-t", "nat", "-D", "l3-snat", "-j", "l3-float-snat")
    [entry] = run_engine(node, [router()])["routers"]
    assert entry["actions"] == ["rule added to chain l3-snat of table nat: -j l3-float-snat"]
    run_engine(node, [router(gateway=None, floating_ips=[])])
    assert "l3-" not in node.run(*NAMESPACE, "iptables-legacy-save").stdout
