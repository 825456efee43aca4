# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a table of nftables does: pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from ..conntrack_helpers import NEUTRONS_NAMES
from ..fields import ID
from ..model import FORWARDED_PROTOCOLS, ConntrackHelper, PortForwarding
from ..port_forwardings import in_order
from ..state import FAMILIES, INET, Chains, RuleSets
from .firewall import Firewall, Published, Scope
from .nftables_rules import HELPERS_CHAIN
from .nftables_table import TABLE

_COMMENT = re.compile(r' comment "([^"]*)"\Z')
_SNAT = re.compile(r"(oifname|iifname) .*snat ip to ([0-9.]+)(?: |\Z)")
_FORWARDED = re.compile(
    r"(?P<floating>[0-9.]+) \. (?P<protocol>%s) \. (?P<first>%s)(?:-(?P<last>%s))? : (?P<internal>[0-9.]+)(?: \. (?P<to>%s))?\Z"
    % ("|".join(FORWARDED_PROTOCOLS), *["[0-9]{1,5}"] * 3)
)
_HELPER_RULE = re.compile(r'(?:iifname \S+ )?(tcp|udp) dport (\d+) ct helper set "(.+)-\1"\Z')


class _Element:
    """An element of a map."""

    def __init__(self, text: str) -> None:
        key, _colon, self.value = text.partition(" : ")
        comment = _COMMENT.search(key)
        self.comment = comment.group(1) if comment is not None else None
        self.key = key[: comment.start()] if comment is not None else key


def firewall_from(rule_sets: RuleSets) -> Firewall:
    """What the table tells of it: all that is not in the kernel elsewhere."""
    parts = rule_sets[INET].get(TABLE, {})
    snat = {match.group(1): match.group(2) for match in map(_SNAT.match, parts.get("chain source_nat", ())) if match is not None}
    source_nat = snat.get("oifname")
    return Firewall(
        external_address=source_nat or snat.get("iifname"),
        source_nat=source_nat is not None,
        floating_ips=_floating_ips(parts),
        port_forwardings=tuple(in_order(_port_forwardings(parts))),
        scopes={family: _scopes(parts, family) for family in FAMILIES},
        untranslated=tuple(device.strip('"') for device in parts.get("set untranslated", ())[1:]),
        published=_published(parts),
        conntrack_helpers=tuple(_helpers(parts)),
    )


def why_damaged(rule_sets: RuleSets, devices: Sequence[str]) -> Optional[str]:
    """What is seen to be missing, in words. ``devices``: those of the router."""
    parts = rule_sets[INET].get(TABLE, {})
    for name, lines in parts.items():
        if len(lines) < 2 and name.startswith(("chain ", "map ", "set ")):
            return "what was in its %s is gone" % name
    for family in FAMILIES:
        if "map scopes_ipv%d" % family in parts and not set(devices) <= _scopes(parts, family).keys():
            return "elements of its map scopes_ipv%d are gone" % family
    return None


def _elements(parts: Chains, name: str) -> List[_Element]:
    return [_Element(text) for text in parts.get("map " + name, ())[1:]]


def _floating_ips(parts: Chains) -> Mapping[str, str]:
    pairs = [(each.key, each.value) for each in _elements(parts, "floating_ips") if _is_ipv4(each.key) and _is_ipv4(each.value)]
    return dict(sorted(pairs, key=lambda pair: ipaddress.IPv4Address(pair[0])))


def _is_ipv4(text: str) -> bool:
    """What somebody else put into a map can be anything."""
    try:
        return bool(ipaddress.IPv4Address(text))
    except ValueError:
        return False


def _port_forwardings(parts: Chains) -> Iterable[PortForwarding]:
    whole: Dict[Tuple[str, ...], List[Tuple[int, int]]] = {}
    for element in (*_elements(parts, "forwarded_ports"), *_elements(parts, "forwarded_ranges")):
        match = _FORWARDED.match("%s : %s" % (element.key, element.value))
        if match is None or not (_is_ipv4(match["floating"]) and _is_ipv4(match["internal"])):
            continue
        first, last = int(match["first"]), int(match["last"] or match["first"])
        to = int(match["to"]) if match["to"] else None
        key = (match["floating"], match["protocol"], match["internal"], element.comment or "%d-%d" % (first, last))
        whole.setdefault(key, []).extend([(first, to or first), (last, to or last)])
    for (floating, protocol, internal, _ports), pairs in whole.items():
        (first, to_first), (last, to_last) = min(pairs), max(pairs)
        yield PortForwarding(
            ipaddress.IPv4Address(floating), protocol, (first, last), ipaddress.IPv4Address(internal), (to_first, to_last)
        )


def _scopes(parts: Chains, family: int) -> Mapping[str, Scope]:
    elements = _elements(parts, "scopes_ipv%d" % family)
    return {each.key.strip('"'): each.comment if ID.match(each.comment or "") else None for each in elements}


def _published(parts: Chains) -> Optional[Published]:
    if "chain published" not in parts:
        return None
    return Published("", (), tuple(parts.get("set ndp_proxies", ())[1:]))


def _helpers(parts: Chains) -> Iterable[ConntrackHelper]:
    known = {(name, protocol) for (_kernels, protocol), name in NEUTRONS_NAMES.items()}
    matches = (match for match in map(_HELPER_RULE.match, parts.get(HELPERS_CHAIN, ())) if match is not None)
    found = {ConntrackHelper(match[1], int(match[2]), match[3]): None for match in matches if (match[3], match[1]) in known}
    return list(found)
