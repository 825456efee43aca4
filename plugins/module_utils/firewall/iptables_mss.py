# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules that lower the maximum segment size of TCP connections through a router to what passes: pure.

The kernel takes the smaller MTU of the ways to both sides, as it knows them, and never raises what a side has said. The rules are
the same for both address families.
"""

from __future__ import annotations

from typing import Dict, Tuple

_CLAMP = "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"
# What comes in or goes out by the router's devices, where others are in the namespace too.
_WAYS = ("-i qr-+ ", "-i qg-+ ", "-o qr-+ ", "-o qg-+ ")


def clamping_chains(own_namespace: bool) -> Dict[str, Tuple[str, ...]]:
    """The chain of the table ``mangle``. ``own_namespace``: whether the namespace is the node's own."""
    return {"l3-FORWARD": tuple(way + _CLAMP for way in (_WAYS if own_namespace else ("",)))}
