# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where router data is parsed and checked: lists of dicts in, :class:`model.Router` out.

Every error is found before anything is touched, all at once, each with the path of the value. A router with
errors is rejected whole and the others are not concerned; what two routers claim at once rejects both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple, TypeVar

from .addresses import overlapping, parse_address, parse_interface, parse_mac, parse_network, refuse_unusable
from .errors import NotRouterData
from .json_text import Doubled
from .model import (
    NETWORK_ID_SHOWN,
    ExtraRoute,
    FloatingIP,
    Gateway,
    IPNetwork,
    Port,
    Router,
    external_device_name,
    internal_device_name,
)
from .shown import NAMED, Complaints, listed, shown

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
ID_RULE = "is not an id (1 to 64 letters, digits, '_', '.', '-', beginning with a letter or digit)"
MTU_RANGE = (1280, 65535)  # below the minimum of IPv6 (RFC 8200) the kernel takes IPv6 and its parameters off a device

T = TypeVar("T")


@dataclass(frozen=True)
class Rejected:
    """A router with errors. ``identified`` is false when not even its id could be read."""

    id: str
    identified: bool
    errors: Tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """What router data came to: routers to converge, and those that are left as they are."""

    routers: Tuple[Router, ...]
    rejected: Tuple[Rejected, ...]


def check_routers(data: object, network_ids_required: bool = False) -> Checked:
    """Check a list of routers in canonical form. Raises :class:`NotRouterData` when it is no list.

    ``network_ids_required``: internal ports must say their network, which names its bridge.
    """
    readings = [_read_router(entry, path, network_ids_required) for path, entry in _entries(data)]
    _reject_double_claims(readings)
    if network_ids_required:
        _reject_shared_bridges(readings)
    return Checked(
        routers=tuple(r.router for r in readings if r.router is not None and not r.errors),
        rejected=tuple(r.rejected for r in readings if r.errors),
    )


def check_router_ids(data: object) -> Tuple[Tuple[str, ...], Tuple[Rejected, ...]]:
    """The ids alone, for routers that are to go: whatever else is in the data does not matter."""
    ids: List[str] = []
    rejected: List[Rejected] = []
    for path, entry in _entries(data):
        errors = Complaints()
        fields = _Fields.of(entry, path, errors)
        router_id = fields.id("id", required=True) if fields else None
        if router_id is None:
            rejected.append(Rejected(path, False, tuple(errors.told)))
        elif router_id not in ids:
            ids.append(router_id)
    return tuple(ids), tuple(rejected)


def _entries(data: object) -> Iterator[Tuple[str, object]]:
    if not isinstance(data, (list, tuple)):
        raise NotRouterData("routers: expected a list of routers, not %s" % shown(data))
    return (("routers[%d]" % index, entry) for index, entry in enumerate(data))


