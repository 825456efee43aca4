# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns at the kernel's one lock for links, addresses and some kernel parameters (RTNL), between the threads of a run.

Who changes links waits for it in the kernel. Who writes such a parameter does not: while somebody holds it, the kernel has the
system call begin again, over and over, and a processor does nothing else. A batch of ``ip`` for many routers holds it for
most of its time, so that a quarter of the processor time of building routers went there.
"""

from __future__ import annotations

from threading import Lock

TURN = Lock()
# The last parts of the keys of those parameters (devinet.c, addrconf.c).
PARAMETERS = ("ip_forward", "forwarding", "disable_ipv6")
