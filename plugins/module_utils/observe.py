# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel has, in the same types as what is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import AbstractSet, Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from .advertised_from import is_told, own_link_local, without_sources
from .connected import KERNEL
from .desired import BRIDGE_SYSCTLS, DEVICE_SYSCTLS, NAMESPACE_SYSCTLS
from .errors import MissingCommand
from .fields import ID
from .host import agent, netns, nftables, proxy_neighbours, rtnetlink, sockets, sysctl
from .host.cancellation import refuse_to_begin
from .host.command import CommandError
from .host.known_rules import KnownRules
from .host.progress import Progress
from .interface_drivers.bridge import CLOSED
from .interface_drivers.driver import MARK, InterfaceDriver, owner
from .metadata_ipv6 import is_metadata_address, oddities
from .model import EXTERNAL_PREFIX, INTERNAL_PREFIX, NAMESPACE_PREFIX, is_plain
from .observe_advertisers import observe_advertisers
from .observe_bandwidth import read_shaping
from .observe_rules import are_as_wanted, read_rules
from .plan_addresses import misplaced
from .plan_bandwidth import IFB
from .services.router_advertisements import Advertisers
from .state import (
    ABSENT,
    ACCEPT_DAD,
    ACCEPT_RA,
    ADDR_GEN_MODE,
    DISABLE_IPV6,
    IPV4,
    IPV6,
    PROXY_NDP,
    Attachment,
    Device,
    Link,
    NodeState,
    Route,
    RouterState,
    RuleSets,
)

# Who else puts routes into a namespace: the kernel itself, and router advertisements that it was told to accept.
FROM_RA = "ra"
KERNEL_PROTOCOLS = (KERNEL, FROM_RA, "redirect")


IPV6_FORWARDING = "net/ipv6/conf/all/forwarding"
READERS = 2  # rule sets that are read at once; more wait for each other when they start processes


class Place(NamedTuple):
    """Where a router is on the node: in a namespace, None being the node's own."""

    router_id: str
    namespace: Optional[str]


def observe_node() -> NodeState:
    """Read what is outside of the routers' namespaces. Raises OSError."""
    links = (_with_parameters(link) for link in rtnetlink.read_links())
    return NodeState(frozenset(netns.names(NAMESPACE_PREFIX)), {link.name: link for link in links})


def _with_parameters(link: Link) -> Link:
    """Of a bridge of ours, the kernel parameters that close it."""
    if not (link.is_bridge and link.alias == MARK and is_plain(link.name)):
        return link
    return replace(link, parameters=sysctl.read_all(pattern % link.name for pattern in CLOSED))


def places(driver: InterfaceDriver) -> List[Place]:
    """The routers that the node has: by the names of namespaces, and by the marks of devices in the node's own."""
    ids = (namespace[len(NAMESPACE_PREFIX) :] for namespace in sorted(driver.node.namespaces))
    found = [Place(router_id, NAMESPACE_PREFIX + router_id) for router_id in ids if ID.match(router_id)]
    marked = driver.marked()
    own = set()
    for link in driver.node.links.values():
        if _is_named_like_ours(link.name):
            attachment = driver.observe(link)
            whose = owner(attachment.mark) if attachment is not None else None
            router_id = whose.router_id if whose is not None else marked.get(link.name)
            own |= {Place(router_id, None)} if router_id is not None else set()
    return [*found, *sorted(own)]


def is_alive(place: Place) -> bool:
    """Whether the namespace is there; the node's own is."""
    return place.namespace is None or netns.is_alive(place.namespace)


class _WithoutRules(NamedTuple):
    """A router as it is, but for its rule sets, which are still to be read. ``desired``: the rule sets that it is to have."""

    place: Place
    state: RouterState
    generation: Optional[nftables.Generation]
    desired: Optional[RuleSets]


