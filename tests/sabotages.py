# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people and programs do to a router by hand, and what the next run says that it did about it: a catalogue.

The router is that of ``routers.router()``, with metadata, router advertisements, clamping of the MSS, and what is named here
as ``PUBLISHED`` and ``LIMITS``; beside it is ``small_router(1)`` with ``FORWARDINGS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType

from .routers import forwarding

NAMESPACE = "qrouter-r1"
WEB, DB, GATEWAY = "qr-bbbb0000-we", "qr-cccc0000-db", "qg-aaaa0000-ex"
WEB_TAP, DB_TAP, GATEWAY_TAP = "tapbbbb0000-we", "tapcccc0000-db", "tapaaaa0000-ex"
PROXY = "/run/netnode-l3/metadata-proxy"
RADVD = "/run/netnode-l3/radvd-r1"
FOREIGN = "ip link add name own-vpn type bridge; ip address add 172.30.0.1/24 dev own-vpn; ip link set dev own-vpn up"
NO_FOREIGN = "ip link delete own-vpn"
METADATA_V6 = "fe80::a9fe:a9fe/128"
TO_WEB = f"route 192.168.50.0/24 via 10.0.0.253 dev {WEB} and via 10.0.0.254 dev {WEB}"
TO_DB = f"route 192.168.51.0/24 via 10.0.1.254 dev {DB}"
TO_V6 = f"route 2001:db8:77::/48 via 2001:db8:1::fe dev {WEB}"

PUBLISHED = "2001:db8:1::5"
LIMITS = {
    "203.0.113.20": [{"direction": "egress", "max_kbps": 1000}, {"direction": "ingress", "max_kbps": 2000}],
    "203.0.113.10": [{"direction": "egress", "max_kbps": 3000}],
}
LIMITED = (  # in the order in which they are imposed
    "egress of 203.0.113.10 limited to 3000 kbit/s with bursts of 2400 kbit",
    "egress of 203.0.113.20 limited to 1000 kbit/s with bursts of 800 kbit",
    "ingress of 203.0.113.20 limited to 2000 kbit/s with bursts of 1600 kbit",
)
GATEWAY_MADE = (
    f"device {GATEWAY} created on bridge br-ex",
    *(f"address {a} added to {GATEWAY}" for a in ("203.0.113.10/24", "2001:db8:e::10/64", "203.0.113.20/32", "203.0.113.21/32")),
    f"route 198.51.100.0/24 dev {GATEWAY} added",
    f"route default via 203.0.113.1 dev {GATEWAY} added",
    f"route ::/0 via 2001:db8:e::1 dev {GATEWAY} added",
    f"NDP proxy for 2001:db8:1::5 added to {GATEWAY}",
    *LIMITED,
)


@dataclass(frozen=True)
class Sabotage:
    """Commands of a shell, in the router's namespace or ``on_node``, and the sentences of the run that repairs it.

    An ellipsis as the last of them: what the kernel took with it comes back as well. ``undo``: what was brought in besides, and
    is not the run's to remove. ``felt``: the traffic between the router's own networks cannot go on meanwhile.
    """

    commands: str
    actions: tuple[str | EllipsisType, ...]
    undo: str = ""
    on_node: bool = False
    felt: bool = False


def inside(commands: str, *actions: str | EllipsisType, undo: str = "", felt: bool = False) -> Sabotage:
    return Sabotage(commands, actions, undo, on_node=False, felt=felt)


def outside(commands: str, *actions: str | EllipsisType, felt: bool = False) -> Sabotage:
    return Sabotage(commands, actions, on_node=True, felt=felt)


def right(address: str, device: str, had: str) -> str:
    return f"address {address} on {device} put right: it had {had}"


