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

from .connected import missing_routes
from .desired import FORWARDING, IP_FORWARD, Desired, rule_sets_of
from .interface_drivers.driver import InterfaceDriver
from .metadata_ipv6 import is_metadata_address
from .model import EXTERNAL_PREFIX
from .ndp_proxy import proxy_operations
from .operations import Announce, EndAdvertisements, Ip, Operation, Ovs, Serve, SetSysctl, Unserve
from .options import Options
from .plan_addresses import plan_addresses
from .plan_advertisements import advertise, end_unasked
from .plan_bandwidth import bandwidth_operations
from .plan_firewall import firewall_operations
from .plan_flows import ended_flows
from .plan_policy_rules import policy_rule_operations
from .plan_removal import end_agents_proxy
from .plan_routes import led_around, route_operations
from .services.metadata_proxy import MetadataProxy
from .services.router_advertisements import Advertisers
from .state import ABSENT, DISABLE_IPV6, IPV6, LINK_LOCAL, Device, RouterState


@dataclass(frozen=True)
class RouterPlan:
    """What is to be done for one router, in five steps.

    ``ahead``: what must be done while all is still there. ``freed``: what goes, so that its names are free. All routers take
    each of these steps before any takes the next. ``shared``: what is on the node, done for many routers by one command.
    ``own``: what is in the router's namespace, done beside other routers' own. ``served``: what comes when all routers are
    there, for all at once.
    ``problems`` are what cannot be done, and ``after`` is what the router is then.
    """

    router_id: str
    ahead: Tuple[Operation, ...] = ()
    freed: Tuple[Operation, ...] = ()
    shared: Tuple[Operation, ...] = ()
    own: Tuple[Operation, ...] = ()
    served: Tuple[Operation, ...] = ()
    problems: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()
    after: RouterState = ABSENT

    @property
    def operations(self) -> Tuple[Operation, ...]:
        """All steps, in order."""
        return (*self.ahead, *self.freed, *self.shared, *self.own, *self.served)

    @property
    def actions(self) -> List[str]:
        """What will have been done, in words and in order."""
        return [action for operation in self.operations for action in operation.actions]


