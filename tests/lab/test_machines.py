# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The machines of the lab are real ones, beside the host's own network, and nothing of them is left."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from lab import Lab, TenantMachine, control_groups
from lab.plan import CHECKOUT, EXTERNAL_NETWORK, MACHINES

from .nodes import VARIABLES, converge_well, pings


def of_host() -> list[str]:
    """What the host has that a lab could leave something in."""
    commands = ("ip -oneline link", "ip route", "mount", "ls /run/netns /run/systemd/nspawn", "nft list ruleset")
    said = [
        subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False).stdout for command in commands
    ]
    return [*said, *(str(group) for group in control_groups.of(DIRECTORY) if group.exists())]


DIRECTORY = CHECKOUT / ".cache" / "lab" / "another"


def test_nothing_is_used_of_the_host_and_nothing_is_left() -> None:
    before = of_host()
    with Lab(DIRECTORY) as lab:
        assert of_host()[:5] == before[:5]
        (first,) = (int(pid) for pid in lab.in_network()[2:3])
        for machine in lab.machines.values():
            assert machine.run("cat /proc/1/comm").strip() == "systemd"
            assert machine.run("hostname").strip() == machine.name
    assert of_host() == before
    assert not DIRECTORY.exists()
    assert not Path(f"/proc/{first}").exists()


def test_labs_of_two_checkouts_do_not_touch_each_other(lab: Lab, tmp_path: Path) -> None:
    boots = {name: machine.boot_id() for name, machine in lab.machines.items()}
    with Lab(tmp_path / lab.directory.name) as other:
        other.machines["node1"].reboot()
    assert {name: machine.boot_id() for name, machine in lab.machines.items()} == boots


def test_machines_are_joined_by_three_networks(lab: Lab) -> None:
    node, outside = lab.nodes[0], lab.machines["outside"]
    assert {link.split("@")[0] for link in node.run("ip -brief link").split() if "@" in link} == {"mg0", "tn0", "ex0"}
    for number in MACHINES.values():
        node.run(f"ping -c 1 -W 2 192.0.2.{number}")
    for name, own in (("node1", "10.9.0.1"), ("node2", "10.9.0.2")):
        lab.machines[name].run(f"ip address add {own}/24 dev br-tenants")
    node.run("ping -c 1 -W 2 10.9.0.2")
    assert outside.run("ip -brief address show ex0").split()[2:4] == list(EXTERNAL_NETWORK)
    for name, own in (("node1", "10.9.0.1"), ("node2", "10.9.0.2")):
        lab.machines[name].run(f"ip address delete {own}/24 dev br-tenants")


def test_only_the_keys_of_the_run_let_in(lab: Lab, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    options = ["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", str(tmp_path / "key"), "-F", "none"]
    options += ["-o", f"UserKnownHostsFile={lab.directory}/known_hosts", "-o", "HostKeyAlias=lab", "root@192.0.2.11", "true"]
    refused = subprocess.run(lab.in_network("ssh", *options), capture_output=True, text=True, check=False)
    assert refused.returncode == 255
    assert "Permission denied" in refused.stderr
    assert lab.nodes[0].run("id -un").strip() == "root"


def test_a_boot_begins_with_nothing_but_what_is_on_the_disk(lab: Lab) -> None:
    node = lab.machines["outside"]
    for boot in (node.reboot, node.cut_power):
        node.run("ip link add left type bridge; ip netns add left; touch /run/left; echo kept > /root/kept; sync")
        boot()
        assert node.run("cat /root/kept; ls -d /run/left /run/netns/left; ip -brief link show left", check=False) == "kept\n"


def test_the_routers_to_begin_with_lead_to_machines_of_tenants(prepared: Lab) -> None:
    begun = yaml.safe_load((CHECKOUT / "lab" / "routers.yml").read_text(encoding="utf-8"))["network_nodes"]
    assert begun["vars"].items() <= VARIABLES.items()
    converge_well(prepared, {name: host["l3_sync_routers"] for name, host in begun["hosts"].items()})
    for node, own, router, floating in (
        ("node1", "10.1.0.5", "10.1.0.1", "203.0.113.31"),
        ("node2", "10.2.0.5", "10.2.0.1", "203.0.113.41"),
    ):
        with TenantMachine(prepared, "web", [(f"{own}/24", router)]):
            prepared.machines[node].wait_until(f"leads to {floating}", lambda floating=floating: pings(prepared, floating))
    converge_well(prepared, {"node1": [], "node2": []})
