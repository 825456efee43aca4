# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upstream of metadata comes later than the routers at boot: what the last run saw of it is known then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import Lab, Machine

from .metadata import gets_metadata, start_upstream
from .nodes import METADATA, converge_well, machine_of, router, wait_until_restored

SOCKET = "/run/metadata_proxy"


@pytest.fixture
def node(prepared: Lab) -> Iterator[Machine]:
    yield prepared.machines["node2"]
    for name in ("node2", "outside"):
        prepared.machines[name].run("systemctl stop upstream", check=False)
    converge_well(prepared, {"node2": []})


def wait_until_served(prepared: Lab, node: Machine) -> None:
    with machine_of(prepared, 3) as tenant:
        node.wait_until("serves metadata", lambda: gets_metadata(tenant, 3), 20)


def test_a_socket_that_comes_after_the_routers(prepared: Lab, node: Machine) -> None:
    start_upstream(node, SOCKET)
    node.wait_until("listens", lambda: node.try_to_run(f"test -S {SOCKET}").returncode == 0)
    converge_well(prepared, {"node2": [router(3)]}, l3_sync_metadata_upstream=f"unix:{SOCKET}")
    wait_until_served(prepared, node)
    node.reboot()
    wait_until_restored(node)
    assert node.try_to_run(f"test -e {SOCKET}").returncode != 0
    start_upstream(node, SOCKET)
    wait_until_served(prepared, node)


def test_a_name_that_cannot_be_resolved_at_boot(prepared: Lab, node: Machine) -> None:
    start_upstream(prepared.machines["outside"])
    host, _colon, port = METADATA.partition(":")
    node.run(f"echo {host} metadata.example.org >> /etc/hosts")
    converge_well(prepared, {"node2": [router(3)]}, l3_sync_metadata_upstream=f"metadata.example.org:{port}")
    wait_until_served(prepared, node)
    node.run("sed -i /metadata.example.org/d /etc/hosts")
    node.reboot()
    wait_until_restored(node)
    assert node.try_to_run("getent hosts metadata.example.org").returncode != 0
    wait_until_served(prepared, node)
