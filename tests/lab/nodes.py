# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nodes of the lab, converged by the playbook over ssh, and the routers that the tests give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab import Lab, Machine, TenantMachine
from lab.plan import TENANT_BRIDGE
from sandbox.playbook import Play, run_on_hosts

Router = dict[str, Any]
METADATA = "192.0.2.13:8775"  # on the host outside
VARIABLES = {
    "l3_sync_interface_driver": "bridge",
    "l3_sync_internal_bridge": TENANT_BRIDGE,
    "network_node_external_bridge": "br-ex",
    "l3_sync_max_deletions": "100%",
}


def router(number: int, **changes: Any) -> Router:
    """A router with a network of its own, and a floating IP of the machine there."""
    return {
        "id": f"router-{number}",
        "gateway": {
            "id": f"{number:04}gw-port",
            "network_id": "external",
            "addresses": [f"203.0.{number}.10/16"],
            "gateway_ips": ["203.0.113.1"],
        },
        "interfaces": [{"id": f"{number:04}in-port", "network_id": f"network-{number}", "addresses": [f"10.0.{number}.1/24"]}],
        "floating_ips": [{"floating_ip_address": floating_ip(number), "fixed_ip_address": f"10.0.{number}.5"}],
        **changes,
    }


def advertising(number: int) -> Router:
    """Such a router with a network of IPv6, which it advertises."""
    data = router(number)
    prefix = f"2001:db8:{number}::"
    data["interfaces"][0]["addresses"].append(f"{prefix}1/64")
    data["interfaces"][0]["subnets"] = [{"cidr": f"{prefix}/64", "ipv6_ra_mode": "slaac"}]
    return data


def floating_ip(number: int) -> str:
    return f"203.0.{number}.20"


@contextmanager
def machine_of(lab: Lab, *numbers: int) -> Iterator[TenantMachine]:
    """The machine behind the floating IPs of these routers."""
    with TenantMachine(lab, "tenant", [(f"10.0.{number}.5/24", f"10.0.{number}.1") for number in numbers]) as machine:
        yield machine


def converge(
    lab: Lab,
    routers: Mapping[str, Sequence[Router]],
    *arguments: str,
    playbook: str = "netnode.l3.sync",
    collections: Path | None = None,
    **more: Any,
) -> Play:
    """Run the playbook on the nodes that are named, with the routers of each. ``collections``: where another version of this one
    is installed; ``more``: variables of all.
    """
    hosts = {
        name: {
            **lab.variables,
            **VARIABLES,
            "ansible_ssh_common_args": f"-o ControlPath={lab.directory}/mux-%h -o ServerAliveInterval=1 -o ServerAliveCountMax=3",
            "l3_sync_routers": list(of_node),
            **more,
        }
        for name, of_node in routers.items()
    }
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(collections)} if collections is not None else {}
    return run_on_hosts(playbook, hosts, *arguments, environment=environment)


def pings(lab: Lab, address: str) -> bool:
    """Whether an echo comes back to the host outside."""
    return lab.machines["outside"].try_to_run(f"ping -c 1 -W 1 {address}").returncode == 0


def reaches(lab: Lab, node: Machine, number: int) -> None:
    """Wait until the machine behind a router's floating IP is reached from outside."""
    node.wait_until(f"leads to {floating_ip(number)}", lambda: pings(lab, floating_ip(number)))


def converge_well(lab: Lab, routers: Mapping[str, Sequence[Router]], **more: Any) -> Play:
    """The same, when nothing may fail."""
    play = converge(lab, routers, **more)
    assert play.status == 0, play.output
    return play


def wait_until_restored(node: Machine) -> None:
    """Wait until the node has done at boot what it does by itself."""
    node.wait_until("has done its work at boot", lambda: unit(node, "netnode-l3-restore")["ActiveState"] in ("active", "failed"))


def unit(node: Machine, name: str) -> dict[str, str]:
    """What systemd says of a unit."""
    return dict(line.split("=", 1) for line in node.run(f"systemctl show {name}").splitlines() if "=" in line)


def journal(node: Machine, name: str) -> str:
    """What a unit has said since the boot."""
    return node.run(f"journalctl --boot --no-pager --output=cat --unit {name}")


def routers_on(node: Machine) -> set[str]:
    """The routers that have a namespace there."""
    return {name for name in node.run("ls /run/netns 2>/dev/null", check=False).split() if name.startswith("qrouter-")}


def state_of(node: Machine) -> str:
    """What a node's routers are, in the kernel's words, without what another boot has otherwise."""
    return node.run(f"{_STATE}true")


_STATE = r"""
for file in /run/netns/*; do
    [ -e "$file" ] || continue
    echo "$file"
    nsenter --net=$file sh -c '
        ip -oneline address | sed "s/^[0-9]*: //"
        ip route show table all; ip -6 route show table all | grep -v fe80
        iptables-save; ip6tables-save
        sysctl net.ipv4.ip_forward net.ipv4.conf.all.arp_ignore' |
        grep -v '^#' | sed 's/\[[0-9:]*\]//' | grep -v fe80
done
ip link show br-ex 2>/dev/null | grep -o "alias.*"
"""
