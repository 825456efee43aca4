# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helpers of connection tracking, for protocols that open further connections: as rules and back. Pure.

They are in a chain of their own, so that the rest of a router can be had where the kernel lacks a helper.
"""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .model import ConntrackHelper, Router
from .state import FAMILIES, IPV4, Tables

CHAIN = "l3-cthelper"
PROTOCOLS = ("tcp", "udp")
_RULE = re.compile(r"(?:-i \S+ )?-p (\S+) -m \S+ --dport (\d+) -j CT --helper (\S+)(?: |$)")


class _Helper(NamedTuple):
    """What the kernel has: a helper's name there, which is not always Neutron's, and the address families."""

    name: str
    families: Tuple[int, ...]


# By Neutron's name (its option allowed_conntrack_helpers) and the protocol.
_HELPERS: Dict[Tuple[str, str], _Helper] = {
    ("amanda", "udp"): _Helper("amanda", FAMILIES),
    ("ftp", "tcp"): _Helper("ftp", FAMILIES),
    ("h323", "tcp"): _Helper("Q.931", FAMILIES),
    ("h323", "udp"): _Helper("RAS", FAMILIES),
    ("irc", "tcp"): _Helper("irc", (IPV4,)),
    ("netbios-ns", "udp"): _Helper("netbios-ns", (IPV4,)),
    ("pptp", "tcp"): _Helper("pptp", (IPV4,)),
    ("sane", "tcp"): _Helper("sane", FAMILIES),
    ("sip", "tcp"): _Helper("sip", FAMILIES),
    ("sip", "udp"): _Helper("sip", FAMILIES),
    ("snmp", "udp"): _Helper("snmp", (IPV4,)),
    ("tftp", "udp"): _Helper("tftp", FAMILIES),
}
NAMES = sorted({name for name, _protocol in _HELPERS})
_MODULES = {"Q.931": "h323", "RAS": "h323"}  # in which module the kernel has a helper, where its name does not say
_NEUTRONS_NAME = {(helper.name, protocol): name for (name, protocol), helper in _HELPERS.items()}


def helper_chains(
    router: Router, family: int, devices: Sequence[str] = (), zone: Optional[int] = None
) -> Dict[str, Tuple[str, ...]]:
    """The chains of the table raw; none where the router has no helper of this address family.

    ``devices``: only for what comes in by one of these. ``zone``: of connection tracking, where there is one: only the
    first rule that says something of a packet's connection holds, so that it must say both.
    """
    matches = ["-i %s " % device for device in devices] or [""]
    ending = "" if zone is None else " --zone %d" % zone
    rules = [
        "%s-p %s -m %s --dport %d -j CT --helper %s%s" % (match, each.protocol, each.protocol, each.port, helper.name, ending)
        for each in sorted(router.conntrack_helpers, key=lambda each: (each.protocol, each.port, each.helper))
        for helper in [_HELPERS.get((each.helper, each.protocol))]
        if helper is not None and family in helper.families
        for match in matches
    ]
    return {"l3-PREROUTING": ("-j " + CHAIN,), CHAIN: tuple(rules)} if rules else {}


def helper_problems(router: Router) -> List[str]:
    """What the kernel has not, in words."""
    return [
        "conntrack_helpers[%d]: the kernel has no helper %s for %s" % (index, each.helper, each.protocol)
        for index, each in enumerate(router.conntrack_helpers)
        if (each.helper, each.protocol) not in _HELPERS
    ]


def helpers_of(firewall: Mapping[int, Tables]) -> Sequence[ConntrackHelper]:
    """The helpers that rule sets have."""
    found: Dict[ConntrackHelper, None] = {}
    for family in FAMILIES:
        for match in map(_RULE.match, firewall.get(family, {}).get("raw", {}).get(CHAIN, ())):
            name = _NEUTRONS_NAME.get((match.group(3), match.group(1))) if match is not None else None
            if match is not None and name is not None:
                found[ConntrackHelper(match.group(1), int(match.group(2)), name)] = None
    return list(found)


def lack_rules(firewall: Mapping[int, Tables]) -> bool:
    """Whether there are to be helpers, and are none."""
    raws = [firewall.get(family, {}).get("raw", {}) for family in FAMILIES]
    return any(("-j " + CHAIN in raw.get("l3-PREROUTING", ()) or CHAIN in raw) and not raw.get(CHAIN) for raw in raws)


def parted(want: Tables, have: Tables) -> Tables:
    """What is wanted, but with the helpers that are there, so that what is wanted of them can be a step of its own."""
    raw = want.get("raw", {})
    if CHAIN not in raw:
        return want
    return {**want, "raw": {**raw, CHAIN: have.get("raw", {}).get(CHAIN, ())}}


def why_they_fail(want: Tables) -> str:
    """What it means when the rules of helpers cannot be set, in a sentence without its end."""
    names = {match.group(3) for match in map(_RULE.match, want.get("raw", {}).get(CHAIN, ())) if match is not None}
    modules = {"nf_conntrack_" + _MODULES.get(name, name.replace("-", "_")) for name in names}
    return "conntrack_helpers are not in place, which need the kernel modules %s" % ", ".join(sorted(modules))
