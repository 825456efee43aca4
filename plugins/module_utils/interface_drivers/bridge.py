# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Linux bridges: a veth pair, its inner end made in the router's namespace, its outer end on the port's bridge."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from typing import AbstractSet, Iterable, List, Mapping, Optional

from ..model import DEVICE_NAME_LENGTH, EXTERNAL_PREFIX, is_plain
from ..operations import Ip, Operation, SetSysctl
from ..options import Options
from ..state import Attachment, Device, Link, NodeState
from .driver import MARK, InterfaceDriver, mark, owner

PEER_PREFIX = "tap"
# To a bridge of ours the node has no address, and yet its own addresses could be reached by it, as Linux has them on all
# devices at once. With these, the node takes nothing from there: no source has its way back by the bridge.
CLOSED = {"net/ipv4/conf/%s/rp_filter": "1", "net/ipv6/conf/%s/disable_ipv6": "1"}
_NEW = re.compile(r"l3-new-[0-9a-f]{8}\Z")


@dataclass(frozen=True)
class OuterEnd(Attachment):
    """The outer end of a veth pair; its mark is its alias."""

    up: bool = True
    mtu: Optional[int] = None
    bridge_up: bool = True

    def filled_from(self, present: Optional[Attachment]) -> OuterEnd:
        if self.mtu is None and isinstance(present, OuterEnd):
            return replace(self, mtu=present.mtu)
        return self


def _name_before(bridge: str) -> str:
    """What a bridge that is being made is called until it has its mark."""
    return "l3-new-%08x" % zlib.crc32(bridge.encode())


