# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Machines ask for metadata through their routers, by one haproxy for the node."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import Machine, MetadataServer, Node
from sandbox.engine import run_engine, run_python
from sandbox.metadata_server import SLOW

from ..kernel_state import differences, snapshot
from ..routers import WEB_BRIDGE, router, small_router

SOCKET = "/var/lib/neutron/metadata_proxy"
UPSTREAM = f"unix:{SOCKET}"
CONFIG = "/run/netnode-l3/metadata-proxy.cfg"
URL = "http://169.254.169.254/latest/meta-data/"
FORGED = (
    "X-Neutron-Router-ID: other",
    "X_Neutron_Router_ID: other",
    "X-Neutron-Network-ID: other",
    "X-Forwarded-For: 198.51.100.1",
    "X-Instance-ID: other",
    "X-Instance-ID-Signature: other",
    "X-Tenant-ID: other",
    "Forwarded: for=198.51.100.1",
)


@pytest.fixture
def served(node: Node) -> Iterator[Node]:
    """A node with a metadata agent, or what answers as one."""
    MetadataServer(node, SOCKET)
    return node


def run(node: Node, *routers: dict[str, Any], **options: Any) -> dict[str, Any]:
    return run_engine(node, list(routers), **{"metadata_upstream": UPSTREAM, **options})


def fetch(machine: Machine, *headers: str, url: str = URL) -> dict[str, list[str]] | None:
    """The headers that the server saw, by name in lower case; None when there was no answer."""
    arguments = [argument for header in headers for argument in ("--header", header)]
    done = machine.run("curl", "--silent", "--max-time", "3", *arguments, url, check=False)
    if done.returncode != 0:
        return None
    seen: dict[str, list[str]] = {}
    for name, value in json.loads(done.stdout)["headers"]:
        seen.setdefault(name.lower(), []).append(value)
    return seen


def masters(node: Node) -> list[str]:
    """The pids of haproxy's master processes, as the node numbers them."""
    processes = node.run("ps", "-eo", "pid=,ppid=,comm=").stdout.splitlines()
    return [pid for pid, parent, name in (line.split() for line in processes) if name == "haproxy" and parent == "1"]


def test_fifty_routers_with_overlapping_addresses_have_one_proxy(served: Node) -> None:
    routers = [small_router(n) for n in range(50)]
    result = run(served, *routers)
    assert (result.get("failed"), result["node"]["actions"]) == (None, ["metadata proxy started"])
    for number in range(50):
        machine = Machine(served, f"vm{number}", f"brqnet{number:04}", ["10.0.0.5/24"], [("default", "10.0.0.1")])
        seen = fetch(machine, *FORGED)
        assert seen is not None
        assert (seen["x-neutron-router-id"], seen["x-forwarded-for"]) == ([f"small-{number}"], ["10.0.0.5"])
        assert not {name for name in seen if "other" in str(seen[name])}, seen
        assert "forwarded" not in seen
    assert len(masters(served)) == 1
    assert run(served, *routers)["changed"] is False


