# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Port forwardings: what is wrong in them, their rules, what comes back of rules, and which connections a change ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.firewall import firewall_from
from ansible_collections.netnode.l3.plugins.module_utils.gather import gather_router
from ansible_collections.netnode.l3.plugins.module_utils.host.port_flows import port_flow
from ansible_collections.netnode.l3.plugins.module_utils.model import PortForwarding
from ansible_collections.netnode.l3.plugins.module_utils.operations import DeleteFlows
from ansible_collections.netnode.l3.plugins.module_utils.port_forwardings import Destinations, Ports, changed_ports
from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers
from ansible_collections.netnode.l3.plugins.module_utils.state import IPV4, Tables

from ..routers import forwarding, router, small_router
from .engine_objects import converged, desired, parsed, planner, rule_sets, steps

HERE = "routers[0].port_forwardings"


def errors(*forwardings: Any, **changes: Any) -> list[str]:
    """What is wrong with a router that has these."""
    (rejected,) = check_routers([router(port_forwardings=list(forwardings), **changes)]).rejected
    return list(rejected.errors)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"protocol": None}, "protocol: is required"),
        ({"protocol": "icmp"}, "protocol: 'icmp' is not a protocol with ports (tcp, udp, sctp, dccp)"),
        ({"protocol": "TCP"}, "protocol: 'TCP' is not a protocol with ports (tcp, udp, sctp, dccp)"),
        ({"floating_ip_address": None}, "floating_ip_address: is required"),
        ({"floating_ip_address": "2001:db8::1"}, "floating_ip_address: '2001:db8::1' is not an IPv4 address"),
        ({"internal_ip_address": None}, "internal_ip_address: is required"),
        ({"internal_ip_address": "2001:db8::1"}, "internal_ip_address: '2001:db8::1' is not an IPv4 address"),
        ({"external_port": None}, "external_port: one of external_port and external_port_range is required"),
        ({"external_port_range": "80:81"}, "external_port: one of external_port and external_port_range is required"),
        ({"external_port": 0}, "external_port: 0 is not a port (a number from 1 to 65535)"),
        ({"external_port": True}, "external_port: True is not a port (a number from 1 to 65535)"),
        ({"internal_port": 65536}, "internal_port: 65536 is not a port (a number from 1 to 65535)"),
        ({"internal_port": "80"}, "internal_port: '80' is not a port (a number from 1 to 65535)"),
        (
            {"internal_port": None, "internal_port_range": "80:89"},
            "internal_port_range: has 10 ports for 1 external ones; as many, or one",
        ),
        ({"colour": "red"}, ...),
        ({"id": 7}, "id: 7 is a number, and an id is text: quote it"),
    ],
)
def test_a_value_that_is_wrong(changes: dict[str, Any], error: Any) -> None:
    expected = f"{HERE}[0].{error}"
    if error is ...:
        known = "external_port, external_port_range, floating_ip_address, id, internal_ip_address, internal_port"
        expected = f"{HERE}[0]: unknown key 'colour' (known are {known}, internal_port_range, protocol)"
    assert errors({**forwarding(80, 8080), **changes}) == [expected]


@pytest.mark.parametrize(
    "text", ["80", "80:", ":80", "89:80", "0:9", "80:65536", "080:089", "80-89", "80:89:99", "80:89\n", " 80:89"]
)
def test_text_that_is_no_range(text: str) -> None:
    (error,) = errors(forwarding(text, 80))
    assert error == f"{HERE}[0].external_port_range: {text!r} is not a range of ports (as '8000:8009', from 1 to 65535)"


def test_a_range_that_yaml_took_for_a_number() -> None:
    entry = {**forwarding(1, 80), "external_port": None, "external_port_range": 1350}
    assert errors(entry) == [f"{HERE}[0].external_port_range: 1350 is a number, and a range is text: quote it"]


def test_ports_that_overlap() -> None:
    found = errors(
        forwarding("80:89", 80),
        forwarding(80, 80, protocol="udp"),
        forwarding(80, 80, floating_ip_address="203.0.113.31"),
        forwarding(85, 85, internal_ip_address="10.0.0.6"),
        {},
        forwarding("89:95", "189:195"),
        forwarding("90:91", 7),
        forwarding(96, 7),
    )
    assert [error for error in found if "stands" in error] == [
        f"{HERE}[3]: tcp port 85 of this floating IP stands at {HERE}[0] already",
        f"{HERE}[5]: tcp port 89 of this floating IP stands at {HERE}[0] already",
        f"{HERE}[6]: tcp port 90 of this floating IP stands at {HERE}[5] already",
    ]


