# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a change must not disturb: streams through other routers, and through the same one."""

from __future__ import annotations

import re

from sandbox import Machine, Node
from sandbox.engine import run_engine

from ..routers import DB_BRIDGE, WEB_BRIDGE, router, small_router


def test_a_stream_between_internal_networks_loses_nothing_while_all_around_it_changes(node: Node) -> None:
    run_engine(node, [router()])
    web = Machine(node, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    Machine(node, "db", DB_BRIDGE, ["10.0.1.7/24"], [("default", "10.0.1.1")])
    assert web.pings("10.0.1.7")
    stream = web.start("ping", "-q", "-i", "0.002", "-c", "1500", "10.0.1.7")
    other_gateway = {
        **router()["gateway"],
        "id": "dddd0000-new",
        "addresses": ["203.0.113.99/24"],
        "gateway_ips": ["203.0.113.1"],
    }
    for routers in (
        [router(floating_ips=[])],
        [router(gateway=other_gateway, routes=[])],
        [router(gateway=None, floating_ips=[]), small_router(1), small_router(2)],
        [router(enable_snat=False), small_router(2)],
        [router()],
    ):
        assert "failed" not in run_engine(node, routers)
        assert stream.poll() is None, "the stream ended before the changes did"
    assert stream.stdout is not None
    report = stream.stdout.read()
    assert re.search(r"1500 packets transmitted, 1500 received, 0% packet loss", report), report
