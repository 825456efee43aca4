# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which floating IPs Neutron is told about after a run."""

from __future__ import annotations

from typing import Any

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.reports import floating_ip_reports


def router(router_id: str, *floating_ips: tuple[str, str | None, str | None]) -> dict[str, Any]:
    """A router with floating IPs: id, fixed address, status for Neutron."""
    return {
        "id": router_id,
        "floating_ips": [{"id": name, "fixed_ip_address": fixed, "status": status} for name, fixed, status in floating_ips],
    }


def reports(*routers: dict[str, Any], **sets: set[str]) -> dict[str, dict[str, str]]:
    return dict(floating_ip_reports(routers, **{"changed": set(), "failed": set(), "skipped": set(), **sets}))


def test_what_neutron_knows_already_is_not_told() -> None:
    up = router("up", ("f1", "10.0.0.5", "ACTIVE"), ("f2", None, "DOWN"))
    assert reports(up, {"id": "plain"}) == {}
    assert reports(up, changed={"up"}) == {"up": {"f1": "ACTIVE", "f2": "DOWN"}}


def test_a_status_that_differs_is_told_with_those_of_the_same_router() -> None:
    routers = router("a", ("f1", "10.0.0.5", "DOWN"), ("f2", "10.0.0.6", "ACTIVE")), router("b", ("f3", "10.0.0.5", "ACTIVE"))
    assert reports(*routers) == {"a": {"f1": "ACTIVE", "f2": "ACTIVE"}}
    assert reports(router("a", ("f1", None, "ACTIVE"))) == {"a": {"f1": "DOWN"}}


def test_those_of_a_router_that_failed_are_in_error() -> None:
    failed = router("a", ("f1", "10.0.0.5", "ACTIVE"), ("f2", None, "DOWN"))
    assert reports(failed, failed={"a"}) == {"a": {"f1": "ERROR", "f2": "DOWN"}}
    assert reports(router("a", ("f1", "10.0.0.5", "ERROR")), failed={"a"}) == {}


def test_a_floating_ip_of_port_forwardings_works_too() -> None:
    data = {
        "id": "a",
        "floating_ips": [{"id": "f1", "floating_ip_address": "203.0.113.30", "fixed_ip_address": None, "status": "DOWN"}],
        "port_forwardings": [{"floating_ip_address": "203.0.113.30"}],
    }
    assert reports(data) == {"a": {"f1": "ACTIVE"}}
    assert reports(data, failed={"a"}) == {"a": {"f1": "ERROR"}}


def test_a_router_without_floating_ips_any_more_is_told_when_it_changed() -> None:
    assert reports({"id": "a", "floating_ips": None}, changed={"a"}) == {"a": {}}


def test_routers_that_other_nodes_can_have_are_no_news() -> None:
    assert reports({**router("a", ("f1", "10.0.0.5", "ACTIVE")), "ha": True}, failed={"a"}) == {}


def test_routers_that_are_not_for_the_node_are_no_news() -> None:
    assert reports(router("a", ("f1", "10.0.0.5", "DOWN")), skipped={"a"}, changed={"a"}) == {}
