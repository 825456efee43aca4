# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the L3 agent made of a router's rules is replaced by ours, and outside of routers' namespaces left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.firewall import firewall_from
from ansible_collections.netnode.l3.plugins.module_utils.firewall.iptables_rules import with_jumps
from ansible_collections.netnode.l3.plugins.module_utils.firewall.iptables_save import (
    describe_changes,
    differing_chains,
    is_ours,
    parse_save,
    restore_text,
    without_agents,
)
from ansible_collections.netnode.l3.plugins.module_utils.state import IPV4, IPV6, Tables

from .engine_objects import parsed, rule_sets
from .test_rule_set_restores import Kernel

AGENT_BUILT = Path(__file__).parents[1] / "data" / "agent-built"
TEXTS = {IPV4: AGENT_BUILT / "iptables-save.txt", IPV6: AGENT_BUILT / "ip6tables-save.txt"}
# The router of that record, as far as rules are concerned.
DESIRED = rule_sets(
    parsed(
        {
            "id": "golden",
            "gateway": {"id": "e0e0e0e0-0000-4000-8000-000000000001", "addresses": ["203.0.113.10/24"]},
            "floating_ips": [
                {"floating_ip_address": "203.0.113.101", "fixed_ip_address": "10.20.1.50"},
                {"floating_ip_address": "203.0.113.102", "fixed_ip_address": "10.20.2.50"},
            ],
        }
    ),
    9697,
)


def saved(family: int) -> str:
    return TEXTS[family].read_text(encoding="ascii")


def by_table(text: str) -> dict[str, list[str]]:
    """The lines of a restore text, each table once."""
    tables: dict[str, list[str]] = {}
    for part in text.split("COMMIT\n")[:-1]:
        heading, *lines = part.splitlines()
        table = heading[1:]
        assert heading.startswith("*") and table not in tables
        tables[table] = lines
    assert text.endswith("COMMIT\n")
    return tables


@pytest.mark.parametrize(
    ("chain", "ours"),
    [
        ("l3-PREROUTING", True),
        ("l3-", True),
        ("neutron-l3-agent-PREROUTING", True),
        ("neutron-l3-agent-float-snat", True),
        ("neutron-filter-top", True),
        ("neutron-postrouting-bottom", True),
        ("neutron-l3-agent", False),
        ("neutron-openvswi-FORWARD", False),
        ("neutron-linuxbri-INPUT", False),
        ("neutron-metering-FORWARD", False),
        ("neutron-vpn-agen-POSTROUTING", False),
        ("neutron-", False),
        ("PREROUTING", False),
        ("DOCKER-l3-", False),
        ("xneutron-filter-top", False),
    ],
)
def test_which_chains_are_ours_to_replace(chain: str, ours: bool) -> None:
    assert is_ours(chain) is ours


@pytest.mark.parametrize("family", TEXTS)
def test_nothing_that_the_agent_made_is_foreign(family: int) -> None:
    assert parse_save(saved(family)).foreign == ()


@pytest.mark.parametrize("family", TEXTS)
@pytest.mark.parametrize("table", ["mangle", "raw", "filter", "nat"])
def test_one_text_per_table_removes_jumps_and_chains_of_the_agents(family: int, table: str) -> None:
    before, lines = by_table(saved(family))[table], by_table(restore_text(DESIRED[family], parse_save(saved(family)).ours))[table]

    def of(command: str) -> list[str]:
        return sorted(line[3:] for line in lines if line.startswith(command + " "))

    chains = sorted(line[1:].split(" ")[0] for line in before if line.startswith(":neutron-"))
    assert of("-D") == sorted(line[3:] for line in before if line.startswith("-A ") and not line.startswith("-A neutron-"))
    assert of("-F") == of("-X") == chains
    # A chain can be deleted once it is empty and nothing jumps to it any more.
    order = [line[:2] for line in lines if line[:2] in ("-D", "-F", "-X")]
    assert order == sorted(order)


def test_ours_are_added_in_the_same_text() -> None:
    tables = by_table(restore_text(DESIRED[IPV4], parse_save(saved(IPV4)).ours))
    for table, lines in tables.items():
        wanted = DESIRED[IPV4].get(table, {})
        assert [line for line in lines if line.startswith(":")] == [
            f":{c} - [0:0]" for c in sorted(wanted) if c.startswith("l3-")
        ]
        added = [line for line in lines if line.startswith("-I")]
        assert added == [f"-I {chain} 1 -j l3-{chain}" for chain in sorted(wanted) if not chain.startswith("l3-")]
    assert set(tables) == {"mangle", "raw", "filter", "nat"} > set(DESIRED[IPV4]) == {"filter", "nat"}


def test_of_ipv6_nothing_is_added() -> None:
    text = restore_text(DESIRED[IPV6], parse_save(saved(IPV6)).ours)
    assert not [line for line in text.splitlines() if line.startswith(("-A", "-I", ":"))]


@pytest.mark.parametrize("family", TEXTS)
def test_once_applied_nothing_of_the_agents_is_left_and_nothing_of_ours_is_missing(family: int) -> None:
    kernel = Kernel(BUILT_IN)
    load(kernel, saved(family))
    kernel.restore(restore_text(DESIRED[family], parse_save(kernel.save()).ours))
    after = parse_save(kernel.save())
    assert (differing_chains(DESIRED[family], after.ours), after.foreign) == ({}, ())
    assert "neutron" not in kernel.save()


