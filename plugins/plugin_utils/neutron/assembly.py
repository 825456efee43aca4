# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of Neutron's objects, put together as the L3 plugin does for ``sync_routers``. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import NeutronError
from .qos_policies import bandwidth_limits, policies_of, with_bandwidth_limits
from .router_data import OF_PORTS

Object = Mapping[str, Any]

_NOT_ALL = "the account does not see all projects, or the router is changing all the time."

GATEWAY = "network:router_gateway"
INTERFACE = "network:router_interface"


@dataclass(frozen=True)
class Lists:
    """What the API returns of each kind, and more of it than the routers have where that costs fewer requests."""

    ports: Iterable[Object]
    networks: Iterable[Object]
    subnets: Iterable[Object]
    floating_ips: Iterable[Object]
    ndp_proxies: Iterable[Object] = ()
    qos_policies: Iterable[Object] = ()


class Incomplete(NeutronError):
    """Something of a router is not in the lists."""


class Assembly:
    """Routers in the form of ``sync_routers``: with ``gw_port``, ``_interfaces``, ``_floatingips``, ``_pf_floatingips``, as far
    as the mapping to router data looks at them, and with ``ndp_proxies`` and ``bandwidth_limit_rules``.
    """

    def __init__(self, lists: Lists) -> None:
        self._networks = {network["id"]: network for network in lists.networks}
        self._subnets = grouped(sorted(lists.subnets, key=lambda subnet: str(subnet["id"])), "network_id")
        self._ports = grouped(lists.ports, "device_id")
        self._floating_ips = grouped(lists.floating_ips, "router_id")
        self._ndp_proxies = grouped(lists.ndp_proxies, "router_id")
        self._limits = {
            policy["id"]: bandwidth_limits(rule for rule in policy["rules"] if rule["type"] == "bandwidth_limit")
            for policy in lists.qos_policies
        }

    def whole(self, router: Object) -> dict[str, Any]:
        """A router with all of its. Raises :class:`Incomplete`."""
        ports = self._ports[router["id"]]
        gateway = _gateway(router, ports)
        floating_ips = self._floating_ips[router["id"]]
        whole = {
            **router,
            **({"gw_port": self._whole_port(gateway)} if gateway else {}),
            "_interfaces": [self._whole_port(port) for port in ports if port["device_owner"] == INTERFACE],
            "_floatingips": [floating_ip for floating_ip in floating_ips if floating_ip.get("port_id")],
            # Those without a port of their own are there for their port forwardings.
            OF_PORTS: [floating_ip for floating_ip in floating_ips if not floating_ip.get("port_id")],
            "ndp_proxies": self._ndp_proxies[router["id"]],
        }
        for policy_id in policies_of(whole) - self._limits.keys():
            raise Incomplete(f"The QoS policy {policy_id} is not to be seen: {_NOT_ALL}")
        return with_bandwidth_limits(whole, self._limits)

    def _whole_port(self, port: Object) -> dict[str, Any]:
        """A port that knows the subnets of its network: those of its addresses, and the others that are on its segment."""
        network = port["network_id"]
        subnets = self._subnets[network]
        own = {fixed_ip["subnet_id"] for fixed_ip in port["fixed_ips"]}
        if network not in self._networks or not own <= {subnet["id"] for subnet in subnets}:
            raise Incomplete(f"The network of port {port['id']} of router {port['device_id']} is not to be seen: {_NOT_ALL}")
        first = port["fixed_ips"][0]["subnet_id"] if port["fixed_ips"] else None
        segment = next((subnet.get("segment_id") for subnet in subnets if subnet["id"] == first), None)
        return {
            **port,
            "mtu": self._networks[network].get("mtu"),
            "address_scopes": {family: self._networks[network].get(f"ipv{family}_address_scope") for family in ("4", "6")},
            "subnets": [subnet for subnet in subnets if subnet["id"] in own],
            "extra_subnets": [s for s in subnets if own and s["id"] not in own and s.get("segment_id") == segment],
        }


def grouped(objects: Iterable[Object], key: str) -> defaultdict[str, list[Object]]:
    """Objects by what they have for a key."""
    groups: defaultdict[str, list[Object]] = defaultdict(list)
    for each in objects:
        groups[each[key]].append(each)
    return groups


def _gateway(router: Object, ports: Iterable[Object]) -> Object | None:
    """The router's gateway port. Any tenant can make a port that says to be it, so it must be as the router itself says."""
    info = router.get("external_gateway_info")
    if not info:
        return None
    wanted = (GATEWAY, info["network_id"], _addresses(info["external_fixed_ips"]))
    for port in ports:
        if (port["device_owner"], port["network_id"], _addresses(port["fixed_ips"])) == wanted:
            return port
    raise Incomplete(f"The gateway port of router {router['id']} is not to be seen: {_NOT_ALL}")


def _addresses(fixed_ips: Iterable[Object]) -> set[tuple[str, str]]:
    return {(fixed_ip["subnet_id"], fixed_ip["ip_address"]) for fixed_ip in fixed_ips}