ADDRESSES = {
    "address deleted": inside(
        f"ip address delete 10.0.1.1/24 dev {DB}", f"address 10.0.1.1/24 added to {DB}", f"{TO_DB} added", felt=True
    ),
    "address of a floating IP deleted": inside(
        f"ip address delete 203.0.113.20/32 dev {GATEWAY}", f"address 203.0.113.20/32 added to {GATEWAY}"
    ),
    "IPv6 address deleted": inside(f"ip address delete 2001:db8:1::1/64 dev {WEB}", f"address 2001:db8:1::1/64 added to {WEB}"),
    "all addresses of a device deleted": inside(
        f"ip address flush dev {WEB} scope global",
        f"address 10.0.0.1/24 added to {WEB}",
        f"address 2001:db8:1::1/64 added to {WEB}",
        f"{TO_WEB} added",
        felt=True,
    ),
    "address added": inside(f"ip address add 192.0.2.9/24 dev {WEB}", f"address 192.0.2.9/24 removed from {WEB}"),
    "address with a peer added": inside(
        f"ip address add 192.0.2.9 peer 192.0.2.8/31 dev {WEB}", f"address 192.0.2.9 peer 192.0.2.8/31 removed from {WEB}"
    ),
    "IPv6 address added": inside(f"ip address add 2001:db8:99::9/64 dev {WEB}", f"address 2001:db8:99::9/64 removed from {WEB}"),
    "address with another prefix length": inside(
        f"ip address delete 10.0.1.1/24 dev {DB}; ip address add 10.0.1.1/20 dev {DB}",
        f"address 10.0.1.1/24 added to {DB}",
        f"{TO_DB} added",
        f"address 10.0.1.1/20 removed from {DB}",
        felt=True,
    ),
    "IPv6 address with another prefix length": inside(
        f"ip address delete 2001:db8:1::1/64 dev {WEB}; ip address add 2001:db8:1::1/60 dev {WEB} nodad",
        f"address 2001:db8:1::1/60 removed from {WEB}",
        f"address 2001:db8:1::1/64 added to {WEB}",
    ),
    "address with a peer in its network": inside(
        f"ip address delete 10.0.1.1/24 dev {DB}; ip address add 10.0.1.1 peer 10.0.1.9/24 dev {DB}",
        f"address 10.0.1.1 peer 10.0.1.9/24 removed from {DB}",
        f"address 10.0.1.1/24 added to {DB}",
        f"{TO_DB} added",
        felt=True,
    ),
    "IPv6 address with a peer": inside(
        f"ip address delete 2001:db8:1::1/64 dev {WEB}; ip address add 2001:db8:1::1 peer 2001:db8:1::2/64 dev {WEB} nodad",
        f"address 2001:db8:1::1 peer 2001:db8:1::2/64 removed from {WEB}",
        f"address 2001:db8:1::1/64 added to {WEB}",
    ),
    "address with a lifetime": inside(
        f"ip address change 10.0.0.1/24 dev {WEB} valid_lft 900 preferred_lft 900", right("10.0.0.1/24", WEB, "a lifetime")
    ),
    "IPv6 address with a lifetime": inside(
        f"ip address change 2001:db8:1::1/64 dev {WEB} valid_lft 900 preferred_lft 900",
        right("2001:db8:1::1/64", WEB, "a lifetime"),
    ),
    "IPv6 address of the gateway with a lifetime": inside(
        f"ip address change 2001:db8:e::10/64 dev {GATEWAY} valid_lft 900 preferred_lft 900",
        right("2001:db8:e::10/64", GATEWAY, "a lifetime"),
    ),
    "address no longer preferred": inside(
        f"ip address change 10.0.0.1/24 dev {WEB} valid_lft forever preferred_lft 0",
        right("10.0.0.1/24", WEB, "no preferred lifetime"),
    ),
    "IPv6 address no longer preferred": inside(
        f"ip address change 2001:db8:1::1/64 dev {WEB} valid_lft forever preferred_lft 0",
        right("2001:db8:1::1/64", WEB, "no preferred lifetime"),
    ),
    "address with another broadcast address": inside(
        f"ip address delete 10.0.1.1/24 dev {DB}; ip address add 10.0.1.1/24 broadcast 10.0.1.9 dev {DB};"
        "ip route add 192.168.51.0/24 via 10.0.1.254 proto static",  # which the kernel drops once more during the repair
        right("10.0.1.1/24", DB, "broadcast 10.0.1.9"),
        f"{TO_DB} added",
        felt=True,
    ),
    "address without a broadcast address": inside(
        f"ip address delete 203.0.113.10/24 dev {GATEWAY}; ip address add 203.0.113.10/24 dev {GATEWAY}",
        right("203.0.113.10/24", GATEWAY, "no broadcast"),
    ),
    "address of a smaller scope": inside(
        f"ip address delete 10.0.1.1/24 dev {DB}; ip address add 10.0.1.1/24 broadcast + scope host dev {DB}",
        right("10.0.1.1/24", DB, "scope host"),
        f"{TO_DB} added",
        felt=True,
    ),
    "address without a route": inside(
        f"ip address delete 10.0.1.1/24 dev {DB}; ip address add 10.0.1.1/24 broadcast + dev {DB} noprefixroute",
        right("10.0.1.1/24", DB, "no route to its network"),
        f"{TO_DB} added",
        felt=True,
    ),
    "IPv6 address without a route": inside(
        f"ip address change 2001:db8:1::1/64 dev {WEB} noprefixroute", right("2001:db8:1::1/64", WEB, "no route to its network")
    ),
    "address with a metric": inside(f"ip address change 10.0.0.1/24 dev {WEB} metric 9", right("10.0.0.1/24", WEB, "metric 9")),
    "IPv6 address with a metric": inside(
        f"ip address change 2001:db8:1::1/64 dev {WEB} metric 9", right("2001:db8:1::1/64", WEB, "metric 9")
    ),
}

