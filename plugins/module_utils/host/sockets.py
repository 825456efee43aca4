# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sockets of the namespace that the calling thread is in, as the kernel lists them (proc_net_tcp.rst)."""

from __future__ import annotations

from contextlib import suppress
from typing import Optional

_LISTEN = "0A"


def listener(port: int) -> Optional[str]:
    """The inode of a TCP socket that listens on this port, on whatever address; None when there is none."""
    end = ":%04X" % port
    for file in ("tcp", "tcp6"):
        with suppress(FileNotFoundError), open("/proc/thread-self/net/" + file, encoding="ascii") as lines:
            for line in lines:
                words = line.split()
                if words[3] == _LISTEN and words[1].endswith(end):
                    return words[9]
    return None
