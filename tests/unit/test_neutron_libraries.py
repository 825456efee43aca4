# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller that lacks a library says which one, and how to get it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sandbox.playbook import CHECKOUT


@pytest.mark.parametrize(
    ("module", "library", "expression"),
    [
        ("openstack", "openstacksdk", "lookup('netnode.l3.neutron_routers', 'node', cloud='c')"),
        ("oslo_messaging", "oslo.messaging", "lookup('netnode.l3.neutron_rpc_routers', 'node', transport_url='rabbit://')"),
        ("netaddr", "netaddr", "[] | netnode.l3.from_neutron"),
    ],
)
def test_a_library_that_is_missing_is_named(module: str, library: str, expression: str) -> None:
    lacking = (
        f"import runpy, sys; sys.modules['{module}'] = None; runpy.run_module('ansible', run_name='__main__', alter_sys=True)"
    )
    result = subprocess.run(
        [sys.executable, "-c", lacking, "adhoc", "localhost", "-m", "debug", "-a", f"msg={{{{ {expression} }}}}"],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env={**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg")},
        check=False,
    )
    assert result.returncode != 0
    assert f"the Python library {library} on the controller: pip install {library}." in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr
