# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others put on the node, in names, marks, comments and files, is not executed and not taken for ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox import Node, OpenVSwitch
from sandbox.engine import run_engine

from ..kernel_state import differences, snapshot
from ..routers import router, small_router

NAMESPACES = [
    "qrouter-$(touch owned)",
    "qrouter-a b",
    "qrouter-;reboot",
    "qrouter--x",
    "qrouter-a\nb",
    "qrouter-é",
    "qrouter-a#b",
]
ALIASES = [
    "netnode.l3/../x",
    "netnode.l3//x",
    "netnode.l3/a b/x",
    "netnode.l3/-x/",
    "netnode.l3/a\nb/",
    "netnode.l3/$(touch owned)/",
    "netnode.l3/gone/a b",
    "netnode.l3/gone/../..",
    "x\nnetnode.l3/gone/",
    "netnode.l3 /gone/",
    "netnode.l3/gone",
]


def device(node: Node, name: str, alias: str | None = None, kind: str = "bridge", namespace: str | None = None) -> None:
    """A device of any name, which a batch of ip could not make."""
    inside = ["-n", namespace] if namespace else []
    node.run("ip", *inside, "link", "add", "name", name, "type", kind)
    if alias is not None:
        node.run("ip", *inside, "link", "set", "dev", name, "alias", alias)


def converged(node: Node, *routers: dict[str, Any], **options: Any) -> dict[str, Any]:
    result = run_engine(node, list(routers), **options)
    assert "failed" not in result, result["msg"]
    return result


def test_names_of_namespaces(node: Node) -> None:
    for name in NAMESPACES:
        node.file("/run/netns/" + name).touch()
    converged(node, router())
    result = run_engine(node, [])
    assert [entry["id"] for entry in result["routers"]] == ["r1"]
    assert sorted(path.name for path in node.file("/run/netns").iterdir()) == sorted(NAMESPACES)


def test_marks_that_no_run_wrote(node: Node) -> None:
    for number, alias in enumerate(ALIASES):
        device(node, f"other{number}", alias)
    converged(node, router())
    assert sorted(converged(node)["node"]["actions"]) == ["bridge brqdb-network removed", "bridge brqweb-network removed"]
    links = node.run("ip", "-oneline", "link").stdout
    assert [n for n in range(len(ALIASES)) if f"other{n}:" not in links] == []


@pytest.mark.parametrize("name", ["a#b", "tap#x", "'a'", '"a', "a\\b", "$(id)", "-x", "é"])
def test_names_of_devices_that_ip_reads_in_another_way(node: Node, name: str) -> None:
    """The mark is that of a router that is gone. What is before the "#" must not go in its place."""
    device(node, "a")
    device(node, "tap")
    converged(node, router())
    device(node, name, "netnode.l3/gone/")
    before = snapshot(node)
    result = converged(node, router())
    assert not result["changed"]
    assert differences(before, snapshot(node)) == []


def test_names_of_devices_in_a_namespace(node: Node) -> None:
    converged(node, router())
    device(node, "qr-bbbb0000-we#", None, namespace="qrouter-r1")
    device(node, "qg-'x'", None, namespace="qrouter-r1")
    before = snapshot(node)
    result = converged(node, router())
    assert result["routers"][0] == {
        "id": "r1",
        "changed": False,
        "actions": [],
        "foreign": ["device qg-'x'", "device qr-bbbb0000-we#"],
    }
    assert differences(before, snapshot(node)) == []


def test_a_bridge_of_ours_with_another_name_stays(node: Node) -> None:
    device(node, "br-a")
    device(node, "br-a#x", "netnode.l3")
    assert not converged(node)["changed"]
    assert "br-a:" in node.run("ip", "-oneline", "link").stdout


INJECTIONS = {
    "a line": "x\n-A POSTROUTING -j l3-snat\ny",
    "our chain": "x\n-A l3-snat -j ACCEPT\n:l3-evil - [0:0]",
    "the end": "x\nCOMMIT\n*filter\n:l3-evil - [0:0]\nCOMMIT\n*nat",
    "a command": "x\n-F\n-P FORWARD DROP\n-X",
    "quotes": 'a "quoted\\" text -j l3-snat',
    "a separator": "a\u2028-A POSTROUTING -j l3-snat\x0c-A l3-snat -j DROP\x85:l3-evil - [0:0]",
    "a jump": "x -j l3-snat",
    "a shell": "$(touch /run/owned); `touch /run/owned` | touch /run/owned",
}


