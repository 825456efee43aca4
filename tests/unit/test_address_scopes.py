# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rules address scopes need, and that they can be read back. What they do to packets is for other tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.firewall import firewall_from
from ansible_collections.netnode.l3.plugins.module_utils.gather import gather_router
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.bridge import BridgeDriver
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers
from ansible_collections.netnode.l3.plugins.module_utils.state import IPV4, IPV6, Chains, RouterState, Tables
from ansible_collections.netnode.l3.plugins.module_utils.wholeness import why_not_whole

from ..routers import router
from .engine_objects import converged, desired, node, parsed, planner, rule_sets, steps

WEB, DB, GATEWAY = "qr-bbbb0000-we", "qr-cccc0000-db", "qg-aaaa0000-ex"
ONE, TWO = "l3-scope-7692c3ad3540bb80", "l3-scope-3fc4ccfe745870e2"  # of "one" and "two"
NONE = "l3-scope-none"
TRANSLATED = "-m conntrack --ctstate SNAT,DNAT -j RETURN"
BEFORE = rule_sets(parsed(router()))

Scopes = Mapping[Any, Any] | None


def scoped(gateway: Scopes = None, web: Scopes = None, db: Scopes = None, **changes: Any) -> dict[str, Any]:
    """The router with everything, and ports with these scopes."""
    data = router(**changes)
    for port, scopes in ((data["gateway"], gateway), (data["interfaces"][0], web), (data["interfaces"][1], db)):
        if port is not None and scopes is not None:
            port["address_scopes"] = scopes
    return data


def rules(data: dict[str, Any], **options: Any) -> Mapping[int, Tables]:
    return rule_sets(parsed(data), **options)


def filters(data: dict[str, Any], family: int) -> Chains:
    return rules(data)[family]["filter"]


def scope(*, members: tuple[str, ...]) -> tuple[str, ...]:
    return (*(f"-i {device} -j RETURN" for device in members), "-j DROP")


def test_networks_of_two_scopes_and_a_gateway_of_the_first() -> None:
    assert filters(scoped({"4": "one"}, {"4": "one"}, {"4": "two"}), IPV4) == {
        "FORWARD": (":ACCEPT", "-j l3-FORWARD"),
        "l3-FORWARD": ("-j l3-scope",),
        "l3-scope": (
            TRANSLATED,
            f"-o {GATEWAY} -m comment --comment one -j RETURN",
            f"-o {WEB} -m comment --comment one -g {ONE}",
            f"-o {DB} -m comment --comment two -g {TWO}",
        ),
        ONE: scope(members=(GATEWAY, WEB)),
        TWO: scope(members=(DB,)),
    }


def test_only_what_stays_in_the_scope_of_the_gateway_is_not_translated() -> None:
    nat, before = rules(scoped({"4": "one"}, {"4": "one"}, {"4": "two"}))[IPV4]["nat"], BEFORE[IPV4]["nat"]
    marked = f"-i {WEB} -j MARK --set-xmark 0x10000/0xffff0000"
    exempt = f"-o {GATEWAY} -m mark --mark 0x10000/0xffff0000 -j RETURN"
    assert nat["l3-PREROUTING"] == (before["l3-PREROUTING"][0], marked, *before["l3-PREROUTING"][1:])
    assert nat["l3-snat"] == ("-j l3-float-snat", exempt, *before["l3-snat"][1:])
    assert {chain for chain in nat if nat[chain] != before[chain]} == {"l3-PREROUTING", "l3-snat"}


@pytest.mark.parametrize("gateway", [None, {}, {"4": None}, {"6": "one"}])
def test_without_a_scope_of_the_gateway_all_that_leaves_is_translated(gateway: Scopes) -> None:
    assert rules(scoped(gateway, {"4": "one"}))[IPV4]["nat"] == BEFORE[IPV4]["nat"]


def test_to_have_no_scope_is_one_of_its_own() -> None:
    found = filters(scoped(web={"4": "one"}), IPV4)
    assert found["l3-scope"] == (
        TRANSLATED,
        f"-o {GATEWAY} -j RETURN",
        f"-o {WEB} -m comment --comment one -g {ONE}",
        f"-o {DB} -g {NONE}",
    )
    assert (found[ONE], found[NONE]) == (scope(members=(WEB,)), scope(members=(GATEWAY, DB)))


def test_without_source_nat_only_floating_ips_leave_for_another_scope() -> None:
    data = scoped({"4": "one"}, {"4": "two"}, {"4": "two"}, enable_snat=False)
    found = filters(data, IPV4)
    assert found["l3-scope"][1] == f"-o {GATEWAY} -m comment --comment one -g l3-scope-floating"
    assert found["l3-scope-floating"] == ("-s 10.0.0.5/32 -j RETURN", "-s 10.0.1.5/32 -j RETURN", f"-j {ONE}")
    found = filters({**data, "floating_ips": []}, IPV4)
    assert found["l3-scope"][1] == f"-o {GATEWAY} -m comment --comment one -g {ONE}"
    assert rules(data)[IPV4]["nat"] == rules(router(enable_snat=False))[IPV4]["nat"]


def test_a_gateway_without_an_address_of_ipv4_translates_nothing() -> None:
    data = scoped({"4": "one"}, {"4": "two"}, floating_ips=[])
    data["gateway"]["addresses"] = ["2001:db8:e::10/64"]
    assert filters(data, IPV4)["l3-scope"][1] == f"-o {GATEWAY} -m comment --comment one -g {ONE}"


def test_ipv6_has_scopes_of_its_own_and_is_never_translated() -> None:
    found = rules(scoped({"6": "one"}, {"6": "one"}, {"6": "two"}))
    assert found[IPV4] == BEFORE[IPV4]
    assert found[IPV6]["filter"]["l3-scope"] == (
        f"-o {GATEWAY} -m comment --comment one -g {ONE}",
        f"-o {WEB} -m comment --comment one -g {ONE}",
        f"-o {DB} -m comment --comment two -g {TWO}",
    )


