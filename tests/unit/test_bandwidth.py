# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bandwidth limits: their check, what is done when they come, change and go, and how they are read out of the kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.bandwidth import (
    EGRESS,
    INGRESS,
    BandwidthLimit,
    Shaping,
    Stray,
    effective_burst,
    queue_size,
)
from ansible_collections.netnode.l3.plugins.module_utils.gather import gather_router
from ansible_collections.netnode.l3.plugins.module_utils.host.traffic_control import (
    FIRST,
    NONE,
    OF_INGRESS,
    ROOT,
    Filter,
    HtbClass,
    Qdisc,
    TrafficControl,
)
from ansible_collections.netnode.l3.plugins.module_utils.host.traffic_control import INGRESS as AT_INGRESS
from ansible_collections.netnode.l3.plugins.module_utils.observe_bandwidth import observed_shaping
from ansible_collections.netnode.l3.plugins.module_utils.plan import RouterPlan
from ansible_collections.netnode.l3.plugins.module_utils.plan_bandwidth import IFB, MOST
from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers
from ansible_collections.netnode.l3.plugins.module_utils.state import ABSENT, Link, RouterState

from ..routers import forwarding, limited_router, router
from .engine_objects import converged, desired, is_empty, planner, steps

GATEWAY = "qg-aaaa0000-ex"
LIMITED, OTHER, OWN = "203.0.113.20", "203.0.113.21", "203.0.113.10"


def rule(direction: str, max_kbps: object, **more: Any) -> dict[str, Any]:
    return {"direction": direction, "max_kbps": max_kbps, **more}


def errors(*rules: Any) -> list[str]:
    checked = check_routers([limited_router({LIMITED: list(rules)})])
    beginning = "routers[0].floating_ips[0].bandwidth_limit_rules"
    return [error.removeprefix(beginning) for rejected in checked.rejected for error in rejected.errors]


def plan(data: dict[str, Any], observed: RouterState) -> RouterPlan:
    return planner().plan(desired(data), observed)


def numbered(state: RouterState) -> RouterState:
    """As the kernel has it: with slots."""
    limits = sorted(state.shaping.limits, key=lambda limit: (limit.direction, limit.address))
    in_slots = frozenset(replace(limit, slot=slot) for slot, limit in enumerate(limits, 1))
    return replace(state, shaping=replace(state.shaping, limits=in_slots))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "[0].direction: is required"),
        (rule("up", 1), "[0].direction: 'up' is not a direction (egress or ingress)"),
        (rule(EGRESS, None), "[0].max_kbps: is required"),
        (rule(EGRESS, "1000"), "[0].max_kbps: '1000' is not a number of kilobits from 0 to 2147483647"),
        (rule(EGRESS, True), "[0].max_kbps: True is not a number of kilobits from 0 to 2147483647"),
        (rule(EGRESS, -1), "[0].max_kbps: -1 is not a number of kilobits from 0 to 2147483647"),
        (
            rule(EGRESS, 1, max_burst_kbps=2**31),
            "[0].max_burst_kbps: 2147483648 is not a number of kilobits from 0 to 2147483647",
        ),
        (rule(EGRESS, 1, rate=1), "[0]: unknown key 'rate' (known are direction, max_burst_kbps, max_kbps)"),
        ("1 Mbit/s", "[0]: expected a mapping, not '1 Mbit/s'"),
    ],
)
def test_what_is_no_rule(wrong: Any, message: str) -> None:
    assert message in errors(wrong)


def test_one_rule_for_each_direction() -> None:
    assert errors(rule(EGRESS, 1), rule(INGRESS, 1)) == []
    assert errors(rule(EGRESS, 1), rule(EGRESS, 2)) == [
        "[1].direction: there is a rule for egress already; one for each direction"
    ]


@pytest.mark.parametrize(
    ("max_kbps", "asked", "burst"),
    [(1000, 0, 800), (1000, 300, 300), (10, 0, 16), (1000, 1, 16), (1, 0, 16), (8, 5000, 2000), (2**31 - 1, 0, 16_000_000)],
)
def test_bursts(max_kbps: int, asked: int, burst: int) -> None:
    assert effective_burst(max_kbps, asked) == burst