def test_a_floating_ip_is_for_one_thing() -> None:
    assert errors(forwarding(80, 80), {}, forwarding(80, 80, floating_ip_address="203.0.113.20"))[-1:] == [
        f"{HERE}[2].floating_ip_address: all ports of 203.0.113.20 lead to its fixed address 10.0.0.5"
    ]
    assert errors(forwarding(80, 80, floating_ip_address="203.0.113.10")) == [
        f"{HERE}[0].floating_ip_address: address 203.0.113.10 stands at routers[0].gateway.addresses[0] already"
    ]
    assert errors(forwarding(1, 1, id="a"), forwarding(2, 2, id="a")) == [
        f"{HERE}[1].id: port forwarding id a stands at {HERE}[0].id already"
    ]


def test_a_floating_ip_without_a_fixed_address_may_have_them() -> None:
    entry = {"id": "f", "floating_ip_address": "203.0.113.30", "status": "DOWN"}
    parsed(router(floating_ips=[entry], port_forwardings=[forwarding(80, 80), forwarding(81, 81)]))


def test_a_floating_ip_is_of_one_router() -> None:
    one, other = small_router(1), small_router(2)
    for each in (one, other):
        each["port_forwardings"] = [forwarding(80, 80), forwarding(81, 81)]
    paths = [f"routers[{number}].port_forwardings[0].floating_ip_address" for number in (0, 1)]
    claimed = "floating IP 203.0.113.30 is claimed by"
    assert [rejected.errors for rejected in check_routers([one, other]).rejected] == [
        (f"{paths[0]}: {claimed} {paths[1]} too",),
        (f"{paths[1]}: {claimed} {paths[0]} too",),
    ]
    other["port_forwardings"] = []
    other["floating_ips"] = [{"floating_ip_address": "203.0.113.30"}]
    assert len(check_routers([one, other]).rejected) == 2


RULES = {
    "-p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.5:8080": forwarding(80, 8080),
    "-p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.5": forwarding(80, 80),
    "-p udp -m udp --dport 8000:8009 -j DNAT --to-destination 10.0.0.5:9000-9009/8000": forwarding(
        "8000:8009", "9000:9009", protocol="udp"
    ),
    "-p tcp -m tcp --dport 8000:8009 -j DNAT --to-destination 10.0.0.5": forwarding("8000:8009", "8000:8009"),
    "-p sctp -m sctp --dport 8000:8009 -j DNAT --to-destination 10.0.0.5:80": forwarding("8000:8009", 80, protocol="sctp"),
}


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_of_a_port_forwarding_and_back(rule: str) -> None:
    data = router(port_forwardings=[RULES[rule]])
    firewall = rule_sets(parsed(data))
    nat = firewall[IPV4]["nat"]
    assert nat["l3-PREROUTING"][-1] == nat["l3-OUTPUT"][-1] == f"-d 203.0.113.30/32 {rule}"
    assert tuple(firewall_from(firewall).port_forwardings) == parsed(data).port_forwardings
    assert gather_router("r1", converged(data))["port_forwardings"] == [RULES[rule]]


def test_a_range_of_one_port_is_a_port() -> None:
    assert model(forwarding("80:80", "81:81")) == model(forwarding(80, 81))


def test_rules_are_in_one_order_whatever_the_source_says() -> None:
    several = [forwarding(80, 80), forwarding(79, 80), forwarding(80, 80, protocol="udp"), forwarding("81:85", 80)]
    one, other = (rule_sets(parsed(router(port_forwardings=order))) for order in (several, several[::-1]))
    assert one == other


def test_without_source_nat_there_are_the_translations_and_the_way_back_for_those_inside() -> None:
    nat = rule_sets(parsed(router(enable_snat=False, floating_ips=[], port_forwardings=[forwarding(80, 81)])))[IPV4]["nat"]
    assert nat["l3-snat"] == (
        "-j l3-float-snat",
        "-m mark ! --mark 0x2/0xffff -m conntrack --ctstate DNAT -j SNAT --to-source 203.0.113.10 --random-fully",
    )
    assert nat["l3-float-snat"] == ()


def test_without_a_gateway_nothing_is_installed() -> None:
    data = router(gateway=None, floating_ips=[], port_forwardings=[forwarding(80, 81)])
    assert rule_sets(parsed(data)) == {4: {}, 6: {}}
    assert not any("203.0.113.30/32" in addresses for addresses in converged(data).addresses.values())