class Planner:
    """Plans one router after the other, and remembers what the plans before have taken care of on the node."""

    def __init__(
        self,
        driver: InterfaceDriver,
        proxy: MetadataProxy,
        namespaces: Iterable[str] = (),
        advertisers: Optional[Advertisers] = None,
    ) -> None:
        self.driver = driver
        self.proxy = proxy
        self.advertisers = advertisers or Advertisers()
        self.options: Options = driver.options
        self.namespaces = frozenset(namespaces)
        self.bridges: Set[str] = set()  # seen to by plans so far
        self.freed: Set[str] = set()  # names on the node that plans so far set free

    def free(self, names: Iterable[str]) -> None:
        """Note names on the node that will be free before any router's plan makes new devices."""
        self.freed.update(names)

    def plan(self, desired: Desired, observed: RouterState, removal: Sequence[Operation] = ()) -> RouterPlan:
        """The difference between what a router is to be and what it is; ``removal`` is done before."""
        router_id = desired.router.id
        namespace = self.options.namespace_of(router_id)
        freed = [*removal, *self._unserve(router_id, desired.state, observed)]
        freed += end_unasked(router_id, desired.state, observed, self.advertisers)
        if observed.dead:
            freed.append(Ip(None, ("dead namespace %s removed" % namespace,), "netns delete %s" % namespace))
            observed = ABSENT
        problems = list(desired.problems)
        warnings: List[str] = []
        state, stale = self._possible(router_id, desired.state, observed, problems)
        if namespace is None:
            state = _beside_the_node(router_id, state, observed, warnings)
            if observed.port_taken and observed.agents_proxy is None:
                # Rules for a port that is somebody else's would close it to the whole node.
                state = replace(state, firewall=rule_sets_of(desired.router, replace(self.options, metadata_upstream=None)))
        freed += self.driver.release(stale, stale=True)
        lost = {name: device for name, device in observed.devices.items() if self._is_lost(device, state)}
        ahead, routes = led_around(namespace, state.routes, observed.routes, lost.keys())
        observed = replace(observed, routes=routes)
        for device in lost.values():
            freed += self.driver.unplug(namespace, device)
        present = {name: device for name, device in observed.devices.items() if name in state.devices and name not in lost}
        created = [device for name, device in state.devices.items() if name not in present]
        shared = [
            *self._bridges(state),
            *self._namespace(namespace, observed),
            *self._plug(namespace, created, present, state),
        ]
        shared.sort(key=lambda operation: isinstance(operation, SetSysctl))  # as they are done: joint lines of ip come first
        parameters = list(_parameters(namespace, created, state, observed))
        # When a device ceases to speak IPv6, the kernel takes the addresses and routes that the plan removes.
        last = [operation for operation in parameters if _ends_ipv6(operation, present)]
        advertised, problem = advertise(router_id, namespace, state, observed, created, self.advertisers)
        problems += [problem] if problem is not None else []
        own = [
            *_link_operations(namespace, present, state),
            *(operation for operation in parameters if operation not in last),
            *firewall_operations(namespace, state.firewall, observed),
            *_set_up(namespace, created, present, observed),
            *policy_rule_operations(namespace, state.policy_rules, observed.policy_rules),
            *self._addresses(namespace, state, observed, lost),
            *proxy_operations(namespace, state, observed, lost),
            *last,
            *advertised,
            # At the end: where the kernel cannot do it, the rest is done.
            *bandwidth_operations(namespace, state.shaping, observed.shaping, lost.keys(), state.devices.keys()),
        ]
        if any(isinstance(operation, Unserve) for operation in removal):
            observed = replace(observed, metadata=False)  # the proxy lets go of a router wherever it is
        served = self._serve(router_id, state, observed, problems)
        begins = any(isinstance(operation, Serve) for operation in served)
        metadata = state.metadata and (begins or self._is_served(router_id, observed))
        ipv6 = metadata and state.metadata_ipv6 and (begins or not observed.port_taken)
        told = state.advertised if problem is None else None
        state = replace(state, metadata=metadata, metadata_ipv6=ipv6, advertised=told)
        freed.sort(key=rank)
        shared.sort(key=rank)
        return RouterPlan(
            router_id, ahead, tuple(freed), tuple(shared), tuple(own), served, tuple(problems), tuple(warnings), state
        )  # fmt: skip

    def _is_lost(self, device: Device, state: RouterState) -> bool:
        """Whether a device that is there must go, be it to be made anew."""
        wanted = state.devices.get(device.name)
        if self.driver.unavailable is not None:
            return False
        if wanted is None or wanted.attachment is None:
            return True
        return device.attachment is None or self.driver.must_replace(wanted.attachment, device.attachment)

    def _possible(
        self, router_id: str, state: RouterState, observed: RouterState, problems: List[str]
    ) -> Tuple[RouterState, List[str]]:
        """What of the devices can be: without an external bridge, or with a name that somebody else has, new ones
        cannot be plugged in, and those that are there stay where they are. Also what of ours is stale in their way.
        """
        if self.driver.unavailable is not None:
            return self._left_plugged(state, observed, problems), []
        blocked = set()
        stale: List[str] = []
        devices = dict(state.devices)
        for name, device in state.devices.items():
            attachment = device.attachment
            if attachment is None:
                continue
            present = observed.devices.get(name)
            plugged = present.attachment if present is not None else None
            problem, warning = self.driver.bridge_problem(name, attachment.bridge), None
            if not problem and name.startswith(EXTERNAL_PREFIX):
                warning = self.driver.bridge_warning(attachment.bridge)
            problems += [text for text in (problem, warning) if text]
            if problem and plugged is None:
                blocked.add(name)
            elif problem and plugged is not None:
                devices[name] = replace(device, attachment=replace(attachment, bridge=plugged.bridge))
            holder = self.driver.holder(router_id, attachment)
            if holder is None or plugged is not None or attachment.peer in self.freed:
                continue
            if holder == router_id or (holder and self._is_gone(holder)):
                stale.append(attachment.peer)  # ours, and its other end is in no router
            else:
                blocked.add(name)
                whose = "belongs to router %s: converge that one too" % holder if holder else "is not ours"
                what = "The device %s that port %s needs is on the node already and %s."
                problems.append(what % (attachment.peer, device.port_id, whose))
        return replace(state, devices=devices).without_devices(blocked), stale

    def _left_plugged(self, state: RouterState, observed: RouterState, problems: List[str]) -> RouterState:
        """What can be while nothing can be plugged in or out: no new device, and those that are there as they are."""
        if state.devices or observed.devices:
            problems.append(self.driver.unavailable or "")
        devices = {
            name: replace(device, attachment=observed.devices[name].attachment)
            for name, device in state.devices.items()
            if name in observed.devices
        }
        return replace(state, devices=devices).without_devices(set(state.devices) - set(devices))

    def _is_gone(self, router_id: str) -> bool:
        namespace = self.options.namespace_of(router_id)
        return namespace is not None and namespace not in self.namespaces

    def _bridges(self, state: RouterState) -> Iterable[Operation]:
        """Have the internal bridges."""
        for device in state.devices.values():
            bridge = device.attachment.bridge if device.attachment is not None else None
            if bridge is not None and bridge not in self.bridges and not device.name.startswith(EXTERNAL_PREFIX):
                self.bridges.add(bridge)
                yield from self.driver.prepare(bridge) if self.driver.unavailable is None else []

    def _plug(
        self, namespace: Optional[str], created: Sequence[Device], present: Mapping[str, Device], state: RouterState
    ) -> Iterable[Operation]:
        """Make devices, and put right how those that are there are plugged in."""
        for device in created:
            yield from self.driver.plug(namespace, device, device.attachment)
        for name, device in present.items():
            wanted = state.devices[name].attachment
            if wanted is not None and device.attachment is not None:
                yield from self.driver.adjust(name, wanted, device.attachment)

    def _unserve(self, router_id: str, state: RouterState, observed: RouterState) -> List[Operation]:
        """Where the proxy listened before, and is not to, or not in the namespace that is there now."""
        if not self.proxy.listens_for(router_id) or (state.metadata and observed.metadata and observed.namespace):
            return []
        actions = () if state.metadata else ("metadata proxy no longer listens for router %s" % router_id,)
        return [Unserve(self.options.namespace_of(router_id), actions, router_id)]

    def _serve(self, router_id: str, state: RouterState, observed: RouterState, problems: List[str]) -> Tuple[Operation, ...]:
        ended = end_agents_proxy(router_id, observed)
        served = self._is_served(router_id, observed)
        if not state.metadata or (served and not observed.port_taken):
            return ended
        problem = self.proxy.cannot_serve(router_id, observed.port_taken and not ended)
        if problem is not None:
            problems.append(problem)
        if problem is not None or served:
            return ended
        action = "metadata proxy listens for router %s" % router_id
        return (*ended, Serve(self.options.namespace_of(router_id), (action,), router_id))

    def _is_served(self, router_id: str, observed: RouterState) -> bool:
        return router_id in self.proxy.routers and observed.metadata

    @staticmethod
    def _namespace(namespace: Optional[str], observed: RouterState) -> Iterable[Operation]:
        if not observed.namespace and namespace is not None:
            yield Ip(None, ("namespace %s created" % namespace,), "netns add " + namespace)

    def _addresses(
        self, namespace: Optional[str], state: RouterState, observed: RouterState, lost: Mapping[str, Device]
    ) -> Iterable[Operation]:
        """Addresses, routes, then what goes; at last the flows of floating IPs that went or moved, and the news."""
        announced: List[Operation] = []
        removals: List[Operation] = []
        emptied: Set[str] = set()
        for name, wanted in state.addresses.items():
            addresses = plan_addresses(namespace, name, state, observed, name in lost)
            yield from addresses.first
            removals += addresses.last
            emptied |= {name} if addresses.emptied else set()
            changes = _mac_address_changes(name, state, observed)
            news = wanted if changes else addresses.new
            # That of metadata can be another router's on the same network too: none of them says that it alone has it.
            new = [address.split("/")[0] for address in news if not is_metadata_address(address)]
            if _speaks(name, state) and (changes or name in lost or not _speaks(name, observed)):
                new.append(LINK_LOCAL)
            attachment = state.devices[name].attachment
            peer = attachment.peer if attachment is not None else None
            announced += [Announce(namespace, (), name, address, peer) for address in new]
        routes = state.routes | missing_routes(state, observed, lost.keys())
        yield from route_operations(namespace, routes, observed.routes, observed.connected, lost.keys(), emptied)
        yield from removals
        yield from ended_flows(namespace, state, observed)
        yield from announced


