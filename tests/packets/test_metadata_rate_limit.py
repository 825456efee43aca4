# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines that ask for metadata too often are refused, each for itself."""

from __future__ import annotations

import time

import pytest

from sandbox import Machine, MetadataServer, Node

from ..routers import WEB_BRIDGE, router, small_router
from .test_metadata import CONFIG, UPSTREAM, URL, run
from .test_metadata_ipv6 import URL as URL6
from .test_metadata_ipv6 import machine as by_ipv6

pytestmark = pytest.mark.firewall_driver("iptables")

ASK = ("curl", "--silent", "--max-time", "3", "--output", "/dev/null", "--write-out", "%{http_code} ")


@pytest.fixture
def served(node: Node) -> Node:
    """A node with a metadata agent, or what answers as one."""
    MetadataServer(node, UPSTREAM.removeprefix("unix:"))
    return node


def asking(machine: Machine, times: int, url: str = URL, *options: str) -> list[int]:
    """The status of so many requests, one right after the other."""
    done = machine.run(*ASK, *options, *[url] * times, *["--output", "/dev/null"] * (times - 1))
    return [int(status) for status in done.stdout.split()]


def machine(node: Node, name: str, bridge: str = WEB_BRIDGE, address: str = "10.0.0.7") -> Machine:
    return Machine(node, name, bridge, [f"{address}/24"], [("default", "10.0.0.1")])


def test_so_many_requests_pass_and_the_next_are_refused(served: Node) -> None:
    result = run(served, router(), small_router(1), metadata_rate_limit={"base_query_rate_limit": 5, "base_window_duration": 60})
    assert "failed" not in result, result["msg"]
    web = machine(served, "web")
    assert asking(web, 8) == [200] * 5 + [429] * 3
    assert asking(web, 1, URL, "--header", "X-Forwarded-For: 10.0.0.99") == [429]
    assert asking(machine(served, "other", address="10.0.0.8"), 6) == [200] * 5 + [429]
    # The same address behind another router.
    assert asking(machine(served, "vm", "brqnet0001"), 6) == [200] * 5 + [429]
    assert asking(by_ipv6(served, "six", WEB_BRIDGE), 6, URL6) == [200] * 5 + [429]
    assert run(served, router(), small_router(1),
               metadata_rate_limit={"base_query_rate_limit": 5, "base_window_duration": 60})["changed"] is False  # fmt: skip


def test_a_limit_for_a_short_time_is_beside_that_for_a_long_one(served: Node) -> None:
    limit = {"base_query_rate_limit": 6, "base_window_duration": 60, "burst_query_rate_limit": 3, "burst_window_duration": 2}
    run(served, router(), metadata_rate_limit=limit)
    web = machine(served, "web")
    assert asking(web, 4) == [200] * 3 + [429]
    time.sleep(4.5)
    assert asking(web, 3) == [200, 200, 429]  # what was refused counts too
    time.sleep(4.5)
    assert asking(web, 1) == [429]


def test_it_comes_and_goes_with_the_option(served: Node) -> None:
    run(served, router())
    configuration = served.file(CONFIG).read_text(encoding="utf-8")
    web = machine(served, "web")
    assert asking(web, 20) == [200] * 20
    limit = {"burst_query_rate_limit": 1, "burst_window_duration": 60}
    predicted = run(served, router(), check=True, diff=True, metadata_rate_limit=limit)
    result = run(served, router(), diff=True, metadata_rate_limit=limit)
    assert (result["node"], result["diff"]) == (predicted["node"], predicted["diff"])
    assert (result["routers"][0]["actions"], result["node"]["actions"]) == ([], ["metadata proxy reloaded"])
    assert asking(web, 2) == [200, 429]
    assert run(served, router(), metadata_rate_limit=limit)["changed"] is False
    assert run(served, router())["node"]["actions"] == ["metadata proxy reloaded"]
    assert served.file(CONFIG).read_text(encoding="utf-8") == configuration
    assert asking(web, 20) == [200] * 20


def test_a_limit_that_was_edited_is_put_right(served: Node) -> None:
    """With that, counting begins anew."""
    limit = {"base_query_rate_limit": 2, "base_window_duration": 60}
    run(served, router(), metadata_rate_limit=limit)
    web = machine(served, "web")
    assert asking(web, 3) == [200, 200, 429]
    served.run("sed", "-i", "s/gt 2/gt 2000/", CONFIG)
    assert run(served, router(), metadata_rate_limit=limit)["node"]["actions"] == ["metadata proxy reloaded"]
    assert asking(web, 3) == [200, 200, 429]


def test_a_limit_that_is_none_is_refused_before_anything_is_touched(served: Node) -> None:
    result = run(served, router(), metadata_rate_limit={"base_query_rate_limit": 0})
    assert result["failed"]
    assert result["msg"] == "metadata_rate_limit.base_query_rate_limit: 0 is not a number of requests (1 to 1000000)."
    assert "qrouter-r1" not in served.run("ip", "netns").stdout