BUILT_IN = {
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "raw": ("PREROUTING", "OUTPUT"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
}


def load(kernel: Kernel, text: str) -> None:
    """Have the kernel print this."""
    for table, lines in by_table(text).items():
        for line in lines:
            if line.startswith(":"):
                kernel.rules[table].setdefault(line[1:].split(" ")[0], [])
            else:
                chain, rule = line[3:].split(" ", 1)
                kernel.rules[table][chain].append(rule)


def test_what_changes_is_told_of_both() -> None:
    told = describe_changes(DESIRED[IPV4], parse_save(saved(IPV4)).ours)
    assert "chain neutron-l3-agent-snat of table nat removed" in told
    assert "chain neutron-filter-top of table filter removed" in told
    assert "rule removed from chain POSTROUTING of table nat: -j neutron-postrouting-bottom" in told
    assert "rule added to chain POSTROUTING of table nat: -j l3-POSTROUTING" in told
    assert "chain l3-snat of table nat created with 3 rules" in told
    assert len(told) == len(set(told))


def test_what_the_agent_translates_is_read_as_if_it_were_ours() -> None:
    """So that connections of what stays go on, and connections of what goes end."""
    agents = {IPV4: parse_save(saved(IPV4)).ours}
    assert firewall_from(agents).floating_ips == firewall_from(DESIRED).floating_ips
    assert firewall_from(agents).source_nat_address == firewall_from(DESIRED).source_nat_address == "203.0.113.10"


def test_where_both_are_there_ours_count() -> None:
    both: dict[int, Tables] = {
        IPV4: {"nat": {**parse_save(saved(IPV4)).ours["nat"], **with_jumps({"l3-PREROUTING": (OTHER,), "l3-snat": ()})}}
    }
    assert firewall_from(both).floating_ips == {"203.0.113.101": "10.20.1.99"}


OTHER = "-d 203.0.113.101/32 -j DNAT --to-destination 10.20.1.99"
OWN = """\
*nat
:PREROUTING ACCEPT [0:0]
:l3-PREROUTING - [0:0]
:neutron-l3-agent-PREROUTING - [0:0]
-A PREROUTING -j neutron-l3-agent-PREROUTING
-A PREROUTING -j neutron-openvswi-PREROUTING
-A PREROUTING -j l3-PREROUTING
-A neutron-l3-agent-PREROUTING -j ACCEPT
-A l3-PREROUTING -i qg-a -j ACCEPT
COMMIT
"""


def test_outside_of_routers_namespaces_neutrons_agents_are_not_seen() -> None:
    assert without_agents(OWN) == (
        "*nat\n:PREROUTING ACCEPT [0:0]\n:l3-PREROUTING - [0:0]\n-A PREROUTING -j l3-PREROUTING\n"
        "-A l3-PREROUTING -i qg-a -j ACCEPT\nCOMMIT\n"
    )
    wanted = {"nat": with_jumps({"l3-PREROUTING": ("-i qg-a -j ACCEPT",)})}
    assert differing_chains(wanted, parse_save(without_agents(OWN)).ours) == {}


@pytest.mark.parametrize(
    "line",
    [
        ":neutron-filter-top - [0:0]",
        ":neutron-openvswi-INPUT - [0:0]",
        "-A neutron-openvswi-INPUT -j DROP",
        "-A neutron-l3-agent-INPUT -i qg-a -j l3-INPUT",
        "-A INPUT -j neutron-openvswi-INPUT",
        "-A INPUT -g neutron-openvswi-INPUT",
        '-A FORWARD -i qg-neutron-gw -m comment --comment "of mine" -j neutron-filter-top',
    ],
)
def test_what_is_of_neutrons_agents_is_left_out(line: str) -> None:
    assert without_agents(f"*filter\n{line}\nCOMMIT\n") == "*filter\nCOMMIT\n"


@pytest.mark.parametrize(
    "line",
    [
        "-A l3-INPUT -i qg-neutron-gw -j DROP",
        "-A l3-INPUT ! -o qg-neutron-gw -j ACCEPT",
        "-A INPUT -i neutron-gw -j ACCEPT",
        "-A INPUT -i neutron-gw -j l3-INPUT",
        "-A INPUT -m set --match-set neutron-hosts src -j DROP",
        '-A INPUT -m comment --comment "see neutron-gw" -j DROP',
        '-A INPUT -m comment --comment "before -j neutron-filter-top" -j DROP',
        '-A INPUT -j LOG --log-prefix "before -j neutron-filter-top"',
        "-A INPUT -j my-neutron-chain",
        "-A my-neutron-chain -j DROP",
        ":my-neutron-chain - [0:0]",
        ":neutron - [0:0]",
        ":neutrons - [0:0]",
        "-A INPUT -j neutron",
    ],
)
def test_what_only_has_neutron_in_its_name_stays(line: str) -> None:
    """Devices, sets, comments, and chains of others: only chains and targets say what is of Neutron's agents."""
    text = f"*filter\n{line}\nCOMMIT\n"
    assert without_agents(text) == text


@pytest.mark.parametrize("text", ["", "*nat\nCOMMIT\n", "*nat\n-A PREROUTING -j l3-PREROUTING\nCOMMIT", "# no newline"])
def test_without_agents_there_is_nothing_to_leave_out(text: str) -> None:
    assert without_agents(text) == text
