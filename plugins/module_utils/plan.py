# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The difference of two states as ordered operations: pure.

The order within a router: what goes is unplugged first, so that nothing leaves by an old gateway without its NAT;
rules stand before the addresses that they are for, so that no connection finds one without the other; new
addresses and routes come before old ones go, so that the kernel flushes nothing that is to stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from .desired import Desired
from .firewall import floating_ip_pairs, source_nat_address
from .interface_drivers.bridge import BridgeDriver
from .model import EXTERNAL_PREFIX, namespace_name
from .operations import Announce, DeleteFlows, Ip, Operation, RestoreRules, SetSysctl
from .plan_routes import route_operations
from .rule_set import describe_changes, restore_text
from .state import ABSENT, FAMILIES, IPV6, Device, NodeState, RouterState


@dataclass(frozen=True)
class RouterPlan:
    """What is to be done for one router.

    ``shared`` concerns the node as a whole and comes first, for all routers one after the other: names that are
    freed, bridges that several routers use. ``own`` can be done beside other routers' own. ``problems`` are what
    cannot be done, and ``after`` is what the router is then.
    """

    router_id: str
    shared: Tuple[Operation, ...] = ()
    own: Tuple[Operation, ...] = ()
    problems: Tuple[str, ...] = ()
    after: RouterState = ABSENT

    @property
    def actions(self) -> List[str]:
        """What will have been done, in words and in order."""
        return [action for operation in (*self.shared, *self.own) for action in operation.actions]


def plan_deletion(router_id: str, peers: Iterable[str] = (), dead: bool = False) -> RouterPlan:
    """Remove a router from the node. Its devices go with its namespace, a moment later; root-side ``peers`` whose
    names other routers need at once are removed before.
    """
    namespace = namespace_name(router_id)
    action = "dead namespace %s removed" if dead else "namespace %s removed"
    return RouterPlan(
        router_id,
        shared=(
            *(Ip(None, (), "link delete dev " + peer) for peer in peers),
            Ip(None, (action % namespace,), "netns delete " + namespace),
        ),
    )


