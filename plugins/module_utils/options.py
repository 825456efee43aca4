# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a node is to be converged: the modules' options as one frozen value, checked."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, FrozenSet, Mapping, Optional, Sequence, Tuple, Union

from .addresses import parse_address
from .errors import InvalidOption
from .fields import ID, ID_RULE
from .firewall import DEFAULT, DRIVERS
from .metadata_rate_limit import Window, parse_rate_limit
from .model import NETWORK_ID_SHOWN, namespace_name
from .shown import shown

INTERFACE_NAME_LENGTH = 15  # IFNAMSIZ without the final null
# "all" and "default" stand for no device where the kernel has parameters of devices.
_INTERFACE_NAME = re.compile(r"(?!(?:all|default)\Z)[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\Z")
_DELETIONS = re.compile(r"([0-9]{1,9})(%?)\Z")
_UPSTREAM = re.compile(
    r"(unix:/[A-Za-z0-9_.,:+@/-]{1,106}|(\[[0-9A-Fa-f:.]+\]|(?!unix:)[A-Za-z0-9][A-Za-z0-9.-]{0,252}):([0-9]{1,5}))\Z"
)
PORTS = range(1, 65536)
LONGEST_WAIT = 86400.0  # seconds: who waits longer for another run waits for ever
MOST_ROUNDS = 1000  # of announcements, a second apart
VLAN_TAGS = range(1, 4095)  # IEEE 802.1Q without the reserved 0 and 4095


@dataclass(frozen=True)
class MaxDeletions:
    """How many routers one run may purge: ``limit`` routers, or percent of those on the node."""

    limit: int
    percent: bool

    def allows(self, deletions: int, on_node: int) -> bool:
        """Whether so many of the routers on the node may go."""
        if self.percent:
            return deletions * 100 <= self.limit * on_node
        return deletions <= self.limit

    def __str__(self) -> str:
        return "%d%s" % (self.limit, "%" if self.percent else "")


@dataclass(frozen=True)
class Options:
    """The options of the L3 agent that this collection has, under the same names."""

    interface_driver: str
    external_network_bridge: Union[str, Mapping[str, str]] = "br-ex"
    internal_bridge: str = "brq{network_id}"
    integration_bridge: str = "br-int"
    vlan_tags: Mapping[str, int] = field(default_factory=dict)
    metadata_port: int = 9697
    metadata_upstream: Optional[str] = None
    ipv6_gateway: Optional[str] = None
    firewall_driver: str = DEFAULT
    clamp_mss_to_pmtu: bool = False
    metadata_rate_limit: Optional[Tuple[Window, ...]] = None
    send_arp_for_ha: int = 3
    use_namespaces: bool = True
    router_id: Optional[str] = None
    handle_internal_only_routers: bool = True
    gateway_external_network_id: Optional[str] = None
    lock_timeout: float = 60.0
    confirm_timeout: float = 0.0
    protected_routers: FrozenSet[str] = frozenset()
    max_deletions: MaxDeletions = MaxDeletions(50, True)

    @property
    def needs_network_ids(self) -> bool:
        """Whether internal ports must say their network, since the name of its bridge is made of it."""
        return self.interface_driver == "bridge" and "{network_id}" in self.internal_bridge

    def internal_bridge_of(self, network_id: Optional[str]) -> str:
        """The bridge of an internal network."""
        return self.internal_bridge.replace("{network_id}", (network_id or "")[:NETWORK_ID_SHOWN])

    def external_bridge_of(self, network_id: Optional[str]) -> Optional[str]:
        """The bridge of an external network; None when the mapping of networks to bridges does not have it."""
        if isinstance(self.external_network_bridge, str):
            return self.external_network_bridge
        return self.external_network_bridge.get(network_id or "")

    @property
    def external_bridges(self) -> Sequence[str]:
        """All bridges of external networks."""
        bridges = self.external_network_bridge
        return [bridges] if isinstance(bridges, str) else sorted(set(bridges.values()))

    def namespace_of(self, router_id: str) -> Optional[str]:
        """The namespace that a router lives in; None is the node's own."""
        return namespace_name(router_id) if self.use_namespaces else None


