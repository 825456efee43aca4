# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Port forwardings as Neutron has them: in its dicts of floating IPs, which say nothing of ranges, and as objects. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_ENDS = ("external", "internal")


def with_ranges(floating_ips: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ids of the floating IPs that have a port forwarding of a range: the ports of such are left out in their dicts."""
    return [
        floating_ip["id"]
        for floating_ip in floating_ips
        if any(entry.get(f"{end}_port") is None for entry in floating_ip.get("port_forwardings") or () for end in _ENDS)
    ]


def completed(
    floating_ips: Iterable[Mapping[str, Any]], found: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """The floating IPs, with their port forwardings as they were found where they were asked for: id of the floating IP ->
    port forwardings.
    """
    return [
        {**floating_ip, **({"port_forwardings": found[floating_ip["id"]]} if floating_ip["id"] in found else {})}
        for floating_ip in floating_ips
    ]


def canonical(forwarding: Mapping[str, Any], floating_ip: Mapping[str, Any]) -> dict[str, Any]:
    """A port forwarding as router data. ``floating_ip``: whose it is, where it does not say that itself."""
    entry = {
        "id": forwarding.get("id"),
        "floating_ip_address": forwarding.get("floating_ip_address", floating_ip.get("floating_ip_address")),
        "protocol": forwarding.get("protocol"),
        "internal_ip_address": forwarding.get("internal_ip_address"),
    }
    for end in _ENDS:  # where there is one port, Neutron may name it as a range too
        key = next((key for key in (f"{end}_port", f"{end}_port_range") if forwarding.get(key) is not None), f"{end}_port")
        entry[key] = forwarding.get(key)
    return {key: value for key, value in entry.items() if value is not None}


def forwarded_addresses(router: Mapping[str, Any]) -> set[Any]:
    """The floating IPs that are there for their port forwardings, of router data."""
    return {entry.get("floating_ip_address") for entry in router.get("port_forwardings") or ()}
