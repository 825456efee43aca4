# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firewall of a router as rules of iptables: pure.

The rules are those of the L3 agent in effect, with one difference: connections that come in by the gateway are
marked in the nat table, which sees only a connection's first packet, and not in mangle, which sees every packet.
Rules are written exactly as iptables-save prints them; ``--random-fully`` needs iptables 1.6.2 (2018).
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence, Tuple

from ..metadata_ipv6 import METADATA_ADDRESS_V6
from ..port_forwardings import forwarded_addresses
from ..state import FAMILIES, IPV4, IPV6, RuleSets
from .firewall import METADATA_ADDRESS, ZONE, Firewall
from .iptables_helpers import helper_chains
from .iptables_mss import clamping_chains
from .iptables_port_forwardings import rule_of
from .iptables_save import CHAIN_PREFIX
from .iptables_scopes import SAME_SCOPE, scope_chains

FROM_OUTSIDE = "0x2/0xffff"  # the agent's mark for what came in by the gateway (external_ingress_mark)
OURS = ("qr-+", "qg-+")  # devices, as iptables matches them by the beginning of their names
NDP = "l3-ndp"

# Address family -> table -> chain -> rules, as long as they are put together.
_Growing = Dict[int, Dict[str, Dict[str, Tuple[str, ...]]]]


def rule_sets(firewall: Firewall) -> RuleSets:
    """Address family -> tables with our chains, and the jumps to them that stand first in the built-in chains."""
    nat = _nat_chains(firewall)
    tables: Dict[str, Dict[str, Tuple[str, ...]]] = {}
    if firewall.metadata_port is not None:
        redirect = _to_proxy(METADATA_ADDRESS + "/32", firewall.metadata_port)
        nat["l3-PREROUTING"] = (redirect, *nat.get("l3-PREROUTING", ()))
        tables["filter"] = with_jumps(
            {"l3-INPUT": _close_proxy(METADATA_ADDRESS, firewall.metadata_port, firewall.own_namespace)}
        )
    if nat:
        tables["nat"] = with_jumps(nat)
    if nat and firewall.own_namespace:
        # The node reaches a floating IP, which is an address of its own, by its loopback device at first.
        external = [*firewall.floating_ips, *forwarded_addresses(firewall.port_forwardings)]
        tables["nat"]["PREROUTING"] = (":ACCEPT", *("-i %s -j l3-PREROUTING" % device for device in OURS))
        tables["raw"] = with_jumps(_zone_chains(external))
    sets: _Growing = {IPV4: tables, IPV6: _ipv6_tables(firewall)}
    for family in FAMILIES:
        chains = scope_chains(firewall, family)
        if chains:
            sets[family].setdefault("filter", {}).update(with_jumps(chains))
    _add_published(sets, firewall)
    _add_helpers(sets, firewall)
    for family in firewall.clamp_mss:
        sets[family]["mangle"] = with_jumps(clamping_chains(firewall.own_namespace))
    return sets


def _ipv6_tables(firewall: Firewall) -> Dict[str, Dict[str, Tuple[str, ...]]]:
    """IPv6 is routed as it is. Only what is for the metadata proxy is led there."""
    if firewall.metadata_port is None or not firewall.metadata_ipv6:
        return {}
    nat = with_jumps({"l3-PREROUTING": (_to_proxy(METADATA_ADDRESS_V6 + "/128", firewall.metadata_port),)})
    closed = with_jumps({"l3-INPUT": _close_proxy(METADATA_ADDRESS_V6, firewall.metadata_port, firewall.own_namespace)})
    if not firewall.own_namespace:
        return {"filter": closed, "nat": nat}
    nat["PREROUTING"] = (":ACCEPT", *("-i %s -j l3-PREROUTING" % device for device in OURS))
    return {"filter": closed, "nat": nat, "raw": with_jumps(_zone_chains([]))}


def _to_proxy(address: str, port: int) -> str:
    return "-d %s -i qr-+ -p tcp -m tcp --dport 80 -j REDIRECT --to-ports %d" % (address, port)