class Planner:
    """Plans one router after the other, and remembers what the plans before have taken care of on the node."""

    def __init__(self, node: NodeState, driver: BridgeDriver) -> None:
        self.driver = driver
        self.node = node
        self.bridges: Set[str] = set()  # seen to by plans so far
        self.freed: Set[str] = set()  # root-side devices that plans so far unplug

    def free(self, peers: Iterable[str]) -> None:
        """Note root-side devices that will be gone before any router's plan makes new ones."""
        self.freed.update(peers)

    def plan(self, desired: Desired, observed: RouterState) -> RouterPlan:
        """The difference between what a router is to be and what it is."""
        router_id = desired.router.id
        namespace = namespace_name(router_id)
        shared: List[Operation] = []
        if observed.dead:
            shared += plan_deletion(router_id, dead=True).shared
            observed = ABSENT
        problems = list(desired.problems)
        state, stale = self._possible(router_id, desired.state, observed, problems)
        shared += [Ip(None, ("stale device %s removed" % name,), "link delete dev %s" % name) for name in stale]
        lost = {n: d for n, d in observed.devices.items() if n not in state.devices or d.attachment is None}
        for device in lost.values():
            shared += self.driver.unplug(namespace, device)
        present = {name: device for name, device in observed.devices.items() if name not in lost}
        created = [device for name, device in state.devices.items() if name not in present]
        shared += self._bridges(state.devices.values())
        own = [
            *self._namespace(namespace, observed),
            *self._devices(namespace, created, present, state),
            *_link_operations(namespace, present, state),
            *self._sysctls(namespace, created, state, observed),
            *self._firewall(namespace, state, observed),
            *_set_up(namespace, created, present, observed),
            *self._addresses(namespace, state, observed, lost),
        ]
        return RouterPlan(router_id, tuple(shared), tuple(own), tuple(problems), state)

    def _possible(
        self, router_id: str, state: RouterState, observed: RouterState, problems: List[str]
    ) -> Tuple[RouterState, List[str]]:
        """What of the devices can be: without an external bridge, or with a name that somebody else has, new ones
        cannot be plugged in, and those that are there stay where they are. Also the stale devices in their way.
        """
        blocked = set()
        stale: List[str] = []
        devices = dict(state.devices)
        for name, device in state.devices.items():
            attachment = device.attachment
            if attachment is None:
                continue
            present = observed.devices.get(name)
            plugged = present.attachment if present is not None else None
            problem = self._bridge_problem(name, attachment.bridge)
            if problem:
                problems.append(problem)
                if plugged is None:
                    blocked.add(name)
                else:
                    devices[name] = replace(device, attachment=replace(attachment, bridge=plugged.bridge))
            elif name.startswith(EXTERNAL_PREFIX) and not self.node.links[attachment.bridge or ""].up:
                problems.append("The external bridge %s is down: set it up." % attachment.bridge)
            link = self.node.links.get(attachment.peer)
            if link is None or plugged is not None or attachment.peer in self.freed:
                continue
            owner = self.driver.owner(link)
            if owner == router_id or (owner and namespace_name(owner) not in self.node.namespaces):
                stale.append(link.name)  # ours, and its other end is in no router
            else:
                blocked.add(name)
                whose = "belongs to router %s: converge that one too" % owner if owner else "is not ours"
                what = "The device %s that port %s needs is on the node already and %s."
                problems.append(what % (link.name, device.port_id, whose))
        return replace(state, devices=devices).without_devices(blocked), stale

    def _bridge_problem(self, device: str, bridge: Optional[str]) -> Optional[str]:
        """What is wrong with the bridge of a device, which may be one that is still to be made."""
        link = self.node.links.get(bridge or "")
        if link is None and device.startswith(EXTERNAL_PREFIX):
            return (
                "The external bridge %s does not exist on this node: create it (or have the role"
                " netnode.l3.network_node do so), or say its name in external_network_bridge." % bridge
            )
        if link is not None and not link.is_bridge:
            return "The device %s on this node is not a bridge, and %s is to be plugged into it." % (bridge, device)
        return None

    def _bridges(self, devices: Iterable[Device]) -> Iterable[Operation]:
        """Make internal bridges that are missing, and set up those that are down: an interrupted run leaves such."""
        for device in devices:
            bridge = device.attachment.bridge if device.attachment is not None else None
            if bridge is None or bridge in self.bridges or device.name.startswith(EXTERNAL_PREFIX):
                continue
            self.bridges.add(bridge)
            link = self.node.links.get(bridge)
            if link is None:
                yield from self.driver.create_bridge(bridge)
            elif not link.up:
                yield from self.driver.set_up_bridge(bridge)

    @staticmethod
    def _namespace(namespace: str, observed: RouterState) -> Iterable[Operation]:
        if not observed.namespace:
            yield Ip(None, ("namespace %s created" % namespace,), "netns add " + namespace)

    def _devices(
        self, namespace: str, created: Sequence[Device], present: Mapping[str, Device], state: RouterState
    ) -> Iterable[Operation]:
        for device in created:
            if device.attachment is not None:
                yield from self.driver.plug(namespace, device, device.attachment)
        for name, device in present.items():
            wanted = state.devices[name].attachment
            if wanted is not None and device.attachment is not None:
                yield from self.driver.adjust(name, wanted, device.attachment)

    @staticmethod
    def _sysctls(namespace: str, created: Sequence[Device], state: RouterState, observed: RouterState) -> Iterable[Operation]:
        for key, value in state.sysctls.items():
            # The parameters of a new namespace or device belong to making it, and are not told one by one.
            new = not observed.namespace or any("/%s/" % device.name in key for device in created)
            if new or observed.sysctls.get(key) != value:
                actions = () if new else ("sysctl %s set to %s" % (key.replace("/", "."), value),)
                yield SetSysctl(namespace, actions, key, value)

    @staticmethod
    def _firewall(namespace: str, state: RouterState, observed: RouterState) -> Iterable[Operation]:
        for family in FAMILIES:
            want, have = state.firewall.get(family, {}), observed.firewall.get(family, {})
            text = restore_text(want, have)
            if text:
                actions = tuple(describe_changes(want, have, " (IPv6)" if family == IPV6 else ""))
                yield RestoreRules(namespace, actions, family, text)

    def _addresses(
        self, namespace: str, state: RouterState, observed: RouterState, lost: Mapping[str, Device]
    ) -> Iterable[Operation]:
        """Addresses, routes, then what goes; at last the flows of floating IPs that went or moved, and the news."""
        announced: List[Operation] = []
        removals: List[Operation] = []
        for name, wanted in state.addresses.items():
            have = () if name in lost else observed.addresses.get(name, ())
            going = [address for address in have if address not in wanted]
            for address in wanted:
                if address not in have:
                    yield from _make_room(namespace, name, address, going)
                    yield _add_address(namespace, name, address)
            new = wanted if _mac_address_changes(name, state, observed) else [a for a in wanted if a not in have]
            announced += [Announce(namespace, (), name, address.split("/")[0]) for address in new if ":" not in address]
            removals += [_delete_address(namespace, name, address) for address in going]
        yield from route_operations(namespace, state.routes, observed.routes, frozenset(lost))
        yield from removals
        for address in _ended_translations(state, observed):
            yield DeleteFlows(namespace, ("flows through %s ended" % address,), address)
        yield from announced


