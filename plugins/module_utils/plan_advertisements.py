# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a router's radvd: pure."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from .operations import Advertise, EndAdvertisements, Operation
from .services.router_advertisements import Advertisers, devices_of
from .state import Device, RouterState


def end_advertisements(
    router_id: str, advertisers: Advertisers, actions: Tuple[str, ...] = (), agents: bool = True
) -> List[Operation]:
    """Whatever there is of a router's radvd goes. ``agents``: that which the L3 agent started as well."""
    of_agent = advertisers.of_agent.get(router_id) if agents else None
    if router_id not in advertisers.known and of_agent is None:
        return []
    if of_agent is not None:
        actions = (*actions, _agents_ended(of_agent))
    return [EndAdvertisements(None, actions, router_id, advertisers.pid(router_id), of_agent)]


def _agents_ended(pid: int) -> str:
    return "radvd of the L3 agent ended (process %d)" % pid


def end_unasked(router_id: str, state: RouterState, observed: RouterState, advertisers: Advertisers) -> List[Operation]:
    """What is there and nobody asks for, or is not where it should be."""
    if state.advertised is None:
        actions = ("router advertisements ended",) if router_id in advertisers.known else ()
        return end_advertisements(router_id, advertisers, actions)
    astray = observed.advertised is None
    return end_advertisements(router_id, advertisers, agents=False) if astray else []


def advertise(
    router_id: str,
    namespace: Optional[str],
    state: RouterState,
    observed: RouterState,
    created: Sequence[Device],
    advertisers: Advertisers,
) -> Tuple[Tuple[Operation, ...], Optional[str]]:
    """What has radvd do what is asked for, and why it cannot."""
    devices = devices_of(state.advertised)
    # It looks at a device by its number.
    renewed = any(device.name in devices for device in created)
    if state.advertised is None or (observed.advertised == state.advertised and not renewed and observed.agents_radvd is None):
        return (), None
    if observed.advertised is None and advertisers.missing is not None:
        return (), advertisers.missing
    done = "started" if observed.advertised is None else "put right"
    actions: Tuple[str, ...] = ("router advertisements on %s %s" % (", ".join(devices), done),)
    pid = None if observed.advertised is None else advertisers.pid(router_id)
    if observed.agents_radvd is not None:
        actions = (_agents_ended(observed.agents_radvd), *actions)
    return (Advertise(namespace, actions, router_id, state.advertised, pid, observed.agents_radvd),), None
