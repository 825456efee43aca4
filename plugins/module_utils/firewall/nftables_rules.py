# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firewall of a router as one table of nftables: pure.

What is looked up by an address or a port is in maps, so that the cost of a connection does not grow with their number. There are
neither chains nor sets that are empty, as what is lacking is not made. All is written exactly as nft prints it. No packet is
marked: where a packet came in by is known still when it leaves (Linux 5.7).
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Dict, Iterable, List, Mapping, Optional, Tuple

from ..conntrack_helpers import HELPERS
from ..metadata_ipv6 import METADATA_ADDRESS_V6
from ..model import PortForwarding
from ..port_forwardings import forwarded_addresses, range_text
from ..state import FAMILIES, INET, IPV4, RuleSets, Tables
from .firewall import METADATA_ADDRESS, OURS, ZONE, Firewall, Scope
from .nftables_table import TABLE

DEVICES = tuple('"%s*"' % prefix for prefix in OURS)
_INTERNAL, _EXTERNAL = DEVICES
# Priorities of linux/netfilter_ipv4.h; the helper of a connection is given once there is a connection (at -200).
_RAW, _MANGLE, _DNAT, _FILTER, _SNAT = -300, -150, -100, 0, 100
HELPERS_CHAIN = "chain conntrack_helpers"
_FORWARDED = ("forwarded_ports", "forwarded_ranges")  # maps of port forwardings

Parts = Dict[str, Tuple[str, ...]]


def rule_sets(firewall: Firewall) -> RuleSets:
    """The table, without one where nothing is asked for."""
    maps = _maps(firewall)
    parts: Parts = {
        **maps,
        **_nat_chains(firewall, maps),
        **(_metadata_chains(firewall.metadata_port) if firewall.metadata_port is not None else {}),
        **_forward_chains(firewall),
        **_helper_parts(firewall),
    }
    if firewall.own_namespace and "chain prerouting" in parts:
        parts.update(_zone_chains(firewall))
    parts = {name: lines for name, lines in parts.items() if len(lines) > 1 or not name.startswith(("map ", "set "))}
    return {INET: {TABLE: parts} if parts else {}}


def with_helpers_of(want: Tables, have: Tables) -> Tables:
    """What is wanted, but with the helpers that are there."""
    parts, present = want.get(TABLE, {}), have.get(TABLE, {})
    if HELPERS_CHAIN not in parts:
        return want
    kept = {name: lines for name, lines in present.items() if _is_of_helpers(name)}
    return {TABLE: {**{name: lines for name, lines in parts.items() if not _is_of_helpers(name)}, **kept}}


def _is_of_helpers(name: str) -> bool:
    return name == HELPERS_CHAIN or name.startswith("ct helper ")


def _base(kind: str, hook: str, priority: int) -> str:
    return ":type %s hook %s priority %d; policy accept;" % (kind, hook, priority)


def _set(kind: str, elements: Iterable[str], flags: str = "") -> Tuple[str, ...]:
    """A set or a map. Elements have no order: it is that of their text."""
    return (":type %s%s" % (kind, flags), *sorted(elements))


def _maps(firewall: Firewall) -> Parts:
    ports = [element for each in firewall.port_forwardings for element in _port_elements(each)]
    ranges = ["%s : %s" % (_key(each), each.internal_ip_address) for each in firewall.port_forwardings if _keeps_ports(each)]
    return {
        "map floating_ips": _set("ipv4_addr : ipv4_addr", map(" : ".join, firewall.floating_ips.items())),
        "map fixed_ips": _set("ipv4_addr : ipv4_addr", map(" : ".join, firewall.fixed_ips.items())),
        "map forwarded_ports": _set("ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service", ports),
        "map forwarded_ranges": _set("ipv4_addr . inet_proto . inet_service : ipv4_addr", ranges, "; flags interval"),
    }


def _keeps_ports(forwarding: PortForwarding) -> bool:
    """Whether it is a range of which each port is led to the same one."""
    return forwarding.external_ports == forwarding.internal_ports and len(set(forwarding.external_ports)) > 1


def _key(forwarding: PortForwarding, port: Optional[int] = None) -> str:
    ports = range_text(forwarding.external_ports, "-") if port is None else str(port)
    return "%s . %s . %s" % (forwarding.floating_ip_address, forwarding.protocol, ports)


