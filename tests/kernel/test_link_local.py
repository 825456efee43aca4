# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A device has a link-local address of IPv6 where IPv6 is asked for, and nowhere else."""

from __future__ import annotations

from sandbox import Node
from sandbox.engine import run_engine

from ..routers import small_router


def link_local(node: Node) -> list[str]:
    """The router's devices that have one."""
    lines = node.run("ip", "-n", "qrouter-small-1", "-6", "-oneline", "address", "show", "scope", "link").stdout.splitlines()
    return [line.split()[1][:3] for line in lines]


def test_a_router_without_ipv6_has_none_and_gets_one_with_its_first_address(node: Node) -> None:
    data = small_router(1)
    run_engine(node, [data])
    assert link_local(node) == []
    data["gateway"]["addresses"] = [*data["gateway"]["addresses"], "2001:db8:e::11/64"]
    run_engine(node, [data])
    assert link_local(node) == ["qg-"]
    assert not run_engine(node, [data])["changed"]
