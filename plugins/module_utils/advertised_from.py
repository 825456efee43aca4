# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What router advertisements come from, where a device has the address for metadata beside its own link-local one. Pure.

radvd takes the first that the kernel lists, which is the one that came last: that for metadata, which every router of a network
has, and which goes when metadata ends. So it is told the other one. Which that is, router data need not say: the kernel makes it
of the MAC address that the device has then, and it stays when that changes.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Iterable, List, Mapping, Sequence

from .metadata_ipv6 import is_metadata_address
from .state import Link

FROM_OWN = "# AdvRASrcAddress: the device's own link-local address"  # in a configuration, until it is written
_FROM_OWN = re.compile("^( +)%s$" % re.escape(FROM_OWN), re.MULTILINE)
_SOURCE = re.compile(r"^( +)AdvRASrcAddress \{ (\S+); \};$", re.MULTILINE)
_DEVICE = re.compile(r"^(?=interface (\S+)$)", re.MULTILINE)

Sources = Mapping[str, Sequence[str]]  # device -> addresses that are right, the best one first


def own_link_local(link: Link, addresses: Iterable[str]) -> Sequence[str]:
    """The device's link-local IPv6 addresses, of these, but the one for metadata; or that which the kernel will make."""
    found = [text.split("/")[0] for text in addresses if text.startswith("fe80:") and not is_metadata_address(text)]
    return found or ([_made_of(link.mac_address)] if link.mac_address else [])


def _made_of(mac_address: str) -> str:
    """RFC 4291, appendix A."""
    mac = bytes.fromhex(mac_address.replace(":", ""))
    identifier = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + identifier))


def is_told(text: str) -> bool:
    """Whether a configuration says what advertisements come from, or is to."""
    return bool(_FROM_OWN.search(text) or _SOURCE.search(text))


def with_sources(text: str, sources: Sources) -> str:
    """The configuration as radvd is to read it."""
    parts = []
    for device, part in _by_device(text):
        told = ["AdvRASrcAddress { %s; };" % address for address in sources.get(device, ())[:1]]
        parts.append(_FROM_OWN.sub(r"\1" + "".join(told or [FROM_OWN]), part))
    return "".join(parts)


def without_sources(text: str, sources: Sources) -> str:
    """What such a configuration was made of. Where it says something else, it stays as it is, or says nothing at all."""
    parts = []
    for device, part in _by_device(text):
        own = sources.get(device, ())
        said = _SOURCE.search(part)
        if said is None:
            parts.append(_FROM_OWN.sub(r"\1#", part) if own else part)
        else:
            parts.append(_SOURCE.sub(r"\1" + FROM_OWN, part) if said.group(2) in own else part)
    return "".join(parts)


def _by_device(text: str) -> List[Sequence[str]]:
    """Device and what is said of it; "" and what stands before the first."""
    starts = [(match.group(1), match.start()) for match in _DEVICE.finditer(text)]
    ends = [start for _device, start in starts[1:]] + [len(text)]
    parts = [(device, text[start:end]) for (device, start), end in zip(starts, ends)]
    return [("", text[: starts[0][1]] if starts else text), *parts]
