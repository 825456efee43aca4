# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a node is to be converged: the modules' options as one frozen value, checked."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Union

from .errors import InvalidOption
from .model import NETWORK_ID_SHOWN, namespace_name

INTERFACE_NAME_LENGTH = 15  # IFNAMSIZ without the final null
_INTERFACE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\Z")
_DELETIONS = re.compile(r"([0-9]{1,9})(%?)\Z")
_UPSTREAM = re.compile(
    r"(unix:/[A-Za-z0-9_.,:+@/-]{1,106}|(\[[0-9A-Fa-f:.]+\]|(?!unix:)[A-Za-z0-9][A-Za-z0-9.-]*):([0-9]{1,5}))\Z"
)
PORTS = range(1, 65536)
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
    send_arp_for_ha: int = 3
    use_namespaces: bool = True
    router_id: Optional[str] = None
    handle_internal_only_routers: bool = True
    gateway_external_network_id: Optional[str] = None
    lock_timeout: float = 60.0
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
    options: Dict[str, Any] = {name: given[name] for name in _TAKEN if name in given}
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
    raise InvalidOption("%s: %r cannot be the name of a bridge." % (option, name))


def _external_bridge(value: object) -> Union[str, Mapping[str, str]]:
    if isinstance(value, Mapping):
        option = "external_network_bridge[%s]"
        return {str(network_id): _bridge(option % network_id, name) for network_id, name in value.items()}
    return _bridge("external_network_bridge", value)


def _internal_bridge(pattern: str) -> str:
    if _INTERFACE_NAME.match(pattern.replace("{network_id}", "x" * NETWORK_ID_SHOWN)):
        return pattern
    raise InvalidOption(
        "internal_bridge: %r cannot be the name of a bridge, which has at most %d characters; '{network_id}' is the"
        " only pattern and stands for %d." % (pattern, INTERFACE_NAME_LENGTH, NETWORK_ID_SHOWN)
    )


def _vlan_tags(tags: Mapping[Any, Any]) -> Mapping[str, int]:
    parsed = {}
    for network_id, tag in tags.items():
        number = int(tag) if isinstance(tag, str) and tag.isdecimal() and tag.isascii() else tag  # templates make text
        if not isinstance(number, int) or isinstance(number, bool) or number not in VLAN_TAGS:
            raise InvalidOption("vlan_tags[%s]: %r is not a VLAN tag (1 to 4094)." % (network_id, tag))
        parsed[str(network_id)] = number
    return parsed


def _metadata_port(port: int) -> int:
    if port in PORTS:
        return port
    raise InvalidOption("metadata_port: %r is not a port (1 to 65535)." % port)


def _metadata_upstream(text: str) -> Optional[str]:
    match = _UPSTREAM.match(text)
    if not text:
        return None
    if match and (not match.group(3) or int(match.group(3)) in PORTS) and _is_host(match.group(2)):
        return text
    raise InvalidOption("metadata_upstream: %r is neither unix:/PATH nor HOST:PORT." % text)


def _is_host(host: Optional[str]) -> bool:
    """Whether brackets hold an IPv6 address."""
    try:
        return not host or not host.startswith("[") or bool(ipaddress.IPv6Address(host[1:-1]))
    except ValueError:
        return False


def parse_max_deletions(text: str) -> MaxDeletions:
    """``5`` or ``50%``. Raises :class:`InvalidOption`."""
    match = _DELETIONS.match(str(text).strip())
    if not match:
        raise InvalidOption("max_deletions: %r is neither a count (5) nor a percentage (50%%)." % text)
    return MaxDeletions(int(match.group(1)), bool(match.group(2)))


_TAKEN = (
    "interface_driver",
    "use_namespaces",
    "handle_internal_only_routers",
)
_PARSED: Dict[str, Callable[[Any], Any]] = {
    "external_network_bridge": _external_bridge,
    "internal_bridge": _internal_bridge,
    "integration_bridge": lambda name: _bridge("integration_bridge", name),
    "vlan_tags": _vlan_tags,
    "metadata_port": _metadata_port,
    "metadata_upstream": _metadata_upstream,
    "send_arp_for_ha": lambda rounds: max(0, rounds),
    "router_id": lambda router_id: router_id or None,
    "gateway_external_network_id": lambda network_id: network_id or None,
    "lock_timeout": lambda seconds: max(0.0, seconds),
    "max_deletions": parse_max_deletions,
}
