# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real Neutron server for the tests of this directory that run in one worker; each test has hosts of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.reports import report_state
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.rpc import Rpc
from sandbox.cloud import Cloud
from sandbox.neutron_server import NeutronServer

SMALL_PAGE = 5

_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            # Of openstacksdk, about itself.
            item.add_marker(pytest.mark.filterwarnings("ignore::Warning:openstack"))


@pytest.fixture(scope="session")
def server() -> Iterator[NeutronServer]:
    """A server that answers with at most so many objects at once."""
    with NeutronServer(maximum_page=SMALL_PAGE) as server:
        yield server


@pytest.fixture(scope="session")
def cloud(server: NeutronServer) -> Cloud:
    return Cloud(server)


@pytest.fixture
def host(server: NeutronServer) -> str:
    """A new host, whose L3 agent Neutron sees alive, in an availability zone of its own that has the same name."""
    return _new_host(server)


@pytest.fixture
def other_host(server: NeutronServer) -> str:
    """Another one."""
    return _new_host(server)


def _new_host(server: NeutronServer) -> str:
    host = f"net{next(_numbers)}"
    with Rpc(server.transport_url) as rpc:
        report_state(rpc, host, {"handle_internal_only_routers": True}, availability_zone=host)
    return host