def rank(operation: Operation) -> int:
    """The order in which operations that many routers share are done, see :mod:`apply_jointly`."""
    if isinstance(operation, EndAdvertisements):
        return -1
    if isinstance(operation, (Unserve, Ovs)):
        return 0
    return 1 if isinstance(operation, Ip) and operation.namespace is None else 2


def _beside_the_node(router_id: str, state: RouterState, observed: RouterState, warnings: List[str]) -> RouterState:
    """In the node's own namespace: without a default route where the node has one of its own, and without parameters
    of bridges that no device can be plugged into.
    """
    taken = {r for r in state.routes if r.destination == "default" and r.family in observed.foreign_defaults}
    bridges = {device.attachment.bridge for device in state.devices.values() if device.attachment is not None}
    known = {*state.devices, *bridges}
    sysctls = {key: value for key, value in state.sysctls.items() if key.split("/")[3] in known}
    refused = {key: "0" for key, value in sysctls.items() if key.endswith("/accept_ra") and value == "2"}
    if IPV6 not in observed.foreign_defaults:
        refused = {}
    if taken or refused:
        warnings.append(
            "The node has a default route of its own, and router %s, which lives in the node's own namespace, got none."
            % router_id
        )
    if not observed.forwards_ipv6 and any(":" in address for addresses in state.addresses.values() for address in addresses):
        warnings.append(
            "Router %s, which lives in the node's own namespace, does not route IPv6: net.ipv6.conf.all.forwarding is 0."
            % router_id
        )
    return replace(state, routes=state.routes - taken, sysctls={**sysctls, **refused})


