# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The difference of two states: nothing where there is none, and otherwise the right steps in the right order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.operations import Ip
from ansible_collections.netnode.l3.plugins.module_utils.plan import RouterPlan
from ansible_collections.netnode.l3.plugins.module_utils.state import ABSENT, RouterState

from ..routers import router
from .engine_objects import converged, desired, is_empty, node, planner, steps, with_device

NAMESPACE = "qrouter-r1"
GATEWAY, WEB, DB = "qg-aaaa0000-ex", "qr-bbbb0000-we", "qr-cccc0000-db"


def plan(data: dict[str, Any], observed: RouterState, **node_options: Any) -> RouterPlan:
    return planner(node(**node_options)).plan(desired(data), observed)


def floating(*pairs: tuple[str, str]) -> dict[str, Any]:
    return router(floating_ips=[{"floating_ip_address": f, "fixed_ip_address": fixed} for f, fixed in pairs])


def with_addresses(device: int, *addresses: str) -> dict[str, Any]:
    data = router(routes=[])
    data["interfaces"][device]["addresses"] = list(addresses)
    return data


@pytest.mark.parametrize("data", [router(), router(gateway=None, routes=[]), {"id": "r1"}, router(enable_snat=False)])
def test_nothing_to_do_is_an_empty_plan(data: dict[str, Any]) -> None:
    assert is_empty(plan(data, converged(data)))


def test_what_was_not_asked_for_is_no_difference() -> None:
    data = {"id": "r1", "gateway": {"id": "g", "addresses": ["203.0.113.9/24"]}}
    observed = with_device(converged(data), "qg-g", mac_address="fa:16:3e:12:34:56", mtu=9000)
    assert is_empty(plan(data, observed))


def test_what_is_foreign_is_no_difference() -> None:
    assert is_empty(plan(router(), replace(converged(router()), foreign=("device wg0",))))


def test_a_router_is_built_from_the_bottom_up() -> None:
    result = plan(router(), ABSENT, bridges=("br-ex",))
    assert result.actions == [
        "bridge brqweb-network created",
        "bridge brqdb-network created",
        "namespace qrouter-r1 created",
        "device qr-bbbb0000-we created on bridge brqweb-network",
        "device qr-cccc0000-db created on bridge brqdb-network",
        "device qg-aaaa0000-ex created on bridge br-ex",
        "rule added to chain OUTPUT of table nat: -j l3-OUTPUT",
        "rule added to chain POSTROUTING of table nat: -j l3-POSTROUTING",
        "rule added to chain PREROUTING of table nat: -j l3-PREROUTING",
        "chain l3-OUTPUT of table nat created with 2 rules",
        "chain l3-POSTROUTING of table nat created with 2 rules",
        "chain l3-PREROUTING of table nat created with 3 rules",
        "chain l3-float-snat of table nat created with 2 rules",
        "chain l3-snat of table nat created with 3 rules",
        "address 10.0.0.1/24 added to qr-bbbb0000-we",
        "address 2001:db8:1::1/64 added to qr-bbbb0000-we",
        "address 10.0.1.1/24 added to qr-cccc0000-db",
        "address 203.0.113.10/24 added to qg-aaaa0000-ex",
        "address 2001:db8:e::10/64 added to qg-aaaa0000-ex",
        "address 203.0.113.20/32 added to qg-aaaa0000-ex",
        "address 203.0.113.21/32 added to qg-aaaa0000-ex",
        "route 198.51.100.0/24 dev qg-aaaa0000-ex added",
        "route default via 203.0.113.1 dev qg-aaaa0000-ex added",
        "route ::/0 via 2001:db8:e::1 dev qg-aaaa0000-ex added",
        "route 192.168.50.0/24 via 10.0.0.253 dev qr-bbbb0000-we and via 10.0.0.254 dev qr-bbbb0000-we added",
        "route 192.168.51.0/24 via 10.0.1.254 dev qr-cccc0000-db added",
        "route 2001:db8:77::/48 via 2001:db8:1::fe dev qr-bbbb0000-we added",
    ]
    assert (result.freed, result.served) == ((), ())
    assert [action for operation in result.shared for action in operation.actions] == result.actions[:6]
    assert all(operation.namespace is None for operation in result.shared)
    announced = ["10.0.0.1", "2001:db8:1::1", "fe80::", "10.0.1.1"]
    announced += ["203.0.113.10", "2001:db8:e::10", "203.0.113.20", "203.0.113.21", "fe80::"]
    assert [line.split()[1] for line in steps(result) if line.startswith("announce")] == announced


def test_devices_come_up_after_their_rules_and_sysctls() -> None:
    lines = steps(plan(router(), ABSENT))
    up = lines.index(f"link set dev {GATEWAY} alias aaaa0000-external-port up")
    assert lines.index("rules of IPv4") < up
    assert lines.index("sysctl net/ipv4/ip_forward 1") < up
    assert lines.index(f"sysctl net/ipv6/conf/{GATEWAY}/accept_ra 0") < up


def test_bridges_are_made_once_for_all_routers() -> None:
    planning = planner(node(bridges=("br-ex",)))
    assert "bridge brqweb-network created" in planning.plan(desired(router()), ABSENT).actions
    other = router(id="r2")
    assert not [action for action in planning.plan(desired(other), ABSENT).actions if action.startswith("bridge")]


