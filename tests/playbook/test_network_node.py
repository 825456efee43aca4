# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role network_node: one look at a node that is in order, and nothing of what differs escapes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import Node, run_playbook
from sandbox.playbook import Play

MODULES, SYSCTLS = "/etc/modules-load.d/netnode-l3.conf", "/etc/sysctl.d/60-netnode-l3.conf"
L3NODE, SAVED = "/usr/local/sbin/l3node", "/var/lib/netnode-l3"
RESTORE = "/etc/systemd/system/netnode-l3-restore.service"
WANTS = "/etc/systemd/system/multi-user.target.wants"
METADATA = {"l3_sync_metadata_upstream": "unix:/run/metadata"}
UNITS = (
    ("netnode-l3-metadata.service", "s/on-failure/always/", "+Restart=on-failure"),
    ("netnode-l3-restore.service", "s/RestartSec=2/RestartSec=3/", "+RestartSec=2"),
    (
        "netnode-l3-external-bridge.service",
        "s/br-made/br-other/",
        "+ExecStart=/bin/sh -c 'exec ip link add name br-made type bridge'",
    ),
)
PLAYBOOK = """
- hosts: network_nodes
  gather_facts: false
  roles: [netnode.l3.network_node]
"""
VARIABLES: dict[str, Any] = {
    "network_node_external_bridge": "br-made",
    "network_node_sysctls": {
        "net.ipv4.conf.default.rp_filter": 2,
        "net.ipv4.ip_local_port_range": "20000 60000",  # the kernel says it with a tab
        "net.none.such": 1,
    },
}


def prepare(node: Node, directory: Path, *arguments: str, **variables: Any) -> Play:
    playbook = directory / "prepare.yml"
    playbook.write_text(PLAYBOOK)
    return run_playbook(str(playbook), [node], *arguments, host_vars={node.name: {**VARIABLES, **variables}})


def tasks(play: Play) -> list[str]:
    """The names of the tasks that were begun; of those of a role without its name."""
    lines = [line for line in play.output.splitlines() if line.startswith("TASK [")]
    return [line.partition("[")[2].rpartition("]")[0].rpartition(" : ")[2] for line in lines]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with Node("prepared") as node:
        play = prepare(node, tmp_path_factory.mktemp("playbook"))
        assert play.status == 0, play.output
        yield node


def test_a_node_in_order_is_only_looked_at(prepared: Node, tmp_path: Path) -> None:
    for arguments in ((), ("--check",)):
        play = prepare(prepared, tmp_path, *arguments)
        assert (play.status, play.changed) == (0, {"prepared": 0}), play.output
        assert tasks(play)[1:] == ["Look whether the node is in order", "Put the node in order"], play.output
        assert "skipping: [prepared]" in play.output


# What is done to the node, what shows it, what the look says of it, and what the diff shows, where there is one. Each time it is
# done to all at once, since a run of the role takes its time: the look tells them apart.
DRIFTS = (
    (
        (f"echo net.core.somaxconn = 1 >> {SYSCTLS}", f"cat {SYSCTLS}", f"file {SYSCTLS}", "-net.core.somaxconn = 1"),
        (f"rm {MODULES}", f"cat {MODULES}", f"file {MODULES}", "+nf_conntrack"),
        ("chmod 0777 /etc/sysctl.d", "stat -c %a /etc/sysctl.d", "directory /etc/sysctl.d", '+    "mode": "0755"'),
        ("sysctl net.ipv4.conf.default.rp_filter=1", "sysctl net.ipv4.conf.default.rp_filter", "rp_filter = 1", ""),
        (f"chmod 0700 {L3NODE}", f"stat -c %a {L3NODE}", f"file {L3NODE}", ""),
        (f"chmod 0755 {SAVED}", f"stat -c %a {SAVED}", f"directory {SAVED}", '+    "mode": "0700"'),
        ("ip link delete br-made", "ip -brief link show br-made | cut -c 1-20", "bridge br-made", ""),
    ),
    (
        (f"chmod 0600 {SYSCTLS}", f"stat -c %a {SYSCTLS}", f"file {SYSCTLS}", '+    "mode": "0644"'),
        ("sysctl net.ipv4.ip_local_port_range='20000 50000'", "sysctl net.ipv4.ip_local_port_range", "20000 50000", ""),
        (f"echo >> {L3NODE}", f"sha256sum {L3NODE}", f"file {L3NODE}", ""),
        (f"rmdir {SAVED}", f"stat -c %a {SAVED}", f"directory {SAVED}", '+    "state": "directory"'),
    ),
)