class _Fields:
    """One mapping of router data, read key by key. What is wrong is noted, with its path, in ``errors``."""

    def __init__(self, values: Dict[str, Any], path: str, errors: List[str]) -> None:
        self.values, self.path, self.errors = values, path, errors
        self.known: Set[str] = set()

    @classmethod
    def of(cls, value: object, path: str, errors: List[str]) -> Optional[_Fields]:
        if isinstance(value, dict):
            for key in value.keys_twice if isinstance(value, Doubled) else ():
                errors.append("%s: the key %s stands there twice" % (path, shown(key)))
            return cls(value, path, errors)
        errors.append("%s: expected a mapping, not %s" % (path, shown(value)))
        return None

    def wrong(self, key: str, message: str) -> None:
        self.errors.append("%s.%s: %s" % (self.path, key, message))

    def get(self, key: str, required: bool = False) -> Any:
        self.known.add(key)
        value = self.values.get(key)
        if required and value is None:
            self.wrong(key, "is required")
        return value

    def parsed(self, key: str, parse: Callable[[object], T], required: bool = False) -> Optional[T]:
        value = self.get(key, required)
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            self.wrong(key, "%s %s" % (shown(value), error))
            return None

    def id(self, key: str, required: bool = False) -> Optional[str]:
        if isinstance(self.values, Doubled) and key in self.values.keys_twice:
            self.known.add(key)
            return None  # to take one of the two for it could cost another router
        return self.parsed(key, _parse_id, required)

    def boolean(self, key: str, default: bool = True) -> bool:
        value = self.parsed(key, _parse_boolean)
        return default if value is None else value

    def entries(self, key: str, required: bool = False) -> Iterator[Tuple[str, object]]:
        values = self.get(key, required)
        if values is None:
            return
        if not isinstance(values, (list, tuple)):
            self.wrong(key, "expected a list, not %s" % shown(values))
            return
        for index, value in enumerate(values):
            yield "%s[%d]" % (key, index), value

    def parsed_entries(self, key: str, parse: Callable[[object], T], required: bool = False) -> Tuple[T, ...]:
        results = []
        for place, value in self.entries(key, required):
            try:
                results.append(parse(value))
            except ValueError as error:
                self.wrong(place, "%s %s" % (shown(value), error))
        return tuple(results)

    def children(self, key: str) -> Iterator[_Fields]:
        for place, value in self.entries(key):
            fields = _Fields.of(value, "%s.%s" % (self.path, place), self.errors)
            if fields:
                yield fields

    def refuse_unknown(self) -> None:
        for key in self.values:
            if key not in self.known:
                self.errors.append("%s: unknown key %s (known are %s)" % (self.path, shown(key), ", ".join(sorted(self.known))))


def _parse_id(value: object) -> str:
    if isinstance(value, str) and ID.match(value):
        return value
    raise ValueError("is a number, and an id is text: quote it" if type(value) in (int, float) else ID_RULE)


def _parse_boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("is not true or false")


def _parse_mtu(value: object) -> int:
    low, high = MTU_RANGE
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise ValueError("is not an MTU (a number from %d to %d)" % (low, high))


def _parse_name(value: object) -> str:
    if isinstance(value, str):
        return value[:255]
    raise ValueError("is not text")


class _Reading:
    """What became of one entry: its errors, the router if it could be read, and what it lays claim to."""

    def __init__(self, path: str, network_ids_required: bool) -> None:
        self.path = path
        self.network_ids_required = network_ids_required
        self.errors = Complaints()
        self.router_id: Optional[str] = None
        self.router: Optional[Router] = None
        self.claims: Dict[Tuple[str, str], str] = {}  # (kind, value) -> path

    @property
    def rejected(self) -> Rejected:
        return Rejected(self.router_id or self.path, self.router_id is not None, tuple(self.errors.told))

    def claim(self, kind: str, value: Optional[object], path: str) -> None:
        if value is None:
            return
        claim = (kind, str(value))
        if claim in self.claims:
            self.errors.append("%s: %s %s stands at %s already" % (path, kind, value, self.claims[claim]))
        else:
            self.claims[claim] = path


def _read_router(entry: object, path: str, network_ids_required: bool) -> _Reading:
    reading = _Reading(path, network_ids_required)
    fields = _Fields.of(entry, path, reading.errors)
    if fields is None:
        return reading
    reading.router_id = fields.id("id", required=True)
    reading.claim("router id", reading.router_id, path + ".id")
    router = Router(
        id=reading.router_id or "",
        name=fields.parsed("name", _parse_name) or "",
        admin_state_up=fields.boolean("admin_state_up"),
        enable_snat=fields.boolean("enable_snat"),
        gateway=_read_gateway(fields, reading),
        interfaces=tuple(_read_interface(child, reading) for child in fields.children("interfaces")),
        floating_ips=tuple(fip for fip in (_read_floating_ip(c, reading) for c in fields.children("floating_ips")) if fip),
        routes=tuple(route for route in (_read_route(child) for child in fields.children("routes")) if route),
    )
    for key in ("ha", "distributed"):  # built as others, it would be active on several nodes at once
        if fields.boolean(key, default=False):
            fields.wrong(key, "is not supported")
    fields.refuse_unknown()
    _refuse_overlaps(router, path, reading.errors)
    reading.router = router
    return reading


