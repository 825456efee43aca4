# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say where routers are plugged in, where they live and whom they serve: forms, and refusals."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.errors import InvalidOption
from ansible_collections.netnode.l3.plugins.module_utils.model import namespace_name
from ansible_collections.netnode.l3.plugins.module_utils.options import Options, parse_options
from ansible_collections.netnode.l3.plugins.module_utils.shown import shown

from .test_options import params


def refusal(**changes: Any) -> str:
    with pytest.raises(InvalidOption) as error:
        parse_options(params(**changes))
    return str(error.value)


@pytest.mark.parametrize("name", ["", "br ex", "br/ex", "-br", "br-ex\n", "sixteen-letters-", None, 5, True, ["br-ex"]])
def test_a_network_on_what_can_be_no_bridge_is_refused(name: object) -> None:
    bridges = {"lan": "br-lan", "wan": name}
    assert refusal(external_network_bridge=bridges) == (
        f"external_network_bridge[wan]: {shown(name)} cannot be the name of a bridge."
    )


@pytest.mark.parametrize("value", [5, True, ["br-ex"], [{"lan": "br-ex"}]])
def test_what_is_neither_a_bridge_nor_a_mapping_is_refused(value: object) -> None:
    assert refusal(external_network_bridge=value) == f"external_network_bridge: {shown(value)} cannot be the name of a bridge."


@pytest.mark.parametrize("name", ["", "br int", "sixteen-letters-", "brq{network_id}"])
def test_an_integration_bridge_that_can_be_none_is_refused(name: str) -> None:
    assert refusal(integration_bridge=name) == f"integration_bridge: {shown(name)} cannot be the name of a bridge."


MAPPING = {"lan": "br-lan", "wan": "br-wan", "dmz": "br-wan"}


@pytest.mark.parametrize(
    ("bridges", "network_id", "expected"),
    [
        ("br-ex", "lan", "br-ex"),
        ("br-ex", None, "br-ex"),
        (MAPPING, "lan", "br-lan"),
        (MAPPING, "dmz", "br-wan"),
        (MAPPING, "other", None),
        (MAPPING, "", None),
        (MAPPING, None, None),
        ({}, "lan", None),
    ],
)
def test_the_bridge_of_an_external_network(bridges: Any, network_id: str | None, expected: str | None) -> None:
    assert Options("bridge", external_network_bridge=bridges).external_bridge_of(network_id) == expected


@pytest.mark.parametrize(
    ("bridges", "expected"), [("br-ex", ["br-ex"]), (MAPPING, ["br-lan", "br-wan"]), ({"b": "y", "a": "x"}, ["x", "y"]), ({}, [])]
)
def test_all_external_bridges_each_once(bridges: Any, expected: list[str]) -> None:
    assert list(Options("bridge", external_network_bridge=bridges).external_bridges) == expected


@pytest.mark.parametrize("tag", [0, -1, 4095, 4096, 1.5, True, False, None, [7], ["7"]])
def test_what_is_no_vlan_tag_is_refused(tag: object) -> None:
    assert refusal(vlan_tags={"lan": 7, "wan": tag}) == f"vlan_tags[wan]: {shown(tag)} is not a VLAN tag (1 to 4094)."


@pytest.mark.parametrize(
    "tag", ["", "0", "-1", "+7", "4095", "4096", "7.0", "1e3", "0x7", " 7", "7\n", "7_0", "٧", "²", "web", "true"]
)
def test_a_text_is_a_vlan_tag_only_when_it_is_digits_of_one(tag: str) -> None:
    """Templates make texts of numbers."""
    assert refusal(vlan_tags={"lan": "7", "wan": tag}) == f"vlan_tags[wan]: {shown(tag)} is not a VLAN tag (1 to 4094)."


@pytest.mark.parametrize("port", [0, -1, 65536, 100000])
def test_what_is_no_port_is_refused(port: int) -> None:
    assert refusal(metadata_port=port) == f"metadata_port: {port} is not a port (1 to 65535)."


LONGEST_PATH = "/" + "x" * 106  # with its final null, all that an address of a socket has room for


@pytest.mark.parametrize(
    "upstream",
    [
        "unix:/run/metadata.sock",
        "unix:/s",
        "unix:" + LONGEST_PATH,
        "unix:/a:b",
        "192.0.2.1:8775",
        "metadata:8775",
        "metadata.example.org:1",
        "a-1.b-2:65535",
        "2001.example:80",
        "[2001:db8::1]:8775",
        "[::ffff:192.0.2.1]:8775",
        "[::]:80",
        "[2001:DB8:0:0:0:0:0:1]:80",
    ],
)
def test_an_upstream_is_a_socket_or_a_host_with_a_port(upstream: str) -> None:
    assert parse_options(params(metadata_upstream=upstream)).metadata_upstream == upstream