@pytest.mark.parametrize("drifts", DRIFTS, ids=["one", "other"])
def test_what_differs_is_seen_by_check_mode_and_put_right(
    prepared: Node, tmp_path: Path, drifts: tuple[tuple[str, str, str, str], ...]
) -> None:
    def seen() -> list[str]:
        return [prepared.run("sh", "-c", show, check=False).stdout for _do, show, _look, _diff in drifts]

    before = seen()
    for do, *_others in drifts:
        prepared.run("sh", "-c", do)
    drifted = seen()
    assert all(old != new for old, new in zip(before, drifted, strict=True))
    predicted = prepare(prepared, tmp_path, "--check", "--diff", "-v")
    assert predicted.status == 0, predicted.output
    looked = next(line for line in predicted.output.splitlines() if '"stdout_lines"' in line)
    for _do, _show, look, diff in drifts:
        assert look in looked, (look, looked)
        assert diff in predicted.output
    assert predicted.changed["prepared"] >= 1
    assert seen() == drifted
    done = prepare(prepared, tmp_path)
    assert (done.status, seen()) == (0, before), done.output
    assert prepare(prepared, tmp_path, "--check").changed == {"prepared": 0}


def test_a_value_that_the_kernel_says_otherwise_is_set_once(prepared: Node, tmp_path: Path) -> None:
    rewritten = {"network_node_sysctls": {**VARIABLES["network_node_sysctls"], "net.ipv4.ip_local_reserved_ports": "8080,8081"}}
    assert prepare(prepared, tmp_path, **rewritten).changed == {"prepared": 2}  # the file and the value
    assert prepared.run("sysctl", "-n", "net.ipv4.ip_local_reserved_ports").stdout == "8080-8081\n"
    assert prepare(prepared, tmp_path, **rewritten).changed == {"prepared": 0}
    assert prepare(prepared, tmp_path).changed == {"prepared": 1}


def test_a_missing_command_is_seen_where_it_is_needed(prepared: Node, tmp_path: Path) -> None:
    def path(command: str) -> str:
        return prepared.run("sh", "-c", f"PATH=$PATH:/usr/sbin:/sbin command -v {command}").stdout.strip()

    def looked(**variables: Any) -> Play:
        return prepare(prepared, tmp_path, "--check", "-v", **variables)

    for command, needed in (("conntrack", {}), ("radvd", {"network_node_router_advertisements": True})):
        program = path(command)
        prepared.run("mount", "--bind", "/dev/null", program)
        try:
            assert "Install the packages of the missing commands" in tasks(looked(**needed))
            if needed:  # what is said on the command line, or in an inventory in INI, is text
                assert "in order" in looked(network_node_router_advertisements="false").output
        finally:
            prepared.run("umount", program)


def test_a_python_that_cannot_run_the_command_is_found_before_the_next_boot(prepared: Node, tmp_path: Path) -> None:
    prepared.run("rm", L3NODE)
    # Not the one that Ansible uses.
    prepared.run("install", "-D", "-m", "0755", "/dev/stdin", "/usr/local/bin/python3", text="#!/bin/sh\nexit 1\n")
    try:
        for arguments in (("--check",), ()):
            play = prepare(prepared, tmp_path, *arguments)
            assert play.status == 2, play.output
            assert "python3 of this node is not Python 3.8 or newer" in play.output
            assert not prepared.file(L3NODE).exists()
        without = prepare(prepared, tmp_path, network_node_restore_at_boot=False)
        assert without.status == 0, without.output
    finally:
        prepared.run("rm", "/usr/local/bin/python3")


