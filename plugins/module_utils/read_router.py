# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One router as it is written to :class:`model.Router`, with what is wrong in it and what it lays claim to. Pure."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from .addresses import overlapping, parse_address, parse_interface, parse_mac, parse_network, refuse_unusable
from .bandwidth import DIRECTIONS, HIGHEST
from .conntrack_helpers import NAMES, PROTOCOLS
from .fields import Fields, parse_mtu, parse_name, parse_port, parse_port_range
from .model import (
    FORWARDED_PROTOCOLS,
    AddressScopes,
    BandwidthLimitRule,
    ConntrackHelper,
    ExtraRoute,
    FloatingIP,
    Gateway,
    IPNetwork,
    NDPProxy,
    Port,
    PortForwarding,
    Router,
    external_device_name,
    internal_device_name,
)
from .read_subnet import read_subnets
from .shown import Complaints
from .state import FAMILIES


class Reading:
    """What became of one entry: its errors, the router if it could be read, and what it lays claim to."""

    def __init__(self, path: str, network_ids_required: bool) -> None:
        self.path = path
        self.network_ids_required = network_ids_required
        self.errors = Complaints()
        self.router_id: Optional[str] = None
        self.router: Optional[Router] = None
        self.claims: Dict[Tuple[str, str], str] = {}  # (kind, value) -> path

    def claim(self, kind: str, value: Optional[object], path: str) -> None:
        """Note what no other router may have, and this one once."""
        if value is None:
            return
        claim = (kind, str(value))
        if claim in self.claims:
            self.errors.append("%s: %s %s stands at %s already" % (path, kind, value, self.claims[claim]))
        else:
            self.claims[claim] = path


def read_router(entry: object, path: str, network_ids_required: bool) -> Reading:
    """An entry of router data at this path."""
    reading = Reading(path, network_ids_required)
    fields = Fields.of(entry, path, reading.errors)
    if fields is None:
        return reading
    reading.router_id = fields.id("id", required=True)
    reading.claim("router id", reading.router_id, path + ".id")
    forwardings = list(_read_port_forwardings(fields, reading))
    router = Router(
        id=reading.router_id or "",
        name=fields.parsed("name", parse_name) or "",
        admin_state_up=fields.boolean("admin_state_up"),
        enable_snat=fields.boolean("enable_snat"),
        gateway=_read_gateway(fields, reading),
        interfaces=tuple(_read_interface(child, reading) for child in fields.children("interfaces")),
        floating_ips=tuple(fip for fip in (_read_floating_ip(c, reading) for c in fields.children("floating_ips")) if fip),
        port_forwardings=tuple(forwarding for forwarding, _path in forwardings),
        routes=tuple(route for route in (_read_route(child) for child in fields.children("routes")) if route),
        conntrack_helpers=_read_conntrack_helpers(fields, reading),
        enable_ndp_proxy=fields.boolean("enable_ndp_proxy", default=False),
        ndp_proxies=_read_ndp_proxies(fields, reading),
    )
    for key, kind in (("ha", "highly available"), ("distributed", "distributed")):
        if fields.boolean(key, default=False):  # built as others, it would be active on several nodes at once
            fields.wrong(key, "%s routers are not supported" % kind)
    fields.refuse_unknown()
    _refuse_overlaps(router, path, reading.errors)
    _claim_forwarded_addresses(router, forwardings, reading)
    reading.router = router
    return reading


def _read_port(fields: Fields, reading: Reading, device_name: Callable[[str], str]) -> Dict[str, Any]:
    port_id = fields.id("id", required=True)
    addresses = fields.parsed_entries("addresses", parse_interface, required=True)
    mtu = fields.parsed("mtu", parse_mtu)
    if port_id is not None:
        # Two ids that begin alike give one device name, which a node can have only once.
        reading.claim("port id beginning with", device_name(port_id)[3:], fields.path + ".id")
    for index, address in enumerate(addresses):
        reading.claim("address", address.ip, "%s.addresses[%d]" % (fields.path, index))
    return {
        "id": port_id or "",
        "addresses": addresses,
        "network_id": fields.id("network_id"),
        "mac_address": fields.parsed("mac_address", parse_mac),
        "mtu": mtu,
        "address_scopes": _read_address_scopes(fields, reading),
    }


