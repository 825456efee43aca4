# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Neutron as the source: what it costs to ask a real server for many routers, and a run that asks it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.api import Api
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.reports import report_state
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.routers_by_api import Selection, agents, routers_of_agents
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.routers_by_rpc import routers_of_host
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.rpc import Rpc
from sandbox import Node, run_playbook
from sandbox.cloud import Cloud
from sandbox.neutron_server import ENVIRONMENT, NeutronServer
from sandbox.playbook import CHECKOUT
from sandbox.switch_agent import report_switch_agent

from .measure import Figures, Row
from .memory import Watch

_HOST = "node"
_TIMEOUT = 120.0  # seconds; a server of one process takes its time for many routers


Answer = tuple[int, int]  # how many routers, by how many requests or calls


class _Counting(Rpc):
    calls = 0

    def call(self, topic: str, version: str, method: str, /, **arguments: Any) -> Any:
        self.calls += 1
        return super().call(topic, version, method, **arguments)


def measure_neutron(count: int) -> Iterator[Row]:
    """A row for each source: asked alone, and by runs that have nothing to do."""
    with NeutronServer() as server, Node(_HOST) as node:
        node.add_bridge("br-ex")
        _fill(server, count)
        cloud = {"auth_type": "none", "auth": {"endpoint": server.url}}

        def by_api() -> Answer:
            log = server.requests.read_text(encoding="utf-8")
            api = Api(cloud, timeout=_TIMEOUT)
            (routers,) = routers_of_agents(api, [_HOST], agents(api, [_HOST]), Selection())
            return len(routers or ()), server.requests.read_text(encoding="utf-8")[len(log) :].count(" GET ")

        def by_rpc() -> Answer:
            with _Counting(server.transport_url, timeout=_TIMEOUT) as rpc:
                return len(routers_of_host(rpc, _HOST) or ()), rpc.calls

        sources: dict[str, tuple[Callable[[], Answer], dict[str, Any]]] = {
            "neutron_api": (by_api, {"l3_sync_neutron_cloud": cloud, "l3_sync_neutron_api_timeout": _TIMEOUT}),
            "neutron_rpc": (
                by_rpc,
                {
                    "l3_sync_neutron_transport_url": server.transport_url,
                    "l3_sync_neutron_rpc_timeout": _TIMEOUT,
                    "l3_sync_neutron_report": False,
                },
            ),
        }
        _run(node, {"l3_sync_source": "neutron_api", **sources["neutron_api"][1]})
        for name, (ask, variables) in sources.items():
            yield {"count": count, "case": name, **_alone(ask, count), **_run(node, {"l3_sync_source": name, **variables})}


def _fill(server: NeutronServer, count: int) -> None:
    """Have so many routers of the usual size there, scheduled to the node: one by the API, and its copies."""
    cloud = Cloud(server)
    with Rpc(server.transport_url, timeout=_TIMEOUT) as rpc:
        report_state(rpc, _HOST, {})
        report_switch_agent(rpc, _HOST)
        clone = [str(ENVIRONMENT / "bin" / "python"), str(CHECKOUT / "benchmarks" / "clone_rows.py"), server.database_url]
        with subprocess.Popen(clone, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise SystemExit("The rows of the database could not be read.")
            _router, (network, _other) = cloud.router("copied", "10.0.0.0/24", "10.0.1.0/24")
            for _number in range(5):
                cloud.floating_ip(cloud.port(network))
            routers_of_host(rpc, _HOST)  # by which the server binds the ports, which takes it longer than all else
            process.communicate(f"{count - 1}\n")
    if process.returncode:
        raise SystemExit("The rows of the first router could not be copied.")


def _alone(ask: Callable[[], Answer], count: int) -> Figures:
    began, began_cpu = time.perf_counter(), time.process_time()
    found, requests = ask()
    figures = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - began_cpu}
    if found != count:
        raise SystemExit(f"{found} routers came of {count}.")
    return {**figures, "requests": requests}


def _run(node: Node, variables: dict[str, Any]) -> Figures:
    host_vars = {node.name: {"l3_sync_interface_driver": "bridge", **variables}}
    with Watch() as memory:
        play = run_playbook("netnode.l3.sync", [node], host_vars=host_vars, started=memory.follow)
    if play.status:
        raise SystemExit(play.output)
    return {"playbook_seconds": play.seconds, "controller_kib": memory.peak_kib}
