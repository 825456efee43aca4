# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which firewall rules a router needs: a pure function from the router to rule sets.

The rules are those of the L3 agent in effect, with one difference: connections that come in by the gateway are
marked in the nat table, which sees only a connection's first packet, and not in mangle, which sees every packet.
Rules are written exactly as iptables-save prints them; ``--random-fully`` needs iptables 1.6.2 (2018).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from .address_scopes import SAME_SCOPE, scope_chains, untranslated
from .conntrack_helpers import helper_chains
from .firewall_mss import clamping_chains
from .metadata_ipv6 import METADATA_ADDRESS_V6, devices_with_metadata_v6
from .model import PortForwarding, Router, external_device_name, families
from .ndp_proxy import filter_chains
from .port_forwardings import forwarded_addresses, in_order, of_rule, rule_of
from .state import FAMILIES, IPV4, IPV6, Tables

CHAIN_PREFIX = "l3-"
AGENT_CHAIN_PREFIX = "neutron-l3-agent-"  # of the L3 agent, whose routers are taken over
FROM_OUTSIDE = "0x2/0xffff"  # the agent's mark for what came in by the gateway (external_ingress_mark)

# Address family -> table -> chain -> rules, as long as they are put together.
_Growing = Dict[int, Dict[str, Dict[str, Tuple[str, ...]]]]

METADATA_ADDRESS = "169.254.169.254"


OURS = ("qr-+", "qg-+")  # devices, as iptables matches them by the beginning of their names
ZONE = 65001  # of connection tracking, for a router in the node's own namespace


def rule_sets(
    router: Router, metadata_port: Optional[int] = None, own_namespace: bool = False, clamp_mss: bool = False
) -> Mapping[int, Tables]:
    """Address family -> tables with our chains, and the jumps to them that stand first in the built-in chains.

    ``metadata_port``: where the metadata proxy listens; None for no metadata. ``clamp_mss``: whether TCP connections are told
    what passes (:mod:`firewall_mss`). ``own_namespace``: whether the router is in
    the node's own namespace. There, packets are seen on the bridges as well, before they come to the router and after
    (br_netfilter, where it is loaded): they must neither be translated there nor be taken for the same connections.
    """
    nat = _nat_chains(router)
    tables: Dict[str, Dict[str, Tuple[str, ...]]] = {}
    if metadata_port is not None:
        redirect = _to_proxy(METADATA_ADDRESS + "/32", metadata_port)
        nat["l3-PREROUTING"] = (redirect, *nat.get("l3-PREROUTING", ()))
        tables["filter"] = with_jumps({"l3-INPUT": _close_proxy(METADATA_ADDRESS, metadata_port, own_namespace)})
    if nat:
        tables["nat"] = with_jumps(nat)
    if nat and own_namespace:
        tables["nat"]["PREROUTING"] = (":ACCEPT", *("-i %s -j l3-PREROUTING" % device for device in OURS))
        tables["raw"] = with_jumps(_zone_chains(router))
    firewall: _Growing = {IPV4: tables, IPV6: _ipv6_tables(router, metadata_port, own_namespace)}
    _add_scopes(firewall, router)
    _add_ndp_proxies(firewall, router)
    _add_helpers(firewall, router, own_namespace)
    for family in families(router) if clamp_mss else ():
        firewall[family]["mangle"] = with_jumps(clamping_chains(own_namespace))
    return firewall


def _ipv6_tables(router: Router, metadata_port: Optional[int], own_namespace: bool) -> Dict[str, Dict[str, Tuple[str, ...]]]:
    """IPv6 is routed as it is. Only what is for the metadata proxy is led there."""
    if metadata_port is None or not devices_with_metadata_v6(router):
        return {}
    nat = with_jumps({"l3-PREROUTING": (_to_proxy(METADATA_ADDRESS_V6 + "/128", metadata_port),)})
    closed = with_jumps({"l3-INPUT": _close_proxy(METADATA_ADDRESS_V6, metadata_port, own_namespace)})
    if not own_namespace:
        return {"filter": closed, "nat": nat}
    nat["PREROUTING"] = (":ACCEPT", *("-i %s -j l3-PREROUTING" % device for device in OURS))
    return {"filter": closed, "nat": nat, "raw": with_jumps(_zone_chains(replace(router, floating_ips=())))}


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


def _add_scopes(firewall: _Growing, router: Router) -> None:
    for family in FAMILIES:
        fixed_ips = [fixed for _floating, fixed in _floating_ips(router)] if family == IPV4 else []
        chains = scope_chains(router, family, bool(_source_nat(router)), fixed_ips)
        if chains:
            firewall[family].setdefault("filter", {}).update(with_jumps(chains))


def _add_ndp_proxies(firewall: _Growing, router: Router) -> None:
    """Before the rule of scopes. Both give back what they let pass, so that a packet must pass both."""
    chains = filter_chains(router)
    if chains:
        have = firewall[IPV6].get("filter", {})
        forward = (*chains["l3-FORWARD"], *have.get("l3-FORWARD", ()))
        firewall[IPV6]["filter"] = {**have, **with_jumps({**chains, "l3-FORWARD": forward})}


def _add_helpers(firewall: _Growing, router: Router, own_namespace: bool) -> None:
    for family in FAMILIES if router.conntrack_helpers else ():
        raw = firewall[family].get("raw", {})
        chains = helper_chains(router, family, OURS if own_namespace else (), ZONE if raw else None)
        if chains:
            after = raw.get("l3-PREROUTING", ())
            firewall[family]["raw"] = {**raw, **with_jumps({**chains, "l3-PREROUTING": (*chains["l3-PREROUTING"], *after)})}


