# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""nf_tables of the namespace that the calling thread is in: its tables and the generation of its rule sets."""

from __future__ import annotations

import struct
from typing import FrozenSet, NamedTuple, Optional

from . import netlink
from .command import run
from .netlink import Netlink

_COMMAND = "nft"
_FAMILY_NAMES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}  # NFPROTO_* of linux/netfilter.h
_GET_TABLES = 10 << 8 | 1  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE of linux/netfilter/nf_tables.h
_TABLE_NAME = 1  # NFTA_TABLE_NAME
_GET_CHAINS = 10 << 8 | 4  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN of linux/netfilter/nf_tables.h
_CHAIN_TABLE, _CHAIN_NAME = 1, 3  # NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME
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


class Table(NamedTuple):
    """A table, by the name of its address family as nft has it."""

    family: str
    name: str


def tables() -> FrozenSet[Table]:
    """The tables that there are. Raises OSError."""
    with Netlink(netlink.NETFILTER) as socket, netlink.understood():
        found = []
        for body in socket.dump(_GET_TABLES, _HEADER):
            name = netlink.text(netlink.attributes(body, len(_HEADER), {_TABLE_NAME})[_TABLE_NAME])
            found.append(Table(_FAMILY_NAMES.get(body[0], str(body[0])), name))
        return frozenset(found)


def chains(table: Table) -> FrozenSet[str]:
    """The names of a table's chains. Raises OSError."""
    with Netlink(netlink.NETFILTER) as socket, netlink.understood():
        found = set()
        for body in socket.dump(_GET_CHAINS, _HEADER):
            names = netlink.attributes(body, len(_HEADER), {_CHAIN_TABLE, _CHAIN_NAME})
            if (_FAMILY_NAMES.get(body[0]), netlink.text(names[_CHAIN_TABLE])) == table:
                found.add(netlink.text(names[_CHAIN_NAME]))
        return frozenset(found)


def listed(table: Table) -> str:
    """A table as nft prints it, without counters, and with numbers for what has names. Raises CommandError."""
    return run([_COMMAND, "--stateless", "--numeric-priority", "--numeric-protocol", "list", "table", *table]).stdout


def change(text: str) -> None:
    """Make a change of rule sets at once, as a whole or not at all. Raises CommandError."""
    run([_COMMAND, "--file", "-"], text)
