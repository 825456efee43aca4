# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the routers that were given are meant for this node: the L3 agent's rules. Pure."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence

from .model import Router
from .options import Options


class Skipped(NamedTuple):
    """A router that is not for this node, and why, in words."""

    id: str
    reason: str


class Selection(NamedTuple):
    """The routers to have on the node, and the others."""

    routers: Sequence[Router]
    skipped: Sequence[Skipped]


ADMIN_DOWN = "admin_state_up is false"


def select(routers: Sequence[Router], options: Options) -> Selection:
    """Divide routers; the order stays."""
    reasons = [(router, _reason_to_skip(router, options)) for router in routers]
    return Selection(
        routers=[router for router, reason in reasons if reason is None],
        skipped=[Skipped(router.id, reason) for router, reason in reasons if reason is not None],
    )


def _reason_to_skip(router: Router, options: Options) -> Optional[str]:
    if not router.admin_state_up:
        return ADMIN_DOWN
    if options.router_id is not None and router.id != options.router_id:
        return "router_id is %s" % options.router_id
    if router.gateway is None:
        return None if options.handle_internal_only_routers else "it has no gateway, and handle_internal_only_routers is false"
    wanted = options.gateway_external_network_id
    if wanted is None or router.gateway.network_id == wanted:
        return None
    present = router.gateway.network_id or "unknown"
    return "its gateway is on network %s, and gateway_external_network_id is %s" % (present, wanted)