def _source_nat(router: Router) -> Optional[str]:
    """The address that IPv4 leaves with by the gateway; None where it is not translated."""
    addresses = router.gateway.addresses if router.gateway is not None and router.enable_snat else ()
    return next((str(address.ip) for address in addresses if address.version == IPV4), None)


def _zone_chains(router: Router) -> Dict[str, Tuple[str, ...]]:
    zone = "-j CT --zone %d" % ZONE
    # The node reaches a floating IP, which is an address of its own, by its loopback device at first.
    external = [*(floating for floating, _fixed in _floating_ips(router)), *forwarded_addresses(router)]
    floating = ["-d %s/32" % address for address in external] if router.gateway is not None else []
    return {
        "l3-PREROUTING": tuple("-i %s %s" % (device, zone) for device in OURS),
        "l3-OUTPUT": tuple("%s %s" % (match, zone) for match in (*("-o " + device for device in OURS), *floating)),
    }


def _floating_ips(router: Router) -> List[Tuple[str, str]]:
    """Pairs of floating and fixed IP, of those that are installed."""
    return [
        (str(fip.floating_ip_address), str(fip.fixed_ip_address))
        # In the order of addresses, since sources list them in any: that must not rewrite rules.
        for fip in sorted(router.floating_ips, key=lambda fip: fip.floating_ip_address)
        if fip.fixed_ip_address is not None
    ]


def with_jumps(chains: Mapping[str, Tuple[str, ...]]) -> Dict[str, Tuple[str, ...]]:
    """The chains, and for each ``l3-<built-in chain>`` the jump from there."""
    jumps = {chain[len(CHAIN_PREFIX) :]: (":ACCEPT", "-j " + chain) for chain in chains if chain[len(CHAIN_PREFIX) :].isupper()}
    return {**jumps, **chains}


def _nat_chains(router: Router) -> Dict[str, Tuple[str, ...]]:
    if router.gateway is None:
        return {}
    device = external_device_name(router.gateway.id)
    own = [str(address.ip) for address in router.gateway.addresses if address.version == 4]
    pairs = _floating_ips(router)
    to_fixed = ["-d %s/32 -j DNAT --to-destination %s" % pair for pair in pairs]
    to_fixed += map(rule_of, in_order(router.port_forwardings))
    if not to_fixed and not (own and router.enable_snat):
        return {}
    snat: List[str] = ["-j l3-float-snat"]
    same_scope = untranslated(router) if own and router.enable_snat else []
    if same_scope:
        snat.append("-o %s -m mark --mark %s -j RETURN" % (device, SAME_SCOPE))
    if own and router.enable_snat:
        snat.append("-o %s -j SNAT --to-source %s --random-fully" % (device, own[0]))
    if own and to_fixed:
        # Hairpin: who reaches a floating IP from inside must be answered through the router, not directly.
        snat.append(
            "-m mark ! --mark %s -m conntrack --ctstate DNAT -j SNAT --to-source %s --random-fully" % (FROM_OUTSIDE, own[0])
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
        "l3-float-snat": tuple("-s %s/32 -j SNAT --to-source %s --random-fully" % (fixed, fip) for fip, fixed in pairs),
    }


def floating_ip_pairs(firewall: Mapping[int, Tables]) -> Mapping[str, str]:
    """Floating IP -> fixed IP, as rule sets have it, ours or the L3 agent's."""
    pairs: Dict[str, str] = {}
    for rule in _nat_rules(firewall, "PREROUTING"):
        words = rule.split()
        if (
            words[:1] == ["-d"]
            and words[2:5] == ["-j", "DNAT", "--to-destination"]
            and len(words) > 5
            and words[1].endswith("/32")
        ):
            pairs.setdefault(words[1][:-3], words[5])  # the first rule is what holds
    return pairs


def port_forwardings(firewall: Mapping[int, Tables]) -> Sequence[PortForwarding]:
    """The port forwardings that rule sets have, ours or the L3 agent's, which has a chain for each."""
    nat = firewall.get(IPV4, {}).get("nat", {})
    of_agent = (rule for chain, rules in nat.items() if chain.startswith(AGENT_CHAIN_PREFIX + "pf-") for rule in rules)
    found = map(of_rule, nat.get(CHAIN_PREFIX + "PREROUTING") or of_agent)
    return [forwarding for forwarding in found if forwarding is not None]


def _nat_rules(firewall: Mapping[int, Tables], chain: str) -> Sequence[str]:
    nat = firewall.get(IPV4, {}).get("nat", {})
    return nat.get(CHAIN_PREFIX + chain) or nat.get(AGENT_CHAIN_PREFIX + chain, ())


def external_address(firewall: Mapping[int, Tables]) -> Optional[str]:
    """The router's first external address, as rule sets have it: that of source NAT, or without that, of a hairpin."""
    sources = (rule.rpartition(" --to-source ")[2].split() for rule in _nat_rules(firewall, "snat") if " --to-source " in rule)
    return source_nat_address(firewall) or next((source[0] for source in sources if source), None)


def source_nat_address(firewall: Mapping[int, Tables]) -> Optional[str]:
    """The address to which rule sets translate the source of all that leaves by the gateway."""
    for rule in _nat_rules(firewall, "snat"):
        words = rule.split()
        if words[:1] == ["-o"] and words[2:5] == ["-j", "SNAT", "--to-source"] and len(words) > 5:
            return words[5]
    return None
