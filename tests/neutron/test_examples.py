# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example inventories, with only the address of Neutron put in."""

from __future__ import annotations

from pathlib import Path

from sandbox import Node, run_playbook
from sandbox.cloud import Cloud
from sandbox.neutron_server import NeutronServer
from sandbox.playbook import CHECKOUT

EXAMPLES = CHECKOUT / "examples" / "openstack"


def test_nodes_become_known_by_the_message_bus_and_follow_by_the_api(server: NeutronServer, cloud: Cloud, tmp_path: Path) -> None:
    with Node("node1") as node1, Node("node2") as node2:
        nodes = [node1, node2]
        for node in nodes:
            node.add_bridge("br-ex")
        bus = {"NEUTRON_TRANSPORT_URL": server.transport_url}
        first = run_playbook("netnode.l3.sync", nodes, inventory=EXAMPLES / "rpc.yml", environment=bus)
        assert first.status == 0, first.output
        router, _networks = cloud.router("example", "10.0.0.0/24", zone="nova")

        clouds = tmp_path / "clouds.yaml"
        text = (EXAMPLES / "clouds.yaml").read_text(encoding="utf-8")
        assert "http://127.0.0.1:9696" in text
        clouds.write_text(text.replace("http://127.0.0.1:9696", server.url), encoding="utf-8")
        environment = {"OS_CLIENT_CONFIG_FILE": str(clouds), "OS_CLOUD": "lab"}
        before = server.requests.read_text(encoding="utf-8")
        play = run_playbook("netnode.l3.sync", nodes, inventory=EXAMPLES / "api.yml", environment=environment)
        assert play.status == 0, play.output
        namespaces = [node.run("ip", "netns", "list").stdout for node in nodes]
        assert sum(f"qrouter-{router.id}" in names for names in namespaces) == 1
        asked = server.requests.read_text(encoding="utf-8")[len(before) :]
        assert asked.count("GET /v2.0/agents?") == 1, "once for both nodes"
