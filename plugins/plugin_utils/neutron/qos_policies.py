# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""QoS policies of routers in the form of ``sync_routers``, which has their ids alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .router_data import OF_PORTS

Object = Mapping[str, Any]


def policies_of(router: Object) -> set[str]:
    """The ids of the policies of a router's gateway and floating IPs. That of an external network is for its ports."""
    return set(filter(None, (limited.get("qos_policy_id") for limited in _limited(router))))


def _limited(router: Object) -> Iterator[Object]:
    yield router.get("external_gateway_info") or {}
    for key in ("_floatingips", OF_PORTS):
        yield from router.get(key) or ()


def bandwidth_limits(rules: Iterable[Object]) -> list[Object]:
    """Of bandwidth limit rules, the first of each direction, as the L3 agent takes them."""
    return list({rule["direction"]: rule for rule in reversed(list(rules))}.values())


def with_bandwidth_limits(router: Object, limits: Mapping[str, list[Object]]) -> dict[str, Any]:
    """A router with the ``bandwidth_limit_rules`` of its policies. ``limits``: id of each of them -> rules."""

    def limited(port: Object, asking: Object) -> Object:
        policy_id = asking.get("qos_policy_id")
        return {**port, "bandwidth_limit_rules": limits[policy_id]} if policy_id else port

    gateway = router.get("gw_port")
    return {
        **router,
        **({"gw_port": limited(gateway, router.get("external_gateway_info") or {})} if gateway else {}),
        **{key: [limited(f, f) for f in router.get(key) or ()] for key in ("_floatingips", OF_PORTS)},
    }
