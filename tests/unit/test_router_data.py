# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong inside of one router is found, with its exact path; what only looks wrong is not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.errors import NotRouterData
from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_router_ids, check_routers

from ..routers import router

ID_RULE = "is not an id (1 to 64 letters, digits, '_', '.', '-', beginning with a letter or digit)"
ROUTER_KEYS = (
    "admin_state_up, conntrack_helpers, distributed, enable_ndp_proxy, enable_snat, floating_ips, gateway, ha, id, interfaces, "
    "name, ndp_proxies, port_forwardings, routes"
)
GATEWAY_KEYS = "address_scopes, addresses, bandwidth_limit_rules, extra_subnets, gateway_ips, id, mac_address, mtu, network_id"
PORT_KEYS = "address_scopes, addresses, admin_state_up, id, mac_address, mtu, network_id, subnets"

Place = tuple[str | int, ...]
WEB: Place = ("interfaces", 0)
DB: Place = ("interfaces", 1)


def changed(*changes: tuple[Place, Any]) -> dict[str, Any]:
    """The router with everything, and other values in some places."""
    data = router()
    for (*way, last), value in changes:
        target: Any = data
        for step in way:
            target = target[step]
        target[last] = value
    return data


def errors(data: object) -> list[str]:
    """All errors of the only router. One with errors is not converged, one without is."""
    checked = check_routers([data])
    assert len(checked.routers) + len(checked.rejected) == 1
    return [error for rejected in checked.rejected for error in rejected.errors]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (("colour",), f"routers[0]: unknown key 'colour' (known are {ROUTER_KEYS})"),
        (("gateway", "ip"), f"routers[0].gateway: unknown key 'ip' (known are {GATEWAY_KEYS})"),
        (("gateway", "admin_state_up"), f"routers[0].gateway: unknown key 'admin_state_up' (known are {GATEWAY_KEYS})"),
        ((*DB, "gateway_ips"), f"routers[0].interfaces[1]: unknown key 'gateway_ips' (known are {PORT_KEYS})"),
        (
            ("floating_ips", 1, "port_id"),
            "routers[0].floating_ips[1]: unknown key 'port_id' (known are bandwidth_limit_rules, fixed_ip_address, "
            "floating_ip_address, id, status)",
        ),
        (("routes", 2, "metric"), "routers[0].routes[2]: unknown key 'metric' (known are destination, nexthop)"),
    ],
)
def test_unknown_keys(place: Place, message: str) -> None:
    assert errors(changed((place, True))) == [message]


@pytest.mark.parametrize(("key", "kind"), [("ha", "highly available"), ("distributed", "distributed")])
def test_routers_on_several_nodes_at_once_are_refused(key: str, kind: str) -> None:
    assert errors(changed(((key,), True))) == [f"routers[0].{key}: {kind} routers are not supported"]
    assert errors(changed(((key,), False))) == []


def test_a_key_that_is_no_text_is_unknown() -> None:
    data: dict[Any, Any] = {**router(), 7: True}
    assert errors(data) == [f"routers[0]: unknown key 7 (known are {ROUTER_KEYS})"]


@pytest.mark.parametrize("value", [None, "r1", 7, True, ["id"]])
def test_a_router_is_a_mapping(value: object) -> None:
    shown = {"None": "nothing", "['id']": "a list"}.get(str(value), repr(value))
    checked = check_routers([router(), value])
    assert [r.id for r in checked.routers] == ["r1"]
    (rejected,) = checked.rejected
    assert (rejected.id, rejected.identified) == ("routers[1]", False)
    assert rejected.errors == (f"routers[1]: expected a mapping, not {shown}",)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("gateway",), [], "gateway: expected a mapping, not a list"),
        (("gateway",), "none", "gateway: expected a mapping, not 'none'"),
        (("interfaces",), {}, "interfaces: expected a list, not a mapping"),
        (("interfaces",), "web", "interfaces: expected a list, not 'web'"),
        (("floating_ips",), {"203.0.113.20": "10.0.0.5"}, "floating_ips: expected a list, not a mapping"),
        (("routes",), False, "routes: expected a list, not False"),
        (DB, "db", "interfaces[1]: expected a mapping, not 'db'"),
        (("floating_ips", 0), None, "floating_ips[0]: expected a mapping, not nothing"),
        (("routes", 0), ["192.168.50.0/24", "10.0.0.253"], "routes[0]: expected a mapping, not a list"),
        ((*DB, "addresses"), "10.0.1.1/24", "interfaces[1].addresses: expected a list, not '10.0.1.1/24'"),
        (("gateway", "gateway_ips"), "203.0.113.1", "gateway.gateway_ips: expected a list, not '203.0.113.1'"),
        (("gateway", "extra_subnets"), {}, "gateway.extra_subnets: expected a list, not a mapping"),
        (("name",), 7, "name: 7 is not text"),
        (("admin_state_up",), "yes", "admin_state_up: 'yes' is not true or false"),
        (("enable_snat",), 1, "enable_snat: 1 is not true or false"),
        (("enable_ndp_proxy",), "no", "enable_ndp_proxy: 'no' is not true or false"),
        (("ndp_proxies",), "2001:db8:1::5", "ndp_proxies: expected a list, not '2001:db8:1::5'"),
        (("ndp_proxies",), ["2001:db8:1::5"], "ndp_proxies[0]: expected a mapping, not '2001:db8:1::5'"),
        ((*WEB, "admin_state_up"), "down", "interfaces[0].admin_state_up: 'down' is not true or false"),
    ],
)
def test_wrong_types(place: Place, value: object, message: str) -> None:
    assert errors(changed((place, value))) == [f"routers[0].{message}"]


