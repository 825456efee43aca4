# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NDP proxies on a real kernel: what is read of them, what they cost, and that they go without a trace."""

from __future__ import annotations

from sandbox import Node
from sandbox.engine import run_engine, run_object

from ..kernel_state import differences, snapshot
from ..routers import publishing_router, router, small_router

ONE, OTHER = "2001:db8:1::5", "2001:db8:1::6"
GATEWAY = "qg-aaaa0000-ex"


def inside(node: Node, *command: str) -> str:
    return node.run("ip", "netns", "exec", "qrouter-r1", *command).stdout


def test_a_publishing_router_is_built_gathered_and_left_alone(node: Node) -> None:
    data = publishing_router(ONE, OTHER)
    predicted = run_engine(node, [data], check=True, diff=True)
    done = run_engine(node, [data], diff=True)
    assert (done["routers"], done["diff"]) == (predicted["routers"], predicted["diff"])
    proxies = inside(node, "ip", "-6", "neigh", "show", "proxy").splitlines()
    assert sorted(line.strip() for line in proxies) == [f"{address} dev {GATEWAY} proxy" for address in (ONE, OTHER)]
    assert run_engine(node, [data])["changed"] is False
    assert run_engine(node, None, "gathered")["gathered"] == [data]


def test_a_second_run_starts_no_process(node: Node) -> None:
    data = [publishing_router(ONE), small_router(1)]
    for _run in range(2):
        run_engine(node, data)
    assert run_engine(node, data)["cost"]["commands"] == {}


def test_what_is_no_longer_published_leaves_no_trace(node: Node) -> None:
    run_engine(node, [router()])
    before = snapshot(node)
    run_engine(node, [publishing_router(ONE, OTHER)])
    assert differences(before, snapshot(node)) != []
    predicted = run_engine(node, [router()], check=True)["routers"]
    assert run_engine(node, [router()])["routers"] == predicted
    assert differences(before, snapshot(node)) == []


def test_a_proxy_of_somebody_else_goes_where_the_router_answers_for_others(node: Node) -> None:
    run_engine(node, [router()])
    inside(node, "/bin/sh", "-ec", f"sysctl -q -w net.ipv6.conf.{GATEWAY}.proxy_ndp=1; ip neigh add proxy {ONE} dev {GATEWAY}")
    assert run_engine(node, [router()])["routers"][0]["actions"] == [
        f"NDP proxy for {ONE} removed from {GATEWAY}",
        f"sysctl net.ipv6.conf.{GATEWAY}.proxy_ndp set to 0",
    ]
    assert run_engine(node, [router()])["changed"] is False


def test_a_gateway_without_an_ipv6_address_answers_too(node: Node) -> None:
    data = publishing_router(ONE)
    data["gateway"].update(addresses=["203.0.113.10/24"], gateway_ips=["203.0.113.1"])
    run_engine(node, [data])
    assert ONE in inside(node, "ip", "-6", "neigh", "show", "proxy")
    assert run_engine(node, [data])["changed"] is False
    plain = router(gateway=data["gateway"])
    run_engine(node, [plain])
    assert run_engine(node, [plain])["changed"] is False
    assert inside(node, "sysctl", "-n", f"net.ipv6.conf.{GATEWAY}.proxy_ndp") == "0\n"


def test_modules_of_single_objects_keep_what_is_published(node: Node) -> None:
    data = publishing_router(ONE)
    run_engine(node, [data])
    run_object(node, "router", id="r1", gateway=data["gateway"], routes=[])
    run_object(node, "floating_ip", router_id="r1", floating_ip_address="203.0.113.21", state="absent")
    [gathered] = run_engine(node, None, "gathered")["gathered"]
    assert (gathered["ndp_proxies"], gathered["routes"], len(gathered["floating_ips"])) == ([{"ip_address": ONE}], [], 1)


def test_in_the_nodes_own_namespace(node: Node) -> None:
    own = {"use_namespaces": False, "router_id": "r1"}
    node.run("sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1")
    before = snapshot(node)
    data = publishing_router(ONE)
    done = run_engine(node, [data], **own)
    assert "failed" not in done, done["msg"]
    assert f"{ONE} dev {GATEWAY} proxy" in node.run("ip", "-6", "neigh", "show", "proxy").stdout
    assert run_engine(node, [data], **own)["changed"] is False
    run_engine(node, [], **own, max_deletions="100%")
    assert differences(before, snapshot(node)) == []