def test_the_floating_ip_is_an_address_of_the_gateway_once() -> None:
    state = converged(router(port_forwardings=[forwarding(80, 81), forwarding(82, 81)]))
    assert state.addresses["qg-aaaa0000-ex"].count("203.0.113.30/32") == 1
    assert "203.0.113.30/32" not in gather_router("r1", state)["gateway"]["addresses"]


def test_in_the_nodes_own_namespace_connections_of_the_node_have_the_zone_too() -> None:
    raw = rule_sets(parsed(router(port_forwardings=[forwarding(80, 81)])), None, True)[IPV4]["raw"]
    assert "-d 203.0.113.30/32 -j CT --zone 65001" in raw["l3-OUTPUT"]


OF_AGENT: Tables = {
    "nat": {
        "neutron-l3-agent-PREROUTING": ("-j neutron-l3-agent-fip-pf", "-d 203.0.113.20/32 -j DNAT --to-destination 10.0.0.5"),
        "neutron-l3-agent-fip-pf": ("-j neutron-l3-agent-pf-1", "-j neutron-l3-agent-pf-2", "-j neutron-l3-agent-pf-3"),
        "neutron-l3-agent-pf-1": ("-d 203.0.113.30/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.5:80",),
        "neutron-l3-agent-pf-2": ("-d 203.0.113.30/32 -p udp -m udp --dport 70:79 -j DNAT --to-destination 10.0.0.5:70-79/70",),
        "neutron-l3-agent-pf-3": ("-d 203.0.113.30/32 -p udp -m udp --dport 60:69 -j DNAT --to-destination 10.0.0.5:60-61/60",),
    }
}


def test_what_the_l3_agent_forwards_is_known() -> None:
    """But for ranges of unequal length, which router data cannot have."""
    data = router(port_forwardings=[forwarding(80, 80), forwarding("70:79", "70:79", protocol="udp")])
    assert set(firewall_from({IPV4: OF_AGENT}).port_forwardings) == set(parsed(data).port_forwardings)
    before = replace(converged(data), firewall={IPV4: OF_AGENT})
    assert [o for o in planner().plan(desired(data), before).operations if isinstance(o, DeleteFlows)] == []


def change(before: list[dict[str, Any]], after: list[dict[str, Any]], **changes: Any) -> list[str]:
    """What ends connections when these become those."""
    plan = planner().plan(desired(router(port_forwardings=after, **changes)), converged(router(port_forwardings=before)))
    return [step for step in steps(plan) if step.startswith("end flows")]


KEPT = forwarding(443, 443)


@pytest.mark.parametrize(
    ("before", "after", "ended"),
    [
        ([KEPT], [KEPT], []),
        ([KEPT, forwarding(80, 81)], [KEPT], ["203.0.113.30 tcp 80"]),
        ([KEPT], [KEPT, forwarding(80, 81, protocol="udp")], ["203.0.113.30 udp 80"]),
        ([], [forwarding(80, 81)], []),  # to an address that was not there no packet has come
        ([forwarding(80, 81)], [forwarding(80, 82)], ["203.0.113.30 tcp 80"]),
        ([forwarding("80:89", "80:89")], [forwarding("85:94", "85:94")], ["203.0.113.30 tcp 80:94"]),
        ([forwarding("80:89", 80), forwarding(99, 7)], [], ["203.0.113.30 tcp 80:89, 203.0.113.30 tcp 99"]),
    ],
)
def test_a_change_concerns_the_ports_that_lead_elsewhere(
    before: list[dict[str, Any]], after: list[dict[str, Any]], ended: list[str]
) -> None:
    assert change(before, after) == [f"end flows {text}" for text in ended]


def test_a_floating_ip_that_was_for_ports_can_become_one_for_an_address_and_back() -> None:
    whole = {"floating_ips": [{"floating_ip_address": "203.0.113.30", "fixed_ip_address": "10.0.0.5"}]}
    of_ports = router(port_forwardings=[forwarding(80, 80)])
    for one, other, ended in (
        (of_ports, router(**whole), "203.0.113.20, 203.0.113.21, 203.0.113.30 tcp 80"),
        (router(**whole), of_ports, "203.0.113.30, 203.0.113.30 tcp 80"),
    ):
        found = steps(planner().plan(desired(other), converged(one)))
        assert [step for step in found if "end flows" in step or ".30/32" in step] == [f"end flows {ended}"]


def test_the_sentences() -> None:
    one, other = router(port_forwardings=[forwarding("80:89", 80)]), router(port_forwardings=[forwarding("80:88", 80)])
    chain = "chain l3-%s of table nat: -d 203.0.113.30/32 -p tcp -m tcp --dport %s -j DNAT --to-destination 10.0.0.5:80"
    assert planner().plan(desired(other), converged(one)).actions == [
        "rule removed from " + chain % ("OUTPUT", "80:89"),
        "rule added to " + chain % ("OUTPUT", "80:88"),
        "rule removed from " + chain % ("PREROUTING", "80:89"),
        "rule added to " + chain % ("PREROUTING", "80:88"),
        "stale flows to 203.0.113.30 tcp 80:89 ended",
    ]


