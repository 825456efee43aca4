# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packets are to find the same, whatever firewall driver made the rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.engine import DEFAULTS

DRIVERS = ("iptables", "nftables")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With each driver, but for what is marked as one driver's."""
    marker = metafunc.definition.get_closest_marker("firewall_driver")
    metafunc.parametrize("firewall_driver", marker.args if marker is not None else DRIVERS, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def firewall_driver(request: pytest.FixtureRequest) -> Iterator[str]:
    """What engines have for ``firewall_driver`` when they are not told."""
    DEFAULTS["firewall_driver"] = request.param
    yield request.param
    DEFAULTS["firewall_driver"] = DRIVERS[0]
