# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open vSwitch: an internal port of a bridge, whose device is moved into the router's namespace.

Internal networks are plugged into the integration bridge and told apart by VLAN tags, which are those of the option
``vlan_tags``, or, where it has none, what Neutron's Open vSwitch agent sets. That agent knows a port by the external
ids ``iface-id``, ``iface-status`` and ``attached-mac`` of its interface.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, Iterable, List, Mapping, Optional, Sequence

from ..host import ovs
from ..host.command import CommandError
from ..model import EXTERNAL_PREFIX, is_plain
from ..operations import Ip, Operation, Ovs
from ..options import Options
from ..state import Attachment, Device, Link, NodeState
from .driver import InterfaceDriver, mark, owner

MARK_ID = "netnode-l3"  # the external id that holds our mark


@dataclass(frozen=True)
class OvsPort(Attachment):
    """An internal port. As wanted, None for tag or MAC address means: as it is, on the same network."""

    iface_id: Optional[str] = None
    active: bool = True
    attached_mac: Optional[str] = None
    tag: Optional[int] = None

    def filled_from(self, present: Optional[Attachment]) -> OvsPort:
        if not isinstance(present, OvsPort):
            return self
        return replace(self, tag=self.tag_after(present), attached_mac=self.attached_mac or present.attached_mac)

    def tag_after(self, present: OvsPort) -> Optional[int]:
        """The tag that a port comes to have that is there. The tag of another network is not left: it would lead there."""
        before, now = owner(present.mark), owner(self.mark)
        moved = before is not None and before.network_id is not None and (now is None or now.network_id != before.network_id)
        return self.tag if self.tag is not None or moved else present.tag

    @property
    def external_ids(self) -> Mapping[str, str]:
        """The external ids that are ours to set."""
        ids = {"iface-id": self.iface_id, "iface-status": "active", "attached-mac": self.attached_mac, MARK_ID: self.mark}
        return {key: value for key, value in ids.items() if value is not None}