def _read_address_scopes(port: Fields, reading: Reading) -> AddressScopes:
    """Address family -> scope id. Families that YAML takes for numbers come as text, as all keys of JSON are."""
    value = port.get("address_scopes")
    fields = Fields.of(value, port.path + ".address_scopes", reading.errors) if value is not None else None
    if fields is None:
        return ()
    scopes = [(family, fields.id(str(family))) for family in FAMILIES]
    fields.refuse_unknown()
    return tuple((family, scope) for family, scope in scopes if scope is not None)


def _read_interface(fields: Fields, reading: Reading) -> Port:
    values = _read_port(fields, reading, internal_device_name)
    subnets = read_subnets(fields, values["addresses"])
    port = Port(**values, admin_state_up=fields.boolean("admin_state_up"), subnets=subnets)
    if port.network_id is None and reading.network_ids_required:
        fields.get("network_id", required=True)
    if fields.values.get("addresses") == []:
        fields.wrong("addresses", "an internal port needs at least one address")
    fields.refuse_unknown()
    return port


def _read_gateway(router: Fields, reading: Reading) -> Optional[Gateway]:
    value = router.get("gateway")
    if value is None:
        return None
    fields = Fields.of(value, router.path + ".gateway", reading.errors)
    if fields is None:
        return None
    gateway = Gateway(
        **_read_port(fields, reading, external_device_name),
        gateway_ips=fields.parsed_entries("gateway_ips", _parse_nexthop),
        extra_subnets=fields.parsed_entries("extra_subnets", _parse_subnet),
        bandwidth_limit_rules=_read_bandwidth_limit_rules(fields),
    )
    families = [address.version for address in gateway.gateway_ips]
    for family in sorted(set(families)):
        if families.count(family) > 1:
            fields.wrong("gateway_ips", "has %d IPv%d addresses; one per address family" % (families.count(family), family))
    fields.refuse_unknown()
    return gateway


def _parse_subnet(value: object) -> IPNetwork:
    network = parse_network(value)
    if network.prefixlen == 0 or network.is_multicast or network.is_loopback:
        raise ValueError("is no network that can be on a link")
    return network


def _parse_nexthop(value: object) -> Any:
    address = parse_address(value)
    if not (address.version == 6 and address.is_link_local):
        refuse_unusable(address)
    return address


def _parse_floating_address(value: object) -> Any:
    address = parse_address(value)
    if address.version != 4:
        raise ValueError("is not an IPv4 address")
    refuse_unusable(address)
    return address


def _read_floating_ip(fields: Fields, reading: Reading) -> Optional[FloatingIP]:
    floating_id = fields.id("id")
    floating = fields.parsed("floating_ip_address", _parse_floating_address, required=True)
    fixed = fields.parsed("fixed_ip_address", _parse_floating_address)
    rules = _read_bandwidth_limit_rules(fields)
    fields.parsed("status", parse_name)  # for the report to Neutron only
    fields.refuse_unknown()
    reading.claim("floating IP id", floating_id, fields.path + ".id")
    reading.claim("address", floating, fields.path + ".floating_ip_address")
    if floating is None:
        return None
    return FloatingIP(floating, fixed, floating_id, rules)


