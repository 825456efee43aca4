# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routers, desired states and plans as the unit tests need them: the engine's pure steps, one call each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.netnode.l3.plugins.module_utils.desired import Desired, desired_state
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.bridge import BridgeDriver
from ansible_collections.netnode.l3.plugins.module_utils.model import Router
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers
from ansible_collections.netnode.l3.plugins.module_utils.state import NodeState, RootLink, RouterState

BRIDGES = ("br-ex", "brqweb-network", "brqdb-network")


def parsed(data: dict[str, Any]) -> Router:
    """The one router of correct router data."""
    checked = check_routers([data])
    assert checked.rejected == ()
    return checked.routers[0]


def desired(data: dict[str, Any], **options: Any) -> Desired:
    chosen = Options("bridge", **options)
    return desired_state(parsed(data), chosen, BridgeDriver(chosen))


def converged(data: dict[str, Any]) -> RouterState:
    """What the kernel has once the router is on the node."""
    return desired(data).state


def node(*links: RootLink, bridges: tuple[str, ...] = BRIDGES) -> NodeState:
    """A node with bridges and further root-side devices."""
    of_bridges = [RootLink(name, number, None, None, True, 1500, True) for number, name in enumerate(bridges, 1)]
    return NodeState(frozenset(), {link.name: link for link in (*of_bridges, *links)})


def with_device(state: RouterState, name: str, **changes: Any) -> RouterState:
    """A state in which one device differs."""
    return replace(state, devices={**state.devices, name: replace(state.devices[name], **changes)})