class Observer:
    """Reads routers.

    ``known_rules``: which rule sets need not be read. ``sockets_of_proxy``: the inodes by which the metadata proxy's
    sockets are known. ``thorough``: read the rule sets also of routers that nothing is desired of; those in the node's own
    namespace are read in any case. ``lost_too``: look for each radvd whose files are gone.
    """

    def __init__(
        self,
        driver: InterfaceDriver,
        known_rules: KnownRules,
        sockets_of_proxy: AbstractSet[str] = frozenset(),
        thorough: bool = True,
        progress: Optional[Progress] = None,
        lost_too: bool = False,
    ) -> None:
        self._progress = progress or Progress()
        self._driver = driver
        self._thorough = thorough
        self._known_rules = known_rules
        self._sockets_of_proxy = sockets_of_proxy
        self._lost_too = lost_too
        self._advertisers: Optional[Advertisers] = None

    @property
    def advertisers(self) -> Advertisers:
        """The radvd processes of the node, as they were when routers were first observed."""
        return self._advertisers or Advertisers()

    def observe(self, wanted: Sequence[Place], desired: Mapping[str, RouterState]) -> Mapping[Place, Any]:
        """Place -> the state of the router there, or the error of reading it.

        ``desired``: router id -> what it is to be. Rule sets can be known to be as desired, and in the node's own namespace
        a device that is asked for is ours also without a mark, from a run that was interrupted.
        """
        found: Dict[Place, Any] = {}
        unread: List[_WithoutRules] = []
        if self._advertisers is None:
            asking = {router_id for router_id, state in desired.items() if state.advertised is not None}
            self._advertisers = observe_advertisers(asking, self._lost_too)
        self._progress.begin("read", len(wanted))
        for place in wanted:
            refuse_to_begin()
            try:
                seen = self._look(place, desired.get(place.router_id))
            except netns.Inaccessible as error:
                found[place] = error
                continue
            found[place] = seen
            if isinstance(seen, _WithoutRules):
                unread.append(seen)
            else:
                self._progress.advance()
        if unread:
            with ThreadPoolExecutor(max_workers=READERS) as pool:
                found.update(zip((seen.place for seen in unread), pool.map(self._read_rules, unread)))
        return found

    def _look(self, place: Place, desired: Optional[RouterState]) -> Union[RouterState, _WithoutRules]:
        """All that the kernel tells without a process being started. Raises host.netns.Inaccessible."""
        namespace = place.namespace
        if namespace is not None and namespace not in self._driver.node.namespaces:
            return ABSENT
        try:
            with netns.entered(namespace):
                generation = nftables.generation() if namespace is not None else None
                network = rtnetlink.read()
                devices = self._devices(place, network.links, desired)
                advertised = self._advertised(place.router_id, network)
                values = sysctl.read_all(_sysctls(devices, place, _speaking(devices, network, desired)))
                proxies = _proxy_neighbours(network.links, devices, values, desired)
                shaping = read_shaping(network.links, devices, desired)
                forwards_ipv6 = namespace is not None or sysctl.read(IPV6_FORWARDING) == "1"
                listeners = sockets.listeners(self._driver.options.metadata_port)
        except netns.DeadNamespace:
            return RouterState(namespace=False, dead=True)
        except OSError as error:
            raise netns.Inaccessible("%s cannot be read: %s" % (namespace or "the node's own namespace", error)) from None
        listener, ipv6_listener = listeners.get(IPV4, listeners.get(IPV6)), listeners.get(IPV6)
        needed = [listener, ipv6_listener if desired is not None and desired.metadata_ipv6 else None]
        taken = any(inode is not None and inode not in self._sockets_of_proxy for inode in needed)
        foreign = {link.name for link in network.links if link.name not in devices and link.name not in ("lo", IFB)}
        addresses = {name: list(_addresses(name, network, desired)) for name in devices}
        state = RouterState(
            namespace=True,
            devices=devices,
            addresses={name: tuple(address.text for address in own) for name, own in addresses.items()},
            odd_addresses=dict(_odd_addresses(addresses, desired)),
            routes=frozenset(_routes(network.routes, foreign, desired)),
            connected=frozenset(route for route in network.routes if route.protocol == KERNEL),
            proxy_neighbours=proxies,
            shaping=shaping,
            sysctls=values,
            loopback_up=any(link.up for link in network.links if link.name == "lo"),
            metadata=listener in self._sockets_of_proxy,
            metadata_ipv6=ipv6_listener in self._sockets_of_proxy,
            port_taken=taken,
            forwards_ipv6=forwards_ipv6,
            agents_proxy=agent.metadata_proxy_of(place.router_id) if taken else None,
            advertised=advertised,
            agents_radvd=self.advertisers.of_agent.get(place.router_id),
            foreign=tuple("device " + name for name in sorted(foreign)),
        )
        if namespace is None:
            state = self._of_own_namespace(state, network)
        else:
            state = replace(state, policy_rules=frozenset(network.policy_rules))
            if desired is None and not self._thorough:
                return state
        rules = desired.firewall if desired is not None else None
        beside = self._known_rules.foreign_beside(rules, generation) if rules is not None else None
        if rules is None or beside is None:
            return _WithoutRules(place, state, generation, rules)
        return replace(state, firewall=rules, foreign=state.foreign + beside)

    def _advertised(self, router_id: str, network: rtnetlink.Network) -> Optional[str]:
        """What radvd was told that is in the namespace of the calling thread, which has this network."""
        if router_id not in self.advertisers.known:
            return None
        text = self.advertisers.told(router_id, netns.identity())
        if text is None or not is_told(text):
            return text
        return without_sources(text, {link.name: own_link_local(link, network.texts(link.name)) for link in network.links})

    def _read_rules(self, seen: _WithoutRules) -> Any:
        """The state with its rule sets, or the error of reading them."""
        namespace = seen.place.namespace
        self._progress.advance()
        try:
            with netns.entered(namespace):
                rules = read_rules(namespace is None, seen.desired or {})
        except (CommandError, MissingCommand, netns.DeadNamespace, netns.Inaccessible) as error:
            return error
        except OSError as error:
            return netns.Inaccessible("the rule sets of %s cannot be read: %s" % (namespace or "the node's own namespace", error))
        if namespace is not None and seen.desired is not None and are_as_wanted(seen.desired, rules):
            self._known_rules.note(seen.desired, seen.generation, rules.foreign)
        state = replace(seen.state, firewall=rules.firewall, own_tables=rules.own_tables)
        return replace(state, foreign=seen.state.foreign + rules.foreign)

    def _devices(self, place: Place, links: Sequence[Link], desired: Optional[RouterState]) -> Dict[str, Device]:
        """The router's devices. In the node's own namespace a name alone does not make one ours."""
        expected = desired.devices if desired is not None else {}
        devices = {}
        for link in links:
            if not _is_named_like_ours(link.name):
                continue
            attachment = self._driver.observe(link)
            if place.namespace is None and not _is_of(place.router_id, attachment, link.name in expected):
                continue
            devices[link.name] = Device(
                link.name,
                link.alias,
                link.mac_address,
                link.mtu,
                link.up,
                attachment,
                link.bridge,
                link.arp,
                link.multicast,
                link.forwards,
            )
        return devices

    def _of_own_namespace(self, state: RouterState, network: rtnetlink.Network) -> RouterState:
        """Without what is the node's business: the loopback device, other devices, other routes, policy rules."""
        own = state.devices
        routes = [route for route in state.routes if all(hop.device in own for hop in route.nexthops) and route.nexthops]
        ours = {link.name for link in network.links if self._is_ours(link)}
        defaults = {
            route.family
            for route in network.routes
            if route.destination == "default" and route.table == "main" and not any(h.device in ours for h in route.nexthops)
        }
        return replace(
            state, routes=frozenset(routes), loopback_up=True, foreign_defaults=frozenset(defaults), foreign=()
        )  # fmt: skip

    def addresses_of_node(self, expected: AbstractSet[str]) -> Mapping[str, str]:
        """Address -> the device that has it, of the node's own namespace without what is of routers. ``expected``: devices
        that are asked for, which are ours also without a mark. Link-local addresses mean something on one link alone.
        Raises OSError.
        """
        network, marked = rtnetlink.read(), self._driver.marked()
        return {
            address.text.split()[0].split("/")[0]: link.name
            for link in network.links
            if not (link.name in expected or link.name in marked or self._is_ours(link))
            for address in network.addresses[link.name]
            if not address.link_local
        }

    def _is_ours(self, link: Link) -> bool:
        """Whether a device is of any of our routers."""
        attachment = self._driver.observe(link) if _is_named_like_ours(link.name) else None
        return attachment is not None and owner(attachment.mark) is not None


