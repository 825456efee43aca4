# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks by a user who is not root, and becomes it by su: with the own PATH, which lacks what only root runs."""

from __future__ import annotations

from lab import Lab

from .nodes import converge, converge_well, router, state_of

_USER = """
useradd --password "*" --create-home --shell /bin/bash jane
install -d -o jane ~jane/.ssh
install -o jane ~/.ssh/authorized_keys ~jane/.ssh
echo root:secret | chpasswd
"""


def test_who_becomes_root_by_su(prepared: Lab) -> None:
    node = prepared.machines["node2"]
    node.run(_USER)
    jane = {
        "ansible_user": "jane",
        "ansible_become_method": "su",
        "ansible_become_password": "secret",
        "ansible_ssh_common_args": f"-o ControlPath={prepared.directory}/mux-jane-%h",
    }
    node.run("ip link set dev ex0 nomaster")  # a bridge that is in use would stay
    torn_down = converge(prepared, {"node2": []}, playbook="netnode.l3.teardown", **jane)
    assert torn_down.status == 0, torn_down.output
    assert node.try_to_run("ip link show br-ex").returncode != 0
    predicted = converge(prepared, {"node2": []}, "--check", "--diff", **jane)
    assert predicted.status == 0, predicted.output
    play = converge_well(prepared, {"node2": [router(3)]}, **jane)
    node.run("systemctl restart lab-uplink")
    assert "203.0.3.20/32" in state_of(node)
    again = converge_well(prepared, {"node2": [router(3)]}, **jane)
    assert again.changed == {"node2": 0}, (play.output, again.output)
    converge_well(prepared, {"node2": []})
