# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules by which TCP connections are told what passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.state import IPV4, IPV6

from ..routers import router
from .engine_objects import converged, desired, parsed, planner, rule_sets

CLAMP = "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"
WEB, DB = router()["interfaces"]
V4_ONLY: dict[str, Any] = {"gateway": None, "interfaces": [DB], "routes": []}
V6_ONLY: dict[str, Any] = {"gateway": None, "interfaces": [{**WEB, "addresses": ["2001:db8:1::1/64"]}], "routes": []}
DOWN: dict[str, Any] = {"gateway": None, "interfaces": [DB, {**WEB, "admin_state_up": False}], "routes": []}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [IPV4, IPV6]),
        (V4_ONLY, [IPV4]),
        (V6_ONLY, [IPV6]),
        (DOWN, [IPV4]),
        ({"interfaces": [], "gateway": None, "routes": []}, []),
    ],
)
def test_there_are_some_for_the_address_families_that_the_router_has(changes: dict[str, Any], expected: list[int]) -> None:
    found = rule_sets(parsed(router(**changes)), clamp_mss=True)
    mangle = {"FORWARD": (":ACCEPT", "-j l3-FORWARD"), "l3-FORWARD": (CLAMP,)}
    assert [family for family, tables in found.items() if tables.get("mangle") == mangle] == expected
    without = rule_sets(parsed(router(**changes)))
    rest = {family: {name: table for name, table in tables.items() if name != "mangle"} for family, tables in found.items()}
    assert rest == without
    assert not [tables for tables in without.values() if "mangle" in tables]


def test_in_the_nodes_own_namespace_only_connections_by_devices_of_the_router_are_told() -> None:
    found = rule_sets(parsed(router()), own_namespace=True, clamp_mss=True)
    ways = ("-i qr-+", "-i qg-+", "-o qr-+", "-o qg-+")
    assert found[IPV4]["mangle"]["l3-FORWARD"] == found[IPV6]["mangle"]["l3-FORWARD"] == tuple(f"{way} {CLAMP}" for way in ways)


@pytest.mark.parametrize("use_namespaces", [True, False])
def test_the_option_decides(use_namespaces: bool) -> None:
    options: dict[str, Any] = {"use_namespaces": use_namespaces}
    planning = planner(clamp_mss_to_pmtu=True, **options)
    result = planning.plan(desired(router(), planning.driver), converged(router(), **options))
    rules = 1 if use_namespaces else 4
    assert result.actions == [
        f"{action}{family}{rest}"
        for family in ("", " (IPv6)")
        for action, rest in (
            ("rule added to chain FORWARD of table mangle", ": -j l3-FORWARD"),
            ("chain l3-FORWARD of table mangle", f" created with {rules} rule{'s' if rules > 1 else ''}"),
        )
    ]


def test_it_stays_where_somebody_else_has_the_port_of_metadata_in_the_nodes_own_namespace() -> None:
    options: dict[str, Any] = {"use_namespaces": False, "clamp_mss_to_pmtu": True, "metadata_upstream": "unix:/metadata.sock"}
    planning = planner(**options)
    observed = replace(converged(router(), **options), port_taken=True)
    assert "mangle" in planning.plan(desired(router(), planning.driver), observed).after.firewall[IPV6]
