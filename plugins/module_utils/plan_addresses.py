# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The difference of the addresses of one device as operations: pure."""

from __future__ import annotations

import ipaddress
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .metadata_ipv6 import PREFERRED, is_metadata_address
from .operations import Ip, Operation
from .state import IPV4, IPV6, RouterState

# What the kernel changes of an address that is there. Of others, it must go and come again.
_CHANGEABLE = {IPV4: ("dynamic", "deprecated", "metric"), IPV6: ("dynamic", "deprecated", "noprefixroute", PREFERRED)}
_IN_WORDS = {
    "dynamic": "a lifetime",
    "deprecated": "no preferred lifetime",
    PREFERRED: "a preferred lifetime",
    "noprefixroute": "no route to its network",
    "dadfailed": "failed duplicate address detection",
    "first": "the place of another, the first of its network",
}


class AddressPlan(NamedTuple):
    """``first`` comes before the routes and ``last`` after them. ``new``: addresses that others must hear of. ``emptied``:
    whether the device is without an IPv4 address for a moment, in which the kernel drops its IPv4 routes.
    """

    first: Tuple[Operation, ...]
    last: Tuple[Operation, ...]
    new: Tuple[str, ...]
    emptied: bool


def plan_addresses(namespace: Optional[str], device: str, state: RouterState, observed: RouterState, lost: bool) -> AddressPlan:
    """What puts the addresses of a device right. ``lost``: it is made anew, and has none."""
    wanted = state.addresses[device]
    have = [] if lost else list(dict.fromkeys(observed.addresses.get(device, ())))
    odd = {} if lost else {address: words for (name, address), words in observed.odd_addresses.items() if name == device}
    going = [address for address in have if address not in wanted]
    first: List[Operation] = []
    new = []
    emptied = False
    for address in wanted:
        rivals = [old for old in going if _is_in_the_way(old, address)]
        remade = address in have and bool(odd.get(address)) and not _is_changeable(address, odd[address])
        for old in rivals:
            going.remove(old)
            have.remove(old)
            first.append(_delete(namespace, device, old))
        if remade:
            have.remove(address)
            first.append(Ip(namespace, (), _delete_line(device, address)))
        if (rivals or remade) and ":" not in address:
            emptied = emptied or not any(":" not in other for other in have)
        if address in have:
            if odd.get(address):
                first.append(_put(namespace, "change", device, address, odd[address]))
            continue
        have.append(address)
        new.append(address)
        first.append(_put(namespace, "add", device, address, odd.get(address, ())))
    if _has_ipv4(going) and not _has_ipv4(wanted):
        # With the last of them the kernel flushes the device's routes, also those that are to be: before these come.
        first += [_delete(namespace, device, address) for address in going if ":" not in address]
        going = [address for address in going if ":" in address]
        emptied = True
    return AddressPlan(tuple(first), tuple(_delete(namespace, device, address) for address in going), tuple(new), emptied)


def misplaced(wanted: Sequence[str], present: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """Addresses that are to come again, behind the one that is to be the first of their IPv4 network: by the first, the kernel
    makes the route to the network, and what the router itself sends comes from it.

    ``present``: the addresses of the device as the kernel has them, in its order -> in what they are odd.
    """
    several = [address for address in wanted if ":" not in address and not address.endswith("/32")]
    if len(several) < 2:
        return
    networks: Dict[object, List[str]] = {}
    for address in several:
        networks.setdefault(ipaddress.ip_interface(address).network, []).append(address)
    order = list(present)
    for first, *others in networks.values():
        stays = first in present and _is_changeable(first, present[first])
        before = order[: order.index(first)] if stays else order
        yield from (other for other in others if other in before)


def _has_ipv4(addresses: Sequence[str]) -> bool:
    return any(":" not in address for address in addresses)


def _is_changeable(address: str, words: Sequence[str]) -> bool:
    kinds = _CHANGEABLE[IPV6 if ":" in address else IPV4]
    return all(word.split()[0] in kinds for word in words)


def _is_in_the_way(old: str, new: str) -> bool:
    """Whether the kernel takes both for one address: IPv6 has it on a device once, and IPv4 once for a network."""
    (local, length), (host, new_length) = old.split("/"), new.split("/")
    return local.split(" peer ", maxsplit=1)[0] == host and (":" in new or (" peer " in local and length == new_length))


def _put(namespace: Optional[str], verb: str, device: str, address: str, odd: Sequence[str]) -> Operation:
    # No duplicate address detection: it would keep a router's address from answering for a second or two, and on a
    # router that moves from another node it would find that node and give the address up for good.
    options = " nodad" if ":" in address else "" if address.endswith("/32") else " broadcast +"
    options += " preferred_lft 0" if is_metadata_address(address) else ""
    done = "address %s added to %s" % (address, device)
    if odd:
        had = " and ".join(_IN_WORDS.get(word, word) for word in odd)
        done = "address %s on %s put right: it had %s" % (address, device, had)
    return Ip(namespace, (done,), "address %s %s%s dev %s" % (verb, address, options, device))


def _delete(namespace: Optional[str], device: str, address: str) -> Operation:
    return Ip(namespace, ("address %s removed from %s" % (address, device),), _delete_line(device, address))


def _delete_line(device: str, address: str) -> str:
    return "address delete %s dev %s" % (address, device)


def odd_in_words(odd: Mapping[Tuple[str, str], Sequence[str]]) -> Iterable[str]:
    """For a diff: addresses that are not as a run makes them."""
    for (device, address), words in sorted(odd.items()):
        yield "%s on %s has %s" % (address, device, " and ".join(_IN_WORDS.get(word, word) for word in words))
