# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Neutron tells L3 agents: by the calls of ``L3AgentNotifyAPI`` in Neutron, and by objects that it sends to all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Self

from ...module_utils.fields import ID
from .bursts import ALL
from .errors import NeutronError
from .resources import DATA, Kind
from .rpc import Rpc

with suppress(ImportError):  # of which Rpc tells
    import oslo_messaging

TOPIC = "l3_agent"
VERSION = "1.4"  # of the agent's calls

Heard = Callable[[str, Sequence[str], bool], object]
HeardOfResources = Callable[[Kind, Sequence[str]], object]


class Agent:
    """What can be called of the agent of a host.

    ``heard``: is called in another thread with the host, the ids of routers (none: all), and whether these are told to all hosts,
    of which at most one has them. What is not understood is taken for news of all routers.
    """

    def __init__(self, host: str, heard: Heard) -> None:
        self.target = oslo_messaging.Target(version=VERSION)
        self._host = host
        self._heard = heard

    def routers_updated(self, _context: Any, routers: Any = None, **_more: Any) -> None:
        """Routers were made or changed. Old servers send them whole."""
        listed = routers if isinstance(routers, (list, tuple)) else [None]
        self._tell([router.get("id") if isinstance(router, dict) else router for router in listed])

    def router_added_to_agent(self, context: Any, payload: Any = None, **_more: Any) -> None:
        """Routers were scheduled to the host. Neutron waits for the answer."""
        self.routers_updated(context, payload)

    def router_removed_from_agent(self, _context: Any, payload: Any = None, **_more: Any) -> None:
        """A router was taken from the host."""
        self._tell([payload.get("router_id") if isinstance(payload, dict) else None])

    def router_deleted(self, _context: Any, router_id: Any = None, **_more: Any) -> None:
        """A router was deleted: wherever it was, all hosts are told."""
        self._tell([router_id], everywhere=True)

    def agent_updated(self, _context: Any, **_more: Any) -> None:
        """The agent was enabled or disabled."""
        self._heard(self._host, ALL, False)

    def _not_concerned(self, _context: Any, **_more: Any) -> None:
        """Of distributed routers, which are not supported, and their external networks."""

    add_arp_entry = del_arp_entry = fipnamespace_delete_on_ext_net = _not_concerned

    def _tell(self, router_ids: list[Any], everywhere: bool = False) -> None:
        understood = all(isinstance(router_id, str) and ID.match(router_id) for router_id in router_ids)
        if not understood:
            self._heard(self._host, ALL, False)
        elif router_ids:
            self._heard(self._host, router_ids, everywhere)


class Resources:
    """What can be called of all who want to know of the resources of a kind (``ResourcesPushRpcCallback`` in Neutron): the L3
    agents are not told of them in any other way.

    ``heard``: is called in another thread with the kind, and with the ids of whose they are; none: what came is not understood.
    """

    def __init__(self, kind: Kind, heard: HeardOfResources) -> None:
        self.target = oslo_messaging.Target(version="1.1")
        self._kind = kind
        self._heard = heard

    def push(self, _context: Any, resource_list: Any = None, **_more: Any) -> None:
        """Some were made, changed or deleted."""
        ids: list[Any] = []
        with suppress(TypeError, LookupError):
            ids = [resource[DATA][self._kind.owner] for resource in resource_list]
        understood = all(isinstance(each, str) and ID.match(each) for each in ids)
        self._heard(self._kind, ids if understood else ALL)


class Notifications:
    """Listens on a topic, from :meth:`start` until :meth:`stop`, which are to be called once each.

    It keeps trying when the connection to the message bus is lost; see :meth:`was_lost`. ``host``: what is sent to that host
    alone is heard too.
    """

    def __init__(self, rpc: Rpc, topic: str, host: str, endpoint: Agent | Resources) -> None:
        target = oslo_messaging.Target(topic=topic, server=host)
        self._host = host
        self._server = oslo_messaging.get_rpc_server(rpc.transport, target, [endpoint])
        self._channel: Any = None

    @classmethod
    def of_host(cls, rpc: Rpc, host: str, heard: Heard) -> Self:
        """What the L3 agent of a host is told."""
        return cls(rpc, TOPIC, host, Agent(host, heard))

    @classmethod
    def of_resources(cls, rpc: Rpc, kind: Kind, host: str, heard: HeardOfResources) -> Self:
        """What all are told of a kind. ``host``: any that no other listener to this kind has."""
        return cls(rpc, kind.pushed_to, host, Resources(kind, heard))

    def start(self) -> None:
        """Have the queues of the host, and listen. Raises :class:`NeutronError`."""
        try:
            self._server.start(override_pool_size=1)  # in order
        except Exception as error:  # their texts can have the URL, with its password
            raise NeutronError(f"Neutron's messages to host {self._host} cannot be heard ({type(error).__name__}).") from None
        self._channel = self._current_channel()

    def was_lost(self) -> bool:
        """Whether the connection was lost, and is there again, since this was asked last. Messages can be lost then."""
        before, now = self._channel, self._channel and self._current_channel()
        if now is None or now is before:
            return False
        self._channel = now
        return True

    def _current_channel(self) -> Any:
        """What each connection has one of. The library says it nowhere."""
        return self._server.listener._poll_style_listener.conn.channel

    def stop(self) -> None:
        """End it, and its threads. It can take some seconds."""
        self._server.stop()
        self._server.wait()
