# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bandwidth limits on a real kernel: how they are read, what they cost, what gives way to them, and that they leave no trace."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import Machine, MetadataServer, Node
from sandbox.engine import run_engine, run_object

from ..kernel_state import differences, snapshot
from ..routers import WEB_BRIDGE, forwarding, limited_router, router, small_router

GATEWAY = "qg-aaaa0000-ex"
LIMITED, OTHER, OWN = "203.0.113.20", "203.0.113.21", "203.0.113.10"


def rule(direction: str, max_kbps: int, **more: int) -> dict[str, Any]:
    return {"direction": direction, "max_kbps": max_kbps, **more}


LIMITS = {
    LIMITED: [rule("egress", 1000), rule("ingress", 2000, max_burst_kbps=100)],
    OTHER: [rule("ingress", 40_000_000)],
    OWN: [rule("egress", 300, max_burst_kbps=77)],
}


def inside(node: Node, command: str) -> str:
    return node.run("ip", "netns", "exec", "qrouter-r1", "/bin/sh", "-ec", command).stdout


def test_limits_are_made_gathered_and_left_alone(node: Node) -> None:
    data = limited_router(LIMITS)
    predicted = run_engine(node, [data], check=True, diff=True)
    done = run_engine(node, [data], diff=True)
    assert "failed" not in done, done["msg"]
    assert (done["routers"], done["diff"]) == (predicted["routers"], predicted["diff"])
    assert run_engine(node, [data], check=True)["routers"][0]["actions"] == []
    assert run_engine(node, None, "gathered")["gathered"] == [data]
    assert "foreign" not in run_engine(node, [data])["routers"][0]


def test_a_floating_ip_of_port_forwardings_is_limited(node: Node) -> None:
    data = router(port_forwardings=[forwarding(80, 8080)])
    entry = {"floating_ip_address": "203.0.113.30", "fixed_ip_address": None, "bandwidth_limit_rules": LIMITS[LIMITED]}
    data["floating_ips"].append(entry)
    done = run_engine(node, [data])
    assert "failed" not in done, done["msg"]
    assert run_engine(node, [data])["changed"] is False
    assert run_engine(node, None, "gathered")["gathered"] == [data]
    run_object(node, "router", id="r1", gateway=data["gateway"], routes=[])
    [gathered] = run_engine(node, None, "gathered")["gathered"]
    assert entry in gathered["floating_ips"]


def test_they_cost_one_process_and_then_none(node: Node) -> None:
    run_engine(node, [router(), small_router(1)])
    run_engine(node, [router(), small_router(1)])
    data = [limited_router({LIMITED: [rule("egress", 1000)]}), small_router(1)]
    assert run_engine(node, data)["cost"]["commands"] == {"tc": 1}
    assert run_engine(node, data)["cost"]["commands"] == {}
    changed = [limited_router({LIMITED: [rule("egress", 2000)]}), small_router(1)]
    assert run_engine(node, changed)["cost"]["commands"] == {"tc": 1}
    assert run_engine(node, [router(), small_router(1)])["cost"]["commands"] == {"tc": 1}


def test_limits_that_go_leave_no_trace(node: Node) -> None:
    run_engine(node, [router()])
    before = snapshot(node)
    run_engine(node, [limited_router(LIMITS)])
    assert differences(before, snapshot(node)) != []
    predicted = run_engine(node, [router()], check=True)["routers"]
    assert run_engine(node, [router()])["routers"] == predicted
    assert differences(before, snapshot(node)) == []
    assert run_engine(node, [router()])["changed"] is False


@pytest.mark.parametrize("wanted", [{}, LIMITS])
@pytest.mark.parametrize(
    ("commands", "actions"),
    [
        (f"tc qdisc replace dev {GATEWAY} root tbf rate 1mbit burst 10k latency 50ms", [f"stray tbf of {GATEWAY} removed"]),
        (
            f"tc qdisc replace dev {GATEWAY} root htb;"
            f"tc filter add dev {GATEWAY} parent $(tc qdisc show dev {GATEWAY} | sed -n 's/^qdisc htb \\([^ ]*\\).*/\\1/p')"
            f" protocol ip prio 1 u32 match ip src {LIMITED}/32 flowid :1",
            [f"stray htb of {GATEWAY} removed"],
        ),
        (
            f"tc qdisc add dev {GATEWAY} handle ffff: ingress;"
            f"tc filter add dev {GATEWAY} parent ffff: protocol ip prio 1 u32 match ip dst {LIMITED}/32 flowid :1",
            [f"stray ingress of {GATEWAY} removed"],
        ),
        (f"tc qdisc add dev {GATEWAY} clsact", [f"stray clsact of {GATEWAY} removed"]),
        ("ip link add name l3-ifb type ifb", []),
    ],
)
def test_what_the_l3_agent_or_somebody_left_gives_way(
    node: Node, wanted: dict[str, Any], commands: str, actions: list[str]
) -> None:
    run_engine(node, [router()])
    inside(node, commands)
    data = limited_router(wanted)
    done = run_engine(node, [data])
    assert "failed" not in done, done["msg"]
    done_actions = done["routers"][0]["actions"]
    assert done_actions[: len(actions)] == actions
    assert done_actions
    assert run_engine(node, [data])["changed"] is False
    with Node("fresh") as fresh:
        fresh.add_bridge("br-ex")
        run_engine(fresh, [data])
        assert differences(snapshot(fresh), snapshot(node)) == []