@pytest.mark.parametrize(
    "upstream",
    [
        "unix:",
        "unix:relative",
        "unix:/",
        "unix:/run/with space",
        "unix:/run/line\n",
        "unix:/run/tab\t",
        "unix:/run/ümlaut",
        "unix:" + LONGEST_PATH + "x",
        "/run/metadata.sock",
        "192.0.2.1",
        "192.0.2.1:",
        ":8775",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:123456",
        "192.0.2.1:port",
        "192.0.2.1:80 ",
        " 192.0.2.1:80",
        "192.0.2.1:80\n",
        "2001:db8::1:8775",
        "[2001:db8::1]",
        "[host]:80",
        "[]:80",
        "[:::]:80",
        "[:]:80",
        "[1::2::3]:80",
        "[1:2:3:4:5:6:7]:80",
        "[12345::]:80",
        "[::ffff:192.0.2.256]:80",
        "[192.0.2.1]:80",
        "[abc]:80",
        "[::1]:0",
        "[::1]:65536",
        "-host:80",
        "host_1:80",
        "http://host:80",
        "host:80/path",
        "host:80 check",
        "host:٨٠",
    ],
)
def test_an_upstream_of_another_form_is_refused(upstream: str) -> None:
    message = f"metadata_upstream: {shown(upstream)} is neither unix:/PATH nor HOST:PORT."
    assert refusal(metadata_upstream=upstream) == message


def test_a_host_of_the_name_unix_is_refused_as_it_reads_like_a_socket() -> None:
    assert refusal(metadata_upstream="unix:80").startswith("metadata_upstream: 'unix:80'")


@pytest.mark.parametrize("character", "#\"'\\$")
def test_a_path_with_what_haproxy_reads_otherwise_is_refused(character: str) -> None:
    """Comments, quotes and variables: haproxy would go to another socket than the one that was looked at, or not start."""
    assert refusal(metadata_upstream=f"unix:/run/a{character}b").startswith("metadata_upstream:")


@pytest.mark.parametrize("router_id", ["r1", "7d1a64bd-7a5e-4c5e-9d6b-2f1de1f5a001", "a.b_c"])
@pytest.mark.parametrize(("use_namespaces", "inside"), [(True, True), (False, False)])
def test_where_a_router_lives(router_id: str, use_namespaces: bool, inside: bool) -> None:
    expected = namespace_name(router_id) if inside else None
    assert Options("bridge", use_namespaces=use_namespaces).namespace_of(router_id) == expected


@pytest.mark.parametrize("router_id", [None, ""])
def test_without_namespaces_there_is_room_for_one_router_only(router_id: str | None) -> None:
    message = "use_namespaces: false needs router_id: the node's own namespace has room for one router."
    assert refusal(use_namespaces=False, router_id=router_id, routers=[]) == message
    assert refusal(use_namespaces=False, router_id=router_id, routers=None) == message


@pytest.mark.parametrize("state", ["overridden", "replaced", "deleted", "rendered"])
def test_every_state_that_makes_or_removes_routers_must_know_the_one_router(state: str) -> None:
    assert refusal(use_namespaces=False, routers=[], state=state).startswith("use_namespaces: false needs router_id:")
    assert parse_options(params(use_namespaces=False, router_id="r1", routers=[], state=state)).router_id == "r1"


@pytest.mark.parametrize("router_id", [None, "", "r1"])
def test_to_look_what_is_there_no_router_needs_to_be_known(router_id: str | None) -> None:
    options = parse_options(params(use_namespaces=False, router_id=router_id, routers=None, state="gathered"))
    assert (options.use_namespaces, options.router_id) == (False, router_id or None)


def test_a_module_of_one_object_says_its_router_by_itself() -> None:
    given = {"interface_driver": "bridge", "use_namespaces": False}
    assert parse_options(given) == Options("bridge", use_namespaces=False)


@pytest.mark.parametrize(
    ("driver", "pattern", "needed"),
    [("bridge", "brq{network_id}", True), ("openvswitch", "brq{network_id}", False), ("openvswitch", "br-int", False)],
)
def test_only_bridges_are_named_after_their_networks(driver: str, pattern: str, needed: bool) -> None:
    assert Options(driver, internal_bridge=pattern).needs_network_ids is needed