def _port_elements(forwarding: PortForwarding) -> Iterable[str]:
    """Of a range that leads to other ports, each of them: nftables has no way of counting. The comment holds them together."""
    if _keeps_ports(forwarding):
        return
    first, last = forwarding.external_ports
    comment = ' comment "%s"' % range_text((first, last), "-") if first != last else ""
    for port in range(first, last + 1):
        to = "%s . %d" % (forwarding.internal_ip_address, forwarding.internal_port(port))
        yield "%s%s : %s" % (_key(forwarding, port), comment, to)


def _nat_chains(firewall: Firewall, maps: Parts) -> Parts:
    lookups = [("floating_ips", "ip daddr"), *((name, "ip daddr . meta l4proto . th dport") for name in _FORWARDED)]
    to_fixed = ["dnat ip to %s map @%s" % (key, name) for name, key in lookups if len(maps["map " + name]) > 1]
    parts: Parts = {}
    prerouting = [*_to_proxy(firewall)]
    if to_fixed:
        parts["chain destination_nat"] = (":", *to_fixed)
        jump = "jump destination_nat"
        prerouting += ["iifname %s %s" % (device, jump) for device in DEVICES] if firewall.own_namespace else [jump]
        parts["chain output"] = (_base("nat", "output", _DNAT), jump)
    if prerouting:
        parts["chain prerouting"] = (_base("nat", "prerouting", _DNAT), *prerouting)
    snat = list(_source_nat_rules(firewall, bool(to_fixed)))
    if snat:
        jumps = (
            'oifname "%s" jump source_nat' % firewall.external_device,
            "oifname %s ct status dnat jump source_nat" % _INTERNAL,
        )
        parts["chain postrouting"] = (_base("nat", "postrouting", _SNAT), *jumps)
        parts["chain source_nat"] = (":", *snat)
    if firewall.untranslated:
        parts["set untranslated"] = _set("ifname", map('"%s"'.__mod__, firewall.untranslated))
    return parts


def _source_nat_rules(firewall: Firewall, to_fixed: bool) -> Iterable[str]:
    address, out = firewall.external_address, 'oifname "%s"' % firewall.external_device
    if firewall.floating_ips:
        yield "snat ip to ip saddr map @fixed_ips fully-random"
    if firewall.untranslated:
        yield out + " iifname @untranslated return"
    if firewall.source_nat:
        yield "%s snat ip to %s fully-random" % (out, address)
    if address is not None and to_fixed:
        # Hairpin: who reaches a floating IP from inside must be answered through the router, not directly.
        yield "iifname != %s ct status dnat snat ip to %s fully-random" % (_EXTERNAL, address)


def _to_proxy(firewall: Firewall) -> Iterable[str]:
    if firewall.metadata_port is not None:
        rule = "iifname %s %%s tcp dport 80 redirect to :%d" % (_INTERNAL, firewall.metadata_port)
        yield rule % ("ip daddr " + METADATA_ADDRESS)
        if firewall.metadata_ipv6:
            yield rule % ("ip6 daddr " + METADATA_ADDRESS_V6)


def _metadata_chains(port: int) -> Parts:
    """What was redirected comes to the port too; what was not has no business there. That something was translated is not
    enough: a floating IP can lead to the router's own address.
    """
    redirected = ("ct original ip daddr " + METADATA_ADDRESS, "ct original ip6 daddr " + METADATA_ADDRESS_V6)
    return {
        "chain input": (_base("filter", "input", _FILTER), "tcp dport %d jump metadata" % port),
        "chain metadata": (":", *("ct status dnat %s return" % match for match in redirected), "drop"),
    }


def _forward_chains(firewall: Firewall) -> Parts:
    rules: List[str] = []
    parts: Parts = {}
    if firewall.clamp_mss:
        # The kernel takes the smaller MTU of the ways to both sides, as it knows them, and never raises what a side has said.
        ways = ["%s %s " % (way, device) for way in ("iifname", "oifname") for device in DEVICES]
        clamp = "tcp flags syn tcp option maxseg size set rt mtu"
        rules += [way + clamp for way in (ways if firewall.own_namespace else [""])]
    if firewall.published is not None:
        device, networks, addresses = firewall.published
        joined = ipaddress.collapse_addresses(map(ipaddress.IPv6Network, networks))
        parts["set internal_ipv6"] = _set("ipv6_addr", map(_prefix, joined), "; flags interval")
        parts["set ndp_proxies"] = _set("ipv6_addr", addresses)
        allowed = ["ip6 daddr @ndp_proxies return"] if addresses else []
        parts["chain published"] = (":", *allowed, "drop")
        rules += ['iifname "%s" ip6 daddr @internal_ipv6 jump published' % device] if networks else []
    for family in FAMILIES:
        if firewall.scopes.get(family):
            parts.update(_scope_parts(firewall, family))
            rules.append("meta nfproto ipv%d jump scopes_ipv%d" % (family, family))
    return {**parts, "chain forward": (_base("filter", "forward", _FILTER), *rules)} if rules else parts