def test_units_are_looked_at_where_there_is_systemd(prepared: Node, tmp_path: Path) -> None:
    assert len(tasks(prepare(prepared, tmp_path, **METADATA))) == 3
    prepared.run("mkdir", "-p", "/run/systemd/system")
    prepared.run("install", "-m", "0755", "/dev/stdin", "/usr/local/sbin/systemctl", text="#!/bin/sh\n")
    try:
        made = prepare(prepared, tmp_path, **METADATA)
        assert made.status == 0, made.output
        assert len(tasks(prepare(prepared, tmp_path, "--check", **METADATA))) == 3
        for unit, drift, _shown in UNITS:
            prepared.run("sed", "-i", drift, f"/etc/systemd/system/{unit}")
        prepared.run("rm", f"{WANTS}/netnode-l3-restore.service")
        predicted = prepare(prepared, tmp_path, "--check", "--diff", **METADATA)
        assert [shown for _unit, _drift, shown in UNITS if shown not in predicted.output] == [], predicted.output
        assert predicted.changed == {"prepared": 2}  # units, and what is started at boot
        assert prepare(prepared, tmp_path, **METADATA).changed == predicted.changed
        assert prepared.run("readlink", f"{WANTS}/netnode-l3-restore.service").stdout.strip() == RESTORE
        assert len(tasks(prepare(prepared, tmp_path, "--check", **METADATA))) == 3
        off = prepare(prepared, tmp_path, "--check", "-v", network_node_restore_at_boot="false", network_node_repair_interval=0)
        assert "unit netnode-l3-restore.service that is not wanted" in off.output, off.output
        assert "repair" not in off.output.partition("stdout_lines")[2].splitlines()[0], off.output
    finally:
        prepared.run("rm", "-r", "/run/systemd", "/usr/local/sbin/systemctl")


# One module is built in, one is loaded already, and the others are to be loaded.
MODPROBE = """#!/bin/sh
case $* in
    "--show-depends nf_nat_ftp") echo builtin nf_nat_ftp;;
    --show-depends*) echo insmod /lib/modules/x.ko;;
    "--dry-run nf_nat_sip"|nf_nat_sip) echo "modprobe: FATAL: Module nf_nat_sip not found" >&2; exit 1;;
    --dry-run*) ;;
    *) echo "$*" >> /run/loaded;;
esac
"""


def test_kernel_modules_of_helpers(prepared: Node, tmp_path: Path) -> None:
    helpers = {"network_node_conntrack_helpers": ["ftp", "tftp"]}
    program = prepared.run("readlink", "-f", "/usr/sbin/modprobe").stdout.strip()
    prepared.run("install", "-m", "0755", "/dev/stdin", "/run/modprobe", text=MODPROBE)
    prepared.run("mount", "--bind", "/run/modprobe", program)
    prepared.run("mount", "-t", "tmpfs", "tmpfs", "/sys/module")
    prepared.run("mkdir", "/sys/module/nf_conntrack_ftp")
    try:
        predicted = prepare(prepared, tmp_path, "--check", "--diff", **helpers)
        assert "+nf_nat_tftp" in predicted.output, predicted.output
        assert not prepared.file("/run/loaded").exists()
        done = prepare(prepared, tmp_path, **helpers)
        assert done.status == 0, done.output
        assert prepared.file("/run/loaded").read_text().split() == ["nf_nat_ftp", "nf_conntrack_tftp", "nf_nat_tftp"]
        assert prepared.file(MODULES).read_text().split() == [
            *("nf_conntrack", "nf_conntrack_ftp", "nf_nat_ftp", "nf_conntrack_tftp", "nf_nat_tftp")
        ]
        prepared.run("mkdir", "/sys/module/nf_conntrack_tftp", "/sys/module/nf_nat_tftp")
        again = prepare(prepared, tmp_path, **helpers)
        assert (again.changed, len(tasks(again))) == ({"prepared": 0}, 3), again.output
        more = {"network_node_conntrack_helpers": ["ftp", "tftp", "sip"]}
        lacking = prepare(prepared, tmp_path, **more)
        assert (lacking.status, lacking.changed) == (0, {"prepared": 2}), lacking.output  # the file and one of the two modules
        assert '"msg": "modprobe: FATAL: Module nf_nat_sip not found"' in lacking.output
        assert prepared.file("/run/loaded").read_text().split()[3:] == ["nf_nat_ftp", "nf_conntrack_sip"]
        assert prepare(prepared, tmp_path).changed == {"prepared": 1}  # the file, without them
    finally:
        prepared.run("umount", program)
        prepared.run("umount", "/sys/module")


def test_a_helper_that_is_none(prepared: Node, tmp_path: Path) -> None:
    play = prepare(prepared, tmp_path, network_node_conntrack_helpers=["gopher"])
    assert play.status != 0
    assert "gopher" in play.output


def test_without_kernel_parameters_and_bridge(tmp_path: Path) -> None:
    with Node("node") as node:
        nothing: dict[str, Any] = {"network_node_external_bridge": "", "network_node_sysctls": {}}
        first = prepare(node, tmp_path, **nothing)
        assert first.status == 0, first.output
        again = prepare(node, tmp_path, **nothing)
        assert (again.changed, len(tasks(again))) == ({"node": 0}, 3), again.output
