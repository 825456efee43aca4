# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Port forwardings as rules of iptables and back: pure.

A range is one rule. Where its ports lead to others, the kernel counts them from a base (``/8000``): Linux 4.18, iptables 1.8.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Optional

from ..model import FORWARDED_PROTOCOLS, PortForwarding
from ..port_forwardings import range_text

_RULE = re.compile(
    r"-d (?P<floating>[0-9.]+)/32 -p (?P<protocol>{0}) -m (?P=protocol) --dport (?P<first>{1})(?::(?P<last>{1}))? -j DNAT"
    r" --to-destination (?P<internal>[0-9.]+)(?::(?P<to>{1})(?:-(?P<to_last>{1})/(?P<base>{1}))?)?\Z".format(
        "|".join(FORWARDED_PROTOCOLS), "[0-9]{1,5}"
    )
)


def rule_of(forwarding: PortForwarding) -> str:
    """The rule, as iptables-save prints it."""
    to, external, internal = "", forwarding.external_ports, forwarding.internal_ports
    if internal != external:  # else no port is named, and each stays what it is
        to = ":" + range_text(internal, "-")
        to += "/%d" % external[0] if internal[0] != internal[1] else ""
    return "-d %s/32 -p %s -m %s --dport %s -j DNAT --to-destination %s%s" % (
        forwarding.floating_ip_address,
        forwarding.protocol,
        forwarding.protocol,
        range_text(external),
        forwarding.internal_ip_address,
        to,
    )


def of_rule(rule: str) -> Optional[PortForwarding]:
    """The port forwarding that a rule makes, ours or the L3 agent's; None when it is another rule."""
    match = _RULE.match(rule)
    if match is None:
        return None
    first = int(match["first"])
    external = (first, int(match["last"] or first))
    to = int(match["to"]) if match["to"] else None
    internal = external if to is None else (to, int(match["to_last"] or to))
    if match["base"] and (int(match["base"]) != first or internal[1] - internal[0] != external[1] - external[0]):
        return None
    try:
        floating, address = ipaddress.IPv4Address(match["floating"]), ipaddress.IPv4Address(match["internal"])
    except ValueError:
        return None
    return PortForwarding(floating, match["protocol"], external, address, internal)