ROUTES = {
    "default route deleted": inside("ip route delete default", f"route default via 203.0.113.1 dev {GATEWAY} added"),
    "IPv6 default route deleted": inside("ip -6 route delete default", f"route ::/0 via 2001:db8:e::1 dev {GATEWAY} added"),
    "route to another next hop": inside("ip route replace 192.168.51.0/24 via 10.0.0.9 proto static", f"{TO_DB} replaced"),
    "route to a second next hop": inside(
        "ip route append 192.168.51.0/24 via 10.0.0.9 proto static", f"route 192.168.51.0/24 via 10.0.0.9 dev {WEB} removed"
    ),
    "route of another protocol": inside("ip route replace 192.168.51.0/24 via 10.0.1.254 proto bgp", f"{TO_DB} replaced"),
    "weights of next hops": inside(
        "ip route replace 192.168.50.0/24 proto static nexthop via 10.0.0.253 weight 9 nexthop via 10.0.0.254",
        f"{TO_WEB} replaced",
    ),
    "route with a source address": inside(
        "ip route replace 192.168.51.0/24 via 10.0.1.254 proto static src 203.0.113.20", f"{TO_DB} replaced"
    ),
    "route with an MTU": inside("ip route replace 192.168.51.0/24 via 10.0.1.254 proto static mtu 576", f"{TO_DB} replaced"),
    "route to a next hop taken to be on the link": inside(
        f"ip route replace 192.168.51.0/24 via 10.0.1.254 dev {DB} proto static onlink", f"{TO_DB} replaced"
    ),
    "route of another scope": inside(
        "ip route replace 192.168.51.0/24 via 10.0.1.254 proto static scope site",
        f"{TO_DB} replaced",
    ),
    "route for a type of service": inside(
        "ip route add 192.168.51.0/24 tos 0x10 via 10.0.0.9",
        f"route 192.168.51.0/24 tos 0x10 via 10.0.0.9 dev {WEB} proto boot removed",
    ),
    "IPv6 route with an MTU": inside(
        "ip route replace 2001:db8:77::/48 via 2001:db8:1::fe proto static mtu 1290", f"{TO_V6} replaced"
    ),
    "IPv6 route that expires": inside(
        "ip route replace 2001:db8:77::/48 via 2001:db8:1::fe proto static expires 900", f"{TO_V6} replaced"
    ),
    "IPv6 route with a preference": inside(
        "ip route replace 2001:db8:77::/48 via 2001:db8:1::fe proto static pref low", f"{TO_V6} replaced"
    ),
    "IPv6 route for some sources": inside(
        "ip route add 2001:db8:78::/48 from 2001:db8:1::/64 via 2001:db8:1::9",
        f"route 2001:db8:78::/48 from 2001:db8:1::/64 via 2001:db8:1::9 dev {WEB} proto boot removed",
    ),
    "route added": inside(f"ip route add 192.0.2.0/24 dev {WEB}", f"route 192.0.2.0/24 dev {WEB} proto boot removed"),
    "route with a metric added": inside(
        "ip route add 192.168.51.0/24 via 10.0.0.9 metric 7", f"route 192.168.51.0/24 via 10.0.0.9 dev {WEB} proto boot removed"
    ),
    "more specific route added": inside(
        "ip route add 192.168.51.0/28 via 10.0.0.9 proto static", f"route 192.168.51.0/28 via 10.0.0.9 dev {WEB} removed"
    ),
    "blackhole added": inside("ip route add blackhole 192.0.2.0/24", "route blackhole 192.0.2.0/24 proto boot removed"),
    "IPv6 made unreachable": inside(
        "ip -6 route add unreachable default metric 1", "route unreachable ::/0 dev lo proto boot removed"
    ),
    "route in another table": inside(
        f"ip route add 192.0.2.0/24 dev {WEB} table 77", f"route 192.0.2.0/24 dev {WEB} proto boot table 77 removed"
    ),
    "IPv6 route added": inside(
        "ip route add 2001:db8:55::/48 via 2001:db8:1::9",
        f"route 2001:db8:55::/48 via 2001:db8:1::9 dev {WEB} proto boot removed",
    ),
    "connected route deleted": inside("ip route delete 10.0.1.0/24", f"route 10.0.1.0/24 dev {DB} proto kernel added", felt=True),
    "connected IPv6 route deleted": inside(
        "ip route delete 2001:db8:1::/64", f"route 2001:db8:1::/64 dev {WEB} proto kernel added"
    ),
    "connected route of the gateway deleted": inside(
        "ip route delete 203.0.113.0/24", f"route 203.0.113.0/24 dev {GATEWAY} proto kernel added"
    ),
    "network sent elsewhere": inside(
        "ip route replace 10.0.1.0/24 via 10.0.0.9", f"route 10.0.1.0/24 dev {DB} proto kernel replaced", felt=True
    ),
    "foreign route in the place of one": inside(
        f"{FOREIGN}; ip route replace 192.168.51.0/24 via 172.30.0.2", f"{TO_DB} replaced", undo=NO_FOREIGN
    ),
    "foreign route in the place of an IPv6 route": inside(
        f"{FOREIGN}; ip route delete 2001:db8:77::/48; ip route add 2001:db8:77::/48 dev own-vpn",
        f"{TO_V6} replaced",
        undo=NO_FOREIGN,
    ),
    "foreign network in the place of a route": inside(
        f"{FOREIGN}; ip route delete 192.168.51.0/24; ip address add 192.168.51.1/24 dev own-vpn",
        f"{TO_DB} added",
        undo=NO_FOREIGN,
    ),
}

