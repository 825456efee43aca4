# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From any state to any state: as predicted, and as if built on an empty node, also when a run was killed in between.

The states are random, the same ones each time; ``make any-state`` has new ones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from sandbox import Node, OpenVSwitch
from sandbox.engine import How, Killed, run_engine

from ..gathered import comparable, expected
from ..kernel_state import differences, empty, settle, snapshot
from ..router_states import Router, states

STEPS = 6  # from one state to the next, in each walk
TAGS = {"network-000-a": 1, "network-00": 2, "n": 3}
PORTS = ("--columns=name,tag list Port", "--columns=name,external_ids list Interface")
WALKS = int(os.environ.get("ANY_STATE_WALKS", "0"))
SETTINGS = settings(
    max_examples=WALKS or 8,
    derandomize=not WALKS,
    phases=[Phase.generate, Phase.shrink] if WALKS else [Phase.generate],  # to shrink takes minutes
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Step:
    """What a node is to be next. ``killed``: how many steps towards it a run does before that is killed."""

    routers: list[Router]
    metadata: bool
    clamping: bool
    firewall_driver: str
    ipv6_gateway: str | None
    killed: int | None

    def options(self, driver: str) -> dict[str, Any]:
        limit = {"base_query_rate_limit": len(self.routers)} if self.metadata and self.routers else None
        return {
            "interface_driver": driver,
            "vlan_tags": TAGS,
            "metadata_upstream": "127.0.0.1:80" if self.metadata else None,
            "metadata_rate_limit": limit,
            "clamp_mss_to_pmtu": self.clamping,
            "firewall_driver": self.firewall_driver,
            "ipv6_gateway": self.ipv6_gateway,
        }


STEP = st.builds(
    Step,
    states(),
    st.sampled_from([False, False, False, False, True]),
    st.booleans(),
    st.sampled_from(["iptables", "nftables"]),
    st.sampled_from([None, "fe80::2"]),
    st.one_of(st.none(), st.none(), st.integers(0, 120)),
)


@dataclass(frozen=True)
class Nodes:
    """A node that goes from state to state, and one on which each state is built anew."""

    walking: Node
    fresh: Node
    driver: str


@pytest.fixture(scope="module", params=["bridge", "openvswitch"])
def nodes(request: pytest.FixtureRequest) -> Iterator[Nodes]:
    with Node("walking") as walking, Node("fresh") as fresh:
        for node in (walking, fresh):
            if request.param == "openvswitch":
                switch = OpenVSwitch(node)
                switch.add_bridge("br-ex")
                switch.add_bridge("br-int")
            else:
                node.add_bridge("br-ex")
        yield Nodes(walking, fresh, request.param)


@SETTINGS
@given(st.lists(STEP, min_size=STEPS, max_size=STEPS))
def test_from_any_state_to_any_state(nodes: Nodes, walk: list[Step]) -> None:
    empty(nodes.walking)
    for number, step in enumerate(walk):
        note(f"step {number}")
        options = step.options(nodes.driver)
        take(nodes.walking, step, options)
        empty(nodes.fresh)
        built = run_engine(nodes.fresh, step.routers, **options)
        assert "failed" not in built, built["msg"]
        compare(nodes, step)


def take(node: Node, step: Step, options: dict[str, Any]) -> None:
    """Converge, as check mode has said, and then there is nothing more to do."""
    predicted = run_engine(node, step.routers, check=True, diff=True, **options)
    if step.killed is not None:
        with suppress(Killed):  # or it has fewer steps
            run_engine(node, step.routers, how=How(end_before=step.killed), **options)
        settle(node)
        predicted = run_engine(node, step.routers, check=True, diff=True, **options)
    done = run_engine(node, step.routers, diff=True, **options)
    assert "failed" not in done, done["msg"]
    assert (done["routers"], done["node"], done["diff"]) == (predicted["routers"], predicted["node"], predicted["diff"])
    assert actions(run_engine(node, step.routers, **options)) == []


def actions(result: dict[str, Any]) -> list[str]:
    return [action for entry in (*result["routers"], result["node"]) for action in entry["actions"]]


def compare(nodes: Nodes, step: Step) -> None:
    """The kernel has what it has on the node where nothing was before, and gives the data back."""
    walking, fresh = nodes.walking, nodes.fresh
    assert differences(asked_for(snapshot(fresh), step), asked_for(snapshot(walking), step)) == []
    assert configuration(fresh) == configuration(walking)
    gathered = run_engine(walking, None, "gathered", interface_driver=nodes.driver)["gathered"]
    assert comparable(gathered, step.routers) == expected(step.routers, step.ipv6_gateway)
    to_do = actions(run_engine(walking, gathered, check=True, **step.options(nodes.driver)))
    assert sorted(to_do) == (compare_switches(nodes, step, gathered) if nodes.driver == "openvswitch" else [])


def configuration(node: Node) -> str | None:
    """What the metadata proxy was told."""
    file = node.file("/run/netnode-l3/metadata-proxy.cfg")
    return file.read_text(encoding="utf-8") if file.exists() else None


def compare_switches(nodes: Nodes, step: Step, gathered: list[Router]) -> list[str]:
    """What Open vSwitch is told of our ports. What it is still to be told when MAC addresses are asked for that were not."""
    built, ports = switch_ports(nodes.fresh), switch_ports(nodes.walking)
    unasked = {port["id"][:11] for port in ports_of(step.routers) if "mac_address" not in port}
    present = {port["id"][:11]: port["mac_address"] for port in ports_of(gathered)}
    untold = []
    for name, (_tag, ids) in ports.items():
        port, told = name[3:], ids.get("attached-mac")
        if port in unasked:  # told once, it is still true
            assert built[name][1].get("attached-mac") is None
            assert ids.pop("attached-mac", present[port]) == present[port]
        if told is None:
            untold.append(f"external ids of port {name} set: attached-mac={present[port]}")
    assert ports == built
    return sorted(untold)


def switch_ports(node: Node) -> dict[str, tuple[Any, dict[str, str]]]:
    """Our ports in the database of Open vSwitch: name -> tag and external ids."""
    texts = [node.run("ovs-vsctl", "--format=json", *columns.split()).stdout for columns in PORTS]
    tags, external_ids = (dict(json.loads(text)["data"]) for text in texts)
    return {name: (tag, dict(external_ids[name][1])) for name, tag in tags.items() if name.startswith(("qr-", "qg-"))}


def ports_of(routers: list[Router]) -> list[dict[str, Any]]:
    return [p for router in routers for p in (*router["interfaces"], *([router["gateway"]] if "gateway" in router else []))]


def asked_for(state: dict[str, Any], step: Step) -> dict[str, Any]:
    """A snapshot without the MAC addresses and MTUs that the data leaves to the kernel."""
    left = {port["id"][:11]: [key for key in ("mac_address", "mtu") if key not in port] for port in ports_of(step.routers)}
    for namespace in state.values():
        namespace["links"] = [link for link in namespace["links"] if not link["ifname"].startswith("ovs")]
        for link in namespace["links"]:
            keys = left.get(link["ifname"][3:], ())
            if "mac_address" in keys:
                link.pop("address", None)
            if "mtu" in keys or link["ifname"].startswith("br"):
                link.pop("mtu")
    return state
