# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Neutron's router dicts to router data. Pure, and on the controller.

It maps and never judges: what is wrong in a record passes through, so that the check on the node reports it with
its path and one bad record does not block the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .errors import NeutronError
from .port_forwardings import canonical

try:
    import netaddr
except ImportError as error:
    NETADDR_IMPORT_ERROR: ImportError | None = error
else:
    NETADDR_IMPORT_ERROR = None

OF_PORTS = "_pf_floatingips"  # a router's floating IPs that are there for their port forwardings


def routers_from_neutron(routers: Any) -> Any:
    """What the L3 plugin's ``sync_routers`` returns, in canonical form.

    Takes the current form (``fixed_ips[].prefixlen``, ``subnets``, ``extra_subnets``) and that of 2013 (one
    ``subnet`` per port). Keys it has no use for are ignored. Raises :class:`NeutronError` where netaddr is missing.
    """
    if NETADDR_IMPORT_ERROR is not None:
        raise NeutronError(
            "Neutron's routers as router data need the Python library netaddr on the controller: pip install netaddr."
        ) from NETADDR_IMPORT_ERROR
    return [_router(router) for router in routers] if isinstance(routers, (list, tuple)) else routers


def _mapped(value: Any, function: Callable[[dict[str, Any]], Any]) -> Any:
    """A list with its dicts mapped; what is no list, or no dict in it, as it is."""
    if not isinstance(value, (list, tuple)):
        return value
    return [function(entry) if isinstance(entry, dict) else entry for entry in value]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, (list, tuple)) else []


def _present(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value is not None}


def _router(router: Any) -> Any:
    if not isinstance(router, dict):
        return router
    info = router.get("external_gateway_info") or {}
    enable_snat = router.get("enable_snat", info.get("enable_snat") if isinstance(info, dict) else None)
    gateway = router.get("gw_port")
    return _present(
        {
            "id": router.get("id"),
            "name": router.get("name"),
            "admin_state_up": router.get("admin_state_up"),
            "enable_snat": enable_snat,
            "gateway": _gateway(gateway) if gateway else None,
            "interfaces": _mapped(router.get("_interfaces", []), _interface),
            "floating_ips": _floating_ips(router),
            "port_forwardings": _port_forwardings(router),
            "routes": _mapped(router.get("routes", []), _route),
            "conntrack_helpers": _mapped(router.get("conntrack_helpers") or None, _conntrack_helper),
            **_ndp_proxies(router),
            # What the check refuses, so that such a router is left as it is.
            "ha": router.get("ha") or None,
            "distributed": router.get("distributed") or None,
        }
    )


def _subnets(port: dict[str, Any]) -> list[dict[str, Any]]:
    """The subnets of a port's fixed IPs; in 2013 there was one, and none of its keys was a list."""
    return _dicts(port.get("subnets")) or _dicts([port.get("subnet")])


def _port(port: dict[str, Any]) -> dict[str, Any]:
    subnets = _subnets(port)
    return {
        "id": port.get("id"),
        "network_id": port.get("network_id"),
        "mac_address": port.get("mac_address"),
        "mtu": port.get("mtu"),
        "addresses": _mapped(port.get("fixed_ips"), lambda fixed_ip: _address(fixed_ip, subnets)),
        "address_scopes": _address_scopes(port.get("address_scopes")),
    }


def _address_scopes(scopes: Any) -> Any:
    """Address family -> scope id; None where there is none, which most ports say of both families."""
    if not isinstance(scopes, dict):
        return scopes
    return {str(family): scope for family, scope in scopes.items() if scope is not None} or None


def _address(fixed_ip: dict[str, Any], subnets: list[dict[str, Any]]) -> Any:
    address, prefixlen = fixed_ip.get("ip_address"), fixed_ip.get("prefixlen")
    if prefixlen is None:
        cidr = next((s.get("cidr") for s in subnets if s.get("id") == fixed_ip.get("subnet_id")), None)
        try:
            prefixlen = netaddr.IPNetwork(cidr).prefixlen
        except (netaddr.AddrFormatError, TypeError, ValueError):
            return address
    return f"{address}/{prefixlen}"


