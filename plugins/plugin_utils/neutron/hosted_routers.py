# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The routers of a host, as far as an L3 agent would know them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .qos_policies import policies_of

# What the runs report when the role's variables are not given.
_CONFIGURATIONS = {
    "use_namespaces": True,
    "router_id": "",
    "handle_internal_only_routers": True,
    "gateway_external_network_id": "",
}
Router = Mapping[str, Any]


class HostedRouters:
    """Which routers a host has, in the form of ``sync_routers``, and the figures of them.

    ``configurations``: of its agent, where they differ from the role's defaults. They say, too, which routers are for the host.
    """

    def __init__(self, configurations: Mapping[str, Any]) -> None:
        self._configurations = {**_CONFIGURATIONS, **configurations}
        self._routers: dict[str, Router] = {}
        self._seen: set[str] = set()

    def saw(self, router_ids: Iterable[str]) -> None:
        """Neutron told the host of these. They stay known: a message can be older than an answer."""
        self._seen.update(router_ids)

    def has_seen(self, router_id: str) -> bool:
        """Whether the host can have this router. All agents are told of a router that was deleted."""
        return router_id in self._seen

    def answered(self, asked: Collection[str], routers: Iterable[Router]) -> None:
        """Neutron was asked for the routers with these ids, or for all when there are none, and returned these: others went."""
        for router_id in asked or list(self._routers):
            self._routers.pop(router_id, None)
        for router in routers:
            self._seen.add(router["id"])
            if self._is_for_the_host(router):
                self._routers[router["id"]] = router

    def limited_by(self, policy_ids: Iterable[str]) -> list[str]:
        """The ids of the routers that have one of these QoS policies."""
        wanted = set(policy_ids)
        return [router_id for router_id, router in self._routers.items() if policies_of(router) & wanted]

    def configurations(self) -> dict[str, Any]:
        """What ``report_state`` takes: the configurations, with the figures as the L3 agent counts them."""
        routers = self._routers.values()
        return {
            **self._configurations,
            "routers": len(routers),
            "ex_gw_ports": sum(bool(router.get("gw_port")) for router in routers),
            "interfaces": sum(len(router.get("_interfaces") or ()) for router in routers),
            # Without those that are there for their port forwardings.
            "floating_ips": sum(len(router.get("_floatingips") or ()) for router in routers),
        }

    def _is_for_the_host(self, router: Router) -> bool:
        wanted = self._configurations
        if wanted["router_id"] and router["id"] != wanted["router_id"]:
            return False
        gateway = router.get("gw_port")
        if not gateway:
            return bool(wanted["handle_internal_only_routers"])
        network_id = wanted["gateway_external_network_id"]
        return not network_id or gateway["network_id"] == network_id