POLICY_RULES = {
    "policy rule added": inside(
        "ip rule add pref 100 from 10.0.0.0/24 lookup 77", "policy rule 100 (from 10.0.0.0/24 lookup 77) removed"
    ),
    "policy rule that ends all": inside(
        "ip rule add pref 0 from 10.0.9.0/24 blackhole", "policy rule 0 (from 10.0.9.0/24 blackhole) removed"
    ),
    "policy rule beside the kernel's": inside(
        "ip rule add pref 32766 fwmark 9 lookup main", "policy rule 32766 (from all fwmark 0x9 lookup main) removed"
    ),
    "IPv6 policy rule added": inside(
        "ip -6 rule add pref 9 to 2001:db8::/32 unreachable", "IPv6 policy rule 9 (from all to 2001:db8::/32 unreachable) removed"
    ),
    "policy rule of the main table deleted": inside(
        "ip rule delete pref 32766", "policy rule 32766 (from all lookup main) added", felt=True
    ),
    "all policy rules deleted": inside(
        "ip -6 rule flush; ip -6 rule delete pref 0",
        "IPv6 policy rule 0 (from all lookup local) added",
        "IPv6 policy rule 32766 (from all lookup main) added",
    ),
}

DEVICES = {
    "MAC address changed": inside(
        f"ip link set dev {WEB} address fa:16:3e:99:99:99", f"MAC address of {WEB} set to fa:16:3e:00:00:c0", felt=True
    ),
    "MTU changed": inside(f"ip link set dev {WEB} mtu 1400", f"MTU of {WEB} set to 1450"),
    "MTU too small for IPv6": inside(
        f"ip link set dev {GATEWAY} mtu 1000",
        f"MTU of {GATEWAY} set to 1500",
        f"sysctl net.ipv6.conf.{GATEWAY}.accept_ra set to 0",
        f"sysctl net.ipv6.conf.{GATEWAY}.proxy_ndp set to 1",
        f"sysctl net.ipv6.conf.{GATEWAY}.accept_dad set to 0",
        f"sysctl net.ipv6.conf.{GATEWAY}.addr_gen_mode set to 0",
        f"sysctl net.ipv6.conf.{GATEWAY}.disable_ipv6 set to 0",
        f"address 2001:db8:e::10/64 added to {GATEWAY}",
        f"route ::/0 via 2001:db8:e::1 dev {GATEWAY} added",
        f"NDP proxy for 2001:db8:1::5 added to {GATEWAY}",
    ),
    "alias changed": inside(f"ip link set dev {WEB} alias other", f"alias of {WEB} set to bbbb0000-web-port"),
    "device set down": inside(
        f"ip link set dev {WEB} down",
        f"device {WEB} set up",
        f"address 2001:db8:1::1/64 added to {WEB}",
        f"address {METADATA_V6} added to {WEB}",
        f"{TO_WEB} added",
        f"{TO_V6} added",
        felt=True,
    ),
    "loopback set down": inside("ip link set dev lo down", "device lo set up"),
    "ARP turned off": inside(f"ip link set dev {GATEWAY} arp off", f"ARP of {GATEWAY} turned on"),
    "multicast turned off": inside(f"ip link set dev {GATEWAY} multicast off", f"multicast of {GATEWAY} turned on"),
    "device taken by a foreign bridge": inside(
        f"{FOREIGN}; ip link set dev {GATEWAY} master own-vpn", f"device {GATEWAY} taken from own-vpn", undo=NO_FOREIGN
    ),
    "device deleted": inside(f"ip link delete {GATEWAY}", *GATEWAY_MADE),
    "device renamed": inside(
        f"ip link set dev {GATEWAY} down; ip link set dev {GATEWAY} name was-ours",
        f"stale device {GATEWAY_TAP} removed",
        *GATEWAY_MADE,
    ),
    "device taken out": inside(
        f"ip link set dev {GATEWAY} netns 1", f"device {GATEWAY} removed", *GATEWAY_MADE, "metadata proxy listens for router r1"
    ),
    "outer end deleted": outside(f"ip link delete {GATEWAY_TAP}", *GATEWAY_MADE),
    "outer end set down": outside(f"ip link set dev {WEB_TAP} down", f"device {WEB_TAP} set up", felt=True),
    "outer end's MTU changed": outside(f"ip link set dev {WEB_TAP} mtu 1400", f"MTU of {WEB_TAP} set to 1450"),
    "outer end taken from its bridge": outside(
        f"ip link set dev {WEB_TAP} nomaster", f"device {WEB} moved to bridge brqweb-network", felt=True
    ),
    "outer end on another bridge": outside(
        f"ip link set dev {WEB_TAP} master br-ex", f"device {WEB} moved to bridge brqweb-network", felt=True
    ),
    "outer end's alias changed": outside(
        f"ip link set dev {WEB_TAP} alias x", f"alias of {WEB_TAP} set to netnode.l3/r1/web-network"
    ),
    "bridge set down": outside("ip link set dev brqweb-network down", "bridge brqweb-network set up", felt=True),
}

