# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The generation of a namespace's nf_tables rule sets."""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional

from . import netlink
from .netlink import Netlink

_GET_GENERATION = 10 << 8 | 16  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN of linux/netfilter/nf_tables.h
_HEADER = struct.pack("!BBH", 0, 0, 0)  # nfgenmsg: family, version, resource
_ID = 1  # NFTA_GEN_ID


class Generation(NamedTuple):
    """``number`` changes with every change of any rule set of the namespace, by whomever, in whatever family; ``cookie``
    is the namespace's own (SO_NETNS_COOKIE), since another one of the same name begins to count anew.
    """

    cookie: int
    number: int


def generation() -> Optional[Generation]:
    """The generation in the namespace that the calling thread is in; None where the kernel does not tell."""
    try:
        with Netlink(netlink.NETFILTER) as socket:
            found = netlink.attributes(socket.ask(_GET_GENERATION, _HEADER), len(_HEADER), {_ID})
            return Generation(socket.namespace_cookie(), struct.unpack("!I", found[_ID])[0])
    except (OSError, KeyError, ValueError, struct.error):
        return None