@pytest.mark.parametrize("comment", INJECTIONS)
def test_comments_in_firewall_rules(node: Node, comment: str) -> None:
    """They are text, of which lines could be made where they are read, and where they are written to delete a jump of ours."""
    converged(node, router())
    before = snapshot(node)
    rules = [
        ("POSTROUTING", "-s", source, "-m", "comment", "--comment", INJECTIONS[comment]) for source in ("192.0.2.1", "192.0.2.2")
    ]
    foreign = [rules[0], (*rules[1], "-j", "ACCEPT")]
    jump = (*rules[0], "-j", "l3-snat")
    change_rules(node, "-I", foreign)
    change_rules(node, "-A", foreign)
    result = predicted_and_done(node)
    assert result["actions"] == ["rules of chain POSTROUTING of table nat put in order"]
    assert [source for source in ("192.0.2.1", "192.0.2.2") if str(result["foreign"]).count(source) != 2] == []
    change_rules(node, "-I", [jump])
    change_rules(node, "-A", [jump])
    assert "rule removed from chain POSTROUTING" in str(predicted_and_done(node)["actions"])
    assert not converged(node, router())["changed"]
    change_rules(node, "-D", [*foreign, *foreign])
    assert differences(before, snapshot(node)) == []
    assert not node.file("/run/owned").exists()


def change_rules(node: Node, change: str, rules: Sequence[Sequence[str]]) -> None:
    for rule in rules:
        node.run("ip", "netns", "exec", "qrouter-r1", "iptables", "-t", "nat", change, *rule)


def predicted_and_done(node: Node) -> dict[str, Any]:
    predicted = run_engine(node, [router()], check=True)
    result = converged(node, router())
    assert result["routers"] == predicted["routers"]
    entry: dict[str, Any] = result["routers"][0]
    return entry


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "[" * 100_000,
        '{"format": 1, "namespaces": 7}',
        "\0" * 99,
        '{"namespaces": {"1": [1, "x", 7]}}',
        "OURS",
    ],
    ids=range(9),
)
def test_notes_of_known_rules(node: Node, text: str) -> None:
    for _time in range(2):
        converged(node, router())
    notes = node.file("/run/netnode-l3/known-rules.json")
    if text == "OURS":  # right, but for what they say is foreign
        found = json.loads(notes.read_text(encoding="ascii"))
        found["namespaces"] = {key: [*note[:2], {"a": 7}] for key, note in found["namespaces"].items()}
        text = json.dumps(found)
    notes.write_text(text, encoding="ascii")
    result = converged(node, router())
    assert (result["changed"], result["cost"]["commands"]) == (False, {"iptables-save": 1})


@pytest.mark.parametrize(
    "text", ["\0", "x" * 10_000, "bind", "    bind 0.0.0.0:9697 namespace ../.. name $(id)\n", "    uid " + "9" * 5000]
)
def test_a_configuration_of_the_metadata_proxy(node: Node, text: str) -> None:
    """Without a process that reads it, it is only in the way."""
    directory = node.file("/run/netnode-l3")
    directory.mkdir(exist_ok=True)
    (directory / "metadata-proxy.cfg").write_text(text, encoding="ascii")
    (directory / "metadata-proxy.pid").write_text(
        "1\n" if text == "\0" else "-1" if text == "bind" else "9" * 5000, encoding="ascii"
    )
    result = run_engine(node, [router()], metadata_upstream="unix:/run/nothing")
    assert "failed" not in result, result["msg"]
    assert "name $(id)" not in (directory / "metadata-proxy.cfg").read_text(encoding="ascii")


def test_external_ids_and_names_of_ports_of_open_vswitch(node: Node) -> None:
    switch = OpenVSwitch(node)
    switch.add_bridge("br-ovs")
    options = {"interface_driver": "openvswitch", "external_network_bridge": "br-ovs", "integration_bridge": "br-ovs"}
    for number, mark in enumerate(ALIASES):
        text = json.dumps(mark, ensure_ascii=False)
        node.run("ovs-vsctl", "--no-wait", "add-port", "br-ovs", f"other{number}", "--", "set", "Interface", f"other{number}",
                 "type=internal", f"external_ids:netnode-l3={text}")  # fmt: skip
    before = node.run("ovs-vsctl", "list-ports", "br-ovs").stdout.split()
    converged(node, small_router(1), **options)
    converged(node, **options)
    assert node.run("ovs-vsctl", "list-ports", "br-ovs").stdout.split() == before


def test_no_shell_is_ever_started(node: Node) -> None:
    """The engine starts processes in one place, by a list of arguments."""
    engine = Path(__file__).parents[2] / "plugins"
    for file in engine.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        assert not [word for word in ("shell=True", "os.system", "popen(", "getoutput", "os.exec", "os.spawn") if word in text], (
            file
        )
        assert "subprocess" not in text or file.name == "command.py", file