def test_queues_of_internal_devices_are_not_ours(node: Node) -> None:
    run_engine(node, [limited_router(LIMITS)])
    inside(node, "tc qdisc replace dev qr-bbbb0000-we root tbf rate 1mbit burst 10k latency 50ms")
    assert run_engine(node, [limited_router(LIMITS)])["changed"] is False


def test_without_the_command_the_rest_of_the_router_is_made(node: Node) -> None:
    node.run("mount", "--bind", "/dev/null", node.run("readlink", "-f", "/usr/sbin/tc").stdout.strip())
    data = [limited_router(LIMITS), small_router(1)]
    MetadataServer(node, "/var/lib/neutron/metadata_proxy")
    options = {"metadata_upstream": "unix:/var/lib/neutron/metadata_proxy"}
    predicted, done = (run_engine(node, data, check=check, diff=True, **options) for check in (True, False))
    assert [predicted[key] for key in ("msg", "routers", "diff")] == [done[key] for key in ("msg", "routers", "diff")]
    again = run_engine(node, data, **options)
    assert (again["changed"], again["routers"][0]["error"]) == (False, done["routers"][0]["error"])
    assert done["msg"].endswith(
        "router r1: The node lacks the command tc: install the package iproute2, or run the role netnode.l3.network_node first."
    )
    assert "203.0.113.20" in inside(node, "ip address; ip route")
    assert "203.0.113.1" in inside(node, "ip route show default")


def test_where_the_kernel_lacks_something_the_rest_of_the_router_is_made(node: Node) -> None:
    MetadataServer(node, "/var/lib/neutron/metadata_proxy")
    refusing = "#!/bin/sh\necho 'Error: Specified qdisc kind is unknown.' >&2\nexit 1\n"
    node.run("install", "-m", "0755", "/dev/stdin", "/run/tc", text=refusing)
    node.run("mount", "--bind", "/run/tc", node.run("readlink", "-f", "/usr/sbin/tc").stdout.strip())
    options = {"metadata_upstream": "unix:/var/lib/neutron/metadata_proxy"}
    done = run_engine(node, [limited_router(LIMITS)], **options)["routers"][0]
    assert done["error"].endswith("Error: Specified qdisc kind is unknown.")
    assert done["actions"][-1] == "metadata proxy listens for router r1"
    web = Machine(node, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    assert '"r1"' in web.run("curl", "--silent", "--max-time", "20", "http://169.254.169.254/").stdout
    again = run_engine(node, [limited_router(LIMITS)], **options)
    assert (again["changed"], again["routers"][0]["error"]) == (False, done["error"])


def test_modules_of_single_objects_keep_limits(node: Node) -> None:
    data = limited_router(LIMITS)
    run_engine(node, [data])
    run_object(node, "floating_ip", router_id="r1", floating_ip_address=LIMITED, fixed_ip_address="10.0.0.9")
    run_object(node, "router", id="r1", gateway=data["gateway"], routes=[])
    [gathered] = run_engine(node, None, "gathered")["gathered"]
    assert gathered["gateway"]["bandwidth_limit_rules"] == LIMITS[OWN]
    assert [entry.get("bandwidth_limit_rules") for entry in gathered["floating_ips"]] == [LIMITS[LIMITED], LIMITS[OTHER]]


def test_what_is_rendered_makes_the_limits(node: Node) -> None:
    data = limited_router(LIMITS)
    [entry] = run_engine(node, [data], "rendered")["rendered"]
    for command in entry["commands"]:
        name = next((name for name in entry["rules"] if f" {name} " in command), None)
        node.run(*command.split(), text=entry["rules"].get(name))
    assert run_engine(node, [data])["changed"] is False


def test_in_the_nodes_own_namespace(node: Node) -> None:
    own = {"use_namespaces": False, "router_id": "r1"}
    data = limited_router(LIMITS)
    before = snapshot(node)
    done = run_engine(node, [data], **own)
    assert "failed" not in done, done["msg"]
    assert run_engine(node, [data], **own)["changed"] is False
    assert run_engine(node, None, "gathered", **own)["gathered"][0]["floating_ips"] == data["floating_ips"]
    run_engine(node, [], **own, max_deletions="100%")
    assert differences(before, snapshot(node)) == []
