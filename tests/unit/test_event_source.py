# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source without a message bus: its arguments, its figures, what it makes of messages, and how it is loaded."""

from __future__ import annotations

import asyncio
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.bursts import ALL
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.hosted_routers import HostedRouters
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.notifications import Agent, Resources
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.resources import KINDS, NDP_PROXY, QOS_POLICY, Kind
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.source_options import SourceOptions, source_options
from sandbox.playbook import CHECKOUT

SOURCE = ".cache/ansible_collections/netnode/l3/extensions/eda/plugins/event_source/neutron.py"
URL = "rabbit://neutron:secret-word@bus/"
GOOD = {"hosts": ["node1"], "transport_url": URL}


def test_the_documentation_has_the_options_and_their_defaults() -> None:
    documented = yaml.safe_load(runpy.run_path(str(CHECKOUT / SOURCE))["DOCUMENTATION"])["options"]
    defaults = vars(source_options(GOOD))
    assert documented.keys() == defaults.keys()
    for name, option in documented.items():
        assert option.get("default") == (None if name in GOOD else defaults[name]), name


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({}, ["hosts is required", "one of transport_url and config_file is required"]),
        ({**GOOD, "hosts": "node1"}, ["hosts is required, and must be a list"]),
        ({**GOOD, "hosts": ["a", "a"]}, ["hosts has a name twice"]),
        ({**GOOD, "host": "a"}, ["host is unknown"]),
        ({"hosts": ["a"], "transport_url": ["secret-word"]}, ["transport_url must be text"]),
        ({**GOOD, "quiet": 3, "longest": 2}, ["longest must not be shorter than quiet"]),
        ({**GOOD, "quiet": -1}, ["quiet must be a number of seconds"]),
        ({**GOOD, "report_interval": 0}, ["report_interval must be a number of seconds above zero"]),
        ({**GOOD, "rpc_timeout": "secret-word"}, ["rpc_timeout must be a number of seconds above zero"]),
        ({**GOOD, "longest": float("nan")}, ["longest must be a number of seconds"]),
        ({**GOOD, "heartbeat": "no"}, ["heartbeat must be true or false"]),
        ({**GOOD, "configurations": "x"}, ["configurations must be a dictionary"]),
    ],
)
def test_wrong_arguments_are_said_at_once_and_without_secrets(args: dict[str, Any], said: list[str]) -> None:
    main = runpy.run_path(str(CHECKOUT / SOURCE))["main"]
    with pytest.raises(ValueError, match="The arguments of the event source") as failure:
        asyncio.run(main(asyncio.Queue(), args))
    assert all(text in str(failure.value) for text in said)
    assert "secret-word" not in str(failure.value)


def test_good_arguments() -> None:
    options = source_options({**GOOD, "quiet": "0.5", "config_file": None, "eda_feedback_queue": object()})
    assert options == SourceOptions(hosts=["node1"], transport_url=URL, quiet=0.5)
    assert "secret-word" not in repr(options)


def router(router_id: str, interfaces: int = 0, floating_ips: int = 0, gateway: str | None = None) -> dict[str, Any]:
    return {
        "id": router_id,
        "_interfaces": [{}] * interfaces,
        "_floatingips": [{}] * floating_ips,
        "gw_port": {"network_id": gateway} if gateway else None,
    }


def figures(hosted: HostedRouters) -> tuple[int, ...]:
    configurations = hosted.configurations()
    return tuple(configurations[key] for key in ("routers", "ex_gw_ports", "interfaces", "floating_ips"))


def test_figures_follow_the_answers() -> None:
    hosted = HostedRouters({"interface_driver": "bridge"})
    hosted.answered(ALL, [router("a", 2, 3, "public"), router("b", 1), router("c", 1)])
    assert figures(hosted) == (3, 1, 4, 3)
    hosted.answered(["a", "b", "d"], [router("a", 1, 0, "public"), router("d", 5)])
    assert figures(hosted) == (3, 1, 7, 0)
    hosted.answered(ALL, [{**router("e", 1), "_pf_floatingips": [{}]}])  # which the agent does not count
    assert figures(hosted) == (1, 0, 1, 0)
    assert hosted.configurations()["interface_driver"] == "bridge"
    assert hosted.configurations()["handle_internal_only_routers"] is True
    hosted.saw(["f"])
    assert [router_id for router_id in "abcdefg" if hosted.has_seen(router_id)] == list("abcdef")


@pytest.mark.parametrize(
    ("configurations", "counted"),
    [
        ({"handle_internal_only_routers": False}, (2, 2, 3, 0)),
        ({"gateway_external_network_id": "public"}, (2, 1, 5, 0)),
        ({"router_id": "c"}, (1, 1, 2, 0)),
    ],
)
def test_routers_that_are_not_for_the_host_do_not_count(configurations: dict[str, Any], counted: tuple[int, ...]) -> None:
    hosted = HostedRouters(configurations)
    hosted.answered(ALL, [router("a", 4), router("b", 1, gateway="public"), router("c", 2, gateway="another")])
    assert figures(hosted) == counted


