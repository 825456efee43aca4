# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an interface driver is: how the device of a port gets its other side, outside of the router's namespace."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import AbstractSet, Any, ClassVar, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ..fields import ID
from ..operations import Operation
from ..options import Options
from ..state import Attachment, Device, Link, NodeState

MARK = "netnode.l3"  # what is ours on the node begins with this


class Owner(NamedTuple):
    """Whose a marked thing on the node is: the router, and the network that the port was plugged in for."""

    router_id: str
    network_id: Optional[str]


def mark(router_id: str, network_id: Optional[str]) -> str:
    """The text by which the other side of a router's port is known as ours."""
    return "/".join((MARK, router_id, network_id or ""))


def owner(text: Optional[str]) -> Optional[Owner]:
    """Whose the thing with this mark is; None when it is not ours."""
    parts = (text or "").split("/")
    # What is no id is no mark that a run wrote, though it begins like one.
    ours = len(parts) == 3 and parts[0] == MARK and ID.match(parts[1]) and (not parts[2] or ID.match(parts[2]))
    return Owner(parts[1], parts[2] or None) if ours else None


class InterfaceDriver(ABC):
    """All of what the planner, the observer and the desired state need to know of how ports are plugged in.

    A driver makes operations and does not execute any. It knows the node as it was when the run began.
    """

    name: ClassVar[str]
    commands: ClassVar[Tuple[str, ...]] = ()  # what it needs on the node besides the engine's own
    unavailable: Optional[str] = None  # why nothing can be plugged in or out now, in a sentence

    def __init__(self, options: Options, node: NodeState) -> None:
        self.options = options
        self.node = node

    @classmethod
    def on_node(cls, options: Options, node: NodeState) -> InterfaceDriver:
        """The driver with all that it reads on the node by itself."""
        return cls(options, node)

    @classmethod
    def on_empty_node(cls, options: Options) -> InterfaceDriver:
        """The driver on a node that has the bridges which must exist, and nothing else."""
        links = {name: Link(name, 0, None, None, True, 1500, True) for name in options.external_bridges}
        return cls(options, NodeState(frozenset(), links))

    @abstractmethod
    def attachment(self, router_id: str, device: Device, network_id: Optional[str], bridge: Optional[str]) -> Attachment:
        """Where a device is to be plugged in."""

    @abstractmethod
    def bridge_of(self, network_id: Optional[str]) -> str:
        """The bridge of an internal network."""

    @abstractmethod
    def observe(self, link: Link) -> Optional[Attachment]:
        """Where a device that is there is plugged in."""

    @abstractmethod
    def marked(self) -> Mapping[str, str]:
        """What is ours on the node: name -> the router whose it is."""

    @abstractmethod
    def holder(self, router_id: str, attachment: Any) -> Optional[str]:
        """Who has the name on the node that a port of the router needs: a router, "" for somebody else, None for nobody."""

    @abstractmethod
    def bridge_problem(self, device: str, bridge: Optional[str]) -> Optional[str]:
        """What is wrong with the bridge that a device is to be plugged into, so that it cannot be."""

    def bridge_warning(self, bridge: Optional[str]) -> Optional[str]:
        """What is wrong with an external bridge though ports can be plugged in."""
        return None

    def prepare(self, bridge: str) -> List[Operation]:
        """Have an internal bridge that can be used."""
        return []

    @abstractmethod
    def plug(self, namespace: Optional[str], device: Device, attachment: Any) -> List[Operation]:
        """Make a device in the namespace and plug it in."""

    def must_replace(self, wanted: Any, present: Any) -> bool:
        """Whether a device that is there cannot be put right and has to be made anew."""
        return False

    @abstractmethod
    def adjust(self, name: str, wanted: Any, present: Any) -> List[Operation]:
        """Put right what differs outside of the namespace of a device that is there."""

    @abstractmethod
    def unplug(self, namespace: Optional[str], device: Device) -> List[Operation]:
        """Remove a device."""

    @abstractmethod
    def release(self, names: Iterable[str], stale: bool) -> List[Operation]:
        """Remove things of ours on the node by name. Only of ``stale`` ones is it told."""

    def unused(
        self, devices: Mapping[str, Device], freed: AbstractSet[str], kept: AbstractSet[str] = frozenset()
    ) -> List[Operation]:
        """Remove what the driver once made for networks, and no port is on any more: when ``freed`` names are free and
        the ``devices`` of the routers are plugged in. What is ``kept`` stays.
        """
        return []

    def goes_with_namespace(self, name: str) -> bool:
        """Whether a thing of ours on the node vanishes by itself when the namespace of its device does."""
        return True

    @abstractmethod
    def describe(self, attachment: Any) -> str:
        """Where a device is plugged in, in words for a diff."""
