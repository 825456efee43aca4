# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a plan, as frozen values; :mod:`apply` executes them, nobody else.

``actions`` are the sentences that are true once the step is done; a step that only prepares another has none.
``namespace`` is where the step takes place, None being the node's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from .model import PortForwarding
from .port_forwardings import Ports
from .state import PolicyRule


@dataclass(frozen=True)
class Operation:
    """A step. Its kinds follow."""

    namespace: Optional[str]
    actions: Tuple[str, ...]


@dataclass(frozen=True)
class Ip(Operation):
    """A line of ``ip -batch``."""

    line: str


@dataclass(frozen=True)
class Tc(Operation):
    """A line of ``tc -batch``."""

    line: str


@dataclass(frozen=True)
class Ovs(Operation):
    """A command of ``ovs-vsctl``; those of a run are joined to few transactions."""

    arguments: Tuple[str, ...]


@dataclass(frozen=True)
class SetSysctl(Operation):
    """A kernel parameter, its key with slashes."""

    key: str
    value: str


@dataclass(frozen=True)
class ChangePolicyRule(Operation):
    """One of the kernel's policy rules comes back, or one that was read goes."""

    rule: PolicyRule
    wanted: bool


@dataclass(frozen=True)
class ChangeRules(Operation):
    """The input of ``iptables-restore --noflush``, of ``ip6tables-restore``, or of ``nft --file``, by the family. ``trouble``:
    where a failure need not end the plan, what it means, in a sentence without its end.
    """

    family: int
    text: str
    trouble: str = ""


@dataclass(frozen=True)
class EndAgentsProxy(Operation):
    """The metadata proxy that the L3 agent started for a router ends."""

    pid: int
    router_id: str


@dataclass(frozen=True)
class Serve(Operation):
    """The metadata proxy listens for a router from now on."""

    router_id: str


@dataclass(frozen=True)
class Unserve(Operation):
    """The metadata proxy no longer listens for a router."""

    router_id: str


@dataclass(frozen=True)
class LoadProxy(Operation):
    """The metadata proxy is started, reloaded or ended, so that it runs as the run wants it."""


@dataclass(frozen=True)
class Advertise(Operation):
    """radvd runs with this configuration for a router: the process that is there, or else a new one. ``agents_radvd``: that of
    the L3 agent, the place of which it takes.
    """

    router_id: str
    text: str
    pid: Optional[int] = None
    agents_radvd: Optional[int] = None


@dataclass(frozen=True)
class EndAdvertisements(Operation):
    """A router's radvd ends, if there is one, and its files go; and so does that of the L3 agent."""

    router_id: str
    pid: Optional[int] = None
    agents_radvd: Optional[int] = None


@dataclass(frozen=True)
class DeleteFlows(Operation):
    """Connections through external addresses end, and those to ports that are not led as port forwardings want it."""

    addresses: Tuple[str, ...]
    ports: Tuple[Ports, ...] = ()
    port_forwardings: Tuple[PortForwarding, ...] = ()


@dataclass(frozen=True)
class DeleteUntranslatedFlows(Operation):
    """Connections from IPv4 networks end that go out with their own source."""

    networks: Tuple[str, ...]


@dataclass(frozen=True)
class Announce(Operation):
    """Telling the neighbours of an address that a device has from now on, or that it answers for (``proxied``). ``peer``: the
    device's other side, on the node.
    """

    device: str
    address: str
    peer: Optional[str] = None
    proxied: bool = False

    @property
    def added(self) -> str:
        """How the sentence begins that tells that the address is there."""
        return "NDP proxy for %s added " % self.address if self.proxied else "address %s/" % self.address
