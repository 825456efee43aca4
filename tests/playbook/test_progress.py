# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A long run tells how far it is, in the output of ansible-playbook."""

from __future__ import annotations

import re

from sandbox import Node, run_playbook

from ..routers import small_router

SENTENCE = re.compile(r"^node: (\d+) of 40 routers converged: (\d+) changed, (\d+) failed$", re.MULTILINE)
SLOW = """
cp /usr/sbin/iptables-restore /run/fast
printf '#!/bin/sh\\nsleep 0.5\\nexec -a iptables-restore /run/fast "$@"\\n' | sed s,/bin/sh,/bin/bash, > /run/slow
chmod +x /run/slow
mount --bind /run/slow /usr/sbin/iptables-restore
"""


def test_a_run_that_takes_long_tells_how_far_it_is(node: Node) -> None:
    host_vars = {"node": {"l3_sync_routers": [small_router(n) for n in range(40)], "l3_sync_interface_driver": "bridge"}}
    node.run("/bin/sh", "-c", SLOW)
    play = run_playbook("netnode.l3.sync", [node], host_vars=host_vars)
    assert play.status == 0, play.output
    told = [tuple(int(figure) for figure in figures) for figures in SENTENCE.findall(play.output)]
    assert len(told) >= 2
    assert told == sorted(told)
    assert all(0 < done < 40 and changed == done and failed == 0 for done, changed, failed in told)
    assert "40 routers: 40 changed, 0 failed" in play.output
    assert not node.file("/run/netnode-l3/progress.json").exists()


def test_a_short_run_tells_nothing(node: Node) -> None:
    host_vars = {"node": {"l3_sync_routers": [small_router(1)], "l3_sync_interface_driver": "bridge"}}
    play = run_playbook("netnode.l3.sync", [node], host_vars=host_vars)
    assert "routers converged" not in play.output