def _parameters(
    namespace: Optional[str], created: Sequence[Device], state: RouterState, observed: RouterState
) -> Iterable[SetSysctl]:
    for key, value in state.sysctls.items():
        # The parameters of a new namespace or device belong to making it, and are not told one by one.
        new = not observed.namespace or any("/%s/" % device.name in key for device in created)
        if new or observed.sysctls.get(key) != value:
            actions = () if new else ("sysctl %s set to %s" % (key.replace("/", "."), value),)
            yield SetSysctl(namespace, actions, key, value)
    for key in _stopped_forwarding(namespace, state, observed):
        yield SetSysctl(namespace, ("sysctl %s set to 1" % key.replace("/", "."),), key, "1")


def _stopped_forwarding(namespace: Optional[str], state: RouterState, observed: RouterState) -> Iterable[str]:
    """The parameters of devices that do not forward. As they all follow that of the namespace, none is set on a new device, nor
    when that is set.
    """
    if namespace is not None and observed.sysctls.get(IP_FORWARD) == state.sysctls.get(IP_FORWARD):
        kept = (have for name, have in observed.devices.items() if name in state.devices)
        yield from (FORWARDING % have.name for have in kept if not have.forwards)


def _ends_ipv6(operation: SetSysctl, present: Iterable[str]) -> bool:
    return operation.value == "1" and any(operation.key == DISABLE_IPV6 % name for name in present)


def _set_up(
    namespace: Optional[str], created: Sequence[Device], present: Mapping[str, Device], observed: RouterState
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


def _link_operations(namespace: Optional[str], present: Mapping[str, Device], state: RouterState) -> Iterable[Operation]:
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
    if have.master is not None:
        yield "device %s taken from %s" % (want.name, have.master), "nomaster"
    if not have.arp:
        yield "ARP of %s turned on" % want.name, "arp on"
    if not have.multicast:
        yield "multicast of %s turned on" % want.name, "multicast on"


def _mac_address_changes(device: str, state: RouterState, observed: RouterState) -> bool:
    present, wanted = observed.devices.get(device), state.devices[device].mac_address
    return present is not None and wanted is not None and present.mac_address != wanted


def _speaks(device: str, state: RouterState) -> bool:
    """Whether a device has IPv6."""
    return device in state.devices and state.sysctls.get(DISABLE_IPV6 % device) == "0"
