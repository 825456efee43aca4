# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What two routers claim at once fails both, and nobody else; networks of tenants may be equal."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers

from ..routers import small_router

FLOATING = "floating_ips[0].floating_ip_address"
DEVICE = "port id beginning with"


def rejected(*routers: dict[str, Any]) -> dict[str, list[str]]:
    """Path of a router -> its errors; also: every router is either rejected or converged."""
    checked = check_routers(list(routers))
    assert len(checked.routers) + len(checked.rejected) == len(routers)
    return {error.split(".")[0].split(":")[0]: list(r.errors) for r in checked.rejected for error in r.errors[:1]}


def test_routers_of_tenants_with_equal_networks_are_fine() -> None:
    assert rejected(*(small_router(number) for number in range(20))) == {}


def test_one_router_id() -> None:
    assert rejected(small_router(1), small_router(2), small_router(3, id="small-1")) == {
        "routers[0]": ["routers[0].id: router id small-1 is claimed by routers[2].id too"],
        "routers[2]": ["routers[2].id: router id small-1 is claimed by routers[0].id too"],
    }


def test_one_floating_ip() -> None:
    claimed = [{"floating_ip_address": "203.0.213.31", "fixed_ip_address": "10.0.0.9"}]
    assert rejected(small_router(1), small_router(2), small_router(3, floating_ips=claimed)) == {
        "routers[0]": [f"routers[0].{FLOATING}: floating IP 203.0.213.31 is claimed by routers[2].{FLOATING} too"],
        "routers[2]": [f"routers[2].{FLOATING}: floating IP 203.0.213.31 is claimed by routers[0].{FLOATING} too"],
    }


def test_a_floating_ip_that_is_not_installed_is_claimed_all_the_same() -> None:
    claimed = [{"floating_ip_address": "203.0.213.31"}]
    assert set(rejected(small_router(1), small_router(2, floating_ips=claimed))) == {"routers[0]", "routers[1]"}


@pytest.mark.parametrize("port_id", ["0001in-port", "0001in-port-of-another"])
def test_one_port_id_or_two_that_begin_alike(port_id: str) -> None:
    other = small_router(2)
    other["interfaces"][0]["id"] = port_id
    assert rejected(small_router(1), other) == {
        "routers[0]": [f"routers[0].interfaces[0].id: {DEVICE} 0001in-port is claimed by routers[1].interfaces[0].id too"],
        "routers[1]": [f"routers[1].interfaces[0].id: {DEVICE} 0001in-port is claimed by routers[0].interfaces[0].id too"],
    }


def test_one_port_id_as_gateway_and_as_internal_port() -> None:
    other = small_router(2)
    other["gateway"]["id"] = "0001in-port"
    assert set(rejected(small_router(1), other)) == {"routers[0]", "routers[1]"}


def test_three_claimants_name_each_other() -> None:
    routers = [small_router(n, id="same") for n in range(3)]
    assert rejected(*routers)["routers[1]"] == [
        "routers[1].id: router id same is claimed by routers[0].id, routers[2].id too",
    ]


def test_a_router_with_other_errors_claims_too() -> None:
    broken = small_router(2, floating_ips=small_router(1)["floating_ips"], colour="blue")
    assert set(rejected(small_router(1), broken, small_router(3))) == {"routers[0]", "routers[1]"}


def test_who_is_rejected_is_named_by_id() -> None:
    checked = check_routers([small_router(1), small_router(2), small_router(3, id="small-1")])
    assert [(r.id, r.identified) for r in checked.rejected] == [("small-1", True), ("small-1", True)]
    assert [r.id for r in checked.routers] == ["small-2"]


@pytest.mark.parametrize(
    "change",
    [
        {"gateway": {"id": "elsewhere", "addresses": ["203.0.213.31/16"]}},
        {"interfaces": [{"id": "elsewhere", "addresses": ["203.0.213.31/24"]}]},
        {"floating_ips": [{"floating_ip_address": "203.0.213.32", "fixed_ip_address": "203.0.213.31"}]},
    ],
    ids=["gateway", "internal port", "fixed address"],
)
def test_of_addresses_only_floating_ips_are_one_routers_alone(change: dict[str, Any]) -> None:
    assert rejected(small_router(1), small_router(2, **change)) == {}


def test_networks_that_would_share_a_bridge_fail_both() -> None:
    def internal(router_id: str, port: str, network: str) -> dict[str, Any]:
        return {"id": router_id, "interfaces": [{"id": port, "network_id": network, "addresses": ["10.0.0.1/24"]}]}

    data = [internal("a", "port-a", "production-a"), internal("b", "port-b", "production-b"), internal("c", "port-c", "test")]
    checked = check_routers(data, network_ids_required=True)
    what = "networks production-a and production-b would share the bridge of production-"
    assert {rejected.id: rejected.errors for rejected in checked.rejected} == {
        name: (f"routers[{n}].interfaces[0].network_id: {what}",) for n, name in enumerate("ab")
    }
    assert [router.id for router in checked.routers] == ["c"]
    assert len(check_routers(data).routers) == 3
