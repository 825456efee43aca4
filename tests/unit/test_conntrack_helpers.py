# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rules helpers of connection tracking need, and in which steps they come. What they do to packets is for other tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.gather import gather_router
from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.bridge import BridgeDriver
from ansible_collections.netnode.l3.plugins.module_utils.operations import ChangeRules
from ansible_collections.netnode.l3.plugins.module_utils.options import Options
from ansible_collections.netnode.l3.plugins.module_utils.rendered import rendered
from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers
from ansible_collections.netnode.l3.plugins.module_utils.state import ABSENT, IPV4, IPV6, Chains, RouterState
from ansible_collections.netnode.l3.plugins.module_utils.wholeness import why_not_whole

from ..routers import router
from .engine_objects import converged, desired, node, parsed, planner, rule_sets

Helper = dict[str, Any]
TFTP: Helper = {"protocol": "udp", "port": 69, "helper": "tftp"}
FTP: Helper = {"protocol": "tcp", "port": 21, "helper": "ftp"}
IRC: Helper = {"protocol": "tcp", "port": 6667, "helper": "irc"}
JUMPS = {"PREROUTING": (":ACCEPT", "-j l3-PREROUTING"), "l3-PREROUTING": ("-j l3-cthelper",)}
OF_TFTP = "-p udp -m udp --dport 69 -j CT --helper tftp"


def with_helpers(*helpers: Helper, **changes: Any) -> dict[str, Any]:
    return router(conntrack_helpers=list(helpers), **changes)


def raw(data: dict[str, Any], **options: Any) -> Mapping[int, Chains]:
    """Address family -> the table raw, where there is one."""
    found = rule_sets(parsed(data), **options)
    return {family: tables["raw"] for family, tables in found.items() if "raw" in tables}


def test_both_address_families() -> None:
    expected = {**JUMPS, "l3-cthelper": ("-p tcp -m tcp --dport 21 -j CT --helper ftp", OF_TFTP)}
    assert raw(with_helpers(TFTP, FTP)) == {IPV4: expected, IPV6: expected}
    assert raw(with_helpers(FTP, TFTP)) == raw(with_helpers(TFTP, FTP))


def test_a_helper_that_the_kernel_has_for_ipv4_only() -> None:
    assert raw(with_helpers(IRC)) == {IPV4: {**JUMPS, "l3-cthelper": ("-p tcp -m tcp --dport 6667 -j CT --helper irc",)}}


@pytest.mark.parametrize(("protocol", "name"), [("tcp", "Q.931"), ("udp", "RAS")])
def test_a_helper_that_the_kernel_calls_otherwise(protocol: str, name: str) -> None:
    data = with_helpers({"protocol": protocol, "port": 1720, "helper": "h323"})
    assert raw(data)[IPV6]["l3-cthelper"] == (f"-p {protocol} -m {protocol} --dport 1720 -j CT --helper {name}",)
    assert gather_router("r1", converged(data))["conntrack_helpers"] == data["conntrack_helpers"]


def test_a_helper_that_the_kernel_has_not_is_a_problem_and_the_others_are_there() -> None:
    found = desired(with_helpers({"protocol": "tcp", "port": 10080, "helper": "amanda"}, TFTP))
    assert found.problems == ("conntrack_helpers[0]: the kernel has no helper amanda for tcp",)
    assert found.state.firewall == rule_sets(parsed(with_helpers(TFTP)))


@pytest.mark.parametrize("data", [router(), with_helpers()])
def test_without_helpers_there_is_no_table_raw(data: dict[str, Any]) -> None:
    assert raw(data) == {}


def test_in_the_own_namespace_with_the_zone_and_for_the_devices_of_the_router_alone() -> None:
    """Only the first rule that gives a packet a zone or a helper holds."""
    tables = raw(with_helpers(TFTP), own_namespace=True)
    assert tables[IPV4]["l3-cthelper"] == tuple(f"-i {device} {OF_TFTP} --zone 65001" for device in ("qr-+", "qg-+"))
    zones = raw(router(), own_namespace=True)[IPV4]
    assert tables[IPV4] == {
        **zones,
        "l3-cthelper": tables[IPV4]["l3-cthelper"],
        "l3-PREROUTING": ("-j l3-cthelper", *zones["l3-PREROUTING"]),
    }
    without_zone = {**JUMPS, "l3-cthelper": tuple(f"-i {device} {OF_TFTP}" for device in ("qr-+", "qg-+"))}
    assert tables[IPV6] == without_zone
    assert raw(with_helpers(TFTP, gateway=None), own_namespace=True)[IPV4] == without_zone


@pytest.mark.parametrize("options", [{}, {"use_namespaces": False, "router_id": "r1"}])
def test_gathered(options: dict[str, Any]) -> None:
    found = gather_router("r1", converged(with_helpers(TFTP, {**IRC, "id": "h1"}), **options))
    assert found["conntrack_helpers"] == [IRC, TFTP]
    assert "conntrack_helpers" not in gather_router("r1", converged(router(), **options))