def test_queues() -> None:
    assert [queue_size(rate) for rate in (1, 1000, 100_000, 2**31 - 1)] == [131_072, 131_072, 1_250_000, 268_435_456]


def test_nothing_to_do() -> None:
    data = limited_router({LIMITED: [rule(EGRESS, 1000)], OWN: [rule(INGRESS, 2000)]})
    assert is_empty(plan(data, numbered(converged(data))))
    assert is_empty(plan(limited_router({LIMITED: [rule(EGRESS, 0)]}), converged(router())))
    assert converged(router()).shaping == Shaping()


def test_what_is_not_installed_is_not_limited() -> None:
    data = limited_router({LIMITED: [rule(EGRESS, 1000)]})
    del data["floating_ips"][0]["fixed_ip_address"]
    assert converged(data).shaping == Shaping()
    assert converged(limited_router({LIMITED: [rule(EGRESS, 1)]}, gateway=None, routes=[])).shaping == Shaping()
    ipv6_only = limited_router({OWN: [rule(EGRESS, 1000)]})
    ipv6_only["gateway"].update(addresses=["2001:db8:e::10/64"], gateway_ips=[])
    assert converged(ipv6_only).shaping == Shaping()


def test_limits_come() -> None:
    data = limited_router({LIMITED: [rule(EGRESS, 1000), rule(INGRESS, 2000, max_burst_kbps=100)]})
    done = plan(data, converged(router()))
    assert steps(done) == [
        "link add name l3-ifb type ifb",
        "link set dev l3-ifb addrgenmode none up",
        f"tc qdisc add dev {GATEWAY} root handle 1: htb",
        f"tc class replace dev {GATEWAY} parent 1: classid 1:1 htb rate 1000kbit ceil 1000kbit burst 100000b cburst 100000b"
        " quantum 60000",
        f"tc qdisc replace dev {GATEWAY} parent 1:1 bfifo limit 131072",
        f"tc filter add dev {GATEWAY} parent 1: protocol ip prio 1 u32 match ip src {LIMITED}/32 flowid 1:1",
        "tc qdisc add dev l3-ifb root handle 1: htb",
        f"tc qdisc add dev {GATEWAY} handle ffff: ingress",
        "tc class replace dev l3-ifb parent 1: classid 1:1 htb rate 2000kbit ceil 2000kbit burst 12500b cburst 12500b"
        " quantum 60000",
        "tc qdisc replace dev l3-ifb parent 1:1 bfifo limit 131072",
        f"tc filter add dev l3-ifb parent 1: protocol ip prio 1 u32 match ip dst {LIMITED}/32 flowid 1:1",
        f"tc filter add dev {GATEWAY} parent ffff: protocol ip prio 1 u32 match ip dst {LIMITED}/32"
        " action mirred egress redirect dev l3-ifb",
    ]
    assert done.actions == [
        f"egress of {LIMITED} limited to 1000 kbit/s with bursts of 800 kbit",
        f"ingress of {LIMITED} limited to 2000 kbit/s with bursts of 100 kbit",
    ]


def test_the_limits_of_a_new_router_come_last() -> None:
    done = steps(plan(limited_router({OWN: [rule(EGRESS, 1000)]}), ABSENT))
    assert [step.startswith("tc ") for step in done if not step.startswith("announce")][-4:] == [True] * 4


