# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where router data is parsed and checked: lists of dicts in, :class:`model.Router` out.

Every error is found before anything is touched, all at once, each with the path of the value. A router with
errors is rejected whole and the others are not concerned; what two routers claim at once rejects both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterator, List, Tuple

from .errors import NotRouterData
from .fields import Fields
from .model import NETWORK_ID_SHOWN, Router
from .read_router import Reading, read_router
from .shown import NAMED, Complaints, listed, shown


@dataclass(frozen=True)
class Rejected:
    """A router with errors. ``identified`` is false when not even its id could be read."""

    id: str
    identified: bool
    errors: Tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """What router data came to: routers to converge, and those that are left as they are."""

    routers: Tuple[Router, ...]
    rejected: Tuple[Rejected, ...]


def check_routers(data: object, network_ids_required: bool = False) -> Checked:
    """Check a list of routers in canonical form. Raises :class:`NotRouterData` when it is no list.

    ``network_ids_required``: internal ports must say their network, which names its bridge.
    """
    readings = [read_router(entry, path, network_ids_required) for path, entry in _entries(data)]
    _reject_double_claims(readings)
    if network_ids_required:
        _reject_shared_bridges(readings)
    return Checked(
        routers=tuple(r.router for r in readings if r.router is not None and not r.errors),
        rejected=tuple(_rejected(reading) for reading in readings if reading.errors),
    )


def _rejected(reading: Reading) -> Rejected:
    return Rejected(reading.router_id or reading.path, reading.router_id is not None, tuple(reading.errors.told))


def check_router_ids(data: object) -> Tuple[Tuple[str, ...], Tuple[Rejected, ...]]:
    """The ids alone, for routers that are to go: whatever else is in the data does not matter."""
    ids: List[str] = []
    rejected: List[Rejected] = []
    for path, entry in _entries(data):
        errors = Complaints()
        fields = Fields.of(entry, path, errors)
        router_id = fields.id("id", required=True) if fields else None
        if router_id is None:
            rejected.append(Rejected(path, False, tuple(errors.told)))
        elif router_id not in ids:
            ids.append(router_id)
    return tuple(ids), tuple(rejected)


def _entries(data: object) -> Iterator[Tuple[str, object]]:
    if not isinstance(data, (list, tuple)):
        raise NotRouterData("routers: expected a list of routers, not %s" % shown(data))
    return (("routers[%d]" % index, entry) for index, entry in enumerate(data))


def _reject_double_claims(readings: List[Reading]) -> None:
    """What two routers claim at once fails both: neither claim is better than the other."""
    claimants: Dict[Tuple[str, str], List[Reading]] = {}
    for reading in readings:
        for claim in reading.claims:
            claimants.setdefault(claim, []).append(reading)
    for (kind, value), several in claimants.items():
        if len(several) < 2:
            continue
        # Routers' networks may overlap; of addresses, only floating IPs are one router's alone.
        rivals = [r for r in several if kind != "address" or r.claims[(kind, value)].endswith(".floating_ip_address")]
        paths = sorted(r.claims[(kind, value)] for r in rivals)
        for reading in rivals if len(rivals) > 1 else ():
            others = _without(paths, reading.claims[(kind, value)])
            label = "floating IP" if kind == "address" else kind
            reading.errors.append("%s: %s %s is claimed by %s too" % (reading.claims[(kind, value)], label, value, others))


def _without(paths: List[str], own: str) -> str:
    """All but one of many paths in words, without walking through them for each of the many."""
    first = [path for path in paths[: NAMED + 1] if path != own][:NAMED]
    more = len(paths) - 1 - len(first)
    return ", ".join(first) + (" and %d more" % more if more else "")


def _reject_shared_bridges(readings: List[Reading]) -> None:
    """Networks whose ids begin alike would have one bridge, and be one network."""
    places: Dict[str, Dict[str, List[Tuple[Reading, str]]]] = {}
    for reading in readings:
        for number, port in enumerate(reading.router.interfaces if reading.router else ()):
            if port.network_id is not None:
                place = (reading, "%s.interfaces[%d].network_id" % (reading.path, number))
                places.setdefault(port.network_id[:NETWORK_ID_SHOWN], {}).setdefault(port.network_id, []).append(place)
    for beginning, networks in places.items():
        if len(networks) > 1:
            names = listed(sorted(networks), " and ")
            for reading, path in (place for several in networks.values() for place in several):
                reading.errors.append("%s: networks %s would share the bridge of %s" % (path, names, beginning))