def _read_port(fields: _Fields, reading: _Reading, device_name: Callable[[str], str]) -> Dict[str, Any]:
    port_id = fields.id("id", required=True)
    addresses = fields.parsed_entries("addresses", parse_interface, required=True)
    mtu = fields.parsed("mtu", _parse_mtu)
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
    }


def _read_interface(fields: _Fields, reading: _Reading) -> Port:
    port = Port(**_read_port(fields, reading, internal_device_name), admin_state_up=fields.boolean("admin_state_up"))
    if port.network_id is None and reading.network_ids_required:
        fields.get("network_id", required=True)
    if fields.values.get("addresses") == []:
        fields.wrong("addresses", "an internal port needs at least one address")
    fields.refuse_unknown()
    return port


def _read_gateway(router: _Fields, reading: _Reading) -> Optional[Gateway]:
    value = router.get("gateway")
    if value is None:
        return None
    fields = _Fields.of(value, router.path + ".gateway", reading.errors)
    if fields is None:
        return None
    gateway = Gateway(
        **_read_port(fields, reading, external_device_name),
        gateway_ips=fields.parsed_entries("gateway_ips", _parse_nexthop),
        extra_subnets=fields.parsed_entries("extra_subnets", _parse_subnet),
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


def _read_floating_ip(fields: _Fields, reading: _Reading) -> Optional[FloatingIP]:
    floating_id = fields.id("id")
    floating = fields.parsed("floating_ip_address", _parse_floating_address, required=True)
    fixed = fields.parsed("fixed_ip_address", _parse_floating_address)
    fields.parsed("status", _parse_name)  # for the report to Neutron only
    fields.refuse_unknown()
    reading.claim("floating IP id", floating_id, fields.path + ".id")
    reading.claim("address", floating, fields.path + ".floating_ip_address")
    if floating is None:
        return None
    return FloatingIP(floating_ip_address=floating, fixed_ip_address=fixed, id=floating_id)


def _read_route(fields: _Fields) -> Optional[ExtraRoute]:
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


def _reject_double_claims(readings: List[_Reading]) -> None:
    """What two routers claim at once fails both: neither claim is better than the other."""
    claimants: Dict[Tuple[str, str], List[_Reading]] = {}
    for reading in readings:
        for claim in reading.claims:
            claimants.setdefault(claim, []).append(reading)
    for (kind, value), several in claimants.items():
        if len(several) < 2:
            continue
        # Routers' networks may overlap; of addresses, only floating IPs are one router's alone.
        rivals = [r for r in several if kind != "address" or r.claims[(kind, value)].endswith(".floating_ip_address")]
        paths = sorted(r.claims[(kind, value)] for r in rivals)
        for reading in rivals if len(rivals) > 1 else ():
            others = _without(paths, reading.claims[(kind, value)])
            label = "floating IP" if kind == "address" else kind
            reading.errors.append("%s: %s %s is claimed by %s too" % (reading.claims[(kind, value)], label, value, others))


def _without(paths: List[str], own: str) -> str:
    """All but one of many paths in words, without walking through them for each of the many."""
    first = [path for path in paths[: NAMED + 1] if path != own][:NAMED]
    more = len(paths) - 1 - len(first)
    return ", ".join(first) + (" and %d more" % more if more else "")


def _reject_shared_bridges(readings: List[_Reading]) -> None:
    """Networks whose ids begin alike would have one bridge, and be one network."""
    places: Dict[str, Dict[str, List[Tuple[_Reading, str]]]] = {}
    for reading in readings:
        for number, port in enumerate(reading.router.interfaces if reading.router else ()):
            if port.network_id is not None:
                place = (reading, "%s.interfaces[%d].network_id" % (reading.path, number))
                places.setdefault(port.network_id[:NETWORK_ID_SHOWN], {}).setdefault(port.network_id, []).append(place)
    for beginning, networks in places.items():
        if len(networks) > 1:
            names = listed(sorted(networks), " and ")
            for reading, path in (place for several in networks.values() for place in several):
                reading.errors.append("%s: networks %s would share the bridge of %s" % (path, names, beginning))
