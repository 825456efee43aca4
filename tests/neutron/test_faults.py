# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When something is wrong with Neutron, or with how it is asked: a clear error, and the node is left as it is."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.api import Api
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.errors import NeutronError
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.routers_by_api import (
    Selection,
    agents,
    routers_of_agents,
    routers_selected,
)
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.routers_by_rpc import external_network_id, routers_of_host
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.rpc import Rpc
from sandbox import Node, run_playbook
from sandbox.cloud import Cloud
from sandbox.neutron_server import PASSWORD, NeutronServer

from ..kernel_state import differences, snapshot
from ..routers import small_router
from .conftest import SMALL_PAGE
from .interposed import Interposed
from .older_server import OlderServer

TOKEN = "token-that-nobody-is-to-see"


def asked(url: str, host: str, **options: Any) -> Any:
    """The routers of a host by the API."""
    api = Api({"auth_type": "none", "auth": {"endpoint": url}}, **options)
    (routers,) = routers_of_agents(api, [host], agents(api, [host]), Selection())
    return routers


@pytest.mark.parametrize(
    ("cloud", "complaint"),
    [
        ("nowhere", "Cloud nowhere was not found. (see clouds.yaml, and OS_* in the environment)"),
        (None, "Auth plugin requires parameters which were not given: auth_url"),
        ({"auth_type": "none"}, "(see the option cloud)"),
        ({"auth_type": "sesame"}, "The plugin sesame could not be found"),
        ({"auth": "sesame"}, "(see the option cloud)"),
        (7, "The cloud is neither a name in clouds.yaml nor a mapping: it is of the type int."),
        ({"auth_type": "none", "auth": {"endpoint": "http://127.0.0.1:1"}}, "http://127.0.0.1:1, the service is unavailable"),
    ],
)
def test_clouds_that_cannot_be_used(cloud: Any, complaint: str) -> None:
    with pytest.raises(NeutronError) as error:
        Api(cloud)
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    ("disturb", "complaint"),
    [
        (lambda path: 500 if path.startswith("/v2.0/subnets") else None, "Neutron's API was asked for /subnets: 500 disturbed"),
        (lambda path: 503 if "marker=" in path else None, "Neutron's API was asked for /ports: 503 disturbed"),
        (lambda path: time.sleep(3) if path.startswith("/v2.0/networks") else None, "/networks: Request to"),
        (
            lambda path: b'{"stack": []}' if path.startswith("/v2.0/subnets") else None,
            "/subnets: the answer has no list of subnets",
        ),
        (lambda path: b"<html>" if path.startswith("/v2.0/floatingips") else None, "/floatingips: Expecting value"),
    ],
    ids=["a request fails", "a page fails", "a request takes too long", "another answer", "no JSON"],
)
def test_requests_that_fail_half_way(
    server: NeutronServer, cloud: Cloud, host: str, disturb: Callable[[str], int | bytes | None], complaint: str
) -> None:
    for number in range(SMALL_PAGE):
        cloud.router(f"many {number}", "10.0.0.0/24", gateway=False, zone=host)
    assert len(asked(server.url, host)) == SMALL_PAGE
    with Interposed(server.url, lambda path, _headers: disturb(path)) as api, pytest.raises(NeutronError) as error:
        asked(api.url, host, timeout=1)
    assert complaint in str(error.value)


def test_routers_that_change_between_requests(server: NeutronServer, cloud: Cloud, host: str) -> None:
    deleted, _networks = cloud.router("deleted", gateway=False, zone=host)
    changed, _networks = cloud.router("changed", "10.0.0.0/24", zone=host)
    left, _networks = cloud.router("left", "10.0.0.0/24", zone=host)
    networks = [cloud.network.create_network(name=f"new {number}") for number in range(9)]
    times = 0

    def once(path: str, _headers: http.client.HTTPMessage) -> None:
        nonlocal times
        if path.startswith("/v2.0/ports"):
            times += 1
            if times == 1:
                cloud.network.delete_router(deleted)
        elif path.startswith("/v2.0/subnets") and times == 1:
            cloud.network.add_interface_to_router(changed, subnet=cloud.subnet(networks.pop(), "10.9.0.0/24"))

    with Interposed(server.url, once) as api:
        routers = {router["id"]: router for router in asked(api.url, host)}
    assert routers.keys() == {changed.id, left.id}
    assert len(routers[changed.id]["interfaces"]) == 2, "all of it, as it is after the change"

    def always(path: str, _headers: http.client.HTTPMessage) -> None:
        if path.startswith("/v2.0/ports"):
            cloud.network.add_interface_to_router(changed, subnet=cloud.subnet(networks.pop(), f"10.{len(networks) + 20}.0.0/24"))

    with Interposed(server.url, always) as api, pytest.raises(NeutronError) as error:
        asked(api.url, host)
    assert f"Router {changed.id} changed each of 3 times" in str(error.value)