def _read_bandwidth_limit_rules(parent: Fields) -> Tuple[BandwidthLimitRule, ...]:
    rules: List[BandwidthLimitRule] = []
    for fields in parent.children("bandwidth_limit_rules"):
        direction = fields.parsed("direction", _parse_direction, required=True)
        max_kbps = fields.parsed("max_kbps", _parse_kilobits, required=True)
        max_burst_kbps = fields.parsed("max_burst_kbps", _parse_kilobits)
        fields.refuse_unknown()
        if any(rule.direction == direction for rule in rules):
            fields.wrong("direction", "there is a rule for %s already; one for each direction" % direction)
        elif direction is not None and max_kbps is not None:
            rules.append(BandwidthLimitRule(direction, max_kbps, max_burst_kbps or 0))
    return tuple(rules)


def _parse_direction(value: object) -> str:
    if isinstance(value, str) and value in DIRECTIONS:
        return value
    raise ValueError("is not a direction (egress or ingress)")


def _parse_kilobits(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= HIGHEST:
        return value
    raise ValueError("is not a number of kilobits from 0 to %d" % HIGHEST)


def _read_conntrack_helpers(router: Fields, reading: Reading) -> Tuple[ConntrackHelper, ...]:
    helpers: List[ConntrackHelper] = []
    for fields in router.children("conntrack_helpers"):
        helper = _read_conntrack_helper(fields, reading)
        if helper is not None and helper in helpers:
            reading.errors.append("%s: %s port %d has the helper %s already" % (fields.path, *astuple(helper)))
        elif helper is not None:
            helpers.append(helper)
    return tuple(helpers)


def _read_conntrack_helper(fields: Fields, reading: Reading) -> Optional[ConntrackHelper]:
    helper_id = fields.id("id")
    protocol = fields.parsed("protocol", _parse_helped_protocol, required=True)
    port = fields.parsed("port", parse_port, required=True)
    helper = fields.parsed("helper", _parse_helper, required=True)
    fields.refuse_unknown()
    reading.claim("conntrack helper id", helper_id, fields.path + ".id")
    if protocol is None or port is None or helper is None:
        return None
    return ConntrackHelper(protocol, port, helper)


def _parse_helped_protocol(value: object) -> str:
    if isinstance(value, str) and value in PROTOCOLS:
        return value
    raise ValueError("is not %s" % " or ".join(PROTOCOLS))


def _parse_helper(value: object) -> str:
    if isinstance(value, str) and value in NAMES:
        return value
    raise ValueError("is not a helper of connection tracking (%s)" % ", ".join(NAMES))


def _read_port_forwardings(router: Fields, reading: Reading) -> Iterator[Tuple[PortForwarding, str]]:
    """Each with its path."""
    taken: Dict[Tuple[object, str], List[Tuple[int, int, str]]] = {}
    for fields in router.children("port_forwardings"):
        forwarding = _read_port_forwarding(fields, reading)
        if forwarding is not None:
            yield forwarding, fields.path
            key = (forwarding.floating_ip_address, forwarding.protocol)
            taken.setdefault(key, []).append((*forwarding.external_ports, fields.path))
    for (_address, protocol), ports in taken.items():
        end, owner = 0, ""
        for first, last, path in sorted(ports):
            if first <= end:
                reading.errors.append("%s: %s port %d of this floating IP stands at %s already" % (path, protocol, first, owner))
            if last > end:
                end, owner = last, path


def _read_port_forwarding(fields: Fields, reading: Reading) -> Optional[PortForwarding]:
    reading.claim("port forwarding id", fields.id("id"), fields.path + ".id")
    floating = fields.parsed("floating_ip_address", _parse_floating_address, required=True)
    protocol = fields.parsed("protocol", _parse_forwarded_protocol, required=True)
    external = _read_ports(fields, "external")
    internal_address = fields.parsed("internal_ip_address", _parse_floating_address, required=True)
    internal = _read_ports(fields, "internal")
    fields.refuse_unknown()
    if floating is None or protocol is None or external is None or internal_address is None or internal is None:
        return None
    outside, inside = (last - first + 1 for first, last in (external, internal))
    if inside not in (1, outside):
        fields.wrong("internal_port_range", "has %d ports for %d external ones; as many, or one" % (inside, outside))
    return PortForwarding(floating, protocol, external, internal_address, internal)


def _read_ports(fields: Fields, side: str) -> Optional[Tuple[int, int]]:
    """The first and the last port, of which one side has a single one or a range."""
    single, several = side + "_port", side + "_port_range"
    port, ports = fields.parsed(single, parse_port), fields.parsed(several, parse_port_range)
    given = [key for key in (single, several) if fields.values.get(key) is not None]
    if len(given) != 1:
        fields.wrong(single, "one of %s and %s is required" % (single, several))
        return None
    return ports if port is None else (port, port)


def _parse_forwarded_protocol(value: object) -> str:
    if isinstance(value, str) and value in FORWARDED_PROTOCOLS:
        return value
    raise ValueError("is not a protocol with ports (%s)" % ", ".join(FORWARDED_PROTOCOLS))


def _claim_forwarded_addresses(
    router: Router, forwardings: Sequence[Tuple[PortForwarding, str]], reading: Reading
) -> None:  # fmt: skip
    """A floating IP is for port forwardings or for one fixed address. Of the former, entries without one may tell more."""
    listed = {fip.floating_ip_address: fip.fixed_ip_address for fip in router.floating_ips}
    seen = set()
    for forwarding, path in forwardings:
        address, place = forwarding.floating_ip_address, path + ".floating_ip_address"
        if address not in listed and address not in seen:
            reading.claim("address", address, place)
        elif listed.get(address) is not None:
            reading.errors.append("%s: all ports of %s lead to its fixed address %s" % (place, address, listed[address]))
        seen.add(address)


def _parse_ndp_proxy_address(value: object) -> Any:
    address = parse_address(value)
    if address.version != 6:
        raise ValueError("is not an IPv6 address")
    refuse_unusable(address)
    return address


def _read_ndp_proxies(router: Fields, reading: Reading) -> Tuple[NDPProxy, ...]:
    proxies: List[NDPProxy] = []
    places: Dict[object, str] = {}  # two routers may publish one address, on networks that do not touch
    for fields in router.children("ndp_proxies"):
        proxy_id = fields.id("id")
        address = fields.parsed("ip_address", _parse_ndp_proxy_address, required=True)
        fields.refuse_unknown()
        reading.claim("NDP proxy id", proxy_id, fields.path + ".id")
        if address in places:
            fields.wrong("ip_address", "%s stands at %s already" % (address, places[address]))
        elif address is not None:
            places[address] = fields.path + ".ip_address"
            proxies.append(NDPProxy(address, proxy_id))
    return tuple(proxies)


def _read_route(fields: Fields) -> Optional[ExtraRoute]:
    destination = fields.parsed("destination", parse_network, required=True)
    nexthop = fields.parsed("nexthop", _parse_nexthop, required=True)
    fields.refuse_unknown()
    if destination is None or nexthop is None:
        return None
    if destination.version != nexthop.version:
        fields.wrong("nexthop", "%s is not of the address family of %s" % (nexthop, destination))
    if destination.is_multicast or destination.is_loopback or (destination.version == 6 and destination.is_link_local):
        fields.wrong("destination", "'%s' is no network that a router forwards to" % destination)
    return ExtraRoute(destination=destination, nexthop=nexthop)


def _refuse_overlaps(router: Router, path: str, errors: List[str]) -> None:
    """Subnets of different internal ports must not overlap: the router could not tell where to send."""
    places, networks, ports = [], [], []
    for number, port in enumerate(router.interfaces):
        for index, address in enumerate(port.addresses):
            places.append("%s.interfaces[%d].addresses[%d]" % (path, number, index))
            networks.append(address.network)
            ports.append(number)
    for former, latter in overlapping(networks, ports):
        errors.append("%s: %s overlaps %s at %s" % (places[latter], networks[latter], networks[former], places[former]))
