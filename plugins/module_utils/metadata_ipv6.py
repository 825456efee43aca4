# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where metadata is asked for by IPv6: at one link-local address, which each internal device has that speaks IPv6. Pure.

A link-local address means something on one link alone (RFC 4291), so that all of a router's devices can have the same one. The
router itself is never to send from it: on a network of two routers it is both of theirs. Hence it is deprecated (RFC 4862).
"""

from __future__ import annotations

from typing import Mapping, Tuple

from .model import Router, internal_device_name

METADATA_ADDRESS_V6 = "fe80::a9fe:a9fe"  # METADATA_V6_IP of Neutron
ON_DEVICE = METADATA_ADDRESS_V6 + "/128"
PREFERRED = "preferred"  # in what the address is odd that others are not


def devices_with_metadata_v6(router: Router) -> Tuple[str, ...]:
    """The internal devices that have an IPv6 address, which is where machines can be that have no other."""
    return tuple(
        internal_device_name(port.id)
        for port in router.interfaces
        if port.admin_state_up and any(address.version == 6 for address in port.addresses)
    )


def with_metadata_address(addresses: Mapping[str, Tuple[str, ...]], router: Router) -> Mapping[str, Tuple[str, ...]]:
    """The addresses of the router's devices, and the one for metadata where it is to be."""
    return {**addresses, **{device: (*addresses[device], ON_DEVICE) for device in devices_with_metadata_v6(router)}}


def is_metadata_address(text: str) -> bool:
    """Whether an address of a device is this one, with whatever prefix length or peer."""
    return text.startswith((METADATA_ADDRESS_V6 + "/", METADATA_ADDRESS_V6 + " "))


def oddities(words: Tuple[str, ...]) -> Tuple[str, ...]:
    """In what the address is not as a run makes it. ``words``: the same, were it like others."""
    usual = tuple(word for word in words if word != "deprecated")
    return usual if usual != words else (*words, PREFERRED)
