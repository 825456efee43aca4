# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation that all modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """What is true of every module over the engine, and its options."""

    DOCUMENTATION = r"""
notes:
  - The managed node needs Python 3.8 or newer, no package from PyPI, and the commands ip, conntrack, and iptables (1.6.2 or
    newer, nft or legacy) or nft; the role P(netnode.l3.network_node#role) sees to it.
requirements:
  - iproute2, conntrack, and iptables or nftables on the managed node
  - haproxy there for O(metadata_upstream), and Open vSwitch for O(interface_driver=openvswitch)
  - radvd there for routers that send router advertisements
attributes:
  check_mode:
    support: full
    description: Predicts exactly what a run does, with the same plan.
  diff_mode:
    support: full
    description: Shows each changed router before and after, as router data, rules and kernel parameters.
  idempotent:
    support: full
    description: A second run changes nothing.
  platform:
    platforms: linux
    support: full
    description: Network namespaces are a feature of Linux.
"""

    OPTIONS = r"""
options:
  interface_driver:
    description:
      - How routers are plugged into the node's networks. There is no default, as a guess would plug them in wrongly.
      - V(bridge) makes a pair of veth devices, and plugs its outer end into a Linux bridge.
      - V(openvswitch) makes an internal port of an Open vSwitch bridge, and moves its device into the router's namespace.
      - Required wherever something is to be changed or rendered.
    type: str
  external_network_bridge:
    description:
      - The bridge of the external network. It must exist.
      - Where there are several external networks, a mapping of their ids to their bridges.
    type: raw
    default: br-ex
  internal_bridge:
    description:
      - The bridge of an internal network. C({network_id}) stands for the first 11 characters of the network's id. It is
        made when it is missing.
      - For O(interface_driver=bridge).
    type: str
    default: brq{network_id}
  integration_bridge:
    description:
      - The bridge of all internal networks. It must exist.
      - For O(interface_driver=openvswitch).
    type: str
    default: br-int
  vlan_tags:
    description:
      - Network ids, and the VLAN tags that ports on these networks get. The tag of a port whose network is not named here is
        left as it is, since Neutron's Open vSwitch agent sets it.
      - For O(interface_driver=openvswitch).
    type: dict
    default: {}
  metadata_upstream:
    description:
      - Where requests for metadata (C(http://169.254.169.254)) go, as C(unix:PATH) or C(HOST:PORT); for OpenStack, the socket of
        Neutron's metadata agent. One haproxy for the whole node listens in every router's namespace, and says by headers
        which router a request came through and from which address.
      - On internal networks where a router has an IPv6 address, it is asked by C(http://[fe80::a9fe:a9fe%25eth0]) too.
      - Without it there is no metadata service.
    type: str
  metadata_rate_limit:
    description:
      - How many requests for metadata a client may make; beyond that it gets the HTTP status 429. A client is an address behind
        a router. Without it there is no limit.
      - C(base_query_rate_limit) requests may come within C(base_window_duration) seconds, and C(burst_query_rate_limit) within
        C(burst_window_duration). One of the limits, or both, which a request must be within then. A window is of 10 seconds when
        it is not given.
    type: dict
  metadata_port:
    description: The TCP port of the metadata proxy in each router's namespace. It is closed to direct access.
    type: int
    default: 9697
  ipv6_gateway:
    description:
      - An IPv6 link-local address, the next hop of the IPv6 default route of routers that have IPv6 and whose gateway has no IPv6
        gateway IP, as when there is no IPv6 subnet on the external network.
      - Without it, such routers take their default route from router advertisements.
    type: str
  firewall_driver:
    description:
      - How the rules of routers are written.
      - V(iptables) has chains in the tables of iptables, as the L3 agent.
      - V(nftables) has one table in which addresses and ports are looked up in maps, so that a connection costs the same however
        many there are. It needs Linux 5.7 and nft.
      - A router goes from one to the other without its connections noticing.
    type: str
    choices: [iptables, nftables]
    default: iptables
  clamp_mss_to_pmtu:
    description:
      - Whether routers lower the maximum segment size (MSS) that the two sides of a TCP connection name to what passes on the way
        between them, as the router knows it. For networks of different MTU where ICMP does not come through.
    type: bool
    default: false
  use_namespaces:
    description:
      - With V(false), one router lives in the node's own namespace. Only its devices and our chains are looked at and changed
        there; forwarding of IPv6 must be on already.
    type: bool
    default: true
  send_arp_for_ha:
    description:
      - How often a new address is announced, without making the run wait. IPv4 is by gratuitous ARP, and IPv6 by unsolicited
        neighbour advertisements.
      - The first time is at once, and the others are a second apart, from the end of the run on. V(0) is never, and V(1000)
        the most.
    type: int
    default: 3
  lock_timeout:
    description:
      - How many seconds a run waits for another one on the same node to end, a day (V(86400)) at the most. Then it fails and
        names the other's process.
      - Check mode changes nothing and does not wait.
    type: float
    default: 60.0
"""

    SELECTION = r"""
options:
  router_id:
    description:
      - Of the routers given, the one that is for this node. Required with O(use_namespaces=false).
    type: str
  handle_internal_only_routers:
    description: Whether routers without a gateway are for this node.
    type: bool
    default: true
  gateway_external_network_id:
    description:
      - The one external network of this node. Routers with a gateway on another one are not for it.
      - Without it, routers on all external networks are.
    type: str
  protected_routers:
    description:
      - Ids of routers that M(netnode.l3.l3_routers) does not remove. With the state V(overridden), one that is on the node
        and not given stays, with a warning. One that is to be removed by the state V(deleted), or as administratively down by
        V(replaced), stays and fails.
      - They are changed like any other when they are given.
    type: list
    elements: str
    default: []
"""