def test_one_limit_changes_without_the_others() -> None:
    rules = {LIMITED: [rule(EGRESS, 1000)], OTHER: [rule(EGRESS, 1000)]}
    observed = numbered(converged(limited_router(rules)))
    assert steps(plan(limited_router({**rules, OTHER: [rule(EGRESS, 9000)]}), observed)) == [
        f"tc class replace dev {GATEWAY} parent 1: classid 1:2 htb rate 9000kbit ceil 9000kbit burst 900000b cburst 900000b"
        " quantum 60000",
        f"tc qdisc replace dev {GATEWAY} parent 1:2 bfifo limit 131072",
    ]
    assert steps(plan(limited_router({OTHER: rules[OTHER]}), observed)) == [
        f"tc filter delete dev {GATEWAY} parent 1: prio 1",
        f"tc class delete dev {GATEWAY} classid 1:1",
    ]
    swapped = limited_router({OTHER: rules[OTHER], OWN: [rule(EGRESS, 500)]})
    assert f"tc filter add dev {GATEWAY} parent 1: protocol ip prio 1 u32 match ip src {OWN}/32 flowid 1:1" in steps(
        plan(swapped, observed)
    )


def test_limits_go_with_all_that_they_needed() -> None:
    data = limited_router({LIMITED: [rule(EGRESS, 1000), rule(INGRESS, 1000)], OTHER: [rule(INGRESS, 1)]})
    done = plan(router(), numbered(converged(data)))
    assert steps(done) == [
        f"tc qdisc delete dev {GATEWAY} root",
        f"tc qdisc delete dev {GATEWAY} ingress",
        "link delete dev l3-ifb",
    ]
    assert done.actions == [
        f"egress of {LIMITED} no longer limited",
        f"ingress of {LIMITED} no longer limited",
        f"ingress of {OTHER} no longer limited",
    ]


def test_limits_go_with_their_device_and_come_with_a_new_one() -> None:
    data = limited_router({LIMITED: [rule(EGRESS, 1000), rule(INGRESS, 1000)]})
    observed = numbered(converged(data))
    moved = limited_router({LIMITED: [rule(EGRESS, 1000), rule(INGRESS, 1000)]})
    moved["gateway"]["id"] = "dddd0000-external-port"
    done = steps(plan(moved, observed))
    assert done.index("link delete dev l3-ifb") < done.index("link add name l3-ifb type ifb")
    assert not any(GATEWAY in step for step in done if step.startswith("tc"))
    assert "link delete dev l3-ifb" in steps(plan(router(gateway=None, floating_ips=[], routes=[]), observed))
    assert observed.without_devices({GATEWAY}).shaping == Shaping()


def test_what_is_not_a_runs_goes() -> None:
    strays = [Stray(EGRESS, 0, frozenset(["tbf"])), Stray(INGRESS, 0, frozenset(["clsact"]))]
    done = plan(router(), replace(converged(router()), shaping=Shaping(GATEWAY, strays=frozenset(strays))))
    assert steps(done) == [f"tc qdisc delete dev {GATEWAY} root", f"tc qdisc delete dev {GATEWAY} clsact"]
    assert done.actions == [f"stray tbf of {GATEWAY} removed", f"stray clsact of {GATEWAY} removed"]
    data = limited_router({LIMITED: [rule(EGRESS, 1000)]})
    stray = Stray(EGRESS, 7, frozenset(["class", "filter"]))
    state = numbered(converged(data))
    done = plan(data, replace(state, shaping=replace(state.shaping, strays=frozenset([stray]))))
    assert steps(done) == [f"tc filter delete dev {GATEWAY} parent 1: prio 7", f"tc class delete dev {GATEWAY} classid 1:7"]
    assert done.actions == [f"stray class and filter 7 (egress) of {GATEWAY} removed"]


def test_more_limits_than_the_kernel_takes_are_a_problem() -> None:
    many = [
        {
            "floating_ip_address": f"198.18.{n // 256}.{n % 256}",
            "fixed_ip_address": "10.0.0.5",
            "bandwidth_limit_rules": [rule(EGRESS, 1)],
        }
        for n in range(MOST + 2)
    ]
    found = desired(router(floating_ips=many))
    assert len(found.state.shaping.limits) == MOST
    assert found.problems == (
        "only 2000 addresses of a router can have a bandwidth limit in one direction: 2 limits are left out",
    )