def parse_options(params: Mapping[str, Any]) -> Options:
    """Options from a module's parameters; what a module does not have is as by default.

    Raises :class:`InvalidOption`.
    """
    given = {name: value for name, value in params.items() if value is not None}
    options: Dict[str, Any] = {}
    for name, parse in _PARSED.items():
        if name in given:
            options[name] = parse(given[name])
    parsed = Options(**{"interface_driver": "", **options})
    if not parsed.use_namespaces and parsed.router_id is None and "routers" in params and params.get("state") != "gathered":
        raise InvalidOption("use_namespaces: false needs router_id: the node's own namespace has room for one router.")
    return parsed


def _bridge(option: str, name: object) -> str:
    if isinstance(name, str) and _INTERFACE_NAME.match(name):
        return name
    raise InvalidOption("%s: %s cannot be the name of a bridge." % (option, shown(name)))


def _external_bridge(value: object) -> Union[str, Mapping[str, str]]:
    if isinstance(value, Mapping):
        bridges = {_network("external_network_bridge", network_id): name for network_id, name in value.items()}
        return {network_id: _bridge("external_network_bridge[%s]" % network_id, name) for network_id, name in bridges.items()}
    return _bridge("external_network_bridge", value)


def _network(option: str, key: object) -> str:
    """The id of a network as the key of a mapping, where templates make numbers of it, too."""
    text = str(key) if isinstance(key, (str, int)) else ""
    if ID.match(text):
        return text
    raise InvalidOption("%s: the network %s %s." % (option, shown(key), ID_RULE))


def _internal_bridge(pattern: object) -> str:
    if isinstance(pattern, str) and _INTERFACE_NAME.match(pattern.replace("{network_id}", "x" * NETWORK_ID_SHOWN)):
        return pattern
    raise InvalidOption(
        "internal_bridge: %s cannot be the name of a bridge, which has at most %d characters; '{network_id}' is the"
        " only pattern and stands for %d." % (shown(pattern), INTERFACE_NAME_LENGTH, NETWORK_ID_SHOWN)
    )


def _vlan_tags(tags: object) -> Mapping[str, int]:
    if not isinstance(tags, Mapping):
        raise InvalidOption("vlan_tags: expected a mapping of network ids to tags, not %s." % shown(tags))
    parsed = {}
    for key, tag in tags.items():
        network_id = _network("vlan_tags", key)
        short = isinstance(tag, str) and len(tag) <= 9 and tag.isdecimal() and tag.isascii()
        number = int(tag) if short else tag  # templates make text
        if not isinstance(number, int) or isinstance(number, bool) or number not in VLAN_TAGS:
            raise InvalidOption("vlan_tags[%s]: %s is not a VLAN tag (1 to 4094)." % (network_id, shown(tag)))
        parsed[network_id] = number
    return parsed


def _metadata_port(port: object) -> int:
    if isinstance(port, int) and not isinstance(port, bool) and port in PORTS:
        return port
    raise InvalidOption("metadata_port: %s is not a port (1 to 65535)." % shown(port))


def _metadata_upstream(text: object) -> Optional[str]:
    match = _UPSTREAM.match(text) if isinstance(text, str) else None
    if text == "":
        return None
    if match and (not match.group(3) or int(match.group(3)) in PORTS) and _is_host(match.group(2)):
        return match.group(0)
    raise InvalidOption("metadata_upstream: %s is neither unix:/PATH nor HOST:PORT." % shown(text))


def _is_host(host: Optional[str]) -> bool:
    """Whether brackets hold an IPv6 address."""
    try:
        return not host or not host.startswith("[") or bool(ipaddress.IPv6Address(host[1:-1]))
    except ValueError:
        return False


def _ipv6_gateway(text: object) -> Optional[str]:
    """As the kernel writes it. What is no link-local address is refused, as by the L3 agent."""
    if text == "":
        return None
    try:
        address = parse_address(text)
    except ValueError:
        address = None
    if address is not None and address.version == 6 and address.is_link_local:
        return str(address)
    raise InvalidOption("ipv6_gateway: %s is not an IPv6 link-local address (such as fe80::1)." % shown(text))


