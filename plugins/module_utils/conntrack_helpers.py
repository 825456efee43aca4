# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helpers of connection tracking, for protocols that open further connections: Neutron's names, and what the kernel has. Pure."""

from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Tuple

from .model import ConntrackHelper, Router
from .state import FAMILIES, IPV4

PROTOCOLS = ("tcp", "udp")


class KernelHelper(NamedTuple):
    """What the kernel has: a helper's name there, which is not always Neutron's, and the address families."""

    name: str
    families: Tuple[int, ...]


# By Neutron's name (its option allowed_conntrack_helpers) and the protocol.
HELPERS: Dict[Tuple[str, str], KernelHelper] = {
    ("amanda", "udp"): KernelHelper("amanda", FAMILIES),
    ("ftp", "tcp"): KernelHelper("ftp", FAMILIES),
    ("h323", "tcp"): KernelHelper("Q.931", FAMILIES),
    ("h323", "udp"): KernelHelper("RAS", FAMILIES),
    ("irc", "tcp"): KernelHelper("irc", (IPV4,)),
    ("netbios-ns", "udp"): KernelHelper("netbios-ns", (IPV4,)),
    ("pptp", "tcp"): KernelHelper("pptp", (IPV4,)),
    ("sane", "tcp"): KernelHelper("sane", FAMILIES),
    ("sip", "tcp"): KernelHelper("sip", FAMILIES),
    ("sip", "udp"): KernelHelper("sip", FAMILIES),
    ("snmp", "udp"): KernelHelper("snmp", (IPV4,)),
    ("tftp", "udp"): KernelHelper("tftp", FAMILIES),
}
NAMES = sorted({name for name, _protocol in HELPERS})
_MODULES = {"Q.931": "h323", "RAS": "h323"}  # in which module the kernel has a helper, where its name does not say
NEUTRONS_NAMES = {(helper.name, protocol): name for (name, protocol), helper in HELPERS.items()}


def helper_problems(router: Router) -> List[str]:
    """What the kernel has not, in words."""
    return [
        "conntrack_helpers[%d]: the kernel has no helper %s for %s" % (index, each.helper, each.protocol)
        for index, each in enumerate(router.conntrack_helpers)
        if (each.helper, each.protocol) not in HELPERS
    ]


def why_they_fail(helpers: Iterable[ConntrackHelper]) -> str:
    """What it means when the rules of helpers cannot be set, in a sentence without its end."""
    names = {HELPERS[each.helper, each.protocol].name for each in helpers if (each.helper, each.protocol) in HELPERS}
    modules = {"nf_conntrack_" + _MODULES.get(name, name.replace("-", "_")) for name in names}
    return "conntrack_helpers are not in place, which need the kernel modules %s" % ", ".join(sorted(modules))