def test_what_is_gathered() -> None:
    limits = {
        LIMITED: [rule(EGRESS, 1000), rule(INGRESS, 2000, max_burst_kbps=100)],
        OWN: [rule(INGRESS, 5000)],
    }
    gathered = gather_router("r1", converged(limited_router(limits)))
    assert gathered["gateway"]["bandwidth_limit_rules"] == limits[OWN]
    assert [entry.get("bandwidth_limit_rules") for entry in gathered["floating_ips"]] == [limits[LIMITED], None]


def test_a_floating_ip_of_port_forwardings_is_limited_and_gathered() -> None:
    entry = {"floating_ip_address": "203.0.113.30", "fixed_ip_address": None, "bandwidth_limit_rules": [rule(EGRESS, 1000)]}
    data = router(port_forwardings=[forwarding(80, 8080), forwarding(81, 8081)])
    assert entry not in gather_router("r1", converged(data))["floating_ips"]
    data["floating_ips"].append(entry)
    state = converged(data)
    assert state.shaping.limits == {BandwidthLimit(EGRESS, "203.0.113.30", 1000, 800)}
    gathered = gather_router("r1", state)
    assert gathered["floating_ips"] == data["floating_ips"]
    assert converged(gathered).shaping == state.shaping


LINKS = [Link(GATEWAY, 2, None, None, True, 1500, False), Link(IFB, 9, None, None, True, 1500, False)]
PACKED = bytes([203, 0, 113, 20])
SHAPE = HtbClass(FIRST | 5, ROOT, 125_000, 125_000, 12_500_000, 12_500_000)
EGRESS_PARTS = TrafficControl(
    [Qdisc(GATEWAY, "htb", FIRST, ROOT, 0), Qdisc(GATEWAY, "bfifo", 0x80010000, FIRST | 5, 131_072)],
    {GATEWAY: [SHAPE]},
    {(GATEWAY, FIRST): [Filter(5, (12, PACKED), FIRST | 5, None)]},
)
INGRESS_PARTS = TrafficControl(
    [
        Qdisc(GATEWAY, "ingress", OF_INGRESS, AT_INGRESS, None),
        Qdisc(IFB, "htb", FIRST, ROOT, 0),
        Qdisc(IFB, "bfifo", 0x80010000, FIRST | 5, 131_072),
    ],
    {IFB: [SHAPE]},
    {(IFB, FIRST): [Filter(5, (16, PACKED), FIRST | 5, None)], (GATEWAY, OF_INGRESS): [Filter(5, (16, PACKED), 0, 9)]},
)


def seen(found: TrafficControl) -> Shaping:
    return observed_shaping(GATEWAY, LINKS, found, frozenset())


@pytest.mark.parametrize(("direction", "parts"), [(EGRESS, EGRESS_PARTS), (INGRESS, INGRESS_PARTS)])
def test_a_limit_is_read(direction: str, parts: TrafficControl) -> None:
    found = seen(parts)
    assert (found.device, found.directions, found.strays) == (GATEWAY, {direction}, frozenset())
    [limit] = found.limits
    assert (limit.direction, limit.address, limit.max_kbps, limit.max_burst_kbps, limit.slot) == (
        direction,
        LIMITED,
        1000,
        800,
        5,
    )


def test_nothing_is_read() -> None:
    assert observed_shaping(GATEWAY, LINKS[:1], NONE, frozenset()) == Shaping()
    assert observed_shaping(None, LINKS, NONE, frozenset()) == Shaping(ifb=True)


def changed(parts: TrafficControl, **changes: Any) -> TrafficControl:
    return parts._replace(**changes)


DAMAGES = [{"ceil": 1}, {"ceil_burst": 1}, {"parent": FIRST | 9}, {"rate": 125_001, "ceil": 125_001}]