_NAT, _CLAMP = "of table nat", "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"
FIREWALL = {
    "rule deleted": inside(
        "iptables -t nat -D l3-snat -j l3-float-snat", f"rule added to chain l3-snat {_NAT}: -j l3-float-snat"
    ),
    "rule put into a chain of ours": inside(
        "iptables -t nat -I l3-snat -j ACCEPT", f"rule removed from chain l3-snat {_NAT}: -j ACCEPT"
    ),
    "rules of a chain deleted": inside(
        "iptables -t nat -F l3-OUTPUT",
        f"rule added to chain l3-OUTPUT {_NAT}: -d 203.0.113.20/32 -j DNAT --to-destination 10.0.0.5",
        f"rule added to chain l3-OUTPUT {_NAT}: -d 203.0.113.21/32 -j DNAT --to-destination 10.0.1.5",
    ),
    "rules in another order": inside(
        "iptables -t nat -D l3-POSTROUTING 1; iptables -t nat -A l3-POSTROUTING -o qg-aaaa0000-ex -j l3-snat",
        f"rules of chain l3-POSTROUTING {_NAT} put in order",
    ),
    "a floating IP led elsewhere": inside(
        "iptables -t nat -I l3-PREROUTING -d 203.0.113.20/32 -j DNAT --to-destination 10.0.0.66",
        f"rule removed from chain l3-PREROUTING {_NAT}: -d 203.0.113.20/32 -j DNAT --to-destination 10.0.0.66",
        "flows through 203.0.113.20 ended",
    ),
    "chain deleted": inside(
        "iptables -t nat -D OUTPUT -j l3-OUTPUT; iptables -t nat -F l3-OUTPUT; iptables -t nat -X l3-OUTPUT",
        f"rule added to chain OUTPUT {_NAT}: -j l3-OUTPUT",
        f"chain l3-OUTPUT {_NAT} created with 2 rules",
    ),
    "chain with our name added": inside("iptables -t nat -N l3-stray", f"chain l3-stray {_NAT} removed"),
    "chain with our name in another table": inside(
        "iptables -t mangle -N l3-x; iptables -t mangle -A l3-x -j DROP; iptables -t mangle -I OUTPUT -j l3-x",
        "rule removed from chain OUTPUT of table mangle: -j l3-x",
        "chain l3-x of table mangle removed",
    ),
    "chain with our name for IPv6": inside("ip6tables -N l3-stray", "chain l3-stray of table filter (IPv6) removed"),
    "jump deleted": inside(
        "iptables -t nat -D PREROUTING -j l3-PREROUTING", f"rule added to chain PREROUTING {_NAT}: -j l3-PREROUTING"
    ),
    "jump doubled": inside("iptables -t nat -A PREROUTING -j l3-PREROUTING", f"rules of chain PREROUTING {_NAT} put in order"),
    "jump no longer the first": inside(
        "iptables -t nat -I POSTROUTING -s 192.0.2.1/32 -j ACCEPT",
        f"rules of chain POSTROUTING {_NAT} put in order",
        undo="iptables -t nat -D POSTROUTING -s 192.0.2.1/32 -j ACCEPT",
    ),
    "jump from a chain of others": inside(
        "iptables -N theirs; iptables -A theirs -j l3-INPUT",
        "rule removed from chain theirs of table filter: -j l3-INPUT",
        undo="iptables -X theirs",
    ),
    "policy changed": inside("iptables -P OUTPUT DROP", "policy of chain OUTPUT of table filter set to ACCEPT"),
    "policy of forwarding changed": inside(
        "iptables -P FORWARD DROP", "policy of chain FORWARD of table filter set to ACCEPT", felt=True
    ),
    "IPv6 policy changed": inside("ip6tables -P FORWARD DROP", "policy of chain FORWARD of table filter (IPv6) set to ACCEPT"),
    "another MSS": inside(
        "iptables -t mangle -I l3-FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 536",
        "rule removed from chain l3-FORWARD of table mangle: -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 536",
    ),
    "MSS of IPv6 no longer clamped": inside(
        "ip6tables -t mangle -F l3-FORWARD", f"rule added to chain l3-FORWARD of table mangle (IPv6): {_CLAMP}"
    ),
    "all rules deleted": inside("iptables -t nat -F", ...),
}