def test_the_last_object_of_a_page_that_is_deleted_before_the_next_page(server: NeutronServer, cloud: Cloud, host: str) -> None:
    project = "6c1f1c2d3e4f40718293a4b5c6d7e8f9"
    routers = [cloud.router(f"paged {n}", gateway=False, project_id=project, zone=host)[0].id for n in range(SMALL_PAGE + 2)]
    deleted: list[str] = []

    def delete(path: str, _headers: http.client.HTTPMessage) -> None:
        found = re.search(r"^/v2.0/routers\?.*marker=([^&]+)", path)
        if found and not deleted:
            deleted.append(found[1])
            cloud.network.delete_router(found[1])

    with Interposed(server.url, delete) as api:
        selected = routers_selected(Api({"auth_type": "none", "auth": {"endpoint": api.url}}), Selection(project_id=project))
    assert deleted
    assert {router["id"] for router in selected} == set(routers) - set(deleted)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda _url: "", "Where Neutron's message bus is, is not said: give transport_url, or a config_file that has it."),
        (lambda url: url.replace("rabbit:", "rabbat:"), "cannot be used (DriverLoadFailure): see transport_url."),
        (lambda url: url.replace(PASSWORD, PASSWORD + "x"), "cannot be reached: (0, 0): (403) ACCESS_REFUSED"),
        (lambda url: url.replace("@127.0.0.1", "@127.0.0.1:1,x:y@127.0.0.1:2/#"), "cannot be"),
        (lambda url: url + "elsewhere", "vhost elsewhere not found"),
    ],
    ids=["nothing given", "unknown driver", "wrong password", "nobody there", "unknown virtual host"],
)
def test_message_buses_that_cannot_be_used(server: NeutronServer, change: Callable[[str], str], complaint: str) -> None:
    with pytest.raises(NeutronError) as error:
        Rpc(change(server.transport_url))
    assert complaint in str(error.value)
    assert PASSWORD not in str(error.value)


def test_a_server_that_does_not_answer_is_asked_for_less_and_then_given_up(server: NeutronServer, host: str) -> None:
    with Rpc(server.transport_url, timeout=0.5) as rpc, server.rpc_held():
        began = time.monotonic()
        with pytest.raises(NeutronError) as error:
            routers_of_host(rpc, host, [f"router-{number}" for number in range(300)])
        assert 2.0 <= time.monotonic() - began < 4.0, "256, 128, 64 and 32 routers at once"
    assert "Neutron was asked for sync_routers by the message bus: no answer within 0.5 seconds." in str(error.value)
    with Rpc(server.transport_url, timeout=20) as rpc:
        assert routers_of_host(rpc, host) == []


def test_several_external_networks_as_an_older_server_says_it(server: NeutronServer) -> None:
    with Rpc(server.transport_url, timeout=20) as rpc:
        assert external_network_id(rpc) is None, "today's server has no such call"
    with OlderServer(server) as older, Rpc(older.transport_url, timeout=20) as rpc:
        older.external_networks = ["one"]
        assert external_network_id(rpc) == "one"
        older.external_networks = ["one", "two"]
        with pytest.raises(NeutronError) as error:
            external_network_id(rpc)
    assert "gateway_external_network_id must be configured" in str(error.value)


def test_a_run_that_cannot_ask_neutron_touches_nothing_and_tells_no_secret(
    server: NeutronServer, host: str, prepared_files: Path
) -> None:
    with Node(host, prepared_files) as node:
        node.add_bridge("br-ex")
        own = {"l3_sync_interface_driver": "bridge", "l3_sync_routers": [small_router(1), small_router(2)]}
        assert run_playbook("netnode.l3.sync", [node], host_vars={host: own}).status == 0
        before = snapshot(node)

        def run(source: str, **variables: Any) -> str:
            named = {f"l3_sync_neutron_{name}": value for name, value in variables.items()}
            play = run_playbook(
                "netnode.l3.sync", [node], "-vvv", "--diff", host_vars={host: {**own, "l3_sync_source": source, **named}}
            )
            assert play.failed == {host: 1}, play.output
            assert differences(before, snapshot(node)) == []
            assert TOKEN not in play.output and PASSWORD not in play.output and "Traceback" not in play.output
            return play.output

        def refuse(_path: str, headers: http.client.HTTPMessage) -> int | None:
            assert headers["X-Auth-Token"] == TOKEN
            return 401

        with Interposed(server.url, refuse) as api:
            output = run("neutron_api", cloud={"auth_type": "admin_token", "auth": {"endpoint": api.url, "token": TOKEN}})
            assert "Neutron's API was asked for /agents: 401 disturbed. No router was touched." in output
        assert "Finalization" not in output.split("See that Neutron has answered")[1]
        wrong = server.transport_url.replace("neutron:", "nobody:")
        assert "ACCESS_REFUSED" in run("neutron_rpc", transport_url=wrong)

        # An agent that has no routers: the answer is empty.
        endpoint = {"auth_type": "none", "auth": {"endpoint": server.url}}
        assert "Refused: 2 of the 2 routers on this node would be purged" in run("neutron_api", cloud=endpoint)
        assert "Refused: 2 of the 2 routers" in run("neutron_rpc", transport_url=server.transport_url)
        # Neutron does not know it.
        output = run("neutron_api", cloud=endpoint, host="elsewhere")
        assert "Neutron knows no L3 agent on host elsewhere." in output
        output = run("neutron_rpc", transport_url=server.transport_url, host="elsewhere")
        assert "Refused: 2 of the 2 routers on this node would be purged, and max_deletions is 0." in output
        # Limited to some routers, of which the answer has none.
        own["l3_sync_router_ids"] = ["small-1", "small-2"]
        assert "Refused: 2 of the 2 routers" in run("neutron_rpc", transport_url=server.transport_url)