def _set_up(
    namespace: str, created: Sequence[Device], present: Mapping[str, Device], observed: RouterState
) -> Iterable[Operation]:
    """Set devices up, after their parameters: those of IPv6 take effect at that moment."""
    if not observed.loopback_up:
        actions = ("device lo set up",) if observed.namespace else ()
        yield Ip(namespace, actions, "link set dev lo up")
    for device in created:
        yield Ip(namespace, (), "link set dev %s alias %s up" % (device.name, device.port_id))
    for name, have in present.items():
        if not have.up:
            yield Ip(namespace, ("device %s set up" % name,), "link set dev %s up" % name)


def _link_operations(namespace: str, present: Mapping[str, Device], state: RouterState) -> Iterable[Operation]:
    """Put right what devices are, before their parameters: with a small MTU a device has none of IPv6."""
    for name, have in present.items():
        for action, change in _link_changes(state.devices[name], have):
            yield Ip(namespace, (action,), "link set dev %s %s" % (name, change))


def _link_changes(want: Device, have: Device) -> Iterable[Tuple[str, str]]:
    """Pairs of a sentence and the arguments of ``ip link set``."""
    if want.port_id != have.port_id:
        yield "alias of %s set to %s" % (want.name, want.port_id), "alias %s" % want.port_id
    if want.mac_address is not None and want.mac_address != have.mac_address:
        yield "MAC address of %s set to %s" % (want.name, want.mac_address), "address %s" % want.mac_address
    if want.mtu is not None and want.mtu != have.mtu:
        yield "MTU of %s set to %d" % (want.name, want.mtu), "mtu %d" % want.mtu


def _mac_address_changes(device: str, state: RouterState, observed: RouterState) -> bool:
    present, wanted = observed.devices.get(device), state.devices[device].mac_address
    return present is not None and wanted is not None and present.mac_address != wanted


def _make_room(namespace: str, device: str, address: str, going: List[str]) -> Iterable[Operation]:
    """IPv6 has an address on a device once: with another prefix length, the old one must go first."""
    if ":" in address:
        for old in [old for old in going if old.split("/")[0] == address.split("/", maxsplit=1)[0]]:
            going.remove(old)
            yield _delete_address(namespace, device, old)


def _add_address(namespace: str, device: str, address: str) -> Operation:
    # No duplicate address detection: it would keep a router's address from answering for a second or two, and on a
    # router that moves from another node it would find that node and give the address up for good.
    options = " nodad" if ":" in address else "" if address.endswith("/32") else " broadcast +"
    return Ip(namespace, ("address %s added to %s" % (address, device),), "address add %s%s dev %s" % (address, options, device))


def _delete_address(namespace: str, device: str, address: str) -> Operation:
    return Ip(namespace, ("address %s removed from %s" % (address, device),), "address delete %s dev %s" % (address, device))


def _ended_translations(state: RouterState, observed: RouterState) -> List[str]:
    """External addresses that flows must not go on with: of floating IPs that went or lead elsewhere, and of the
    router itself when it no longer translates to it.
    """
    want, have = floating_ip_pairs(state.firewall), floating_ip_pairs(observed.firewall)
    ended = [address for address, fixed in have.items() if want.get(address) != fixed]
    old, new = source_nat_address(observed.firewall), source_nat_address(state.firewall)
    return [*ended, old] if old is not None and old != new else ended