# Of the other router, which has these.
FORWARDINGS = [forwarding(80, 8080), forwarding("8000:8009", "9000:9009", protocol="udp")]
_OTHER = "ip netns exec qrouter-small-1"
_OF_ONE = "chain l3-PREROUTING of table nat: -d 203.0.113.30/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination "
_OF_RANGE = "chain l3-PREROUTING of table nat: -d 203.0.113.30/32 -p udp -m udp --dport 8000:8009 -j DNAT --to-destination "
PORT_FORWARDINGS = {
    "port forwarding deleted": outside(
        f"{_OTHER} iptables -t nat -D l3-PREROUTING -d 203.0.113.30/32 -p tcp --dport 80 -j DNAT --to-destination 10.0.0.5:8080",
        f"rule added to {_OF_ONE}10.0.0.5:8080",
        "stale flows to 203.0.113.30 tcp 80 ended",
    ),
    "port led elsewhere": outside(
        f"{_OTHER} iptables -t nat -I l3-PREROUTING -d 203.0.113.30/32 -p tcp --dport 80 -j DNAT --to-destination 10.0.0.66:8080",
        f"rule removed from {_OF_ONE}10.0.0.66:8080",
        "stale flows to 203.0.113.30 tcp 80 ended",
    ),
    "ports of a range led to others": outside(
        f"{_OTHER} iptables -t nat -R l3-PREROUTING 5 -d 203.0.113.30/32 -p udp --dport 8000:8009"
        " -j DNAT --to-destination 10.0.0.5:9000-9009/8001",
        f"rule removed from {_OF_RANGE}10.0.0.5:9000-9009/8001",
        f"rule added to {_OF_RANGE}10.0.0.5:9000-9009/8000",
        "stale flows to 203.0.113.30 udp 8000:8009 ended",
    ),
    "address of port forwardings deleted": outside(
        f"{_OTHER} ip address delete 203.0.113.30/32 dev qg-0001gw-port", "address 203.0.113.30/32 added to qg-0001gw-port"
    ),
}


def sysctl(key: str, value: int, right_value: int, felt: bool = False) -> Sabotage:
    return inside(f"sysctl -q -w {key}={value}", f"sysctl {key} set to {right_value}", felt=felt)


SYSCTLS = {
    "forwarding turned off": sysctl("net.ipv4.ip_forward", 0, 1, felt=True),
    "forwarding of a device turned off": sysctl(f"net.ipv4.conf.{WEB}.forwarding", 0, 1, felt=True),
    "IPv6 forwarding turned off": sysctl("net.ipv6.conf.all.forwarding", 0, 1),
    "arp_ignore changed": sysctl("net.ipv4.conf.all.arp_ignore", 0, 1),
    "arp_announce changed": sysctl("net.ipv4.conf.all.arp_announce", 0, 2),
    "promote_secondaries changed": sysctl("net.ipv4.conf.all.promote_secondaries", 0, 1),
    "be_liberal changed": sysctl("net.netfilter.nf_conntrack_tcp_be_liberal", 0, 1),
    "router advertisements accepted": sysctl(f"net.ipv6.conf.{GATEWAY}.accept_ra", 1, 0),
    "no link-local address": sysctl(f"net.ipv6.conf.{WEB}.addr_gen_mode", 1, 0),
    "duplicate address detection turned on": sysctl(f"net.ipv6.conf.{WEB}.accept_dad", 1, 0),
    "IPv6 turned on where nobody asked for it": sysctl(f"net.ipv6.conf.{DB}.disable_ipv6", 0, 1),
    "IPv6 turned off": inside(
        f"sysctl -q -w net.ipv6.conf.{WEB}.disable_ipv6=1",
        f"sysctl net.ipv6.conf.{WEB}.disable_ipv6 set to 0",
        f"address 2001:db8:1::1/64 added to {WEB}",
        f"address {METADATA_V6} added to {WEB}",
        f"{TO_V6} added",
    ),
}

# The metadata proxy has the namespace open: it is there until the proxy is told to let go of it.
_STALE = [f"stale device {name} removed" for name in (WEB_TAP, DB_TAP, GATEWAY_TAP)]
NODE = {
    "bridge deleted": outside(
        "ip link delete brqweb-network",
        "bridge brqweb-network created",
        f"device {WEB} moved to bridge brqweb-network",
        felt=True,
    ),
    "namespace unmounted": outside(
        f"umount --lazy /run/netns/{NAMESPACE}",
        f"dead namespace {NAMESPACE} removed",
        *_STALE,
        f"namespace {NAMESPACE} created",
        ...,
        felt=True,
    ),
    "namespace deleted": outside(f"ip netns delete {NAMESPACE}", *_STALE, f"namespace {NAMESPACE} created", ..., felt=True),
    "namespace replaced": outside(
        f"ip netns delete {NAMESPACE}; ip netns add {NAMESPACE}",
        *_STALE,
        f"device {WEB} created on bridge brqweb-network",
        ...,
        felt=True,
    ),
}

