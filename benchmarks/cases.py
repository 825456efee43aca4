# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runs to measure on one node, in their order: what each is given, and what it is to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .routers import benchmark_router, large_router, with_other_fixed_address

Router = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One run. ``changes``: the ids of the routers that it is to change, which are all that it may.

    ``floor``: the name of what bare tools are measured with, for the ratio. ``drift``: a shell script that breaks
    routers on the node before the run.
    """

    name: str
    routers: Sequence[Router]
    changes: frozenset[str] = frozenset()
    state: str = "overridden"
    floor: str = ""
    drift: str = ""


def many_routers(count: int) -> list[Case]:
    """From an empty node to this many routers, and back."""
    routers = [benchmark_router(number) for number in range(count)]
    changed = with_other_fixed_address(routers[count // 2])
    after = [changed if router["id"] == changed["id"] else router for router in routers]
    drifted = after[::10]
    return [
        *_built(routers),
        Case("one floating IP changed", [changed], _ids([changed]), state="replaced"),
        Case("10 % drifted", after, _ids(drifted), drift=_breaking(drifted)),
        Case("remove all", [], _ids(routers), floor="remove"),
    ]


def many_floating_ips(count: int) -> list[Case]:
    """One router that gets this many floating IPs, and loses them."""
    router = large_router(count)
    changed = with_other_fixed_address(router)
    bare = {**router, "floating_ips": []}
    return [
        *_built([router]),
        Case("one floating IP changed", [changed], _ids([changed]), state="replaced"),
        Case("all floating IPs removed", [bare], _ids([bare])),
    ]


def _built(routers: Sequence[Router]) -> list[Case]:
    return [
        Case("build", routers, _ids(routers), floor="build"),
        # It reads everything; later runs may know more.
        Case("first check", routers, floor="read back"),
        Case("nothing to do", routers, floor="read back"),
    ]


def _ids(routers: Sequence[Router]) -> frozenset[str]:
    return frozenset(router["id"] for router in routers)


def _breaking(routers: Sequence[Router]) -> str:
    """A shell script that takes from each router, in turns: a floating IP, its source NAT, the default route."""
    lines = []
    for number, router in enumerate(routers):
        namespace = f"qrouter-{router['id']}"
        address = router["floating_ips"][0]["floating_ip_address"]
        device = f"qg-{router['gateway']['id'][:11]}"
        ways = (
            f"ip -n {namespace} address delete {address}/32 dev {device}",
            f"nsenter --net=/run/netns/{namespace} iptables --table nat --flush l3-snat",
            f"ip -n {namespace} route delete default",
        )
        lines.append(ways[number % len(ways)])
    return "\n".join(lines) + "\n"
