# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Port forwardings, and the ports that a change of them concerns: pure."""

from __future__ import annotations

from bisect import bisect_right
from typing import Collection, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from .fields import LAST_PORT
from .model import PortForwarding, Router


class Ports(NamedTuple):
    """Ports of an external address, the first and the last."""

    protocol: str
    address: str
    first: int
    last: int

    def __str__(self) -> str:
        return "%s %s %s" % (self.address, self.protocol, range_text((self.first, self.last)))


def in_order(forwardings: Iterable[PortForwarding]) -> List[PortForwarding]:
    """By their external ports, since sources list them in any order: that must not rewrite rules."""
    return sorted(forwardings, key=lambda each: (each.floating_ip_address, each.protocol, each.external_ports))


def forwarded_addresses(forwardings: Iterable[PortForwarding]) -> List[str]:
    """The floating IPs of port forwardings, each once."""
    return [str(address) for address in sorted({each.floating_ip_address for each in forwardings})]


def number_of_floating_ips(router: Router) -> int:
    """As the L3 agent counts them: without those that are there for their port forwardings."""
    forwarded = {each.floating_ip_address for each in router.port_forwardings}
    return sum(1 for each in router.floating_ips if each.floating_ip_address not in forwarded)


def range_text(ports: Tuple[int, int], separator: str = ":") -> str:
    """Ports as a range, or as one."""
    return "%d" % ports[0] if ports[0] == ports[1] else "%d%s%d" % (ports[0], separator, ports[1])


def changed_ports(
    want: Collection[PortForwarding], have: Collection[PortForwarding], present: Collection[str]
) -> Tuple[Ports, ...]:
    """The ports from which a change leads elsewhere than before. ``present``: addresses that are there already: to others, no
    packet has come.
    """
    wanted, had = set(want), set(have)
    concerned = [each for each in wanted - had if "%s/32" % each.floating_ip_address in present]
    ports: Dict[Tuple[str, str], List[Tuple[int, int]]] = {}
    for each in (*concerned, *(had - wanted)):
        ports.setdefault((each.protocol, str(each.floating_ip_address)), []).append(each.external_ports)
    return tuple(Ports(*key, *joined) for key, ranges in sorted(ports.items()) for joined in _joined(ranges))


def _joined(ranges: Iterable[Tuple[int, int]]) -> List[Tuple[int, int]]:
    """Ranges without those that overlap or touch each other."""
    found: List[Tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


class Destinations:
    """Where the connections to some ports are to lead. ``wanted``: the port forwardings. Neither overlap."""

    def __init__(self, ports: Iterable[Ports], wanted: Iterable[PortForwarding]) -> None:
        self._ports: Dict[Tuple[str, str], List[Tuple[int, int]]] = {}
        self._wanted: Dict[Tuple[str, str], List[Tuple[int, int]]] = {}
        self._forwardings: Dict[Tuple[str, str, int], PortForwarding] = {}
        for protocol, address, first, last in sorted(ports):
            self._ports.setdefault((protocol, address), []).append((first, last))
        for each in in_order(wanted):
            key = (each.protocol, str(each.floating_ip_address))
            self._wanted.setdefault(key, []).append(each.external_ports)
            self._forwardings[(*key, each.external_ports[0])] = each

    def are_missed_by(self, protocol: str, address: str, port: int, internal_address: str, internal_port: int) -> bool:
        """Whether a connection is to one of the ports, and not led as it is to be."""
        key = (protocol, address)
        if _first_of(self._ports.get(key, ()), port) is None:
            return False
        first = _first_of(self._wanted.get(key, ()), port)
        if first is None:
            return True
        forwarding = self._forwardings[(*key, first)]
        return (internal_address, internal_port) != (str(forwarding.internal_ip_address), forwarding.internal_port(port))


def _first_of(ranges: Sequence[Tuple[int, int]], port: int) -> Optional[int]:
    """The first port of that of the ranges, which are in order, that has the port."""
    place = bisect_right(ranges, (port, LAST_PORT)) - 1
    return ranges[place][0] if place >= 0 and port <= ranges[place][1] else None
