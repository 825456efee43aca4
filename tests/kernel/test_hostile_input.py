# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Input made to do harm, or to break the run: it is refused with its path, in few words and soon, and nothing is executed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import Node
from sandbox.engine import run_engine

from ..kernel_state import differences, snapshot
from ..routers import router, small_router

HUGE = "9" * 5000
MEGABYTES = "x" * 10_000_000
LONGEST_MESSAGE = 12_000  # characters
LONGEST_RUN = 10.0  # seconds of CPU, for ten megabytes

KNOWN = {*router(), "name", "admin_state_up"}
OTHER = small_router(1)  # it stays, so that there is nothing to remove
IDS = [
    "", " ", ".", "..", "../../etc/passwd", "a/b", "a b", "a\nb", "a\n", "\na", "a\0b", "a\tb", "-x", "--help", "-batch", "_a",
    "é", "a\u200b", "\u202ea", "а", "１", "\ud800", "$(touch /run/owned)", "`touch /run/owned`", ";reboot", "a;b", "a|b",
    "a&b", "a>b", "a'b", 'a"b', "a\\b", "a#b", "a%b", "a%sb", "{a}", "%(a)s", "a:b", "a,b", "a=b", "a*", "~", "x" * 65, HUGE,
    7, -1, 1.5, True, [], {}, ["a"], {"a": "b"}, None,
]  # fmt: skip
ADDRESSES = [
    "", "10.0.0.300/24", "10.0.0.1", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/024", "10.0.0.1/0x18", "10.0.0.1/24 dev eth0",
    "10.0.0.1/24\nlink delete dev br-ex", "10.0.0.1/24\0", "-4", "10.0.0.1/٢٤", "010.0.0.1/24", "10.1/24", "0x0a000001/24",
    "167772161/24", "0.0.0.0/0", "0.0.0.0/24", "0.0.0.1/24", "10.0.0.1/0", "127.0.0.1/8", "169.254.169.254/32", "169.254.1.1/16",
    "224.0.0.5/24", "239.1.1.1/32", "240.0.0.1/24", "255.255.255.255/32", "::/0", "::/64", "::1/128", "ff02::1/64",
    "fe80::1/64", "fe80::1%eth0/64", "2001:db8::1/0", "2001:db8::1/129", "::ffff:10.0.0.1/96", "[2001:db8::1]/64",
    "10.0.0.1/24/24", "10.0.0.1/" + HUGE, 7, 167772161, -1, 1.5, True, None, [], {}, ["10.0.0.1/24"],
]  # fmt: skip
OTHERS: list[tuple[tuple[Any, ...], list[Any]]] = [
    (("gateway",), ["x", 7, [], True, float("nan")]),
    (("gateway", "mac_address"), ["x", 7, [], True, "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "fa:16:3e:00:0\n"]),
    (("gateway", "mtu"), ["1500", 0, -1, 1279, 65536, 2**70, 1500.0, float("nan"), float("inf"), True, []]),
    (("gateway", "gateway_ips"), ["x", {}, ["0.0.0.0"], ["-x"], ["224.0.0.1"], ["203.0.113.1"] * 2]),
    (("gateway", "extra_subnets"), [["0.0.0.0/0"], ["::/0"], ["224.0.0.0/4"], ["127.0.0.0/8"], [7]]),
    (("interfaces",), ["x", 7, {}, [7], [None], [[]], [{}], [[[[]]]]]),
    (("floating_ips", 0, "floating_ip_address"), ["127.0.0.1", "224.0.0.1", "169.254.169.254", "-x", "::1", None]),
    (("floating_ips", 0, "fixed_ip_address"), ["10.0.0.5/32", "10.0.0.5 -j ACCEPT", "10.0.0.5\nCOMMIT", 7]),
    (("routes", 0, "destination"), ["10.9.0.1/24", "224.0.0.0/4", "127.0.0.0/8", "default", 7, None]),
    (("routes", 0, "nexthop"), ["0.0.0.0", "127.0.0.1", "2001:db8::1", "10.0.0.9 dev eth0", "-x", 7, None]),
    (("admin_state_up",), ["true", "no", 1, 0, [], float("nan")]),
    (("name",), [7, [], {}, True, float("inf")]),
    (("colour",), ["blue", None]),
    *(((key,), ["blue"]) for key in ("", "a\nb", "-x", "é", "x" * 1000)),
]  # fmt: skip


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node with routers on it, that all the refused runs leave as it is."""
    with Node("node") as node:
        node.add_bridge("br-ex")
        for _time in range(2):  # the second one notes that rules are right, and no later one reads them
            assert "failed" not in run_engine(node, [router(), small_router(1)])
        yield node


@pytest.fixture(autouse=True)
def untouched(node: Node) -> Iterator[None]:
    """Whatever a test asks for, nothing is changed by it."""
    before = snapshot(node)
    yield
    assert differences(before, snapshot(node)) == []
    assert not node.file("/run/owned").exists()


def changed(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A router with everything, in which one value is another."""
    data: Any = router()
    parent = data
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    return dict(data)


def refused(node: Node, data: object, path: str, state: str = "replaced", **options: Any) -> str:
    """Why a run was refused, having begun with ``path`` and executed nothing."""
    result = run_engine(node, data, state, **options)
    assert result["failed"] is True
    assert result["cost"]["commands"] == {}
    assert result["cost"]["cpu_seconds"] < LONGEST_RUN
    assert len(result["msg"]) < LONGEST_MESSAGE
    entries = [entry for entry in result.get("routers", ()) if "error" in entry]
    said = entries[0]["error"] if entries else result["msg"]
    assert said.startswith(path)
    assert "Traceback" not in said
    return str(said)


def place_text(place: tuple[Any, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)


def test_ids(node: Node) -> None:
    for value in IDS:
        refused(node, [changed(("id",), value), OTHER], "routers[0].id: ", "overridden")
        refused(node, [changed(("gateway", "id"), value), OTHER], "routers[0].gateway.id: ")
        refused(node, [changed(("interfaces", 1, "id"), value), OTHER], "routers[0].interfaces[1].id: ")
        refused(node, [changed(("interfaces", 0, "network_id"), value), OTHER], "routers[0].interfaces[0].network_id: ")
        if value is not None:
            refused(node, [changed(("floating_ips", 1, "id"), value), OTHER], "routers[0].floating_ips[1].id: ")


def test_addresses(node: Node) -> None:
    for value in ADDRESSES:
        refused(node, [changed(("interfaces", 0, "addresses"), [value]), OTHER], "routers[0].interfaces[0].addresses[0]: ")
        refused(node, [changed(("gateway", "addresses"), [value]), OTHER], "routers[0].gateway.addresses[0]: ")


def test_everything_else(node: Node) -> None:
    for place, values in OTHERS:
        path = "routers[0]: unknown key " if place[0] not in KNOWN else f"routers[0]{place_text(place)}"
        for value in values:
            refused(node, [changed(place, value), OTHER], path)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ([router(), router()], "routers[0].id: router id r1 is claimed by"),
        ([7, "x", None, [], [[]]], "routers[0]: expected a mapping, not 7"),
        ({"r1": router()}, "routers: expected a list"),
        (MEGABYTES, "routers: expected a list of routers, not 'xxx"),
        ([changed(("id",), MEGABYTES)], "routers[0].id: 'xxx"),
        ([changed(("interfaces", 0, "addresses"), [MEGABYTES])], "routers[0].interfaces[0].addresses[0]: 'xxx"),
        ([changed((MEGABYTES,), 1)], "routers[0]: unknown key 'xxx"),
        ([{f"key{n}": n for n in range(100_000)}], "routers[0].id: is required"),
        ([changed(("interfaces", 0, "addresses"), [0] * 500_000)], "routers[0].interfaces[0].addresses[0]: 0 is not"),
        ([small_router(1)] * 2000, "routers[0].id: router id small-1 is claimed by routers[1000]."),
        (
            [router(interfaces=[{"id": f"{n}", "network_id": f"{n}", "addresses": ["10.0.0.1/24"]} for n in range(5000)])],
            "routers[0].interfaces[1].addresses[0]: address 10.0.0.1 stands at",
        ),
        (json.loads("[" * 500 + "]" * 500), "routers[0]: expected a mapping, not a list"),
    ],
    ids=[
        "twice", "of all types", "a mapping", "long", "long id", "long address", "long key", "many keys", "many wrong addresses",
        "many of one id", "many overlaps", "deep",
    ],
)  # fmt: skip
def test_many_and_large(node: Node, data: object, path: str) -> None:
    refused(node, data, path)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[" * 100_000 + "]" * 100_000, "routers: the text of JSON is nested too deeply"),
        ('[{"id":' * 100_000, "routers: the text of JSON is nested too deeply"),
        ("[", "routers: expected a list of routers, not '['"),
        ("[]]", "routers: expected a list"),
        ("\0", "routers: expected a list"),
        ("NaN", "routers: expected a list of routers, not nan"),
        ("[NaN, Infinity]", "routers[0]: expected a mapping, not nan"),
        ('[{"id": "a", "id": "b"}]', "routers[0]: the key 'id' stands there twice"),
        (
            '[{"id": "a", "name": "", "gateway": {"id": "g", "addresses": [], "id": "h"}}]',
            "routers[0].gateway: the key 'id' stands",
        ),
        ('[{"id": NaN}]', "routers[0].id: nan is a number"),
        ('[{"id": -Infinity}]', "routers[0].id: -inf is a number"),
        ('[{"id": "a", "gateway": {"id": "g", "addresses": [], "mtu": 1e999}}]', "routers[0].gateway.mtu: inf is not an MTU"),
        (f'[{{"id": {HUGE}}}]', "routers[0].id: inf is a number"),
        (f'[{{"id": {"9" * 400}}}]', "routers[0].id: a number of 1329 bits"),
        (f'[{{"id": {"9" * 10_000_000}}}]', "routers[0].id: inf is a number"),
        ('[{"id": "\\u0000"}]', "routers[0].id: '\\x00' is not an id"),
        ('[{"id": "\\ud800"}]', "routers[0].id: '\\ud800' is not an id"),
        ("[" + "0," * 200_000 + "0]", "routers[0]: expected a mapping, not 0"),
    ],
    ids=range(18),
)
def test_text_of_json(node: Node, text: str, path: str) -> None:
    refused(node, text, path)


