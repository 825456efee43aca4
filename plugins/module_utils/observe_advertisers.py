# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The radvd processes of the node: ours, and those that the L3 agent left."""

from __future__ import annotations

from typing import AbstractSet, Optional

from .host import agent, radvd
from .host.command import PACKAGES, is_there
from .host.rights import lacking
from .services.router_advertisements import Advertiser, Advertisers


def observe_advertisers(asking: AbstractSet[str], thorough: bool) -> Advertisers:
    """They are known by their files. Only for those of the routers ``asking`` that have none, or when ``thorough``, all processes
    are looked at.
    """
    by_file = {router_id: radvd.running(router_id) for router_id in radvd.known()}
    known = {router_id: _advertiser(router_id, pid) for router_id, pid in by_file.items()}
    missing = [router_id for router_id in asking if by_file.get(router_id) is None]
    if thorough or missing:
        for router_id, pid in radvd.lost().items():
            if by_file.get(router_id) is None:  # and so its files are to be put right
                known[router_id] = Advertiser(pid, "", radvd.namespace_of(pid))
    return Advertisers(known, agent.advertisers(), _missing() if missing else None)


def _advertiser(router_id: str, pid: Optional[int]) -> Advertiser:
    if pid is None:
        return Advertiser(None)
    return Advertiser(pid, radvd.configuration(router_id), radvd.namespace_of(pid))


def _missing() -> Optional[str]:
    """Why no radvd can be started, in a sentence."""
    if not is_there(radvd.COMMAND):
        return (
            "The node lacks the command radvd, which sends router advertisements: install the package %s, or run the role "
            "netnode.l3.network_node with network_node_router_advertisements: true." % PACKAGES["radvd"]
        )
    if not radvd.has_user():
        return "The node lacks the user radvd, whom the process that sends router advertisements is to be: make one."
    lacks = lacking("CAP_NET_RAW", "CAP_SETUID", "CAP_SETGID")
    return "The run lacks %s: radvd, which sends router advertisements, needs it." % lacks[0] if lacks else None