def _interface(port: dict[str, Any]) -> dict[str, Any]:
    # Only what the router tells hosts of: of others, their addresses say all.
    advertised = [_advertised(subnet) for subnet in _subnets(port) if subnet.get("ipv6_ra_mode")]
    data = {**_port(port), "admin_state_up": port.get("admin_state_up"), "subnets": advertised or None}
    return _present(data)


def _advertised(subnet: dict[str, Any]) -> dict[str, Any]:
    wanted = {key: subnet.get(key) for key in ("cidr", "ipv6_ra_mode")}
    return _present({**wanted, "dns_nameservers": subnet.get("dns_nameservers") or None})


def _gateway(port: Any) -> Any:
    if not isinstance(port, dict):
        return port
    gateway_ips: dict[bool, Any] = {}
    for subnet in _subnets(port):
        gateway_ip = subnet.get("gateway_ip")
        if gateway_ip:
            # One default route per address family: the first subnet's, as the port's first fixed IP is its own.
            gateway_ips.setdefault(":" in str(gateway_ip), gateway_ip)
    extra_subnets = _mapped(port.get("extra_subnets", []), lambda subnet: subnet.get("cidr"))
    mapped = {**_port(port), "gateway_ips": list(gateway_ips.values()), "extra_subnets": extra_subnets}
    return _present({**mapped, **_bandwidth_limits(port)})


def _ndp_proxies(router: dict[str, Any]) -> dict[str, Any]:
    """What of NDP proxies is known: where they are enabled and not named, what was published would be closed."""
    proxies = router.get("ndp_proxies")
    if not router.get("enable_ndp_proxy") or proxies is None:
        return {}
    return {
        "enable_ndp_proxy": router["enable_ndp_proxy"],
        "ndp_proxies": _mapped(proxies, lambda proxy: {"id": proxy.get("id"), "ip_address": proxy.get("ip_address")}),
    }


def _route(route: dict[str, Any]) -> dict[str, Any]:
    return {"destination": route.get("destination"), "nexthop": route.get("nexthop")}


def _conntrack_helper(helper: dict[str, Any]) -> dict[str, Any]:
    return _present({key: helper.get(key) for key in ("id", "protocol", "port", "helper")})


def _floating_ips(router: dict[str, Any]) -> Any:
    """Also those that are there for their port forwardings: their ids and statuses are known by these entries alone."""
    floating_ips = _mapped(router.get("_floatingips", []), _floating_ip)
    return [*floating_ips, *map(_floating_ip, _dicts(router.get(OF_PORTS)))] if isinstance(floating_ips, list) else floating_ips


def _port_forwardings(router: dict[str, Any]) -> Any:
    """What a router has of them, or else its floating IPs; None where there are none."""
    if router.get("port_forwardings") is not None:
        return _mapped(router["port_forwardings"], lambda entry: canonical(entry, {}))
    found: list[Any] = []
    for floating_ip in _dicts(router.get(OF_PORTS)):
        of_floating_ip = _mapped(floating_ip.get("port_forwardings") or [], partial(canonical, floating_ip=floating_ip))
        found += of_floating_ip if isinstance(of_floating_ip, list) else [of_floating_ip]
    return found or None


def _floating_ip(floating_ip: dict[str, Any]) -> dict[str, Any]:
    # The agent of 2013 looks at port_id, today's at fixed_ip_address: only with both is a floating IP installed.
    associated = floating_ip.get("port_id", True)
    return {
        "id": floating_ip.get("id"),
        "floating_ip_address": floating_ip.get("floating_ip_address"),
        "fixed_ip_address": floating_ip.get("fixed_ip_address") or None if associated else None,
        **_present({"status": floating_ip.get("status")}),
        **_bandwidth_limits(floating_ip),
    }


def _bandwidth_limits(limited: dict[str, Any]) -> dict[str, Any]:
    """The rules of a QoS policy, where they are known: ``sync_routers`` has the id of the policy alone."""
    rules = limited.get("bandwidth_limit_rules")
    keys = ("direction", "max_kbps", "max_burst_kbps")
    return {"bandwidth_limit_rules": _mapped(rules, lambda rule: _present({k: rule.get(k) for k in keys}))} if rules else {}