def _firewall_driver(name: object) -> str:
    if isinstance(name, str) and name in DRIVERS:
        return name
    raise InvalidOption("firewall_driver: %s is unknown (known are: %s)." % (shown(name), ", ".join(sorted(DRIVERS))))


def _confirm_timeout(seconds: object) -> float:
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0.0 <= seconds <= LONGEST_WAIT:
        return float(seconds)
    raise InvalidOption("confirm_timeout: %s is not a number of seconds from 0 to %d." % (shown(seconds), LONGEST_WAIT))


def _protected_routers(ids: Sequence[object]) -> FrozenSet[str]:
    for place, router_id in enumerate(ids):
        if not (isinstance(router_id, str) and ID.match(router_id)):
            raise InvalidOption("protected_routers[%d]: %s %s." % (place, shown(router_id), ID_RULE))
    return frozenset(str(router_id) for router_id in ids)


def parse_max_deletions(text: object) -> MaxDeletions:
    """``5`` or ``50%``. Raises :class:`InvalidOption`."""
    match = _DELETIONS.match(text.strip()) if isinstance(text, str) else None
    if not match:
        raise InvalidOption("max_deletions: %s is neither a count (5) nor a percentage (50%%)." % shown(text))
    return MaxDeletions(int(match.group(1)), bool(match.group(2)))


def _id(option: str) -> Callable[[object], Optional[str]]:
    def parse(value: object) -> Optional[str]:
        if value == "" or (isinstance(value, str) and ID.match(value)):
            return str(value) or None
        raise InvalidOption("%s: %s %s." % (option, shown(value), ID_RULE))

    return parse


def _truth(option: str) -> Callable[[object], bool]:
    def parse(value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise InvalidOption("%s: %s is not true or false." % (option, shown(value)))

    return parse


def _send_arp_for_ha(rounds: object) -> int:
    """What is less than nothing is nothing, as with the L3 agent."""
    if isinstance(rounds, int) and not isinstance(rounds, bool) and rounds <= MOST_ROUNDS:
        return max(0, rounds)
    raise InvalidOption("send_arp_for_ha: %s is not a number of announcements (0 to %d)." % (shown(rounds), MOST_ROUNDS))


def _lock_timeout(seconds: object) -> float:
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds <= LONGEST_WAIT:
        return max(0.0, float(seconds))
    raise InvalidOption("lock_timeout: %s is not a number of seconds (0 to %d)." % (shown(seconds), LONGEST_WAIT))


def _interface_driver(name: object) -> str:
    if isinstance(name, str):
        return name  # which ones there are is known where they are chosen
    raise InvalidOption("interface_driver: %s is no name of one." % shown(name))


_PARSED: Dict[str, Callable[[Any], Any]] = {
    "interface_driver": _interface_driver,
    "use_namespaces": _truth("use_namespaces"),
    "handle_internal_only_routers": _truth("handle_internal_only_routers"),
    "external_network_bridge": _external_bridge,
    "internal_bridge": _internal_bridge,
    "integration_bridge": lambda name: _bridge("integration_bridge", name),
    "vlan_tags": _vlan_tags,
    "metadata_port": _metadata_port,
    "metadata_upstream": _metadata_upstream,
    "ipv6_gateway": _ipv6_gateway,
    "firewall_driver": _firewall_driver,
    "clamp_mss_to_pmtu": _truth("clamp_mss_to_pmtu"),
    "metadata_rate_limit": parse_rate_limit,
    "confirm_timeout": _confirm_timeout,
    "protected_routers": _protected_routers,
    "send_arp_for_ha": _send_arp_for_ha,
    "router_id": _id("router_id"),
    "gateway_external_network_id": _id("gateway_external_network_id"),
    "lock_timeout": _lock_timeout,
    "max_deletions": parse_max_deletions,
}
