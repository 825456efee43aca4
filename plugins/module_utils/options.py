# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a node is to be converged: the modules' options as one frozen value, checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping, Optional

from .errors import InvalidOption
from .model import NETWORK_ID_SHOWN

INTERFACE_NAME_LENGTH = 15  # IFNAMSIZ without the final null
_INTERFACE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\Z")
_DELETIONS = re.compile(r"([0-9]{1,9})(%?)\Z")


@dataclass(frozen=True)
class MaxDeletions:
    """How many routers one run may purge: ``limit`` routers, or percent of those on the node."""

    limit: int
    percent: bool

    def allows(self, deletions: int, on_node: int) -> bool:
        """Whether so many of the routers on the node may go."""
        if self.percent:
            return deletions * 100 <= self.limit * on_node
        return deletions <= self.limit

    def __str__(self) -> str:
        return "%d%s" % (self.limit, "%" if self.percent else "")


@dataclass(frozen=True)
class Options:
    """The options of the L3 agent that this collection has, under the same names."""

    interface_driver: str
    external_network_bridge: str = "br-ex"
    internal_bridge: str = "brq{network_id}"
    send_arp_for_ha: int = 3
    lock_timeout: float = 60.0
    max_deletions: MaxDeletions = MaxDeletions(50, True)

    @property
    def needs_network_ids(self) -> bool:
        """Whether internal ports must say their network, since the name of its bridge is made of it."""
        return "{network_id}" in self.internal_bridge

    def internal_bridge_of(self, network_id: Optional[str]) -> str:
        """The bridge of an internal network."""
        return self.internal_bridge.replace("{network_id}", (network_id or "")[:NETWORK_ID_SHOWN])


def parse_options(params: Mapping[str, Any]) -> Options:
    """Options from a module's parameters. Raises :class:`InvalidOption`."""
    external = params["external_network_bridge"]
    if not _INTERFACE_NAME.match(external):
        raise InvalidOption("external_network_bridge: %r cannot be the name of a bridge." % external)
    internal = params["internal_bridge"]
    if not _INTERFACE_NAME.match(internal.replace("{network_id}", "x" * NETWORK_ID_SHOWN)):
        raise InvalidOption(
            "internal_bridge: %r cannot be the name of a bridge, which has at most %d characters; '{network_id}' is the"
            " only pattern and stands for %d." % (internal, INTERFACE_NAME_LENGTH, NETWORK_ID_SHOWN)
        )
    return Options(
        interface_driver=params["interface_driver"] or "",
        external_network_bridge=external,
        internal_bridge=internal,
        send_arp_for_ha=max(0, params["send_arp_for_ha"]),
        lock_timeout=max(0.0, params["lock_timeout"]),
        max_deletions=parse_max_deletions(params["max_deletions"]),
    )


def parse_max_deletions(text: str) -> MaxDeletions:
    """``5`` or ``50%``. Raises :class:`InvalidOption`."""
    match = _DELETIONS.match(str(text).strip())
    if not match:
        raise InvalidOption("max_deletions: %r is neither a count (5) nor a percentage (50%%)." % text)
    return MaxDeletions(int(match.group(1)), bool(match.group(2)))