class BridgeDriver(InterfaceDriver):
    """Ports on Linux bridges; internal bridges are made when they are missing."""

    name = "bridge"

    def __init__(self, options: Options, node: NodeState) -> None:
        super().__init__(options, node)
        self._by_index = node.link_by_index()

    def attachment(self, router_id: str, device: Device, network_id: Optional[str], bridge: Optional[str]) -> OuterEnd:
        peer = (PEER_PREFIX + (device.port_id or ""))[:DEVICE_NAME_LENGTH]
        return OuterEnd(bridge=bridge, peer=peer, mark=mark(router_id, network_id), mtu=device.mtu)

    def bridge_of(self, network_id: Optional[str]) -> str:
        return self.options.internal_bridge_of(network_id)

    def observe(self, link: Link) -> Optional[OuterEnd]:
        if link.peer_index is not None:
            peer = self._by_index.get(link.peer_index)
            mutual = peer is not None and peer.peer_index == link.index
        else:
            peer = self.node.links.get(link.peer or "")
            mutual = peer is not None and peer.peer == link.name
        if peer is None or not mutual or not is_plain(peer.name):
            return None
        return OuterEnd(peer.bridge, peer.name, peer.alias, peer.up, peer.mtu, peer.bridge_up)

    def marked(self) -> Mapping[str, str]:
        owners = ((name, owner(link.alias)) for name, link in self.node.links.items())
        return {name: whose.router_id for name, whose in owners if whose and is_plain(name)}

    def holder(self, router_id: str, attachment: OuterEnd) -> Optional[str]:
        link = self.node.links.get(attachment.peer)
        if link is None:
            return None
        whose = owner(link.alias)
        return whose.router_id if whose else ""

    def bridge_problem(self, device: str, bridge: Optional[str]) -> Optional[str]:
        if bridge is None:
            return "external_network_bridge has no bridge for the network of %s." % device
        link = self.node.links.get(bridge)
        if link is None and device.startswith(EXTERNAL_PREFIX):
            return (
                "The external bridge %s does not exist on this node: create it (or have the role"
                " netnode.l3.network_node do so), or say its name in external_network_bridge." % bridge
            )
        if link is not None and not link.is_bridge:
            return "The device %s on this node is not a bridge, and %s is to be plugged into it." % (bridge, device)
        return None

    def bridge_warning(self, bridge: Optional[str]) -> Optional[str]:
        link = self.node.links.get(bridge or "")
        return "The external bridge %s is down: set it up." % bridge if link is not None and not link.up else None

    def prepare(self, bridge: str) -> List[Operation]:
        link = self.node.links.get(bridge)
        return [*self._make(bridge, link), *_close(bridge, link)]

    def _make(self, bridge: str, link: Optional[Link]) -> List[Operation]:
        if link is not None and link.up:
            return []
        # Without an address of its own: tenants have no business with the node.
        no_address = "link set dev %s addrgenmode none"
        if link is not None:
            up = Ip(None, ("bridge %s set up" % bridge,), "link set dev %s up" % bridge)
            return [Ip(None, (), no_address % bridge), up]
        # It gets its name together with the mark: with only one of them, a run that is killed would leave a bridge that is
        # nobody's.
        new = _name_before(bridge)
        made = [] if new in self.node.links else [Ip(None, (), "link add name %s type bridge" % new)]
        named = "link set dev %s name %s alias %s up" % (new, bridge, MARK)
        return [*made, Ip(None, (), no_address % new), Ip(None, ("bridge %s created" % bridge,), named)]

    def plug(self, namespace: Optional[str], device: Device, attachment: OuterEnd) -> List[Operation]:
        mtu = " mtu %d" % device.mtu if device.mtu else ""
        address = " address %s" % device.mac_address if device.mac_address else ""
        place = " netns %s" % namespace if namespace else ""
        pair = "link add name %s%s type veth peer name %s%s%s%s"
        return [
            Ip(None, (), pair % (attachment.peer, mtu, device.name, address, mtu, place)),
            Ip(None, (), "link set dev %s addrgenmode none" % attachment.peer),
            Ip(
                None,
                ("device %s created on bridge %s" % (device.name, attachment.bridge),),
                "link set dev %s master %s alias %s up" % (attachment.peer, attachment.bridge, attachment.mark),
            ),
        ]

    def adjust(self, name: str, wanted: OuterEnd, present: OuterEnd) -> List[Operation]:
        peer = present.peer
        changes = []
        if present.bridge != wanted.bridge:
            changes.append(("device %s moved to bridge %s" % (name, wanted.bridge), "master %s" % wanted.bridge))
        if present.mark != wanted.mark:
            changes.append(("alias of %s set to %s" % (peer, wanted.mark), "alias %s" % wanted.mark))
        if wanted.mtu is not None and present.mtu != wanted.mtu:
            changes.append(("MTU of %s set to %d" % (peer, wanted.mtu), "mtu %d" % wanted.mtu))
        if not present.up:
            changes.append(("device %s set up" % peer, "up"))
        return [Ip(None, (action,), "link set dev %s %s" % (peer, change)) for action, change in changes]

    def unplug(self, namespace: Optional[str], device: Device) -> List[Operation]:
        action = ("device %s removed" % device.name,)
        if device.attachment is not None:  # one end of a pair takes the other with it
            return [Ip(None, action, "link delete dev %s" % device.attachment.peer)]
        return [Ip(namespace, action, "link delete dev %s" % device.name)]

    def release(self, names: Iterable[str], stale: bool) -> List[Operation]:
        return [Ip(None, ("stale device %s removed" % name,) if stale else (), "link delete dev %s" % name) for name in names]

    def unused(
        self, devices: Mapping[str, Device], freed: AbstractSet[str], kept: AbstractSet[str] = frozenset()
    ) -> List[Operation]:
        plugged = {link.name: link.bridge for link in self.node.links.values() if link.name not in freed}
        plugged.update({d.attachment.peer: d.attachment.bridge for d in devices.values() if d.attachment is not None})
        made = [link.name for link in self.node.links.values() if link.is_bridge and link.alias == MARK and is_plain(link.name)]
        used = {*plugged.values(), *kept}
        made += [link.name for link in self.node.links.values() if link.is_bridge and _NEW.match(link.name)]
        used |= {_name_before(bridge) for bridge in used if bridge is not None and bridge not in self.node.links}
        return [Ip(None, ("bridge %s removed" % b,), "link delete dev " + b) for b in made if b not in used]

    def describe(self, attachment: OuterEnd) -> str:
        state = "up" if attachment.up else "down"
        mtu = ", mtu %d" % attachment.mtu if attachment.mtu else ""
        bridge = attachment.bridge if attachment.bridge_up else "%s, which is down" % attachment.bridge
        return "by %s (%s%s, alias %s) on bridge %s" % (attachment.peer, state, mtu, attachment.mark, bridge)


def _close(bridge: str, link: Optional[Link]) -> Iterable[Operation]:
    """Keep what is on a bridge of ours from the node itself."""
    if link is not None and link.alias != MARK:
        return
    for pattern, value in CLOSED.items():
        key = pattern % bridge
        if link is None or link.parameters.get(key) != value:
            actions = () if link is None else ("sysctl %s set to %s" % (key.replace("/", "."), value),)
            yield SetSysctl(None, actions, key, value)