@pytest.mark.parametrize(
    ("method", "arguments", "heard"),
    [
        ("routers_updated", {"routers": ["r1", "r2"]}, (["r1", "r2"], False)),
        ("routers_updated", {"routers": [{"id": "r1"}]}, (["r1"], False)),
        ("routers_updated", {"routers": []}, None),
        ("routers_updated", {"routers": "r1"}, ([], False)),
        ("routers_updated", {"routers": ["{{ r1 }}"]}, ([], False)),
        ("router_added_to_agent", {"payload": ["r1"]}, (["r1"], False)),
        ("router_removed_from_agent", {"payload": {"router_id": "r1"}}, (["r1"], False)),
        ("router_removed_from_agent", {"payload": "r1"}, ([], False)),
        ("router_deleted", {"router_id": "r1"}, (["r1"], True)),
        ("router_deleted", {}, ([], False)),
        ("agent_updated", {"payload": {"admin_state_up": False}}, ([], False)),
        ("add_arp_entry", {"payload": {}}, None),
    ],
)
def test_what_is_not_understood_is_news_of_all_routers(method: str, arguments: dict[str, Any], heard: Any) -> None:
    calls = []
    getattr(Agent("host", lambda host, ids, everywhere: calls.append((host, (list(ids), everywhere)))), method)({}, **arguments)
    assert calls == ([] if heard is None else [("host", heard)])


def test_which_routers_have_a_qos_policy_is_as_answered_last() -> None:
    hosted = HostedRouters({})
    by_gateway = {**router("a", 1, gateway="public"), "external_gateway_info": {"qos_policy_id": "slow"}}
    by_floating_ip = {**router("b"), "_floatingips": [{"qos_policy_id": "slow"}, {"qos_policy_id": "fast"}]}
    by_port_forwarding = {**router("c"), "_pf_floatingips": [{"qos_policy_id": "fast"}]}
    without = {**router("d", 1, 1, "public"), "external_gateway_info": {"qos_policy_id": None}}
    hosted.answered(ALL, [by_gateway, by_floating_ip, by_port_forwarding, without])
    assert hosted.limited_by(["slow"]) == ["a", "b"]
    assert hosted.limited_by(["fast", "unknown"]) == ["b", "c"]
    hosted.answered(["a", "b"], [router("a"), router("b")])
    assert hosted.limited_by(["slow"]) == []


def resource(**data: Any) -> dict[str, Any]:
    return {"versioned_object.name": "any", "versioned_object.data": data}


@pytest.mark.parametrize(
    ("kind", "resources", "heard"),
    [
        *((kind, [resource(id="p", router_id="r1")], ["p" if kind is QOS_POLICY else "r1"]) for kind in KINDS),
        (NDP_PROXY, [resource(router_id="r1"), resource(router_id="r2")], ["r1", "r2"]),
        (NDP_PROXY, [], []),
        (NDP_PROXY, None, []),
        (NDP_PROXY, [{}], []),
        (NDP_PROXY, [resource(router_id="r1"), resource(id="p")], []),
        (NDP_PROXY, [resource(router_id="{{ r1 }}")], []),
    ],
)
def test_a_resource_is_news_of_whose_it_is(kind: Kind, resources: Any, heard: list[str]) -> None:
    calls = []
    endpoint = Resources(kind, lambda kind, ids: calls.append((kind, list(ids))))
    endpoint.push({}, resource_list=resources, event_type="created")
    assert calls == [(kind, heard)]


def run_source(search_path: Path, code: str) -> str:
    script = f"import asyncio, runpy, sys\nsys.path.insert(0, {str(search_path)!r})\n{code}"
    return subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=True, cwd="/").stdout.strip()


def test_the_collection_is_found_beside_another_package_of_collections(tmp_path: Path) -> None:
    (tmp_path / "ansible_collections").mkdir()
    (tmp_path / "ansible_collections/__init__.py").touch()
    code = f"print(runpy.run_path({str(CHECKOUT / SOURCE)!r})['main'].__name__)"
    assert run_source(tmp_path, code) == "main"


def test_without_the_library_it_is_said_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "oslo_messaging.py").write_text("raise ImportError('not here')")
    code = f"""
main = runpy.run_path({str(CHECKOUT / SOURCE)!r})['main']
try:
    asyncio.run(main(asyncio.Queue(), {GOOD!r}))
except Exception as error:
    print(error)
"""
    assert run_source(tmp_path, code) == (
        "Neutron's message bus needs the Python library oslo.messaging on the controller: pip install oslo.messaging."
    )