METADATA = {
    "metadata by IPv6: address deleted": inside(
        f"ip address delete {METADATA_V6} dev {WEB}", f"address {METADATA_V6} added to {WEB}"
    ),
    "metadata by IPv6: address with another prefix length": inside(
        f"ip address delete {METADATA_V6} dev {WEB}; ip address add fe80::a9fe:a9fe/64 dev {WEB} nodad preferred_lft 0",
        f"address fe80::a9fe:a9fe/64 removed from {WEB}",
        f"address {METADATA_V6} added to {WEB}",
    ),
    "metadata by IPv6: address preferred": inside(
        f"ip address change {METADATA_V6} dev {WEB} preferred_lft forever", right(METADATA_V6, WEB, "a preferred lifetime")
    ),
    "metadata by IPv6: address where it is not wanted": inside(
        f"ip address add {METADATA_V6} dev {GATEWAY} nodad", f"address {METADATA_V6} removed from {GATEWAY}"
    ),
    "metadata by IPv6: redirection deleted": inside(
        "ip6tables -t nat -D l3-PREROUTING 1",
        "rule added to chain l3-PREROUTING of table nat (IPv6): -d fe80::a9fe:a9fe/128 -i qr-+ -p tcp -m tcp --dport 80"
        " -j REDIRECT --to-ports 9697",
    ),
    "metadata by IPv6: port opened": inside(
        "ip6tables -D INPUT -j l3-INPUT", "rule added to chain INPUT of table filter (IPv6): -j l3-INPUT"
    ),
    "metadata proxy killed": outside(
        f"kill -KILL $(cat {PROXY}.pid); while pgrep -x haproxy >/dev/null; do sleep 0.01; done",
        "metadata proxy listens for router r1",
        "metadata proxy listens for router small-1",
        "metadata proxy started",
    ),
    "metadata proxy's configuration edited": outside(
        f"sed -i s/x-forwarded-for/x-other/I {PROXY}.cfg", "metadata proxy reloaded"
    ),
    "metadata proxy's files deleted": outside(
        f"rm {PROXY}.*",
        "metadata proxy listens for router r1",
        "metadata proxy listens for router small-1",
        "metadata proxy reloaded",
    ),
}

_AGAIN = f"router advertisements on {WEB} put right"
ADVERTISEMENTS = {
    "radvd killed": outside(
        f"kill -KILL $(cat {RADVD}.pid); while pgrep -x radvd >/dev/null; do sleep 0.01; done",
        f"router advertisements on {WEB} started",
    ),
    "radvd's configuration edited": outside(f"sed -i s/2001:db8:1::53/2001:db8:1::66/ {RADVD}.conf", _AGAIN),
    "radvd's configuration deleted": outside(f"rm {RADVD}.conf", _AGAIN),
    "radvd's files deleted": outside(f"rm {RADVD}.*", _AGAIN),
    "another radvd in its pid file": outside(f"echo 1 > {RADVD}.pid", _AGAIN),
    "radvd told another address to advertise from": outside(
        f"sed -i 's/fe80::f816:3eff:fe00:c0;/fe80::a9fe:a9fe;/' {RADVD}.conf", _AGAIN
    ),
    "all files deleted": outside(
        "rm -r /run/netnode-l3",
        _AGAIN,
        "metadata proxy listens for router r1",
        "metadata proxy listens for router small-1",
        "metadata proxy reloaded",
    ),
}

_PUBLISHED_AGAIN = f"NDP proxy for {PUBLISHED} added to {GATEWAY}"
NDP_PROXIES = {
    "NDP proxy deleted": inside(f"ip neigh delete proxy {PUBLISHED} dev {GATEWAY}", _PUBLISHED_AGAIN),
    "NDP proxy added": inside(
        f"ip neigh add proxy 2001:db8:1::66 dev {GATEWAY}", f"NDP proxy for 2001:db8:1::66 removed from {GATEWAY}"
    ),
    "NDP proxies turned off": sysctl(f"net.ipv6.conf.{GATEWAY}.proxy_ndp", 0, 1),
    "rule of an NDP proxy deleted": inside(
        f"ip6tables -D l3-ndp -d {PUBLISHED}/128 -i {GATEWAY} -j RETURN",
        f"rule added to chain l3-ndp of table filter (IPv6): -d {PUBLISHED}/128 -i {GATEWAY} -j RETURN",
    ),
}

BANDWIDTH = {
    "all traffic control of what leaves deleted": inside(f"tc qdisc delete dev {GATEWAY} root", *LIMITED[:2]),
    "all traffic control of what comes in deleted": inside(f"tc qdisc delete dev {GATEWAY} ingress", LIMITED[2]),
    "device that shapes what comes in deleted": inside(
        "ip link delete l3-ifb", f"stray ingress of {GATEWAY} removed", LIMITED[2]
    ),
    "device that shapes what comes in set down": inside(
        "ip link set dev l3-ifb down", f"stray ingress of {GATEWAY} removed", LIMITED[2]
    ),
    "another queueing discipline": inside(
        f"tc qdisc replace dev {GATEWAY} root handle 7: tbf rate 1mbit burst 10k latency 50ms",
        f"stray tbf of {GATEWAY} removed",
        *LIMITED[:2],
    ),
    "rate changed": inside(
        f"tc class change dev {GATEWAY} parent 1: classid 1:2 htb rate 9mbit ceil 9mbit burst 100000b cburst 100000b",
        LIMITED[1],
    ),
    "burst changed": inside(
        f"tc class change dev {GATEWAY} parent 1: classid 1:2 htb rate 1mbit ceil 1mbit burst 50000b cburst 50000b", LIMITED[1]
    ),
    "more than the rate can be borrowed": inside(
        f"tc class change dev {GATEWAY} parent 1: classid 1:2 htb rate 1mbit ceil 9mbit burst 100000b cburst 100000b",
        f"stray class and filter 2 (egress) of {GATEWAY} removed",
        LIMITED[1],
    ),
    "queue of a limit deleted": inside(
        f"tc qdisc delete dev {GATEWAY} parent 1:2", f"stray class and filter 2 (egress) of {GATEWAY} removed", LIMITED[1]
    ),
    "filter of a limit deleted": inside(
        f"tc filter delete dev {GATEWAY} parent 1: prio 2", f"stray class 2 (egress) of {GATEWAY} removed", LIMITED[1]
    ),
    "filter for what comes in deleted": inside(
        f"tc filter delete dev {GATEWAY} parent ffff: prio 1",
        f"stray class and filter 1 (ingress) of {GATEWAY} removed",
        LIMITED[2],
    ),
    "filter added": inside(
        f"tc filter add dev {GATEWAY} parent 1: protocol ip prio 9 u32 match ip src 203.0.113.21/32 flowid 1:2",
        f"stray filter 9 (egress) of {GATEWAY} removed",
    ),
    "filter of another kind added": inside(
        f"tc filter add dev {GATEWAY} parent ffff: protocol ip prio 9 bpf bytecode '1,6 0 0 0,' flowid 1:1",
        f"stray redirect 9 (ingress) of {GATEWAY} removed",
    ),
    "class added": inside(
        f"tc class add dev {GATEWAY} parent 1: classid 1:9 htb rate 1mbit", f"stray class 9 (egress) of {GATEWAY} removed"
    ),
}

