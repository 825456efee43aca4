# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel has, in the same types as what is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import AbstractSet, Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from .desired import BRIDGE_SYSCTLS, DEVICE_SYSCTLS, NAMESPACE_SYSCTLS
from .host import agent, ip, iptables, netns, sockets, sysctl
from .host.command import CommandError
from .interface_drivers.driver import InterfaceDriver, owner
from .model import EXTERNAL_PREFIX, INTERNAL_PREFIX, NAMESPACE_PREFIX
from .router_data import ID
from .rule_set import parse_save, without_agents
from .state import ABSENT, ACCEPT_RA, FAMILIES, IPV4, IPV6, Attachment, Device, NextHop, NodeState, RootLink, Route, RouterState

# Who else puts routes into a namespace: the kernel itself, and router advertisements that it was told to accept.
KERNEL_PROTOCOLS = ("kernel", "ra", "redirect")


IPV6_FORWARDING = "net/ipv6/conf/all/forwarding"
READERS = 2  # namespaces that are read at once; more wait for each other when they start processes


class Place(NamedTuple):
    """Where a router is on the node: in a namespace, None being the node's own."""

    router_id: str
    namespace: Optional[str]


def places(driver: InterfaceDriver) -> List[Place]:
    """The routers that the node has: by the names of namespaces, and by the marks of devices in the node's own."""
    ids = (namespace[len(NAMESPACE_PREFIX) :] for namespace in sorted(driver.node.namespaces))
    found = [Place(router_id, NAMESPACE_PREFIX + router_id) for router_id in ids if ID.match(router_id)]
    marked = driver.marked()
    own = set()
    for link in driver.node.links.values():
        if _is_named_like_ours(link.name):
            attachment = driver.observe({"ifname": link.name, "ifindex": link.index, "link": link.peer or ""})
            whose = owner(attachment.mark) if attachment is not None else None
            router_id = whose.router_id if whose is not None else marked.get(link.name)
            own |= {Place(router_id, None)} if router_id is not None else set()
    return [*found, *sorted(own)]


def is_alive(place: Place) -> bool:
    """Whether the namespace is there; the node's own is."""
    return place.namespace is None or netns.is_alive(place.namespace)


def observe_places(
    wanted: Sequence[Place],
    driver: InterfaceDriver,
    sockets_of_proxy: AbstractSet[str] = frozenset(),
    expected: AbstractSet[str] = frozenset(),
) -> Mapping[Place, Any]:
    """Place -> the state of the router there, or the error of reading it.

    ``sockets_of_proxy``: the inodes by which the metadata proxy's sockets are known. ``expected``: names of devices that
    are asked for: in the node's own namespace those are ours without a mark, from a run that was interrupted.
    """

    def read(place: Place) -> Any:
        if place.namespace is not None and place.namespace not in driver.node.namespaces:
            return ABSENT
        try:
            return observe_router(place, driver, sockets_of_proxy, expected)
        except (CommandError, netns.Inaccessible) as error:
            return error

    with ThreadPoolExecutor(max_workers=READERS) as pool:
        return dict(zip(wanted, pool.map(read, wanted)))


def observe_node() -> NodeState:
    """Read what is outside of the routers' namespaces."""
    links = {}
    found, bridges = ip.links_and_bridges()
    down = {link["ifname"] for link in found if "UP" not in link["flags"]}
    for link in found:
        links[link["ifname"]] = RootLink(
            name=link["ifname"],
            index=link["ifindex"],
            bridge=link.get("master"),
            alias=link.get("ifalias"),
            up="UP" in link["flags"],
            mtu=link["mtu"],
            is_bridge=link["ifname"] in bridges,
            peer_index=link.get("link_index"),
            bridge_up=link.get("master") not in down,
            peer=link.get("link"),
        )
    return NodeState(frozenset(netns.names(NAMESPACE_PREFIX)), links)


def observe_router(
    place: Place, driver: InterfaceDriver, sockets_of_proxy: AbstractSet[str], expected: AbstractSet[str]
) -> RouterState:
    """Read one router's namespace; in the node's own, only what is ours is looked at.

    Raises host.command.CommandError and host.netns.Inaccessible.
    """
    namespace = place.namespace
    try:
        with netns.entered(namespace):
            found_links, found_routes = ip.links_and_routes()
            devices, foreign_devices = _devices(found_links, driver, place, expected)
            values = {key: sysctl.read(key) for key in _sysctls(devices, place)}
            texts = {family: iptables.save(family) for family in FAMILIES}
            forwards_ipv6 = namespace is not None or sysctl.read(IPV6_FORWARDING) == "1"
            listener = sockets.listener(driver.options.metadata_port)
    except netns.DeadNamespace:
        return RouterState(namespace=False, dead=True)
    taken = listener is not None and listener not in sockets_of_proxy
    saved = {family: parse_save(text if namespace else without_agents(text)) for family, text in texts.items()}
    state = RouterState(
        namespace=True,
        devices=devices,
        addresses={link["ifname"]: _addresses(link) for link in found_links if link["ifname"] in devices},
        routes=frozenset(_routes(found_routes, foreign_devices)),
        sysctls={key: value for key, value in values.items() if value is not None},
        firewall={family: saved[family].ours for family in FAMILIES},
        loopback_up=any("UP" in link["flags"] for link in found_links if link["ifname"] == "lo"),
        metadata=listener is not None and not taken,
        port_taken=taken,
        forwards_ipv6=forwards_ipv6,
        agents_proxy=agent.metadata_proxy_of(place.router_id) if taken else None,
    )
    if namespace is None:
        return _of_own_namespace(state, found_routes, {link["ifname"] for link in found_links if _is_ours(link, driver)})
    foreign = [
        *("device " + name for name in sorted(foreign_devices - {"lo"})),
        *saved[IPV4].foreign,
        *(rule + " (IPv6)" for rule in saved[IPV6].foreign),
    ]
    return replace(state, foreign=tuple(foreign))


