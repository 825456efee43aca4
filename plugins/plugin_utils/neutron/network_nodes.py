# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network nodes of a cloud, each with its L3 agent and its routers. Plain data comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .api import Api, place
from .routers_by_api import Selection, agents, routers_of_agents

# What of an agent is of use to a play.
_OF_AN_AGENT = (
    "id",
    "host",
    "binary",
    "alive",
    "admin_state_up",
    "availability_zone",
    "description",
    "heartbeat_timestamp",
    "configurations",
)


@dataclass(frozen=True)
class NetworkNodes:
    """Those hosts of a cloud on which Neutron knows an L3 agent.

    ``cloud``, ``timeout``: as of :class:`.api.Api`. ``hosts``: only these; empty: all. ``with_routers``: whether routers are
    wanted.
    """

    cloud: str | Mapping[str, Any] | None = None
    timeout: float | None = None
    hosts: tuple[str, ...] = ()
    with_routers: bool = True

    def what(self) -> str:
        """What is asked, and of whom, as text without credentials: two of these have the same answer if their texts are the same.
        Nobody is asked for it. Raises :class:`.errors.NeutronError`.
        """
        return json.dumps([place(self.cloud), sorted(self.hosts), self.with_routers])

    def fetch(self) -> list[dict[str, Any]]:
        """A mapping for each node, by their names: ``agent``, a mapping with at least ``host``, ``alive``, ``admin_state_up`` and
        ``availability_zone``; and if they are wanted ``routers``, a list of router data.

        Takes one request for each node, and about eight more. Raises :class:`.errors.NeutronError`; half an answer is none.
        """
        api = Api(self.cloud, self.timeout)
        known = sorted(agents(api, self.hosts), key=lambda agent: str(agent["host"]))
        nodes: list[dict[str, Any]] = [{"agent": {key: agent.get(key) for key in _OF_AN_AGENT}} for agent in known]
        if self.with_routers:
            routers = routers_of_agents(api, [agent["host"] for agent in known], known, Selection())
            nodes = [{**node, "routers": of_node} for node, of_node in zip(nodes, routers, strict=True)]
        return nodes
