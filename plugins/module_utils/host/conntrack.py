# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connection tracking of the namespace that the calling thread is in."""

from __future__ import annotations

import ipaddress
import re
from typing import List, Optional, Sequence, Set, Tuple

from ..port_forwardings import Destinations
from . import port_flows
from .command import CommandError, run
from .port_flows import PortFlow, port_flow

NO_MATCH = "0 flow entries have been deleted"  # said with the same exit status as of an error
VANISHED = "such conntrack doesn't exist"
TRIES = 10
# A flow has two directions, that of its first packet and that of the replies, each with its destination.
_DESTINATIONS = re.compile(r" dst=(\S+).* dst=(\S+)")


def delete_flows_through(addresses: Sequence[str], destinations: Optional[Destinations] = None) -> None:
    """Delete the flows that external IPv4 addresses carry: those to them, and those that leave with one as their source; and
    those that miss their destinations.

    Raises :class:`CommandError`, OSError.
    """
    wanted = set(addresses)
    found: Set[Tuple[str, str]] = set()
    astray: List[PortFlow] = []
    # One list for all, since conntrack(8) deletes by one address at a time, and most have no flow.
    for line in run(["conntrack", "--dump"]).stdout.splitlines():
        flow = port_flow(line) if destinations is not None else None
        if flow is not None and destinations is not None and destinations.are_missed_by(*flow[:-1]):
            astray.append(flow)
        match = _DESTINATIONS.search(line)
        if match and match.group(1) in wanted:
            found.add(("--orig-dst", match.group(1)))
        if match and match.group(2) in wanted:
            found.add(("--reply-dst", match.group(2)))
    for direction, address in sorted(found):
        _delete(direction, address)
    if astray:
        port_flows.delete(astray)


def delete_untranslated_flows(networks: Sequence[str]) -> None:
    """Delete the flows that come from these IPv4 networks and keep their source. Raises :class:`CommandError`."""
    parsed = [ipaddress.IPv4Network(network) for network in networks]
    matches = map(_DESTINATIONS.search, run(["conntrack", "--dump"]).stdout.splitlines())
    # Replies to them go to the machine itself, and not to an address of the router.
    for source in sorted({match.group(2) for match in matches if match is not None}):
        if _is_of(source, parsed):
            _delete("--reply-dst", source)


def _is_of(source: str, networks: Sequence[ipaddress.IPv4Network]) -> bool:
    try:
        address = ipaddress.IPv4Address(source)
    except ValueError:  # flows of IPv6 can be in the list too
        return False
    return any(address in network for network in networks)


def _delete(direction: str, address: str) -> None:
    """conntrack(8) lists flows and deletes one after the other; at one that has ended meanwhile it gives up, and those
    behind it live on. So it is asked again until it comes to the end.
    """
    arguments = ["conntrack", "--delete", direction, address]
    for _try in range(TRIES):
        result = run(arguments, accept=(0, 1))
        if result.returncode == 0 or NO_MATCH in result.stderr:
            return
        if VANISHED not in result.stderr:
            break
    raise CommandError(arguments, result.stderr)