def test_an_id_that_stands_there_twice_is_no_ones(node: Node) -> None:
    """Neither is made, nor removed, and as it could be any router's, none is purged."""
    for state in ("overridden", "deleted"):
        refused(node, '[{"id": "r1", "id": "small-1"}]', "routers[0]: the key 'id' stands there twice", state)


OPTIONS: dict[str, list[Any]] = {
    "interface_driver": ["", "../bridge", "bridge\n", "-x", MEGABYTES, 7, [], {}, True],
    "external_network_bridge": ["", "-x", "a b", "br-ex\n", "a/b", "all", "default", "é", "x" * 16, MEGABYTES, 7, [], [[]], True,
                                {"net": "-x"}, {"net": None}, {"net": {}}, {"a b": "br-ex"}, {"-x": "br-ex"}, {"": "br-ex"},
                                {MEGABYTES: "br-ex"}, {"net": json.loads("[" * 500 + "]" * 500)}],
    "internal_bridge": ["", "-x", "a b{network_id}", "{network_id}{network_id}", "{0}", "%s", "all", MEGABYTES, 7, [], {}],
    "integration_bridge": ["", "-x", "--", "a b", "default", MEGABYTES, 7, [], {}],
    "vlan_tags": ["x", [], 7, {"net": 0}, {"net": 4095}, {"net": "0x1"}, {"net": "٧"}, {"net": 1.5}, {"net": True}, {"net": HUGE},
                  {"net": []}, {"a b": 1}, {"-x": 1}, {MEGABYTES: 1}, {"net": float("nan")}, {"net": 2**70}],
    "metadata_port": [0, -1, 65536, 2**70, "80", 80.0, float("nan"), True, [], {}],
    "metadata_upstream": ["unix:", "unix:x", "unix:/a b", "unix:/a\n", "unix:/a\nglobal", "unix:/" + "x" * 200, "-x:80", "host:0",
                          "host:65536", "host:80 check", "host:80\nglobal", "$(id):80", "http://host:80/", MEGABYTES + ":80",
                          MEGABYTES, "[::1", "[::1]:x", "[x]:80", 7, [], {}],
    "ipv6_gateway": ["2001:db8::1", "::", "::1", "ff02::1", "10.0.0.1", "fe80::1%eth0", "fe80::1/64", "fe80::1\n", "-x",
                     MEGABYTES, 7, [], {}, True],
    "firewall_driver": ["", "nft", "Nftables", 0, [], {}],
    "clamp_mss_to_pmtu": ["no", "true", 0, 1, [], {}],
    "metadata_rate_limit": [7, "x", [], [{}], True, {"x": 1}, {MEGABYTES: 1}, {7: 1}, {"base_query_rate_limit": 0},
                            {"base_query_rate_limit": 2**70}, {"base_query_rate_limit": "1 }"}, {"base_query_rate_limit": HUGE},
                            {"base_query_rate_limit": float("nan")}, {"base_query_rate_limit": True},
                            {"base_query_rate_limit": 1, "base_window_duration": "10s\n"}, {"base_window_duration": 1},
                            {"base_query_rate_limit": "٧"}, {"base_query_rate_limit": []}],
    "send_arp_for_ha": [1001, 2**70, "3", 1.5, float("nan"), float("inf"), True, [], {}],
    "router_id": ["a/b", "-x", "a b", "a\n", "..", MEGABYTES, 7, [], {}, True],
    "gateway_external_network_id": ["a/b", "-x", "a b", "a\n", MEGABYTES, 7, [], {}, True],
    "lock_timeout": [float("nan"), float("inf"), 1e300, 2**70, "60", [], {}, True],
    "max_deletions": ["-1", "1.5", "nan", "inf", "50 %", "%", "-x", HUGE, MEGABYTES, 7, [], {}, True],
    "use_namespaces": ["no", "true", 0, 1, [], {}],
    "handle_internal_only_routers": ["no", "true", 0, 1, [], {}],
}  # fmt: skip


@pytest.mark.parametrize("option", OPTIONS)
def test_options(node: Node, option: str) -> None:
    for value in OPTIONS[option]:
        refused(node, [router()], option, **{option: value})


def test_a_name_is_never_used(node: Node) -> None:
    """Names of routers are people's own, of any text; nothing is made of them."""
    for name in ("$(touch /run/owned)", "a\nb", "-x", "\0", "\ud800", MEGABYTES):
        result = run_engine(node, [router(name=name), OTHER])
        assert (result["changed"], result.get("failed")) == (False, None)
        assert name[:10] not in json.dumps(result)
