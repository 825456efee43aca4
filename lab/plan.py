# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which machines and networks there are, and where things are on them."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
IMAGE = CHECKOUT / ".cache" / "lab" / "image"  # the tree that machines are made of, by tools/prepare-lab

NODES = ("node1", "node2")
OUTSIDE = "outside"
MACHINES = {"node1": 11, "node2": 12, OUTSIDE: 13}  # name -> last byte of its management address

# Bridge of the lab -> the device by which a machine is on it. The bridges of tenants and outside have no addresses of nodes.
NETWORKS = {"br-mg": "mg0", "br-tn": "tn0", "br-ex": "ex0"}
CONTROLLER = "192.0.2.1/24"
EXTERNAL_NETWORK = ("203.0.113.1/16", "2001:db8:e::1/64")  # the addresses of the host outside, which routers have as gateway
TENANT_BRIDGE = "br-tenants"  # on the nodes, with tn0


def management_address(machine: str) -> str:
    """The address by which the controller reaches a machine."""
    return f"192.0.2.{MACHINES[machine]}"
