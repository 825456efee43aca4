# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the inventory plugin makes of nodes, without a Neutron."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.netnode.l3.plugins.inventory import neutron
from ansible_collections.netnode.l3.plugins.inventory.neutron import InventoryModule
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.errors import NeutronError

ROUTERS = [{"id": "r1", "name": "one", "interfaces": []}]

try:
    from ansible.template import trust_as_template
except ImportError:  # before ansible-core 2.19

    def trust_as_template(value: Any) -> Any:
        return value


def node(host: str, routers: Any = None, **agent: Any) -> dict[str, Any]:
    """A node whose agent is alive."""
    shape = {"alive": True, "admin_state_up": True, "availability_zone": "nova", "configurations": {"agent_mode": "legacy"}}
    return {"agent": {"id": f"id of {host}", "host": host, **shape, **agent}, "routers": ROUTERS if routers is None else routers}


def plugin(inventory: InventoryData | None = None, **options: Any) -> InventoryModule:
    """The plugin, with these options, at an inventory."""
    made = InventoryModule()
    made.inventory = InventoryData() if inventory is None else inventory
    made.templar = Templar(DataLoader())
    defaults = {
        "strict": True,
        "compose": {},
        "groups": {},
        "keyed_groups": [],
        "leading_separator": True,
        "use_extra_vars": False,
    }
    made._options = {**defaults, **options}
    return made


def populated(*nodes: Mapping[str, Any], **options: Any) -> InventoryData:
    made = plugin(**options)
    made.populate(nodes)
    return made.inventory


def members(inventory: InventoryData, group: str) -> list[str]:
    return sorted(str(host.name) for host in inventory.groups[group].get_hosts())


def test_hosts_have_their_agent_and_their_routers() -> None:
    inventory = populated(node("a"), node("b", []))
    assert members(inventory, "network_nodes") == ["a", "b"]
    variables = inventory.hosts["a"].vars
    assert variables["l3_sync_routers"] == ROUTERS
    assert variables["neutron_agent"] == node("a")["agent"]
    assert inventory.hosts["b"].vars["l3_sync_routers"] == []


def test_without_routers_there_is_no_variable_for_them() -> None:
    """None at all, since an empty list has all routers of a node removed."""
    inventory = populated({"agent": node("a")["agent"]})
    assert "neutron_agent" in inventory.hosts["a"].vars
    assert "l3_sync_routers" not in inventory.hosts["a"].vars


def test_groups_by_state_and_availability_zone() -> None:
    inventory = populated(
        node("fine"),
        node("silent", alive=False),
        node("off", admin_state_up=False, availability_zone="zone-2"),
        node("both", alive=False, admin_state_up=False, availability_zone=None),
    )
    groups = ("network_nodes", "l3_agents_alive", "l3_agents_dead", "l3_agents_disabled")
    assert [members(inventory, group) for group in groups] == [
        ["both", "fine", "off", "silent"],
        ["fine", "off"],
        ["both", "silent"],
        ["both", "off"],
    ]
    zones = {name: members(inventory, name) for name in inventory.groups if name.startswith("availability_zone")}
    assert zones == {"availability_zone_nova": ["fine", "silent"], "availability_zone_zone_2": ["off"]}


def test_the_groups_are_there_without_hosts() -> None:
    assert {"network_nodes", "l3_agents_alive", "l3_agents_dead", "l3_agents_disabled"} <= set(populated().groups)


def test_variables_and_groups_are_constructed() -> None:
    inventory = populated(
        node("a", configurations={"agent_mode": "dvr"}),
        node("b", []),
        compose=trust_as_template_all({"ansible_host": "inventory_hostname ~ '.example.org'", "l3_sync_routers": "[]"}),
        groups=trust_as_template_all({"busy": "ansible_host == 'a.example.org'"}),
        keyed_groups=trust_as_template_all([{"prefix": "mode", "key": "neutron_agent.configurations.agent_mode"}]),
    )
    assert inventory.hosts["a"].vars["ansible_host"] == "a.example.org"
    assert inventory.hosts["a"].vars["l3_sync_routers"] == []
    assert members(inventory, "busy") == ["a"]
    assert (members(inventory, "mode_dvr"), members(inventory, "mode_legacy")) == (["a"], ["b"])


def trust_as_template_all(value: Any) -> Any:
    """As what is read from the plugin's file."""
    if isinstance(value, dict):
        return {key: trust_as_template_all(entry) for key, entry in value.items()}
    return [trust_as_template_all(entry) for entry in value] if isinstance(value, list) else trust_as_template(value)


def test_what_cannot_be_constructed_is_left_out_unless_strict() -> None:
    wrong = {
        "compose": trust_as_template_all({"a_variable": "neutron_agent.no.such"}),
        "groups": trust_as_template_all({"a_group": "neutron_agent.no.such"}),
        "keyed_groups": trust_as_template_all([{"key": "neutron_agent.no.such"}]),
    }
    inventory = populated(node("a"), strict=False, **wrong)
    assert "a_variable" not in inventory.hosts["a"].vars and "a_group" not in inventory.groups
    for name, value in wrong.items():
        with pytest.raises(AnsibleError, match="Could not"):
            populated(node("a"), **{name: value})


def state(inventory: InventoryData) -> Any:
    return copy.deepcopy({name: (host.vars, sorted(map(str, host.groups))) for name, host in inventory.hosts.items()})