@pytest.mark.parametrize(
    "found",
    [
        *(changed(EGRESS_PARTS, classes={GATEWAY: [SHAPE._replace(**change)]}) for change in DAMAGES),
        changed(EGRESS_PARTS, classes={}),
        changed(EGRESS_PARTS, qdiscs=EGRESS_PARTS.qdiscs[:1]),
        changed(EGRESS_PARTS, qdiscs=[EGRESS_PARTS.qdiscs[0], EGRESS_PARTS.qdiscs[1]._replace(number=1)]),
        *(
            changed(EGRESS_PARTS, filters={(GATEWAY, FIRST): filters})
            for filters in (
                [],
                [Filter(5, (16, PACKED), FIRST | 5, None)],
                [Filter(5, (12, PACKED), FIRST | 6, None)],
                [Filter(5, None, FIRST | 5, None)],
                [Filter(5, (12, PACKED), FIRST | 5, 9)],
                [Filter(5, (12, PACKED), FIRST | 5, None)] * 2,
            )
        ),
        changed(INGRESS_PARTS, filters={(IFB, FIRST): INGRESS_PARTS.filters[IFB, FIRST]}),
        changed(INGRESS_PARTS, filters={**INGRESS_PARTS.filters, (GATEWAY, OF_INGRESS): [Filter(5, (16, PACKED), 0, 3)]}),
        changed(INGRESS_PARTS, filters={**INGRESS_PARTS.filters, (GATEWAY, OF_INGRESS): [Filter(5, (16, bytes(4)), 0, 9)]}),
    ],
)
def test_a_slot_that_is_not_whole_is_stray(found: TrafficControl) -> None:
    shaping = seen(found)
    assert (shaping.limits, [stray.slot for stray in shaping.strays]) == (frozenset(), [5])


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (TrafficControl([Qdisc(GATEWAY, "tbf", FIRST, ROOT, None)], {}, {}), "tbf"),
        (TrafficControl([Qdisc(GATEWAY, "htb", 0x80010000, ROOT, 0)], {}, {}), "htb"),
        (TrafficControl([Qdisc(GATEWAY, "htb", FIRST, ROOT, 5)], {}, {}), "htb"),
        (TrafficControl([Qdisc(GATEWAY, "clsact", OF_INGRESS, AT_INGRESS, None)], {}, {}), "clsact"),
        (changed(INGRESS_PARTS, qdiscs=INGRESS_PARTS.qdiscs[:1]), "ingress"),
    ],
)
def test_queueing_disciplines_of_others(found: TrafficControl, kind: str) -> None:
    shaping = seen(found)
    assert (shaping.directions, shaping.limits) == (frozenset(), frozenset())
    assert [(stray.slot, stray.parts) for stray in shaping.strays] == [(0, {kind})]


def test_a_second_slot_for_an_address_is_stray() -> None:
    found = changed(
        EGRESS_PARTS,
        qdiscs=[*EGRESS_PARTS.qdiscs, EGRESS_PARTS.qdiscs[1]._replace(parent=FIRST | 6)],
        classes={GATEWAY: [SHAPE, SHAPE._replace(handle=FIRST | 6)]},
        filters={(GATEWAY, FIRST): [Filter(n, (12, PACKED), FIRST | n, None) for n in (5, 6)]},
    )
    shaping = seen(found)
    assert ([limit.slot for limit in shaping.limits], [stray.slot for stray in shaping.strays]) == ([5], [6])


def test_an_inexact_burst_is_what_was_asked_for() -> None:
    """At 40 Gbit/s, a tick of the kernel is 2.6 kbit, and older versions of tc count in microseconds."""
    wanted = converged(limited_router({LIMITED: [rule(EGRESS, 40_000_000, max_burst_kbps=77_777)]})).shaping.limits
    ticks = int(77_777 / 40_000_000 * 1e6) * 15625 // 1000
    shape = HtbClass(FIRST | 5, ROOT, 5 * 10**9, 5 * 10**9, ticks, ticks)
    queue = Qdisc(GATEWAY, "bfifo", 0x80010000, FIRST | 5, queue_size(40_000_000))
    found = changed(EGRESS_PARTS, classes={GATEWAY: [shape]}, qdiscs=[EGRESS_PARTS.qdiscs[0], queue])
    assert observed_shaping(GATEWAY, LINKS, found, wanted).limits == wanted