def _close_proxy(address: str, port: int, own_namespace: bool) -> Tuple[str, ...]:
    # What was redirected comes to the port too; what was not has no business there.
    closed = "-p tcp -m tcp --dport %d -m conntrack ! --ctstate DNAT -j DROP" % port
    # Another translation is not enough: a floating IP can lead to the router's own address.
    translated = "-p tcp -m tcp --dport %d -m conntrack ! --ctorigdst %s -j DROP" % (port, address)
    redirected = "-i qr-+ -p tcp -m tcp --dport %d -m conntrack --ctstate DNAT -j ACCEPT" % port
    # The node's own firewall may close what it does not know.
    return (closed, translated, *([redirected] if own_namespace else []))


def _add_published(sets: _Growing, firewall: Firewall) -> None:
    """Before the rule of scopes. Both give back what they let pass, so that a packet must pass both."""
    published = firewall.published
    if published is None:
        return
    device, networks, addresses = published
    chains = {
        # Back to what else is there to be looked at, and not ACCEPT, which would be the last word.
        "l3-FORWARD": tuple("-d %s -i %s -j %s" % (network, device, NDP) for network in networks),
        NDP: (*("-d %s/128 -i %s -j RETURN" % (address, device) for address in addresses), "-i %s -j DROP" % device),
    }
    have = sets[IPV6].get("filter", {})
    forward = (*chains["l3-FORWARD"], *have.get("l3-FORWARD", ()))
    sets[IPV6]["filter"] = {**have, **with_jumps({**chains, "l3-FORWARD": forward})}


def _add_helpers(sets: _Growing, firewall: Firewall) -> None:
    for family in FAMILIES if firewall.conntrack_helpers else ():
        raw = sets[family].get("raw", {})
        chains = helper_chains(firewall, family, OURS if firewall.own_namespace else (), bool(raw))
        if chains:
            after = raw.get("l3-PREROUTING", ())
            sets[family]["raw"] = {**raw, **with_jumps({**chains, "l3-PREROUTING": (*chains["l3-PREROUTING"], *after)})}


def _zone_chains(external: Sequence[str]) -> Dict[str, Tuple[str, ...]]:
    zone = "-j CT --zone %d" % ZONE
    matches = [*("-o " + device for device in OURS), *("-d %s/32" % address for address in external)]
    return {
        "l3-PREROUTING": tuple("-i %s %s" % (device, zone) for device in OURS),
        "l3-OUTPUT": tuple("%s %s" % (match, zone) for match in matches),
    }


def with_jumps(chains: Mapping[str, Tuple[str, ...]]) -> Dict[str, Tuple[str, ...]]:
    """The chains, and for each ``l3-<built-in chain>`` the jump from there."""
    jumps = {chain[len(CHAIN_PREFIX) :]: (":ACCEPT", "-j " + chain) for chain in chains if chain[len(CHAIN_PREFIX) :].isupper()}
    return {**jumps, **chains}


def _nat_chains(firewall: Firewall) -> Dict[str, Tuple[str, ...]]:
    device, address, same_scope = firewall.external_device, firewall.external_address, firewall.untranslated
    if device is None or not firewall.is_translating:
        return {}
    to_fixed = ["-d %s/32 -j DNAT --to-destination %s" % pair for pair in firewall.floating_ips.items()]
    to_fixed += map(rule_of, firewall.port_forwardings)
    snat: List[str] = ["-j l3-float-snat"]
    if same_scope:
        snat.append("-o %s -m mark --mark %s -j RETURN" % (device, SAME_SCOPE))
    if firewall.source_nat:
        snat.append("-o %s -j SNAT --to-source %s --random-fully" % (device, address))
    if address is not None and to_fixed:
        # Hairpin: who reaches a floating IP from inside must be answered through the router, not directly.
        snat.append(
            "-m mark ! --mark %s -m conntrack --ctstate DNAT -j SNAT --to-source %s --random-fully" % (FROM_OUTSIDE, address)
        )
    return {
        "l3-PREROUTING": (
            "-i %s -j MARK --set-xmark %s" % (device, FROM_OUTSIDE),
            *("-i %s -j MARK --set-xmark %s" % (internal, SAME_SCOPE) for internal in same_scope),
            *to_fixed,
        ),
        "l3-OUTPUT": tuple(to_fixed),
        "l3-POSTROUTING": ("-o %s -j l3-snat" % device, "-o qr-+ -m conntrack --ctstate DNAT -j l3-snat"),
        "l3-snat": tuple(snat),
        "l3-float-snat": tuple(
            "-s %s/32 -j SNAT --to-source %s --random-fully" % (fixed, floating)
            for floating, fixed in firewall.floating_ips.items()
        ),
    }