@pytest.mark.parametrize("place", [("id",), ("gateway", "id"), (*WEB, "id"), (*WEB, "network_id"), ("floating_ips", 0, "id")])
@pytest.mark.parametrize("value", ["", "-r", ".r", "_r", "a b", "a/b", "r1\n", "ü", "a" * 65, True, ["r1"]])
def test_malformed_ids(place: Place, value: object) -> None:
    path = "routers[0]." + ".".join(str(step) for step in place).replace(".0", "[0]")
    shown = "a list" if isinstance(value, list) else repr(value) if len(repr(value)) <= 60 else "'" + "a" * 59 + "…"
    assert errors(changed((place, value))) == [f"{path}: {shown} {ID_RULE}"]


def test_an_id_that_was_not_quoted() -> None:
    assert errors(changed((("id",), 7))) == ["routers[0].id: 7 is a number, and an id is text: quote it"]


@pytest.mark.parametrize("value", ["7", "a" * 64, "7d1a64bd-1111-4222-8333-000000000000", "Tenant_A.1"])
def test_ids(value: str) -> None:
    assert errors(changed((("id",), value))) == []


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (("id",), "id: is required"),
        (("gateway", "id"), "gateway.id: is required"),
        (("gateway", "addresses"), "gateway.addresses: is required"),
        ((*DB, "id"), "interfaces[1].id: is required"),
        ((*DB, "addresses"), "interfaces[1].addresses: is required"),
        (("floating_ips", 1, "floating_ip_address"), "floating_ips[1].floating_ip_address: is required"),
        (("routes", 1, "destination"), "routes[1].destination: is required"),
        (("routes", 1, "nexthop"), "routes[1].nexthop: is required"),
    ],
)
def test_what_is_required(place: Place, message: str) -> None:
    assert errors(changed((place, None))) == [f"routers[0].{message}"]


def test_a_network_is_required_where_it_names_the_bridge() -> None:
    data = changed(((*DB, "network_id"), None), (("gateway", "network_id"), None))
    assert errors(data) == []
    (rejected,) = check_routers([data], network_ids_required=True).rejected
    assert rejected.errors == ("routers[0].interfaces[1].network_id: is required",)
    (rejected,) = check_routers([changed(((*DB, "network_id"), "db network"))], network_ids_required=True).rejected
    assert rejected.errors == (f"routers[0].interfaces[1].network_id: 'db network' {ID_RULE}",)
    assert check_routers([router()], network_ids_required=True).rejected == ()


def test_only_what_is_needed_is_required() -> None:
    port = {"id": "p", "addresses": ["10.0.0.1/24"]}
    gateway = {"id": "g", "addresses": []}
    assert errors({"id": "r", "gateway": gateway, "interfaces": [port], "floating_ips": [], "routes": []}) == []
    assert errors({"id": "r"}) == []
    assert errors({"id": "r", "gateway": None, "interfaces": None, "floating_ips": None, "routes": None, "name": None}) == []


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("fa:16:3e:00:00", "is not a MAC address (such as fa:16:3e:00:00:01)"),
        ("01:00:5e:00:00:01", "is a multicast MAC address"),
        ("ff:ff:ff:ff:ff:ff", "is a multicast MAC address"),
        ("00:00:00:00:00:00", "is the zero MAC address"),
        (7, "is not a MAC address (such as fa:16:3e:00:00:01)"),
    ],
)
def test_mac_addresses(value: object, wrong: str) -> None:
    assert errors(changed(((*WEB, "mac_address"), value))) == [f"routers[0].interfaces[0].mac_address: {value!r} {wrong}"]
    assert errors(changed((("gateway", "mac_address"), value))) == [f"routers[0].gateway.mac_address: {value!r} {wrong}"]