def test_the_port_of_the_proxy_is_closed_to_direct_access(served: Node) -> None:
    run(served, router())
    outside = Machine(served, "outside", "br-ex", ["203.0.113.1/24"])
    web = Machine(served, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    assert fetch(web) is not None
    for machine, address in ((web, "10.0.0.1"), (web, "169.254.169.254"), (outside, "203.0.113.10")):
        assert fetch(machine, url=f"http://{address}:9697/") is None


def test_a_router_that_goes_is_really_gone_and_the_others_keep_theirs(served: Node) -> None:
    run(served, small_router(1), small_router(2))
    machine = Machine(served, "vm", "brqnet0001", ["10.0.0.5/24"], [("default", "10.0.0.1")])
    [master] = masters(served)
    # A foreign device goes with the namespace and in no other way.
    served.run("ip", "link", "add", "name", "witness", "type", "veth", "peer", "name", "inside", "netns", "qrouter-small-2")
    assert "failed" not in run(served, small_router(1))
    deadline = time.monotonic() + 2
    while "witness" in served.run("ip", "-oneline", "link").stdout:
        assert time.monotonic() < deadline, "something keeps the namespace"
    assert (fetch(machine) is not None, masters(served)) == (True, [master])


def test_the_proxy_ends_with_the_last_router(served: Node) -> None:
    run(served, router())
    result = run(served)
    assert "metadata proxy ended" in result["node"]["actions"]
    assert (masters(served), served.file(CONFIG).exists()) == ([], False)
    assert run(served)["changed"] is False


def test_metadata_can_be_turned_off_and_on(served: Node) -> None:
    run_engine(served, [router()])
    without = snapshot(served)
    run(served, router())
    assert "metadata proxy no longer listens for router r1" in run_engine(served, [router()])["routers"][0]["actions"]
    assert differences(without, snapshot(served)) == []
    assert masters(served) == []


def test_connections_go_on_while_routers_come_and_go(served: Node) -> None:
    run(served, router())
    web = Machine(served, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    slow = web.start("curl", "--silent", "--max-time", "20", f"http://169.254.169.254{SLOW}")
    time.sleep(0.3)
    for others in ([small_router(1), small_router(2)], [small_router(2)]):
        run(served, router(), *others)
        assert slow.poll() is None, "it was over before the changes were"
        assert fetch(web) is not None
    body, _nothing = slow.communicate(timeout=30)
    assert slow.returncode == 0
    assert json.loads(body)["path"] == SLOW


# Between reloading the proxy and 20 ms later: how often it was taken for gone, or for one that has no sockets.
BEGINNINGS = """
import time
from ansible_collections.netnode.l3.plugins.module_utils.host import haproxy
text = haproxy.configuration()
result = 0
for number in range(30):
    time.sleep(0.05)  # a master that is still starting takes no notice of a signal
    haproxy.load(text + "# %d\\n" % number)
    end = time.monotonic() + 0.02
    while time.monotonic() < end:
        result += haproxy.master() is None or not haproxy.sockets()
"""


def test_a_proxy_that_was_just_reloaded_is_not_taken_for_gone(served: Node) -> None:
    run(served, router(), small_router(1))
    assert run_python(served, BEGINNINGS) == 0


SABOTAGES = {
    "killed": ("/bin/sh", "-c", "pid=$(cat /run/netnode-l3/metadata-proxy.pid); while kill -KILL $pid; do sleep 0.01; done"),
    "edited": ("sed", "-i", "s/x-forwarded-for/x-other/I", CONFIG),
    "overwritten": ("/bin/sh", "-c", f"echo '# nothing' > {CONFIG}"),
    "files gone": ("rm", "-r", "/run/netnode-l3"),
    "namespace gone": ("ip", "netns", "delete", "qrouter-r1"),
    "namespace another": ("/bin/sh", "-c", "ip netns delete qrouter-r1; ip netns add qrouter-r1"),
    "namespace dead": ("umount", "--lazy", "/run/netns/qrouter-r1"),
    "interrupted": ("touch", "/run/netnode-l3/metadata-proxy.unloaded"),
}


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_the_next_run_repairs_the_proxy(served: Node, sabotage: str) -> None:
    run(served, router(), small_router(1))
    config = served.file(CONFIG).read_text(encoding="utf-8")
    served.run(*SABOTAGES[sabotage])
    predicted = run(served, router(), small_router(1), check=True)
    repaired = run(served, router(), small_router(1))
    assert predicted["changed"] is True
    assert (predicted["node"], predicted["routers"]) == (repaired["node"], repaired["routers"])
    assert served.file(CONFIG).read_text(encoding="utf-8") == config
    machines = [
        Machine(served, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")]),
        Machine(served, "vm", "brqnet0001", ["10.0.0.5/24"], [("default", "10.0.0.1")]),
    ]
    seen = [fetch(machine) for machine in machines]
    assert [headers and headers["x-neutron-router-id"] for headers in seen] == [["r1"], ["small-1"]]
    assert run(served, router(), small_router(1))["changed"] is False


def test_replaced_leaves_what_others_have(served: Node) -> None:
    run(served, router(), small_router(1))
    web = Machine(served, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    run(served, small_router(2), state="replaced")
    assert fetch(web) is not None
    run_engine(served, [small_router(2)], "replaced")
    assert fetch(web) is not None
    assert "namespace qrouter-small-2 " not in served.file(CONFIG).read_text(encoding="utf-8")


def test_an_upstream_that_does_not_exist_is_a_warning(node: Node) -> None:
    result = run(node, router())
    assert ("failed" not in result, result["warnings"]) == (
        True,
        [f"metadata_upstream: {UPSTREAM} cannot be reached: No such file or directory."],
    )
    web = Machine(node, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    MetadataServer(node, SOCKET)
    assert fetch(web) is not None


def test_a_socket_of_neutron_alone_is_reached_as_its_owner(node: Node) -> None:
    MetadataServer(node, SOCKET)
    node.run("chown", "1234:4321", SOCKET)
    node.run("chmod", "0644", SOCKET)
    run(node, router())
    web = Machine(node, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    assert fetch(web) is not None


@pytest.mark.parametrize("upstream", ["127.0.0.1:8775", "[::1]:8775", "localhost:8775"])
def test_an_upstream_by_address(node: Node, upstream: str) -> None:
    MetadataServer(node, SOCKET)
    relay = "import sys, os; os.execvp('haproxy', ['haproxy', '-f', '/run/relay.cfg'])"
    text = "defaults\n mode tcp\n timeout connect 5s\n timeout client 9s\n timeout server 9s\n"
    text += f"listen relay\n bind 127.0.0.1:8775\n bind [::1]:8775\n server metadata unix@{SOCKET}\n"
    node.file("/run/relay.cfg").write_text(text, encoding="ascii")
    node.start("/usr/bin/python3", "-c", relay)
    deadline = time.monotonic() + 5
    while run(node, router(), metadata_upstream=upstream, check=True).get("warnings") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "warnings" not in run(node, router(), metadata_upstream=upstream)
    web = Machine(node, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    assert fetch(web) is not None


def test_without_haproxy_the_rest_is_converged(served: Node) -> None:
    run_engine(served, [router()])
    served.run("/bin/sh", "-c", "mount --bind /dev/null /usr/sbin/haproxy")
    result = run(served, router(), small_router(1))
    message = "The node lacks the command haproxy, which the metadata proxy is: install it."
    assert [entry.get("error") for entry in result["routers"]] == [message, message]
    assert result["node"] == {"changed": False, "actions": []}
    outside = Machine(served, "outside", "br-ex", ["203.0.113.1/16"])
    assert outside.pings("203.0.113.31")


def test_a_port_that_somebody_else_has_fails_that_router_alone(served: Node) -> None:
    run_engine(served, [router(), small_router(1)])
    served.start("ip", "netns", "exec", "qrouter-r1", "/usr/bin/python3", "-c",
                 "import socket, time; s = socket.create_server(('', 9697)); time.sleep(99)")  # fmt: skip
    deadline = time.monotonic() + 5
    while not served.run("ip", "netns", "exec", "qrouter-r1", "ss", "-Hltn").stdout and time.monotonic() < deadline:
        time.sleep(0.05)
    result = run(served, router(), small_router(1))
    assert [entry.get("error") for entry in result["routers"]] == [
        "Port 9697 of router r1, which the metadata proxy needs, is taken by another process.",
        None,
    ]
    vm = Machine(served, "vm", "brqnet0001", ["10.0.0.5/24"], [("default", "10.0.0.1")])
    assert fetch(vm) is not None


def test_rendered_has_the_configuration(node: Node) -> None:
    result = run(node, router(), state="rendered")
    assert "    bind 0.0.0.0:9697,:::9697 v6only namespace qrouter-r1 name r1\n" in result["metadata_proxy"]


def test_a_namespace_that_vanished_does_not_keep_the_proxy_from_others(served: Node) -> None:
    run(served, small_router(0), small_router(1))
    served.run("ip", "netns", "delete", "qrouter-small-1")
    for routers in ([small_router(2)], [small_router(0), small_router(2)]):
        result = run(served, *routers, state="replaced")
        assert "failed" not in result, result["msg"]
    machine = Machine(served, "vm", "brqnet0002", ["10.0.0.5/24"], [("default", "10.0.0.1")])
    seen = fetch(machine)
    assert seen is not None
    assert seen["x-neutron-router-id"] == ["small-2"]
    result = run(served, small_router(2))
    assert "failed" not in result, result["msg"]


def test_a_router_that_is_not_part_of_the_run_keeps_its_place_and_port(served: Node) -> None:
    run(served, small_router(1))
    machine = Machine(served, "vm", "brqnet0001", ["10.0.0.5/24"], [("default", "10.0.0.1")])
    other = small_router(2)
    other["interfaces"][0]["addresses"] = ["10.77.0.1/24"]
    result = run(served, other, state="replaced", use_namespaces=False, router_id="small-2", metadata_port=9797)
    assert "failed" not in result, result["msg"]
    own = Machine(served, "own", "brqnet0002", ["10.77.0.5/24"], [("default", "10.77.0.1")])
    for _time in range(4):
        seen = [fetch(machine), fetch(own)]
        assert [headers and headers["x-neutron-router-id"] for headers in seen] == [["small-1"], ["small-2"]]


@pytest.mark.parametrize("sabotage", ["killed", "files gone", "overwritten"])
def test_a_router_that_is_not_part_of_the_run_has_metadata_again(served: Node, sabotage: str) -> None:
    run(served, small_router(0), small_router(1))
    machine = Machine(served, "vm", "brqnet0001", ["10.0.0.5/24"], [("default", "10.0.0.1")])
    served.run(*SABOTAGES[sabotage])
    run(served, small_router(0), state="replaced")
    assert fetch(machine) is not None


def test_an_upstream_that_is_away_for_a_moment_is_reached_again(served: Node) -> None:
    served.run("chown", "1234:4321", SOCKET)
    served.run("chmod", "0644", SOCKET)
    run(served, router())
    served.run("mv", SOCKET, SOCKET + ".away")
    assert run(served, router())["changed"] is False
    served.run("mv", SOCKET + ".away", SOCKET)
    web = Machine(served, "web", WEB_BRIDGE, ["10.0.0.7/24"], [("default", "10.0.0.1")])
    assert fetch(web) is not None


def test_a_proxy_that_cannot_be_reloaded_does_not_keep_a_router_from_going(served: Node) -> None:
    run(served, router(), small_router(1))
    served.run("/bin/sh", "-c", "grep -v ^haproxy /etc/passwd > /run/p; cat /run/p > /etc/passwd")
    result = run(served, router())
    gone = {entry["id"]: entry for entry in result["routers"]}["small-1"]
    assert "namespace qrouter-small-1 removed" in gone["actions"]
    assert "cannot find user id for 'haproxy'" in gone["error"]
    assert "tap0001" not in served.run("ip", "-oneline", "link").stdout


def test_somebody_elses_port_is_not_closed_in_the_nodes_own_namespace(served: Node) -> None:
    served.start("/usr/bin/python3", "-m", "http.server", "9697")
    deadline = time.monotonic() + 5
    while not served.run("ss", "-Hltn").stdout and time.monotonic() < deadline:
        time.sleep(0.05)
    result = run(served, router(), use_namespaces=False, router_id="r1")
    assert "is taken by another process" in result["routers"][0]["error"]
    assert "9697" not in served.run("iptables-save").stdout