def test_an_error_leaves_hosts_as_they_were() -> None:
    inventory = InventoryData()
    inventory.add_group("own")
    for host in ("known", "other"):
        inventory.add_host(host, "own")
        inventory.set_variable(host, "mine", host)
    before = state(inventory)
    nodes = [node("new"), node("known"), node("last", description="bad")]
    only_last = trust_as_template_all({"a_variable": "1 if neutron_agent.description is not defined else no_such.thing"})
    failing = plugin(inventory, compose=only_last)
    with (
        pytest.raises(AnsibleError, match="a_variable"),
        neutron._all_or_nothing(inventory, [each["agent"]["host"] for each in nodes]),
    ):
        failing.populate(nodes)
    assert state(inventory) == before
    assert members(inventory, "network_nodes") == []


def test_a_host_with_the_name_of_a_group_is_refused() -> None:
    """Ansible would set its routers for all hosts of the group."""
    inventory = InventoryData()
    inventory.add_group("web")
    inventory.add_host("web1", "web")
    with pytest.raises(AnsibleParserError, match="group 'web'"):
        plugin(inventory).populate([node("web")])
    assert "l3_sync_routers" not in inventory.groups["web"].vars


EVALUATED = "lookup('pipe', 'touch {file}; echo done')"


@pytest.mark.parametrize(
    "form",
    [
        f"{{{{ {EVALUATED} }}}}",
        f"{{% if {EVALUATED} == 'done' %}}yes{{% endif %}}",
        f"#jinja2: variable_start_string:'<<', variable_end_string:'>>'\n<< {EVALUATED} >>",
    ],
)
def test_what_neutron_says_is_never_evaluated(form: str, tmp_path: Path) -> None:
    text = form.replace("{file}", str(tmp_path / "evaluated"))

    def template(value: str, **variables: Any) -> Any:
        return Templar(DataLoader(), variables=variables).template(trust_as_template(value))

    template(text)
    (tmp_path / "evaluated").unlink()  # so that the template is one
    inventory = populated(
        node(text, [{"id": "r1", "name": text, text: [text]}], description=text, availability_zone=text),
        compose=trust_as_template_all({"composed": "l3_sync_routers[0].name"}),
        keyed_groups=trust_as_template_all([{"key": "neutron_agent.description"}]),
    )
    variables = inventory.get_host(text).get_vars()
    for expression in ("l3_sync_routers[0].name", "neutron_agent.description", "inventory_hostname", "composed"):
        assert template(f"{{{{ {expression} }}}}", **variables) == text
        assert template(f"{{{{ {expression}[0] ~ {expression}[1:] }}}}", **variables) == text
        assert template("{{ indirect }}", **variables, indirect=trust_as_template(f"{{{{ {expression} }}}}")) == text
    for name in variables:
        Templar(DataLoader(), variables=variables).template(variables[name])
    assert not (tmp_path / "evaluated").exists()


def test_other_text_is_as_plain_as_it_was() -> None:
    """So that ansible-inventory of ansible-core 2.17 and 2.18 shows it so."""
    variables = populated(node("a")).hosts["a"].vars
    assert {type(value) for value in variables["l3_sync_routers"][0].values()} == {str, list}


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("neutron.yml", True),
        ("x.neutron.yaml", True),
        ("neutron.json", False),
        ("inventory.yml", False),
        ("neutron.yml.old", False),
    ],
)
def test_files_are_told_by_their_names(tmp_path: Path, name: str, taken: bool) -> None:
    assert not InventoryModule().verify_file(str(tmp_path / name))
    (tmp_path / name).touch()
    assert InventoryModule().verify_file(str(tmp_path / name)) is taken


def test_an_answer_is_kept_by_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, the cloud, the hosts, and whether routers are wanted; but no credentials."""

    def key(path: str = "/a/neutron.yml", hosts: tuple[str, ...] = (), routers: bool = True, **cloud: Any) -> str:
        made = plugin(cache=True)
        made._load_name = made.ansible_name = "netnode.l3.neutron"
        made._cache = {}
        asked = {"auth_type": "none", "auth": {"endpoint": "http://one.example.org"}, **cloud}
        made._answer(neutron.NetworkNodes(asked, 1, hosts, routers), path, True)
        (key,) = made._cache
        return str(key)

    monkeypatch.setattr(neutron.NetworkNodes, "fetch", lambda _self: [])
    others = [
        key(path="/b/neutron.yml"),
        key(auth={"endpoint": "http://two.example.org"}),
        key(region_name="two"),
        key(network_endpoint_override="http://network.example.org"),
        key(auth_type="password", auth={"auth_url": "http://one.example.org"}),
        key(auth_type="password", auth={"auth_url": "http://two.example.org"}),
        key(hosts=("a",)),
        key(routers=False),
    ]
    assert len({key(), *others}) == 1 + len(others)
    assert key() == key()
    assert len({key(auth={"auth_url": "http://one.example.org", "password": text}, auth_type="password") for text in "ab"}) == 1


def test_the_cache_is_asked_first_unless_it_is_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["first"], ["second"]])
    monkeypatch.setattr(neutron.NetworkNodes, "fetch", lambda _self: next(answers))
    monkeypatch.setattr(neutron.NetworkNodes, "what", lambda _self: "what")
    made = plugin(cache=True)
    made._load_name = made.ansible_name = "netnode.l3.neutron"
    made._cache = {}
    asked = neutron.NetworkNodes()
    assert [made._answer(asked, "/file", cache) for cache in (True, True, False, True)] == [["first"]] * 2 + [["second"]] * 2


def test_a_failure_is_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_self: Any) -> None:
        raise NeutronError("no")

    monkeypatch.setattr(neutron.NetworkNodes, "fetch", fail)
    monkeypatch.setattr(neutron.NetworkNodes, "what", lambda _self: "what")
    made = plugin(cache=True)
    made._load_name = made.ansible_name = "netnode.l3.neutron"
    made._cache = {}
    with pytest.raises(NeutronError):
        made._answer(neutron.NetworkNodes(), "/file", True)
    assert made._cache == {}
