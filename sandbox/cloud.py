# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user does by Neutron's API: networks, routers, machines' ports, floating IPs."""

from __future__ import annotations

from typing import Any

import openstack

from .neutron_server import EXTERNAL_NETWORK, NeutronServer

EXTERNAL_GATEWAY = "198.18.255.254"


class Cloud:
    """A user of a Neutron server, who finds an external network named ``public`` (198.18.0.0/16) there.

    ``network``: openstacksdk's proxy of the network service, for what is not below.
    """

    def __init__(self, server: NeutronServer) -> None:
        self.network = openstack.connect(
            load_yaml_config=False, load_envvars=False, auth_type="none", auth={"endpoint": server.url}
        ).network
        self.public = self.external_network("public", EXTERNAL_NETWORK, "198.18.0.0/16", EXTERNAL_GATEWAY)

    def external_network(self, name: str, physical_network: str, cidr: str, gateway_ip: str) -> Any:
        """An external network with one subnet."""
        network = self.network.create_network(
            name=name,
            is_router_external=True,
            provider_network_type="flat",
            provider_physical_network=physical_network,
        )
        self.subnet(network, cidr, gateway_ip=gateway_ip)
        return network

    def subnet(self, network: Any, cidr: str, **more: Any) -> Any:
        """A subnet of a network."""
        version = 6 if ":" in cidr else 4
        return self.network.create_subnet(network_id=network.id, ip_version=version, cidr=cidr, is_dhcp_enabled=False, **more)

    def address_scope(self, prefix: str) -> Any:
        """An address scope, and in it a pool of subnets, which is returned."""
        scope = self.network.create_address_scope(name=f"scope of {prefix}", ip_version=6 if ":" in prefix else 4)
        return self.network.create_subnet_pool(name=f"pool of {prefix}", address_scope_id=scope.id, prefixes=[prefix])

    def router(self, name: str, *cidrs: str, gateway: bool = True, zone: str = "", **more: Any) -> tuple[Any, list[Any]]:
        """A router with an internal network for each of these, and the networks. ``zone``: its availability zone."""
        if gateway:
            more["external_gateway_info"] = {"network_id": self.public.id}
        if zone:
            more["availability_zone_hints"] = [zone]
        router = self.network.create_router(name=name, **more)
        networks = []
        for cidr in cidrs:
            network = self.network.create_network(name=f"{name} {cidr}")
            self.network.add_interface_to_router(router, subnet=self.subnet(network, cidr))
            networks.append(network)
        return router, networks

    def publishing_router(self, name: str, physical_network: str, zone: str) -> tuple[Any, Any]:
        """A router that can publish the IPv6 addresses of its internal network by NDP proxies, and that network."""
        scope = self.network.create_address_scope(name=name, ip_version=6)
        prefixes = {"prefixes": ["2001:db8::/48"], "default_prefix_length": 64, "address_scope_id": scope.id}
        pool = self.network.create_subnet_pool(name=name, **prefixes).id
        outer = self.external_network(name, physical_network, "203.0.113.0/24", "203.0.113.1")
        self.subnet(outer, "2001:db8:0:e::/64", subnet_pool_id=pool)
        router, (inner,) = self.router(name, "10.0.0.0/24", gateway=False, zone=zone)
        self.network.add_interface_to_router(router, subnet=self.subnet(inner, "2001:db8:0:1::/64", subnet_pool_id=pool))
        self.network.update_router(router, external_gateway_info={"network_id": outer.id})
        return router, inner

    def unplug(self, router: Any, network: Any) -> None:
        """Take a router off a network."""
        for subnet in self.network.subnets(network_id=network.id):
            self.network.remove_interface_from_router(router, subnet=subnet)

    def delete_router(self, router: Any) -> None:
        """Delete a router, which must have no floating IPs."""
        for port in self.network.ports(device_id=router.id, device_owner="network:router_interface"):
            self.network.remove_interface_from_router(router, port_id=port.id)
        self.network.delete_router(router)

    def port(self, network: Any) -> Any:
        """A machine's port."""
        return self.network.create_port(network_id=network.id)

    def floating_ip(self, port: Any | None = None) -> Any:
        """A floating IP, of a machine's port when that is given."""
        return self.network.create_ip(floating_network_id=self.public.id, **({"port_id": port.id} if port else {}))

    def port_forwarding(self, floating_ip: Any, port: Any, protocol: str = "tcp", **ports: Any) -> str:
        """Ports of a floating IP lead to a machine's port; returns the id. ``ports``: as Neutron names them."""
        address = next(ip["ip_address"] for ip in port.fixed_ips if ":" not in ip["ip_address"])
        forwarding = {"internal_port_id": port.id, "internal_ip_address": address, "protocol": protocol, **ports}
        return self._changed("post", f"/floatingips/{floating_ip.id}/port_forwardings", forwarding)

    def change_port_forwarding(self, floating_ip: Any, forwarding_id: str, **changes: Any) -> None:
        """Change one."""
        self._changed("put", f"/floatingips/{floating_ip.id}/port_forwardings/{forwarding_id}", changes)

    def delete_port_forwarding(self, floating_ip: Any, forwarding_id: str) -> None:
        """Delete one."""
        self.network.delete(f"/floatingips/{floating_ip.id}/port_forwardings/{forwarding_id}").raise_for_status()

    def _changed(self, method: str, path: str, forwarding: dict[str, Any]) -> str:
        answer = getattr(self.network, method)(path, json={"port_forwarding": forwarding})
        if not answer.ok:
            raise RuntimeError(f"Neutron: {answer.text}")
        return str(answer.json()["port_forwarding"]["id"])
