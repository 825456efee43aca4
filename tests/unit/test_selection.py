# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the routers that were given are for this node, and the reason for each of the others."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.options import Options, parse_options
from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers
from ansible_collections.netnode.l3.plugins.module_utils.selection import Skipped, select

DOWN = "admin_state_up is false"
NO_GATEWAY = "it has no gateway, and handle_internal_only_routers is false"


def gateway(router_id: str, network_id: str | None = "external", **changes: Any) -> dict[str, Any]:
    """A router with a gateway on a network, None for one that is not said."""
    network = {} if network_id is None else {"network_id": network_id}
    return {"id": router_id, "gateway": {"id": f"{router_id}-gateway", "addresses": [], **network}, **changes}


def selected(*data: dict[str, Any], **options: Any) -> tuple[list[str], list[Skipped]]:
    """The ids of the routers to have, and what is skipped."""
    checked = check_routers(list(data))
    assert checked.rejected == ()
    selection = select(checked.routers, Options("bridge", **options))
    return [router.id for router in selection.routers], list(selection.skipped)


def other_router(router_id: str) -> str:
    return f"router_id is {router_id}"


def other_network(present: str, wanted: str) -> str:
    return f"its gateway is on network {present}, and gateway_external_network_id is {wanted}"


@pytest.mark.parametrize("data", [{"id": "r1"}, gateway("r1"), gateway("r1", None), gateway("r1", admin_state_up=True)])
def test_without_options_every_router_is_for_the_node(data: dict[str, Any]) -> None:
    assert selected(data) == (["r1"], [])


def test_nothing_given_is_nothing_to_have_and_nothing_skipped() -> None:
    assert selected() == ([], [])


def test_a_selected_router_is_the_very_one_that_was_given() -> None:
    routers = check_routers([gateway("r1"), {"id": "r2"}]).routers
    chosen = select(routers, Options("bridge")).routers
    assert all(one is other for one, other in zip(chosen, routers, strict=True))


@pytest.mark.parametrize(
    ("data", "options", "reason"),
    [
        ({"id": "r1", "admin_state_up": False}, {}, DOWN),
        (gateway("r1", admin_state_up=False), {}, DOWN),
        ({"id": "r1"}, {"router_id": "r2"}, other_router("r2")),
        (gateway("r1"), {"router_id": "r2"}, other_router("r2")),
        ({"id": "r1"}, {"router_id": "r"}, other_router("r")),
        ({"id": "r1"}, {"router_id": "R1"}, other_router("R1")),
        ({"id": "r1"}, {"handle_internal_only_routers": False}, NO_GATEWAY),
        (gateway("r1", "lan"), {"gateway_external_network_id": "wan"}, other_network("lan", "wan")),
        (gateway("r1", None), {"gateway_external_network_id": "wan"}, other_network("unknown", "wan")),
    ],
)
def test_a_router_is_skipped_for_one_reason(data: dict[str, Any], options: dict[str, Any], reason: str) -> None:
    assert selected(data, **options) == ([], [Skipped("r1", reason)])


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ({"id": "r1"}, {"router_id": "r1"}),
        (gateway("r1"), {"router_id": "r1"}),
        (gateway("r1"), {"handle_internal_only_routers": False}),
        (gateway("r1", None), {"handle_internal_only_routers": False}),
        (gateway("r1", "wan"), {"gateway_external_network_id": "wan"}),
        # A router without gateway is on no external network at all, and no other node's for that.
        ({"id": "r1"}, {"gateway_external_network_id": "wan"}),
        (
            gateway("r1", "wan"),
            {"router_id": "r1", "handle_internal_only_routers": False, "gateway_external_network_id": "wan"},
        ),
    ],
)
def test_a_router_that_fits_is_not_skipped(data: dict[str, Any], options: dict[str, Any]) -> None:
    assert selected(data, **options) == (["r1"], [])


EVERYTHING = {"router_id": "r2", "handle_internal_only_routers": False, "gateway_external_network_id": "wan"}


@pytest.mark.parametrize(
    ("data", "options", "reason"),
    [
        ({"id": "r1", "admin_state_up": False}, EVERYTHING, DOWN),
        (gateway("r1", "lan", admin_state_up=False), EVERYTHING, DOWN),
        (gateway("r2", "wan", admin_state_up=False), EVERYTHING, DOWN),
        ({"id": "r1"}, EVERYTHING, other_router("r2")),
        (gateway("r1", "lan"), EVERYTHING, other_router("r2")),
        ({"id": "r2"}, EVERYTHING, NO_GATEWAY),
        (gateway("r2", "lan"), EVERYTHING, other_network("lan", "wan")),
    ],
)
def test_of_several_reasons_the_first_is_told(data: dict[str, Any], options: dict[str, Any], reason: str) -> None:
    assert selected(data, **options) == ([], [Skipped(data["id"], reason)])


def test_routers_and_skipped_ones_keep_their_order() -> None:
    data = [
        gateway("r5", "lan"),
        gateway("r4"),
        {"id": "r3", "admin_state_up": False},
        gateway("r2"),
        {"id": "r1"},
        gateway("r0"),
    ]
    assert selected(*data, gateway_external_network_id="external", handle_internal_only_routers=False) == (
        ["r4", "r2", "r0"],
        [Skipped("r5", other_network("lan", "external")), Skipped("r3", DOWN), Skipped("r1", NO_GATEWAY)],
    )


def test_router_id_leaves_at_most_one_router() -> None:
    routers = [{"id": f"r{number}"} for number in range(5)]
    chosen, skipped = selected(*routers, router_id="r3")
    assert chosen == ["r3"]
    assert skipped == [Skipped(f"r{number}", other_router("r3")) for number in (0, 1, 2, 4)]


@pytest.mark.parametrize("bridges", ["br-ex", {"wan": "br-wan"}, {}])
def test_the_bridges_of_external_networks_decide_nothing(bridges: str | dict[str, str]) -> None:
    """A gateway on a network without a bridge is an error of the router, and no reason to remove it from the node."""
    assert selected(gateway("r1", "lan"), gateway("r2", None), external_network_bridge=bridges) == (["r1", "r2"], [])


@pytest.mark.parametrize("option", ["router_id", "gateway_external_network_id"])
def test_an_empty_text_selects_as_if_it_were_not_given(option: str) -> None:
    options = parse_options({"interface_driver": "bridge", option: ""})
    routers = check_routers([gateway("r1"), {"id": "r2"}]).routers
    assert list(select(routers, options).routers) == list(routers)