def _speaking(devices: Iterable[str], network: rtnetlink.Network, desired: Optional[RouterState]) -> Iterable[str]:
    """The devices that have IPv6, or are to have it."""
    wanted = desired.sysctls if desired is not None else {}
    for name in devices:
        if ACCEPT_DAD % name in wanted or any(":" in address.text for address in network.addresses[name]):
            yield name


def _sysctls(devices: Mapping[str, Device], place: Place, speaking: Iterable[str]) -> Iterable[str]:
    """Keys of the kernel parameters that are ours. ``speaking``: the devices with IPv6."""
    yield from (key % name for name in speaking for key in (ACCEPT_DAD, ADDR_GEN_MODE))
    yield from (ACCEPT_RA % name for name in devices if name.startswith(EXTERNAL_PREFIX))
    yield from (DISABLE_IPV6 % name for name in devices)
    if place.namespace is not None:
        yield from NAMESPACE_SYSCTLS
        return
    yield from (key % name for name in devices for key in DEVICE_SYSCTLS)
    bridges = {device.attachment.bridge for device in devices.values() if device.attachment is not None}
    yield from (key % bridge for bridge in bridges if bridge is not None for key in BRIDGE_SYSCTLS)


def _proxy_neighbours(
    links: Sequence[Link], devices: Mapping[str, Device], values: Dict[str, str], desired: Optional[RouterState]
) -> FrozenSet[Tuple[str, str]]:
    """What the router's devices answer for, and in ``values``, which of them do: none that speaks no IPv6 can."""
    external = [name for name in devices if name.startswith(EXTERNAL_PREFIX) and values.get(DISABLE_IPV6 % name) != "1"]
    found = sysctl.read_all(PROXY_NDP % name for name in external)
    values.update({key: value for key, value in found.items() if value != "0"})
    wanted = desired is not None and desired.proxy_neighbours
    if not wanted and all(value == "0" for value in found.values()):
        return frozenset()
    return proxy_neighbours.read({link.index: link.name for link in links if link.name in devices})