def model(*forwardings: dict[str, Any]) -> tuple[PortForwarding, ...]:
    return parsed(router(port_forwardings=list(forwardings))).port_forwardings


@pytest.mark.parametrize(
    ("way", "missed"),
    [
        (("tcp", "203.0.113.30", 80, "10.0.0.5", 180), False),
        (("tcp", "203.0.113.30", 84, "10.0.0.5", 184), False),
        (("tcp", "203.0.113.30", 84, "10.0.0.5", 183), True),
        (("tcp", "203.0.113.30", 84, "10.0.0.6", 184), True),
        (("tcp", "203.0.113.30", 84, "203.0.113.30", 84), True),
        (("tcp", "203.0.113.30", 91, "10.0.0.5", 7), False),
        (("tcp", "203.0.113.30", 95, "10.0.0.5", 7), True),  # no longer forwarded
        (("tcp", "203.0.113.30", 96, "10.0.0.5", 7), False),  # not concerned
        (("tcp", "203.0.113.30", 79, "10.0.0.5", 7), False),
        (("udp", "203.0.113.30", 84, "10.0.0.5", 7), False),
        (("tcp", "203.0.113.31", 84, "10.0.0.5", 7), False),
    ],
)
def test_which_connections_miss_their_destination(way: tuple[str, str, int, str, int], missed: bool) -> None:
    wanted = model(forwarding("80:84", "180:184"), forwarding("90:91", 7))
    destinations = Destinations([Ports("tcp", "203.0.113.30", 90, 95), Ports("tcp", "203.0.113.30", 80, 84)], wanted)
    assert destinations.are_missed_by(*way) is missed


def test_ports_of_forwardings_that_touch_are_told_as_one_range() -> None:
    had = model(forwarding(80, 1), forwarding("81:84", 2), forwarding(86, 3))
    assert changed_ports((), had, ()) == (Ports("tcp", "203.0.113.30", 80, 84), Ports("tcp", "203.0.113.30", 86, 86))


_THERE = "src=198.51.100.7 dst=203.0.113.30 sport=4000 dport=80"
_BACK = "src=10.0.0.5 dst=198.51.100.7 sport=8080 dport=4000"


@pytest.mark.parametrize(
    ("line", "zone"),
    [
        (
            f"tcp      6 431999 ESTABLISHED {_THERE} {_BACK} [ASSURED] mark=2 use=1",
            b"",
        ),
        (f"tcp      6 119 SYN_SENT {_THERE} [UNREPLIED] {_BACK} mark=0 use=1", b""),
        (
            f"tcp      6 9 CLOSE {_THERE} {_BACK} mark=0 zone=65001 use=1",
            b"\6\0\x12\0\xfd\xe9\0\0",
        ),
    ],
)
def test_a_flow_as_conntrack_lists_it(line: str, zone: bytes) -> None:
    flow = port_flow(line)
    assert flow is not None
    assert flow[:-1] == ("tcp", "203.0.113.30", 80, "10.0.0.5", 8080)
    addresses = b"\x14\0\1\x80" + b"\x08\0\1\0\xc6\x33\x64\7" + b"\x08\0\2\0\xcb\0\x71\x1e"
    ports = b"\x1c\0\2\x80" + b"\5\0\1\0\6\0\0\0" + b"\6\0\2\0\x0f\xa0\0\0" + b"\6\0\3\0\0\x50\0\0"
    assert flow.message == b"\2\0\0\0" + b"\x34\0\1\x80" + addresses + ports + zone


@pytest.mark.parametrize(
    "line",
    [
        "icmp     1 29 src=198.51.100.7 dst=203.0.113.30 type=8 code=0 id=1 src=10.0.0.5 dst=198.51.100.7 type=0 code=0 id=1",
        f"tcp 6 9 CLOSE src=2001:db8::1 dst=2001:db8::2 sport=1 dport=2 {_BACK}",
        f"tcp 6 9 CLOSE src=198.51.100.7 dst=203.0.113.30 sport=70000 dport=80 {_BACK}",
        f"tcp 6 9 CLOSE {_THERE} {_BACK} zone=70000",
        "",
    ],
)
def test_other_lines_tell_of_no_such_flow(line: str) -> None:
    assert port_flow(line) is None