@pytest.mark.parametrize("value", [1279, 0, -1, 65536, True, "1450", 1450.0])
def test_an_mtu_out_of_range(value: object) -> None:
    message = f"mtu: {value!r} is not an MTU (a number from 1280 to 65535)"
    assert errors(changed(((*DB, "mtu"), value))) == [f"routers[0].interfaces[1].{message}"]
    assert errors(changed((("gateway", "mtu"), value))) == [f"routers[0].gateway.{message}"]


@pytest.mark.parametrize("value", [1280, 65535])
def test_mtus(value: int) -> None:
    assert errors(changed(((*WEB, "mtu"), value), (("gateway", "mtu"), value))) == []


def test_all_errors_come_at_once_with_their_paths() -> None:
    data = changed(
        (("id",), "r 1"),
        (("enable_snat",), "no"),
        (("gateway", "gateway_ips"), ["203.0.113.1", "203.0.113.300"]),
        ((*WEB, "addresses"), ["10.0.0.1/24", "10.0.0.300/24"]),
        ((*DB, "mtu"), 9),
        (("floating_ips", 1, "floating_ip_address"), "2001:db8::1"),
        (("routes", 0, "destination"), "192.168.50.1/24"),
        (("vlan",), 7),
    )
    port = {"id": "x", "addresses": ["10.0.0.1/33"]}
    data["interfaces"].append(port)
    checked = check_routers([{"id": "good"}, data, {"id": "fine"}])
    assert [r.id for r in checked.routers] == ["good", "fine"]
    (rejected,) = checked.rejected
    assert (rejected.id, rejected.identified) == ("routers[1]", False)
    assert list(rejected.errors) == [
        f"routers[1].id: 'r 1' {ID_RULE}",
        "routers[1].enable_snat: 'no' is not true or false",
        "routers[1].gateway.gateway_ips[1]: '203.0.113.300' is not an IP address",
        "routers[1].interfaces[0].addresses[1]: '10.0.0.300/24' is not an IP address",
        "routers[1].interfaces[1].mtu: 9 is not an MTU (a number from 1280 to 65535)",
        "routers[1].interfaces[2].addresses[0]: '10.0.0.1/33' has a prefix length that is not a number from 0 to 32",
        "routers[1].floating_ips[1].floating_ip_address: '2001:db8::1' is not an IPv4 address",
        "routers[1].routes[0].destination: '192.168.50.1/24' has host bits set (the network is 192.168.50.0/24)",
        f"routers[1]: unknown key 'vlan' (known are {ROUTER_KEYS})",
    ]


@pytest.mark.parametrize(
    ("data", "shown"), [(None, "nothing"), ({"id": "r1"}, "a mapping"), ("r1", "'r1'"), (7, "7"), (False, "False")]
)
def test_what_is_no_list_of_routers_fails_the_run(data: object, shown: str) -> None:
    for check in (check_routers, check_router_ids):
        with pytest.raises(NotRouterData) as error:
            check(data)
        assert str(error.value) == f"routers: expected a list of routers, not {shown}"


def test_routers_that_are_to_go_need_an_id_and_nothing_else() -> None:
    data = [{"id": "a"}, {"id": "b", "mtu": "wrong", "gateway": 7}, {"id": "a"}, {"name": "c"}, "d", {"id": "e f"}]
    ids, rejected = check_router_ids(data)
    assert ids == ("a", "b")
    assert [(r.id, r.identified, r.errors) for r in rejected] == [
        ("routers[3]", False, ("routers[3].id: is required",)),
        ("routers[4]", False, ("routers[4]: expected a mapping, not 'd'",)),
        ("routers[5]", False, (f"routers[5].id: 'e f' {ID_RULE}",)),
    ]
    assert check_routers([]) == check_routers(())
    assert check_router_ids([]) == ((), ())