def _is_named_like_ours(device: str) -> bool:
    return device.startswith((INTERNAL_PREFIX, EXTERNAL_PREFIX)) and is_plain(device)


def _is_of(router_id: str, attachment: Optional[Attachment], expected: bool) -> bool:
    """Whether a device outside of routers' namespaces is this router's."""
    if attachment is None:
        return False
    whose = owner(attachment.mark)
    return whose.router_id == router_id if whose is not None else not attachment.mark and expected


def _addresses(device: str, network: rtnetlink.Network, desired: Optional[RouterState]) -> Iterable[rtnetlink.Address]:
    """Addresses without those that the kernel makes by itself: link-local, and from RAs, which nobody asks for. It would not
    make the one for metadata.
    """
    by_ra = device.startswith(EXTERNAL_PREFIX)
    wanted = desired.addresses.get(device, ()) if desired is not None else ()
    for address in network.addresses[device]:
        if address.link_local and is_metadata_address(address.text):
            yield address._replace(odd=oddities(address.odd))
            continue
        of_kernel = address.link_local or (by_ra and address.dynamic and address.text not in wanted)
        if ":" not in address.text or not of_kernel:
            yield address


def _odd_addresses(
    addresses: Mapping[str, Iterable[rtnetlink.Address]], desired: Optional[RouterState]
) -> Iterable[Tuple[Tuple[str, str], Tuple[str, ...]]]:
    """Device and address -> in what it is not as a run makes it."""
    for device, own in addresses.items():
        odd = {address.text: (("dynamic",) if address.dynamic else ()) + address.odd for address in own}
        for text in misplaced(desired.addresses.get(device, ()) if desired is not None else (), odd):
            odd[text] += ("first",)
        yield from (((device, text), words) for text, words in odd.items() if words)


def _routes(found: Iterable[Route], foreign_devices: AbstractSet[str], desired: Optional[RouterState]) -> Iterable[Route]:
    """Routes but those of the kernel's own and of foreign devices. For one that is in the place of a route of ours, that being
    the kernel's one for this destination, its device is no excuse, nor that it is from a router advertisement.
    """
    wanted = {route.key for route in (*desired.routes, *desired.connected)} if desired is not None else ()
    for route in found:
        of_kernel = route.protocol in KERNEL_PROTOCOLS or route.destination.startswith(("fe80:", "ff00:"))
        foreign = any(hop.device in foreign_devices for hop in route.nexthops)
        in_place = route.key in wanted
        if (in_place and route.protocol == FROM_RA) or (not of_kernel and (not foreign or in_place)):
            yield route
