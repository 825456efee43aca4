# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Linux bridges: a veth pair, its inner end made in the router's namespace, its outer end on the port's bridge."""

from __future__ import annotations

from typing import List, Mapping, Optional

from ..model import DEVICE_NAME_LENGTH
from ..operations import Ip, Operation
from ..options import Options
from ..state import Attachment, Device, RootLink

PEER_PREFIX = "tap"
ALIAS_PREFIX = "netnode.l3"


class BridgeDriver:
    """All of what the planner, the observer and the desired state need to know of Linux bridges."""

    name = "bridge"

    def __init__(self, options: Options) -> None:
        self.options = options

    def attachment(self, router_id: str, port_id: str, network_id: Optional[str], bridge: str, mtu: Optional[int]) -> Attachment:
        """Where a port is to be plugged in. The alias says whose it is, and of which network, when read back."""
        peer = (PEER_PREFIX + port_id)[:DEVICE_NAME_LENGTH]
        alias = "/".join((ALIAS_PREFIX, router_id, network_id or ""))
        return Attachment(bridge=bridge, peer=peer, alias=alias, up=True, mtu=mtu)

    def observe(self, index: int, peer_index: Optional[int], links: Mapping[int, RootLink]) -> Optional[Attachment]:
        """Where the device with this ifindex, and this ifindex of its other end, is plugged in."""
        peer = links.get(peer_index) if peer_index is not None else None
        if peer is None or peer.peer_index != index:
            return None
        return Attachment(peer.bridge, peer.name, peer.alias, peer.up, peer.mtu, peer.bridge_up)

    def network_id(self, attachment: Optional[Attachment]) -> Optional[str]:
        """The network that the port was plugged in for, as its alias says."""
        parts = (attachment.alias or "").split("/") if attachment else []
        return parts[2] or None if len(parts) == 3 and parts[0] == ALIAS_PREFIX else None

    def owner(self, link: RootLink) -> Optional[str]:
        """The router that a root-side device of ours belongs to; None when it is not ours."""
        parts = (link.alias or "").split("/")
        return parts[1] if len(parts) == 3 and parts[0] == ALIAS_PREFIX else None

    def create_bridge(self, bridge: str) -> List[Operation]:
        """Make an internal bridge, without an address of its own: tenants have no business with the node."""
        return [
            Ip(None, (), "link add name %s type bridge" % bridge),
            Ip(None, (), "link set dev %s addrgenmode none" % bridge),
            Ip(None, ("bridge %s created" % bridge,), "link set dev %s alias %s up" % (bridge, ALIAS_PREFIX)),
        ]

    def set_up_bridge(self, bridge: str) -> List[Operation]:
        """Set up an internal bridge that is there and down."""
        return [
            Ip(None, (), "link set dev %s addrgenmode none" % bridge),
            Ip(None, ("bridge %s set up" % bridge,), "link set dev %s up" % bridge),
        ]

    def plug(self, namespace: str, device: Device, attachment: Attachment) -> List[Operation]:
        """Make a device in the namespace and plug it in."""
        mtu = " mtu %d" % device.mtu if device.mtu else ""
        address = " address %s" % device.mac_address if device.mac_address else ""
        pair = "link add name %s%s type veth peer name %s%s%s netns %s"
        return [
            Ip(None, (), pair % (attachment.peer, mtu, device.name, address, mtu, namespace)),
            Ip(None, (), "link set dev %s addrgenmode none" % attachment.peer),
            Ip(
                None,
                ("device %s created on bridge %s" % (device.name, attachment.bridge),),
                "link set dev %s master %s alias %s up" % (attachment.peer, attachment.bridge, attachment.alias),
            ),
        ]

    def adjust(self, name: str, wanted: Attachment, present: Attachment) -> List[Operation]:
        """Put right what differs outside of the namespace of a device that is there."""
        peer = present.peer
        changes = []
        if present.bridge != wanted.bridge:
            changes.append(("device %s moved to bridge %s" % (name, wanted.bridge), "master %s" % wanted.bridge))
        if present.alias != wanted.alias:
            changes.append(("alias of %s set to %s" % (peer, wanted.alias), "alias %s" % wanted.alias))
        if wanted.mtu is not None and present.mtu != wanted.mtu:
            changes.append(("MTU of %s set to %d" % (peer, wanted.mtu), "mtu %d" % wanted.mtu))
        if not present.up:
            changes.append(("device %s set up" % peer, "up"))
        return [Ip(None, (action,), "link set dev %s %s" % (peer, change)) for action, change in changes]

    def unplug(self, namespace: str, device: Device) -> List[Operation]:
        """Remove a device; one end of a pair takes the other with it."""
        action = ("device %s removed" % device.name,)
        if device.attachment is not None:
            return [Ip(None, action, "link delete dev %s" % device.attachment.peer)]
        return [Ip(namespace, action, "link delete dev %s" % device.name)]