def steps(data: dict[str, Any], observed: RouterState = ABSENT) -> list[ChangeRules]:
    plan = planner().plan(desired(data), observed)
    return [operation for operation in plan.own if isinstance(operation, ChangeRules)]


def test_helpers_are_steps_of_their_own_that_may_fail() -> None:
    found = [(step.family, "--helper" in step.text, step.trouble) for step in steps(with_helpers(TFTP, IRC))]
    needs = "conntrack_helpers are not in place, which need the kernel modules"
    assert found == [
        (IPV4, False, ""),
        (IPV4, True, f"{needs} nf_conntrack_irc, nf_conntrack_tftp"),
        (IPV6, False, ""),
        (IPV6, True, f"{needs} nf_conntrack_tftp"),
    ]


def test_one_helper_more_is_one_step_for_each_family() -> None:
    before = converged(with_helpers(TFTP))
    assert [step.actions for step in steps(with_helpers(TFTP, FTP), before)] == [
        (f"rule added to chain l3-cthelper of table raw{family}: -p tcp -m tcp --dport 21 -j CT --helper ftp",)
        for family in ("", " (IPv6)")
    ]
    assert all(step.trouble for step in steps(with_helpers(TFTP, FTP), before))


def test_helpers_go_without_a_trace_and_that_cannot_fail() -> None:
    found = steps(router(), converged(with_helpers(TFTP)))
    assert [(step.family, step.trouble) for step in found] == [(IPV4, ""), (IPV6, "")]
    assert "-X l3-cthelper" in found[0].text


def test_rendered_has_them_in_one_file() -> None:
    (entry,) = rendered([with_helpers(TFTP)], Options("bridge"), BridgeDriver)["rendered"]
    assert entry["rules"]["iptables-restore"].count("COMMIT") == 3
    assert [command.split()[-2] for command in entry["commands"] if "restore" in command] == [
        "iptables-restore",
        "ip6tables-restore",
    ]


def test_a_router_that_lost_its_helpers_is_not_whole() -> None:
    whole = converged(with_helpers(TFTP))
    driver = BridgeDriver(Options("bridge"), node())
    assert why_not_whole(whole, driver) is None
    tables = whole.firewall[IPV4]
    flushed = {**tables, "raw": {**tables["raw"], "l3-cthelper": ()}}
    assert why_not_whole(replace(whole, firewall={IPV4: flushed}), driver) == "rules of its table raw are gone"


PLACE = "routers[0].conntrack_helpers"
NAMES = "amanda, ftp, h323, irc, netbios-ns, pptp, sane, sip, snmp, tftp"


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"protocol": "icmp"}, [f"{PLACE}[0].protocol: 'icmp' is not tcp or udp"]),
        ({"protocol": 17}, [f"{PLACE}[0].protocol: 17 is not tcp or udp"]),
        ({"port": 0}, [f"{PLACE}[0].port: 0 is not a port (a number from 1 to 65535)"]),
        ({"port": 65536}, [f"{PLACE}[0].port: 65536 is not a port (a number from 1 to 65535)"]),
        ({"port": True}, [f"{PLACE}[0].port: True is not a port (a number from 1 to 65535)"]),
        ({"port": "69"}, [f"{PLACE}[0].port: '69' is not a port (a number from 1 to 65535)"]),
        ({"helper": "x -j DROP"}, [f"{PLACE}[0].helper: 'x -j DROP' is not a helper of connection tracking ({NAMES})"]),
        ({"port": None}, [f"{PLACE}[0].port: is required"]),
        ({"ports": 1}, [f"{PLACE}[0]: unknown key 'ports' (known are helper, id, port, protocol)"]),
    ],
)
def test_errors(changes: Helper, errors: list[str]) -> None:
    (rejected,) = check_routers([with_helpers({**TFTP, **changes})]).rejected
    assert list(rejected.errors) == errors


def test_a_helper_is_there_once() -> None:
    (rejected,) = check_routers([with_helpers(TFTP, TFTP)]).rejected
    assert rejected.errors == (f"{PLACE}[1]: udp port 69 has the helper tftp already",)
    assert not check_routers([with_helpers({**TFTP, "port": 70}, TFTP)]).rejected


def test_ids_are_for_one_helper() -> None:
    both = [{"id": router_id, "conntrack_helpers": [{**TFTP, "id": "h"}]} for router_id in ("r1", "r2")]
    places = [f"routers[{number}].conntrack_helpers[0].id" for number in (0, 1)]
    assert [rejected.errors for rejected in check_routers(both).rejected] == [
        (f"{place}: conntrack helper id h is claimed by {other} too",) for place, other in (places, places[::-1])
    ]