def test_a_dead_namespace_is_removed_and_the_router_built_anew() -> None:
    result = plan(router(), RouterState(namespace=False, dead=True))
    assert result.actions[:2] == ["dead namespace qrouter-r1 removed", "namespace qrouter-r1 created"]
    assert result.own == plan(router(), ABSENT).own


def test_what_goes_is_unplugged_first() -> None:
    data = router(gateway=None)
    assert plan(data, converged(router())).actions == [
        "device qg-aaaa0000-ex removed",
        "rule removed from chain OUTPUT of table nat: -j l3-OUTPUT",
        "rule removed from chain POSTROUTING of table nat: -j l3-POSTROUTING",
        "rule removed from chain PREROUTING of table nat: -j l3-PREROUTING",
        "chain l3-OUTPUT of table nat removed",
        "chain l3-POSTROUTING of table nat removed",
        "chain l3-PREROUTING of table nat removed",
        "chain l3-float-snat of table nat removed",
        "chain l3-snat of table nat removed",
        "flows through 203.0.113.20 ended",
        "flows through 203.0.113.21 ended",
        "flows through 203.0.113.10 ended",
    ]
    # The device takes its addresses and routes along; its other end stands in the node's own namespace.
    assert plan(data, converged(router())).freed == (
        Ip(None, ("device qg-aaaa0000-ex removed",), "link delete dev tapaaaa0000-ex"),
    )


def test_rules_stand_before_the_address_that_they_are_for() -> None:
    assert steps(plan(floating(("203.0.113.20", "10.0.0.5")), converged(floating()))) == [
        "rules of IPv4",
        f"address add 203.0.113.20/32 dev {GATEWAY}",
        f"announce 203.0.113.20 {GATEWAY}",
    ]


def test_a_floating_ip_that_goes_takes_its_flows_along_at_last() -> None:
    assert steps(plan(floating(), converged(floating(("203.0.113.20", "10.0.0.5"))))) == [
        "rules of IPv4",
        f"address delete 203.0.113.20/32 dev {GATEWAY}",
        "end flows 203.0.113.20",
    ]


def test_a_floating_ip_that_moves_to_another_fixed_ip_keeps_its_address() -> None:
    before, after = floating(("203.0.113.20", "10.0.0.5")), floating(("203.0.113.20", "10.0.0.6"))
    assert steps(plan(after, converged(before))) == ["rules of IPv4", "end flows 203.0.113.20"]


def test_floating_ips_in_another_order_stay_as_they_are() -> None:
    pairs = [("203.0.113.20", "10.0.0.5"), ("203.0.113.21", "10.0.0.6")]
    assert steps(plan(floating(*pairs), converged(floating(*reversed(pairs))))) == []


def test_new_addresses_come_before_old_ones_go() -> None:
    before, after = with_addresses(1, "10.0.1.1/24"), with_addresses(1, "10.0.1.2/24", "10.0.1.3/32")
    assert steps(plan(after, converged(before))) == [
        f"address add 10.0.1.2/24 broadcast + dev {DB}",
        f"address add 10.0.1.3/32 dev {DB}",
        f"address delete 10.0.1.1/24 dev {DB}",
        f"announce 10.0.1.2 {DB}",
        f"announce 10.0.1.3 {DB}",
    ]


def test_an_ipv4_address_with_another_prefix_length_is_added_before_the_old_one_goes() -> None:
    assert steps(plan(with_addresses(1, "10.0.1.1/25"), converged(with_addresses(1, "10.0.1.1/24"))))[:2] == [
        f"address add 10.0.1.1/25 broadcast + dev {DB}",
        f"address delete 10.0.1.1/24 dev {DB}",
    ]


def test_an_ipv6_address_with_another_prefix_length_goes_before_it_comes() -> None:
    before = with_addresses(1, "2001:db8:2::1/64", "2001:db8:3::1/64")
    after = with_addresses(1, "2001:db8:2::1/80", "2001:db8:4::1/64")
    assert steps(plan(after, converged(before))) == [
        f"address delete 2001:db8:2::1/64 dev {DB}",
        f"address add 2001:db8:2::1/80 nodad dev {DB}",
        f"address add 2001:db8:4::1/64 nodad dev {DB}",
        f"address delete 2001:db8:3::1/64 dev {DB}",
        f"announce 2001:db8:2::1 {DB}",
        f"announce 2001:db8:4::1 {DB}",
    ]


def test_link_local_addresses_are_announced_where_ipv6_begins() -> None:
    before, after = with_addresses(1, "10.0.1.1/24"), with_addresses(1, "10.0.1.1/24", "2001:db8:2::1/64")
    assert steps(plan(after, converged(before))) == [
        f"sysctl net/ipv6/conf/{DB}/accept_dad 0",
        f"sysctl net/ipv6/conf/{DB}/addr_gen_mode 0",
        f"sysctl net/ipv6/conf/{DB}/disable_ipv6 0",
        f"address add 2001:db8:2::1/64 nodad dev {DB}",
        f"announce 2001:db8:2::1 {DB}",
        f"announce fe80:: {DB}",
    ]
