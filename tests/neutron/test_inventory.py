# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network nodes as hosts: the inventory plugin at a real Neutron, by Ansible's own commands."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.api import place
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.reports import report_state
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.rpc import Rpc
from sandbox import Node, run_playbook
from sandbox.cloud import Cloud
from sandbox.neutron_server import NeutronServer
from sandbox.playbook import CHECKOUT, Play

from .interposed import Interposed

EXAMPLE = CHECKOUT / "examples" / "openstack"
SECRET = "nobody-is-to-see-this"
HOSTILE = "{{ lookup('ansible.builtin.pipe', 'echo evaluat' ~ 'ed') }}"


def ansible(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command of Ansible prints, which is never the secret."""
    settings = {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "false", **environment}
    command = [sys.executable, "-m", "ansible", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT, env={**os.environ, **settings})
    assert SECRET not in run.stdout + run.stderr
    return run


def inventory(file: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return ansible("inventory", "-i", str(file), *arguments, **environment)


def listed(file: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    """The output of ``--list``, of a run without warnings."""
    run = inventory(file, "--list", *arguments, **environment)
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
    return dict(json.loads(run.stdout, object_hook=_plain))


def _plain(value: dict[str, Any]) -> Any:
    """Of text that is no template ansible-inventory says so, since 2.19 of all that plugins give."""
    return value.get("__ansible_unsafe", value)


def in_group(output: dict[str, Any], group: str) -> list[str]:
    return sorted(output.get(group, {}).get("hosts", []))


@pytest.fixture
def source(tmp_path: Path, server: NeutronServer) -> Callable[..., Path]:
    """Makes an inventory source with these options, of the server unless they say another cloud."""

    def write(name: str = "test.neutron.yml", **options: Any) -> Path:
        cloud = {"auth_type": "none", "auth": {"endpoint": server.url}}
        (tmp_path / name).write_text(json.dumps({"plugin": "netnode.l3.neutron", "cloud": cloud, **options}), encoding="utf-8")
        return tmp_path / name

    return write


def new_host(server: NeutronServer, host: str, **more: Any) -> None:
    with Rpc(server.transport_url) as rpc:
        report_state(rpc, host, {"handle_internal_only_routers": True, **more}, availability_zone=host)


def disable(cloud: Cloud, host: str) -> None:
    (agent,) = cloud.network.agents(host=host)
    cloud.network.update_agent(agent, is_admin_state_up=False)


def silence(server: NeutronServer, host: str) -> None:
    """Make the last report of a host an old one."""
    statement = f"update agents set heartbeat_timestamp = '2020-01-01' where host = '{host}'"
    place = f"--socket={server.directory}/mariadb.sock"
    subprocess.run(["mariadb", "--no-defaults", "-uroot", place, "neutron", "-e", statement], check=True)


def requests(server: NeutronServer) -> int:
    return len(re.findall(r" GET /v2.0/", server.requests.read_text(encoding="utf-8")))


def test_hosts_groups_and_variables(server: NeutronServer, cloud: Cloud, host: str, source: Callable[..., Path]) -> None:
    hosts = [host, f"{host}-dead", f"{host}-off"]
    for each in (*hosts[1:], f"{host}-not-ours"):
        new_host(server, each)
    ids = {each: cloud.router(each, "10.0.0.0/24", zone=each)[0].id for each in hosts}
    silence(server, hosts[1])
    disable(cloud, hosts[2])

    output = listed(source(hosts=hosts))
    groups = ("network_nodes", "l3_agents_alive", "l3_agents_dead", "l3_agents_disabled")
    assert [in_group(output, group) for group in groups] == [sorted(hosts), [hosts[0], hosts[2]], [hosts[1]], [hosts[2]]]
    assert in_group(output, f"availability_zone_{host}") == [host]
    assert in_group(output, f"availability_zone_{host}_dead") == [hosts[1]]
    variables = output["_meta"]["hostvars"]
    # A dead agent still has its routers; the L3 plugin has none for one that is disabled.
    found = {each: [router["id"] for router in variables[each]["l3_sync_routers"]] for each in hosts}
    assert found == {host: [ids[host]], hosts[1]: [ids[hosts[1]]], hosts[2]: []}
    (router,) = variables[host]["l3_sync_routers"]
    assert (router["name"], len(router["interfaces"]), len(router["gateway"]["gateway_ips"])) == (host, 1, 1)
    agent = variables[host]["neutron_agent"]
    assert (agent["host"], agent["availability_zone"], agent["configurations"]["agent_mode"]) == (host, host, "legacy")
    assert variables[hosts[2]]["neutron_agent"]["admin_state_up"] is False

    # All hosts, without the filter; a graph.
    everything = inventory(source(routers=False), "--graph")
    assert everything.returncode == 0 and everything.stderr == ""
    assert all(
        f"|--{each}\n" in everything.stdout
        for each in (*hosts, f"{host}-not-ours", f"@availability_zone_{host}:", "@network_nodes:")
    )


def test_without_routers_one_request_is_all(server: NeutronServer, host: str, source: Callable[..., Path]) -> None:
    before = requests(server)
    output = listed(source(hosts=[host], routers=False))
    assert requests(server) == before + 1
    assert output["_meta"]["hostvars"][host]["neutron_agent"]["alive"] is True
    assert "l3_sync_routers" not in output["_meta"]["hostvars"][host]


def test_more_routers_take_no_more_requests(server: NeutronServer, cloud: Cloud, host: str, source: Callable[..., Path]) -> None:
    def asked(number: int) -> int:
        """How many requests it takes, without those for the pages after the first."""
        before = len(server.requests.read_text(encoding="utf-8"))
        assert len(listed(source(hosts=[host]))["_meta"]["hostvars"][host]["l3_sync_routers"]) == number
        lines = re.findall(r" GET (/v2.0/\S+)", server.requests.read_text(encoding="utf-8")[before:])
        return sum("marker=" not in line for line in lines)

    cloud.router("few", "10.0.0.0/24", zone=host)
    few = asked(1)
    for number in range(5):
        cloud.router(f"many {number}", "10.0.0.0/24", zone=host)
    assert asked(6) == few <= 8


def test_the_example_is_one(server: NeutronServer, tmp_path: Path) -> None:
    names = ["net1.example.org", "net2.example.org"]
    for name in names:
        new_host(server, name)
    entry = {"auth_type": "none", "auth": {"endpoint": server.url}}
    (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"production": entry}}), encoding="utf-8")
    output = listed(EXAMPLE / "nodes.neutron.yml", OS_CLIENT_CONFIG_FILE=str(tmp_path / "clouds.yaml"))
    assert in_group(output, "network_nodes") == names
    assert {output["_meta"]["hostvars"][name]["ansible_host"] for name in names} == {
        "net1.mgmt.example.org",
        "net2.mgmt.example.org",
    }


def test_the_clouds_of_the_example_are_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secure.yaml").write_text(json.dumps({"clouds": {"production": {"auth": {"password": SECRET}}}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(EXAMPLE / "clouds.yaml"))
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(tmp_path / "secure.yaml"))
    assert place("production") == ["https://keystone.example.org/v3", "RegionOne", None]


def test_constructed(server: NeutronServer, host: str, source: Callable[..., Path]) -> None:
    other = f"{host}-dvr"
    new_host(server, other, agent_mode="dvr")
    options: dict[str, Any] = {
        "hosts": [host, other],
        "compose": {"zone": "neutron_agent.availability_zone | upper"},
        "groups": {"with_snat": "neutron_agent.configurations.agent_mode != 'dvr'"},
        "keyed_groups": [{"key": "neutron_agent.configurations.agent_mode", "prefix": "mode", "parent_group": "modes"}],
    }
    output = listed(source(strict=True, **options))
    assert output["_meta"]["hostvars"][host]["zone"] == host.upper()
    assert [in_group(output, group) for group in ("with_snat", "mode_dvr", "mode_legacy")] == [[host], [other], [host]]
    assert sorted(output["modes"]["children"]) == ["mode_dvr", "mode_legacy"]

    # What one host cannot have is left out, or an error for the whole source.
    wrong = {
        **options,
        "compose": {"cidr": f"neutron_agent.configurations.interfaces if inventory_hostname == '{other}' else 'none'"},
    }
    output = listed(source(**wrong))
    assert output["_meta"]["hostvars"][host]["cidr"] == "none" and "cidr" not in output["_meta"]["hostvars"][other]
    run = inventory(source(strict=True, **wrong), "-i", "elsewhere,", "--list")
    assert f"Could not set cidr for host {other}" in " ".join(run.stderr.split())
    assert in_group(json.loads(run.stdout), "ungrouped") == ["elsewhere"]
    assert f'"{host}"' not in run.stdout


def test_the_second_run_asks_nobody(
    server: NeutronServer, cloud: Cloud, host: str, source: Callable[..., Path], tmp_path: Path
) -> None:
    cloud.router(HOSTILE, "10.0.0.0/24", zone=host)
    access = {"auth_type": "http_basic", "auth": {"endpoint": server.url, "username": "u", "password": SECRET}}
    cache = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    file = source(hosts=[host], cloud=access, **cache)
    first = listed(file)
    before = requests(server)
    assert listed(file) == first and requests(server) == before
    assert first["_meta"]["hostvars"][host]["l3_sync_routers"]
    (cached,) = (tmp_path / "cache").iterdir()
    text = cached.read_text(encoding="utf-8") + cached.name
    assert host in text
    for secret in (SECRET, base64.b64encode(f"u:{SECRET}".encode()).decode(), server.url):
        assert secret not in text

    # Another file, other options: another answer. Flushed: a new one.
    assert "l3_sync_routers" not in listed(source(hosts=[host], cloud=access, routers=False, **cache))["_meta"]["hostvars"][host]
    listed(source("other.neutron.yml", hosts=[host], cloud=access, **cache))
    assert len(list((tmp_path / "cache").iterdir())) == 3
    cloud.router("later", "10.0.0.0/24", zone=host)
    file = source(hosts=[host], cloud=access, **cache)
    assert listed(file) == first
    play = ["-i", str(file), "--flush-cache", "--list-hosts", str(CHECKOUT / "playbooks" / "sync.yml")]
    assert host in ansible("playbook", *play).stdout
    assert len(listed(file)["_meta"]["hostvars"][host]["l3_sync_routers"]) == 2


def unused_port() -> int:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        return int(closed.server_address[1])


def test_a_failure_leaves_no_hosts(server: NeutronServer, source: Callable[..., Path]) -> None:
    failing = {
        "The cloud cannot be used": [
            source("down.neutron.yml", cloud={"auth_type": "none", "auth": {"endpoint": f"http://127.0.0.1:{unused_port()}"}}),
            source("wrong.neutron.yml", cloud={"auth_type": "none", "auth": {"endpoint": f"{server.url}/nothing"}}),
            source("unknown.neutron.yml", cloud="nowhere"),
            source("words.neutron.yml", cloud={"auth_type": "http_basic", "auth": {"no": SECRET}}),
        ],
        "no option of netnode.l3.neutron: host": [source("typing.neutron.yml", host=["x"])],
    }
    for text, files in failing.items():
        for file in files:
            run = inventory(file, "-i", "elsewhere,", "--list")
            assert text in " ".join(run.stderr.split()) and "Traceback" not in run.stderr
            assert json.loads(run.stdout)["all"]["children"] == ["ungrouped"]
    assert inventory(files[0], "--list", ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="true").returncode != 0


def test_a_cloud_without_network_nodes_is_named(server: NeutronServer, source: Callable[..., Path]) -> None:
    def disturb(path: str, _headers: object) -> bytes | None:
        return b'{"agents": []}' if path.startswith("/v2.0/agents") else None

    with Interposed(server.url, disturb) as interposed:
        run = inventory(source(cloud={"auth_type": "none", "auth": {"endpoint": interposed.url}}), "--list")
    assert run.returncode == 0
    assert "Neutron knows no L3 agent. The first report" in " ".join(run.stderr.split())


def test_a_host_that_neutron_does_not_know_is_named(host: str, source: Callable[..., Path]) -> None:
    run = inventory(source(hosts=[host, "nobody"], routers=False), "--list")
    assert "Neutron knows no L3 agent on host 'nobody'" in " ".join(run.stderr.split())
    assert in_group(json.loads(run.stdout), "network_nodes") == [host]


class HalfAServer(BaseHTTPRequestHandler):
    """Knows one agent, and fails at the rest."""

    authorizations: list[str | None]

    def do_GET(self) -> None:
        self.authorizations.append(self.headers["Authorization"])
        agent = {"id": "1", "host": "half", "admin_state_up": True, "alive": True, "availability_zone": "nova"}
        here = f"http://127.0.0.1:{self.server.server_port}/v2.0/"  # type: ignore[attr-defined]
        versions = [{"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": here}]}]
        answer = {"/": {"versions": versions}, "/v2.0/agents": {"agents": [agent]}}.get(self.path.partition("?")[0])
        self.send_response(200 if answer else 503)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer or {"NeutronError": {"message": "busy"}}).encode())

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def half_a_server() -> Iterator[tuple[str, list[str | None]]]:
    """Its URL, and the credentials that it was sent."""
    HalfAServer.authorizations = []
    with ThreadingHTTPServer(("127.0.0.1", 0), HalfAServer) as half:
        Thread(target=half.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{half.server_port}", HalfAServer.authorizations
        half.shutdown()


def test_half_an_answer_is_none(half_a_server: tuple[str, list[str | None]], source: Callable[..., Path]) -> None:
    file = source(cloud={"auth_type": "none", "auth": {"endpoint": half_a_server[0]}})
    run = inventory(file, "-i", "elsewhere,", "--list")
    assert "Neutron's API was asked for /agents/1/l3-routers: 503" in " ".join(run.stderr.split())
    assert json.loads(run.stdout)["all"]["children"] == ["ungrouped"]


def test_credentials_are_templates_and_vaulted_text(half_a_server: tuple[str, list[str | None]], tmp_path: Path) -> None:
    url, sent = half_a_server
    (tmp_path / "password").write_text("of the vault")
    (tmp_path / "extra.json").write_text(json.dumps({"a_variable": SECRET}))
    environment = {"ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "password"), "THE_SECRET": SECRET}
    vault = [sys.executable, "-m", "ansible", "vault", "encrypt_string", SECRET]
    encrypted = subprocess.run(vault, capture_output=True, text=True, check=True, env={**os.environ, **environment}).stdout
    values = {"env": '''"{{ lookup('ansible.builtin.env', 'THE_SECRET') }}"''', "vault": encrypted, "extra": '"{{ a_variable }}"'}
    for name, value in values.items():
        file = tmp_path / f"{name}.neutron.yml"
        indented = value.replace("\n", "\n" + " " * 10).rstrip()
        file.write_text(
            "plugin: netnode.l3.neutron\nrouters: false\ncloud:\n  auth_type: http_basic\n  auth:\n"
            f"    endpoint: {url}\n    username: u\n    password: {indented}\n"
        )
        sent.clear()
        run = inventory(file, "--graph", "-vvvv", "-e", f"@{tmp_path}/extra.json", **environment)
        assert "|--half\n" in run.stdout, run.stderr
        assert sent and set(sent) == {"Basic " + base64.b64encode(f"u:{SECRET}".encode()).decode()}


def test_the_playbook_brings_nodes_to_what_neutron_says(
    server: NeutronServer, cloud: Cloud, host: str, source: Callable[..., Path], prepared_files: Path
) -> None:
    other = f"{host}-b"
    new_host(server, other)
    file = source(hosts=[host, other])
    mine, (network,) = cloud.router(HOSTILE, "10.0.0.0/24", zone=host)
    more, (gone,) = cloud.router("more", "10.0.1.0/24", zone=host)
    theirs, _networks = cloud.router("theirs", "10.0.0.0/24", zone=other)
    cloud.floating_ip(cloud.port(network))

    with Node(host, prepared_files) as first, Node(other, prepared_files) as second:

        def run(*arguments: str, **more: Any) -> Play:
            variables = {"l3_sync_interface_driver": "bridge", **more}
            host_vars = {host: variables, other: variables}
            return run_playbook("netnode.l3.sync", [first, second], *arguments, inventory=file, host_vars=host_vars)

        def routers() -> list[list[str]]:
            return [sorted(re.findall(r"qrouter-(\S+)", n.run("ip", "netns", "list").stdout)) for n in (first, second)]

        for each in (first, second):
            each.add_bridge("br-ex")
        play = run("-vvv", "--diff")
        assert play.status == 0 and "evaluated" not in play.output, play.output
        shown = ansible("adhoc", "-i", str(file), host, "-m", "ansible.builtin.debug", "-a", "var=l3_sync_routers").stdout
        assert HOSTILE in shown and "evaluated" not in shown
        assert routers() == [sorted([mine.id, more.id]), [theirs.id]]
        play = run()
        assert (play.status, play.changed) == (0, {host: 0, other: 0}), play.output

        # A router goes, another comes to the other node.
        cloud.unplug(more, gone)
        cloud.network.delete_router(more)
        new, _networks = cloud.router("new", "10.0.2.0/24", zone=other)
        play = run()
        assert play.status == 0, play.output
        assert routers() == [[mine.id], sorted([theirs.id, new.id])]

        # Neutron has no routers for an agent that is disabled, and the node keeps its own.
        disable(cloud, other)
        play = run()
        assert play.failed == {host: 0, other: 1} and "max_deletions" in play.output
        assert routers() == [[mine.id], sorted([theirs.id, new.id])]

        # Without an answer there are no routers in the inventory, and nothing is touched.
        server_down = {"auth_type": "none", "auth": {"endpoint": f"http://127.0.0.1:{unused_port()}"}}
        source(hosts=[host, other], cloud=server_down)
        play = run()
        assert play.failed == {host: 1, other: 1} and "missing required arguments: l3_sync_routers" in play.output
        assert routers() == [[mine.id], sorted([theirs.id, new.id])]
