# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A call of the L3 plugin that today's servers no longer have, answered on the real message bus as servers up to 2022 did."""

from __future__ import annotations

import oslo_messaging
from oslo_config import cfg

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.rpc import EXCHANGE
from sandbox.neutron_server import VIRTUAL_HOSTS, NeutronServer


class TooManyExternalNetworks(Exception):
    """Its name is what arrives."""


class OlderServer:
    """Answers in a virtual host where the real server is not; a context manager."""

    target = oslo_messaging.Target(version="1.0")

    def __init__(self, server: NeutronServer) -> None:
        self.external_networks: list[str] = []
        self.transport_url = server.transport_url + VIRTUAL_HOSTS[1]
        cfg.CONF(args=[], default_config_files=[])
        oslo_messaging.set_transport_defaults(EXCHANGE)
        self._transport = oslo_messaging.get_rpc_transport(cfg.CONF, url=self.transport_url)
        target = oslo_messaging.Target(topic="q-l3-plugin", server="older")
        self._server = oslo_messaging.get_rpc_server(self._transport, target, [self], executor="threading")

    def __enter__(self) -> OlderServer:
        self._server.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.stop()
        self._server.wait()
        self._transport.cleanup()

    def get_external_network_id(self, _context: object) -> str | None:
        """The id of the only external network."""
        if len(self.external_networks) > 1:
            raise TooManyExternalNetworks
        return self.external_networks[0] if self.external_networks else None