def test_without_a_gateway_nothing_is_translated() -> None:
    found = filters(scoped(web={"4": "one"}, db={"4": "two"}, gateway=None) | {"gateway": None}, IPV4)
    assert found["l3-scope"] == (f"-o {WEB} -m comment --comment one -g {ONE}", f"-o {DB} -m comment --comment two -g {TWO}")


@pytest.mark.parametrize("scopes", [{}, {"4": None, "6": None}])
def test_without_scopes_nothing_is_different(scopes: Scopes) -> None:
    assert rules(scoped(scopes, scopes, scopes)) == BEFORE


def test_ports_that_are_down_have_no_part_in_it() -> None:
    data = scoped(web={"4": "one"})
    data["interfaces"][0]["admin_state_up"] = False
    assert rules(data) == BEFORE


def test_beside_metadata() -> None:
    tables = rules(scoped(web={"4": "one"}), metadata_port=9697)[IPV4]["filter"]
    assert {"INPUT", "l3-INPUT", "FORWARD", "l3-FORWARD"} < tables.keys()


def test_the_order_of_ports_does_not_matter() -> None:
    data = scoped({"4": "one"}, {"4": "one"}, {"4": "one"})
    assert rules({**data, "interfaces": data["interfaces"][::-1]}) == rules(data)


def test_each_port_more_is_as_many_rules_more() -> None:
    def count(number: int) -> int:
        ports = [
            {"id": f"{n:02}", "network_id": "n", "addresses": [f"10.0.{n}.1/24"], "address_scopes": {"4": f"s{n % 3}"}}
            for n in range(number)
        ]
        return sum(len(chain) for chain in filters(router(interfaces=ports, routes=[]), IPV4).values())

    assert [count(number + 1) - count(number) for number in (10, 20, 60)] == [2, 2, 2]


@pytest.mark.parametrize("scope_id", ["a", "1", "x" * 64, "a.b-c_d.", "7d1a64bd-7a5e-4c5e-9d6b-2f1de1f5a001", "none"])
def test_ids_come_back_whatever_they_are(scope_id: str) -> None:
    found = rules(scoped({"4": scope_id, "6": "other"}, {"4": scope_id}))
    expected = {4: {GATEWAY: scope_id, WEB: scope_id, DB: None}, 6: {GATEWAY: "other", WEB: None, DB: None}}
    assert firewall_from(found).scopes == expected
    assert all(len(chain) <= 28 for tables in found.values() for chains in tables.values() for chain in chains)


def state(data: dict[str, Any]) -> RouterState:
    return converged(data)


def test_gathered() -> None:
    data = scoped({"4": "one", "6": "six"}, {"4": "one"}, {"4": None})
    found = gather_router("r1", state(data))
    assert found["gateway"]["address_scopes"] == {"4": "one", "6": "six"}
    assert [port.get("address_scopes") for port in found["interfaces"]] == [{"4": "one"}, None]
    assert rules(found) == rules(data)


def test_a_router_that_lost_a_rule_of_its_scopes_is_not_whole() -> None:
    whole = state(scoped({"4": "one"}, {"4": "one"}, {"4": "two"}))
    driver = BridgeDriver(Options("bridge"), node())
    assert why_not_whole(whole, driver) is None
    assert why_not_whole(without_rule(whole), driver) == "rules of its table filter are gone"


def without_rule(whole: RouterState) -> RouterState:
    tables = whole.firewall[IPV4]
    chains = {**tables["filter"], "l3-scope": tables["filter"]["l3-scope"][:-1]}
    return RouterState(**{**vars(whole), "firewall": {**whole.firewall, IPV4: {**tables, "filter": chains}}})


ID_RULE = "is not an id (1 to 64 letters, digits, '_', '.', '-', beginning with a letter or digit)"


def plan(want: dict[str, Any], have: dict[str, Any]) -> list[str]:
    return [step for step in steps(planner().plan(desired(want), converged(have))) if "flows" in step]


def test_what_left_untranslated_begins_anew_when_it_is_to_be_translated() -> None:
    same, other = scoped({"4": "one"}, {"4": "one"}, {"4": "one"}), scoped({"4": "one"}, {"4": "one"}, {"4": "two"})
    assert plan(other, same) == ["end untranslated flows 10.0.1.0/24"]
    assert plan(router(), same) == ["end untranslated flows 10.0.0.0/24 10.0.1.0/24"]
    assert plan(same, other) == []
    assert plan({**other, "enable_snat": False}, same) == ["end flows 203.0.113.10"]
    assert plan({**same, "interfaces": same["interfaces"][:1], "routes": []}, same) == []


PLACE = "routers[0].gateway.address_scopes"


@pytest.mark.parametrize(
    ("scopes", "errors"),
    [
        ("one", [f"{PLACE}: expected a mapping, not 'one'"]),
        (["one"], [f"{PLACE}: expected a mapping, not a list"]),
        ({"5": "one"}, [f"{PLACE}: unknown key '5' (known are 4, 6)"]),
        ({True: "one"}, [f"{PLACE}: unknown key True (known are 4, 6)"]),
        ({"4": 7}, [f"{PLACE}.4: 7 is a number, and an id is text: quote it"]),
        ({"6": 'a" -j DROP'}, [f"{PLACE}.6: 'a\" -j DROP' {ID_RULE}"]),
    ],
)
def test_errors(scopes: Any, errors: list[str]) -> None:
    (rejected,) = check_routers([scoped(scopes)]).rejected
    assert list(rejected.errors) == errors
