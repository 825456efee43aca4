# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Router advertisements: a radvd for each router with a subnet that asks for them, in the router's namespace.

Its configuration is all that is known of what it sends, and has in comments what it was made of. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import AbstractSet, Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..advertised_from import FROM_OWN
from ..metadata_ipv6 import ON_DEVICE
from ..model import DHCPV6_STATEFUL, DHCPV6_STATELESS, SLAAC, Port, Router, Subnet, internal_device_name

MOST_NAMESERVERS = 3  # that radvd tells hosts of
_HEAD = "# Written by netnode.l3 at each run; changes are undone.\n"
_MTU = "AdvLinkMTU"
_DEVICE = re.compile(r"^interface (\S+)$", re.MULTILINE)
_SUBNET = re.compile(r"^ +# subnet (\S+) (\S+)((?: \S+)*)$", re.MULTILINE)


class Advertiser(NamedTuple):
    """What there is of a router's radvd: its process, or None when that is gone; the configuration, as far as it is known that
    the process has read it; and what tells the network namespace that it is in, or None when that may not be seen.
    """

    pid: Optional[int]
    text: str = ""
    namespace: Optional[Tuple[int, int]] = None


@dataclass(frozen=True)
class Advertisers:
    """What the node has of them: router id -> ours, and router id -> the process that the L3 agent started.

    ``missing``: why none can be started, in a sentence.
    """

    known: Mapping[str, Advertiser] = field(default_factory=dict)
    of_agent: Mapping[str, int] = field(default_factory=dict)
    missing: Optional[str] = None

    def told(self, router_id: str, namespace: Tuple[int, int]) -> Optional[str]:
        """The configuration of a router's process in this namespace; None when there is no such process."""
        found = self.known.get(router_id)
        if found is None or found.pid is None or found.namespace not in (None, namespace):
            return None
        return found.text

    def pid(self, router_id: str) -> Optional[int]:
        """A router's process, in whatever namespace."""
        return self.known[router_id].pid if router_id in self.known else None


def configuration(router: Router, metadata: bool) -> Optional[str]:
    """What radvd is told for a router; None when no subnet asks for advertisements. ``metadata``: whether the router takes
    requests for metadata.
    """
    parts = [_interface(port, metadata) for port in router.interfaces if port.admin_state_up and port.subnets]
    return _HEAD + "".join(sorted(parts)) if parts else None


def _interface(port: Port, metadata: bool) -> str:
    subnets = sorted(port.subnets, key=lambda subnet: subnet.cidr)
    modes = {subnet.ipv6_ra_mode for subnet in subnets}
    # As the L3 agent: where there is DHCP, that tells of name servers.
    nameservers = [str(address) for s in subnets if s.ipv6_ra_mode == SLAAC for address in s.dns_nameservers]
    lines = [
        *map(_comment, subnets),
        "AdvSendAdvert on;",
        "MinRtrAdvInterval 30;",  # the agent's defaults, in seconds
        "MaxRtrAdvInterval 100;",
        *([FROM_OWN] if metadata else []),
        *(["%s %d;" % (_MTU, port.mtu)] if port.mtu is not None else []),
        *(["AdvManagedFlag on;"] if DHCPV6_STATEFUL in modes else []),
        *(["AdvOtherConfigFlag on;"] if DHCPV6_STATELESS in modes else []),
        *(line for subnet in subnets for line in _prefix(subnet)),
        *_block("RDNSS " + " ".join(list(dict.fromkeys(nameservers))[:MOST_NAMESERVERS]) if nameservers else ""),
        *_block("route " + ON_DEVICE if metadata else ""),
    ]
    body = "".join("    %s\n" % line for line in lines)
    return "interface %s\n{\n%s};\n" % (internal_device_name(port.id), body)


def _comment(subnet: Subnet) -> str:
    return " ".join(["# subnet", str(subnet.cidr), subnet.ipv6_ra_mode, *map(str, subnet.dns_nameservers)])


def _prefix(subnet: Subnet) -> Sequence[str]:
    autonomous = "off" if subnet.ipv6_ra_mode == DHCPV6_STATEFUL else "on"
    return _block("prefix %s" % subnet.cidr, "    AdvOnLink on;", "    AdvAutonomous %s;" % autonomous)


def _block(head: str, *lines: str) -> Sequence[str]:
    return [head, "{", *lines, "};"] if head else []


def devices_of(text: Optional[str]) -> List[str]:
    """The devices that a configuration has radvd advertise on."""
    return _DEVICE.findall(text or "")


def subnets_of(text: Optional[str]) -> Dict[str, List[Dict[str, Any]]]:
    """Device -> the subnets that a configuration was made of, as router data."""
    return {
        device: [
            {"cidr": cidr, "ipv6_ra_mode": mode, **({"dns_nameservers": servers.split()} if servers else {})}
            for cidr, mode, servers in _SUBNET.findall(body)
        ]
        for device, body in _interfaces(text).items()
    }


def without_mtu(text: Optional[str]) -> AbstractSet[str]:
    """Devices that a configuration names and says no MTU of: none was asked for."""
    return {device for device, body in _interfaces(text).items() if _MTU not in body}


def _interfaces(text: Optional[str]) -> Mapping[str, str]:
    """Device -> what a configuration says of it."""
    return dict(zip(devices_of(text), _DEVICE.split(text or "")[2::2]))