def _sysctls(devices: Mapping[str, Device], place: Place) -> Iterable[str]:
    """Keys of the kernel parameters that are ours."""
    yield from (ACCEPT_RA % name for name in devices if name.startswith(EXTERNAL_PREFIX))
    if place.namespace is not None:
        yield from NAMESPACE_SYSCTLS
        return
    yield from (key % name for name in devices for key in DEVICE_SYSCTLS)
    bridges = {device.attachment.bridge for device in devices.values() if device.attachment is not None}
    yield from (key % bridge for bridge in bridges if bridge is not None for key in BRIDGE_SYSCTLS)


def _of_own_namespace(state: RouterState, found_routes: Sequence[Mapping[str, Any]], ours: Set[str]) -> RouterState:
    """Without what is the node's business: policies of built-in chains, the loopback device, other routes.

    ``ours``: names of devices of ours, whatever their router.
    """
    firewall = {
        family: {
            table: {chain: (":ACCEPT", *rules[1:]) if rules[:1] == (":DROP",) else rules for chain, rules in chains.items()}
            for table, chains in tables.items()
        }
        for family, tables in state.firewall.items()
    }
    own = state.devices
    routes = [route for route in state.routes if all(hop.device in own for hop in route.nexthops) and route.nexthops]
    defaults = {
        _family(entry)
        for entry in found_routes
        if entry["dst"] == "default" and entry["table"] == "main" and not any(h.get("dev") in ours for h in _hops(entry))
    }
    return replace(
        state, firewall=firewall, routes=frozenset(routes), loopback_up=True, foreign_defaults=frozenset(defaults)
    )  # fmt: skip


def _is_named_like_ours(device: str) -> bool:
    return device.startswith((INTERNAL_PREFIX, EXTERNAL_PREFIX))


def _devices(
    found: Sequence[Dict[str, Any]], driver: InterfaceDriver, place: Place, expected: AbstractSet[str]
) -> Tuple[Dict[str, Device], Set[str]]:
    """The router's devices, and the names of others. In the node's own namespace a name alone does not make one ours."""
    devices, foreign = {}, set()
    for link in found:
        name = link["ifname"]
        attachment = driver.observe(link) if _is_named_like_ours(name) else None
        if not _is_named_like_ours(name) or (place.namespace is None and not _is_of(place.router_id, name, attachment, expected)):
            foreign.add(name)
            continue
        devices[name] = Device(
            name=name,
            port_id=link.get("ifalias"),
            mac_address=link.get("address"),
            mtu=link["mtu"],
            up="UP" in link["flags"],
            attachment=attachment,
        )
    return devices, foreign


def _is_ours(link: Mapping[str, Any], driver: InterfaceDriver) -> bool:
    attachment = driver.observe(link) if _is_named_like_ours(link["ifname"]) else None
    return attachment is not None and owner(attachment.mark) is not None


def _is_of(router_id: str, device: str, attachment: Optional[Attachment], expected: AbstractSet[str]) -> bool:
    """Whether a device outside of routers' namespaces is this router's."""
    if attachment is None:
        return False
    whose = owner(attachment.mark)
    return whose.router_id == router_id if whose is not None else not attachment.mark and device in expected


def _addresses(link: Mapping[str, Any]) -> Tuple[str, ...]:
    """Addresses with prefix length, without those that the kernel makes by itself: link-local, and from RAs."""
    addresses = []
    by_ra = link["ifname"].startswith(EXTERNAL_PREFIX)
    for entry in link["addr_info"]:
        if entry["family"] == "inet6" and (entry["scope"] == "link" or (by_ra and entry.get("dynamic"))):
            continue
        peer = entry.get("address")
        addresses.append("%s%s/%d" % (entry["local"], " peer " + peer if peer else "", entry["prefixlen"]))
    return tuple(addresses)


def _routes(found: Sequence[Mapping[str, Any]], foreign_devices: Set[str]) -> List[Route]:
    routes = []
    for entry in found:
        if entry["table"] == "local" or entry["protocol"] in KERNEL_PROTOCOLS:
            continue
        hops = _hops(entry)
        devices = {hop.get("dev") for hop in hops}
        if devices & foreign_devices - {"lo"} or _is_link_local(entry["dst"]):
            continue
        routes.append(
            Route(
                family=_family(entry),
                destination=entry["dst"],
                nexthops=frozenset(NextHop(_via(hop), hop.get("dev")) for hop in hops),
                protocol=entry["protocol"],
                metric=entry.get("metric", 0),
                table=entry["table"],
                type=entry["type"],
            )
        )
    return routes


def _hops(entry: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    hops: Sequence[Mapping[str, Any]] = entry.get("nexthops", [entry])
    return hops


def _is_link_local(destination: str) -> bool:
    return destination.startswith(("fe80:", "ff00:"))


def _via(hop: Mapping[str, Any]) -> Optional[str]:
    via = hop.get("via")  # a next hop of the other address family
    return hop.get("gateway") or (via["host"] if via else None)


def _family(entry: Mapping[str, Any]) -> int:
    # Only IPv6 routes have a router preference (RFC 4191), and each of them has.
    return IPV6 if "pref" in entry or ":" in entry["dst"] else IPV4