class OpenvswitchDriver(InterfaceDriver):
    """Ports of Open vSwitch's bridges, which must exist."""

    name = "openvswitch"
    commands = ("ovs-vsctl",)

    def __init__(self, options: Options, node: NodeState, database: Optional[ovs.Database] = None) -> None:
        super().__init__(options, node)
        self.database = database or ovs.Database([], {})

    @classmethod
    def on_node(cls, options: Options, node: NodeState) -> OpenvswitchDriver:
        try:
            return cls(options, node, ovs.read())
        except CommandError as error:
            driver = cls(options, node)
            driver.unavailable = "Open vSwitch does not answer: %s" % error
            return driver

    @classmethod
    def on_empty_node(cls, options: Options) -> OpenvswitchDriver:
        bridges = [*options.external_bridges, options.integration_bridge]
        return cls(options, NodeState(frozenset(), {}), ovs.Database(bridges, {}))

    def attachment(self, router_id: str, device: Device, network_id: Optional[str], bridge: Optional[str]) -> OvsPort:
        return OvsPort(
            bridge=bridge,
            peer=device.name,
            mark=mark(router_id, network_id),
            iface_id=device.port_id,
            attached_mac=device.mac_address,
            tag=self.options.vlan_tags.get(network_id or ""),
        )

    def bridge_of(self, network_id: Optional[str]) -> str:
        return self.options.integration_bridge

    def observe(self, link: Link) -> Optional[OvsPort]:
        port = self.database.ports.get(link.name)
        # When the userspace datapath is started anew, it makes its devices anew, on the node itself; those that were in
        # namespaces stay there, and lead nowhere.
        if port is None or (self.options.use_namespaces and link.name in self.node.links):
            return None
        ids = port.external_ids
        active = ids.get("iface-status") == "active"
        return OvsPort(port.bridge, link.name, ids.get(MARK_ID), ids.get("iface-id"), active, ids.get("attached-mac"), port.tag)

    def marked(self) -> Mapping[str, str]:
        owners = ((name, owner(port.external_ids.get(MARK_ID))) for name, port in self.database.ports.items())
        return {name: whose.router_id for name, whose in owners if whose and is_plain(name)}

    def holder(self, router_id: str, attachment: OvsPort) -> Optional[str]:
        port = self.database.ports.get(attachment.peer)
        if port is None:
            return "" if attachment.peer in self.node.links else None
        whose = owner(port.external_ids.get(MARK_ID))
        if whose is None and port.external_ids.get("iface-id") == attachment.iface_id:
            return router_id  # the L3 agent plugged in this very port
        return whose.router_id if whose else ""

    def bridge_problem(self, device: str, bridge: Optional[str]) -> Optional[str]:
        if bridge is None:
            return "external_network_bridge has no bridge for the network of %s." % device
        if bridge in self.database.bridges:
            return None
        external = device.startswith(EXTERNAL_PREFIX)
        kind, option = ("external", "external_network_bridge") if external else ("integration", "integration_bridge")
        return "Open vSwitch has no %s bridge %s: create it (ovs-vsctl add-br %s), or say its name in %s." % (
            kind, bridge, bridge, option,
        )  # fmt: skip

    def plug(self, namespace: Optional[str], device: Device, attachment: OvsPort) -> List[Operation]:
        name = device.name
        created = ("device %s created on bridge %s" % (name, attachment.bridge),)
        add = ["add-port", attachment.bridge or "", name]
        add += ["tag=%d" % attachment.tag] if attachment.tag else []
        add += ["--", "set", "Interface", name, "type=internal", *_settings(attachment.external_ids)]
        settings = ["netns %s" % namespace] if namespace else []
        settings += ["address %s" % device.mac_address] if device.mac_address else []
        settings += ["mtu %d" % device.mtu] if device.mtu else []
        return [Ovs(None, (), tuple(add)), Ip(None, created, "link set dev %s %s" % (name, " ".join(settings)))]

    def must_replace(self, wanted: OvsPort, present: OvsPort) -> bool:
        return wanted.bridge != present.bridge

    def adjust(self, name: str, wanted: OvsPort, present: OvsPort) -> List[Operation]:
        steps: List[Operation] = []
        have = {**present.external_ids, "iface-status": "active" if present.active else ""}
        differing: Dict[str, str] = {key: value for key, value in wanted.external_ids.items() if have.get(key) != value}
        if differing:
            action = "external ids of port %s set: %s" % (name, ", ".join("%s=%s" % pair for pair in differing.items()))
            steps.append(Ovs(None, (action,), ("set", "Interface", name, *_settings(differing))))
        tag = wanted.tag_after(present)
        if tag != present.tag:
            action = "tag of port %s removed" % name if tag is None else "tag of port %s set to %d" % (name, tag)
            change = ("clear", "Port", name, "tag") if tag is None else ("set", "Port", name, "tag=%d" % tag)
            steps.append(Ovs(None, (action,), change))
        return steps

    def unplug(self, namespace: Optional[str], device: Device) -> List[Operation]:
        action = ("device %s removed" % device.name,)
        if device.attachment is None:
            return [Ip(namespace, action, "link delete dev %s" % device.name)]
        return [Ovs(None, action, ("--if-exists", "del-port", device.name))]

    def release(self, names: Iterable[str], stale: bool) -> List[Operation]:
        return [Ovs(None, ("stale port %s removed" % n,) if stale else (), ("--if-exists", "del-port", n)) for n in names]

    def goes_with_namespace(self, name: str) -> bool:
        return False

    def describe(self, attachment: OvsPort) -> str:
        tag = "tag %d" % attachment.tag if attachment.tag else "no tag"
        ids = {**attachment.external_ids, "iface-status": "active" if attachment.active else "not active"}
        return "on bridge %s (%s, %s)" % (attachment.bridge, tag, ", ".join("%s=%s" % pair for pair in ids.items()))


def _settings(external_ids: Mapping[str, str]) -> Sequence[str]:
    return ['external_ids:%s="%s"' % pair for pair in external_ids.items()]