CATALOGUE: dict[str, Sabotage] = {
    **ADDRESSES,
    **ROUTES,
    **POLICY_RULES,
    **DEVICES,
    **FIREWALL,
    **PORT_FORWARDINGS,
    **SYSCTLS,
    **NODE,
    **METADATA,
    **ADVERTISEMENTS,
    **NDP_PROXIES,
    **BANDWIDTH,
}

_FILTER, _RAW = "of table filter", "of table raw"
_PRIVATE, _PRIVATE6, _PUBLIC = "l3-scope-17f823a451804205", "l3-scope-9ebf78e01b2203e7", "l3-scope-cb7a0222c4409f37"
_TO_DB = f'-o {DB} -m comment --comment "private.4" -g {_PRIVATE}'
_INTO = f"-i {WEB} -j RETURN"
_SAME = f"-i {WEB} -j MARK --set-xmark 0x10000/0xffff0000"
_TFTP = "-p udp -m udp --dport 69 -j CT --helper tftp"

# The router is that of ``routers.scoped_router()``, with metadata.
SCOPED: dict[str, Sabotage] = {
    "rule of a scope deleted": inside(f"iptables -D l3-scope {_TO_DB}", f"rule added to chain l3-scope {_FILTER}: {_TO_DB}"),
    "network let into another scope": inside(
        f"iptables -I {_PRIVATE} {_INTO}", f"rule removed from chain {_PRIVATE} {_FILTER}: {_INTO}"
    ),
    "network let into another scope of IPv6": inside(
        f"ip6tables -I {_PRIVATE6} {_INTO}", f"rule removed from chain {_PRIVATE6} {_FILTER} (IPv6): {_INTO}"
    ),
    "network put into another scope": inside(
        f"iptables -R l3-scope 4 -o {DB} -m comment --comment public-4 -g {_PUBLIC}",
        f"rule removed from chain l3-scope {_FILTER}: -o {DB} -m comment --comment public-4 -g {_PUBLIC}",
        f"rule added to chain l3-scope {_FILTER}: {_TO_DB}",
    ),
    "jump to scopes deleted": inside(
        "iptables -D FORWARD -j l3-FORWARD", f"rule added to chain FORWARD {_FILTER}: -j l3-FORWARD"
    ),
    "mark of the gateway's scope deleted": inside(
        f"iptables -t nat -D l3-PREROUTING {_SAME}", f"rule added to chain l3-PREROUTING {_NAT}: {_SAME}"
    ),
    "helper deleted": inside(f"iptables -t raw -D l3-cthelper {_TFTP}", f"rule added to chain l3-cthelper {_RAW}: {_TFTP}"),
    "helper added": inside(
        "iptables -t raw -A l3-cthelper -p udp --dport 5060 -j CT --helper sip",
        f"rule removed from chain l3-cthelper {_RAW}: -p udp -m udp --dport 5060 -j CT --helper sip",
    ),
    "connection tracking turned off": inside(
        "iptables -t raw -I l3-cthelper -j CT --notrack", f"rule removed from chain l3-cthelper {_RAW}: -j CT --notrack"
    ),
    "helpers of IPv6 deleted": inside(
        "ip6tables -t raw -F l3-cthelper",
        f"rule added to chain l3-cthelper {_RAW} (IPv6): -p tcp -m tcp --dport 21 -j CT --helper ftp",
        f"rule added to chain l3-cthelper {_RAW} (IPv6): {_TFTP}",
    ),
    "jump to helpers deleted": inside(
        "iptables -t raw -D l3-PREROUTING -j l3-cthelper", f"rule added to chain l3-PREROUTING {_RAW}: -j l3-cthelper"
    ),
}