def _prefix(network: ipaddress.IPv6Network) -> str:
    return str(network) if network.prefixlen < network.max_prefixlen else str(network.network_address)


def _scope_parts(firewall: Firewall, family: int) -> Parts:
    """A map from the device by which a packet leaves to the chain of its scope, which has the devices that may send there."""
    scopes, external = firewall.scopes[family], firewall.external_device
    translated = ["ct status snat,dnat return"] if external is not None and family == IPV4 else []
    parts: Parts = {"chain scopes_ipv%d" % family: (":", *translated, "oifname vmap @scopes_ipv%d" % family)}
    verdicts = {device: "goto " + _chain(family, scope) for device, scope in scopes.items()}
    for scope in dict.fromkeys(scopes.values()):
        parts.update(_scope_chain(family, scope, scopes))
    if external in verdicts and family == IPV4 and firewall.source_nat:
        verdicts[external] = "return"
    elif external in verdicts and family == IPV4 and firewall.floating_ips:
        parts["set floating_sources"] = _set("ipv4_addr", firewall.fixed_ips)
        parts["chain floating_sources"] = (":", "ip saddr @floating_sources return", verdicts[external])
        verdicts[external] = "goto floating_sources"
    elements = ('"%s"%s : %s' % (device, _comment(scopes[device]), verdict) for device, verdict in verdicts.items())
    parts["map scopes_ipv%d" % family] = _set("ifname : verdict", elements)
    return parts


def _scope_chain(family: int, scope: Scope, scopes: Mapping[str, Scope]) -> Parts:
    name = _chain(family, scope)
    members = [device for device, other in scopes.items() if other == scope]
    return {
        "set " + name: _set("ifname", map('"%s"'.__mod__, members)),
        "chain " + name: (":", "iifname @%s return" % name, "drop"),
    }


def _chain(family: int, scope: Scope) -> str:
    """The chain of a scope. Its name stays when other scopes come and go."""
    return "scope_ipv%d_%s" % (family, "none" if scope is None else hashlib.sha256(scope.encode()).hexdigest()[:16])


def _comment(scope: Scope) -> str:
    return ' comment "%s"' % scope if scope is not None else ""


def _helper_parts(firewall: Firewall) -> Parts:
    matches = ["iifname %s " % device for device in DEVICES] if firewall.own_namespace else [""]
    parts: Parts = {}
    rules = []
    for each in firewall.conntrack_helpers:
        helper = HELPERS.get((each.helper, each.protocol))
        if helper is not None:
            name = "%s-%s" % (each.helper, each.protocol)
            l3proto = "inet" if helper.families == FAMILIES else "ip"
            parts["ct helper " + name] = (':type "%s" protocol %s; l3proto %s' % (helper.name, each.protocol, l3proto),)
            rules += ['%s%s dport %d ct helper set "%s"' % (match, each.protocol, each.port, name) for match in matches]
    return {**parts, HELPERS_CHAIN: (_base("filter", "prerouting", _MANGLE), *rules)} if rules else {}


def _zone_chains(firewall: Firewall) -> Parts:
    zone = "ct zone set %d" % ZONE
    out = ["oifname %s %s" % (device, zone) for device in DEVICES]
    # The node reaches a floating IP, which is an address of its own, by its loopback device at first.
    external = {*firewall.floating_ips, *forwarded_addresses(firewall.port_forwardings)}
    known = {"set external_ips": _set("ipv4_addr", external)} if external else {}
    out += ["ip daddr @external_ips " + zone] if external else []
    return {
        **known,
        "chain raw_prerouting": (_base("filter", "prerouting", _RAW), *("iifname %s %s" % (device, zone) for device in DEVICES)),
        "chain raw_output": (_base("filter", "output", _RAW), *out),
    }
