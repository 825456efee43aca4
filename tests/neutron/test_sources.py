# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Routers out of a real Neutron, by its API and by its message bus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.api import Api
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.errors import NeutronError
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.reports import report_state
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.routers_by_api import (
    Selection,
    agents,
    routers_of_agents,
    routers_selected,
)
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.routers_by_rpc import routers_of_host
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.rpc import Rpc
from sandbox.cloud import Cloud
from sandbox.neutron_server import NeutronServer

from .conftest import SMALL_PAGE
from .interposed import Interposed

ALL = Selection()


@pytest.fixture
def api(server: NeutronServer) -> Api:
    return Api({"auth_type": "none", "auth": {"endpoint": server.url}})


@pytest.fixture
def rpc(server: NeutronServer) -> Iterator[Rpc]:
    with Rpc(server.transport_url, timeout=20) as rpc:
        yield rpc


def routers_of_hosts(api: Api, hosts: list[str], selection: Selection = ALL) -> list[Any]:
    """As the lookup asks."""
    return routers_of_agents(api, hosts, agents(api, hosts), selection)


def by_id(routers: Any) -> dict[str, Any]:
    """Routers, with what has no order in one."""
    return {
        router["id"]: {key: sorted(value, key=repr) if isinstance(value, list) else value for key, value in router.items()}
        for router in routers
    }


def ports_of(forwarding: dict[str, Any]) -> str:
    """A port forwarding without what Neutron chose."""
    ports = [forwarding.get(f"{end}_port", forwarding.get(f"{end}_port_range")) for end in ("external", "internal")]
    return f"{forwarding['protocol']} {ports[0]} -> {ports[1]}"


def test_ndp_proxies(cloud: Cloud, host: str, api: Api, rpc: Rpc) -> None:
    network = cloud.network
    router, inner = cloud.publishing_router("publishing", "physnet3", zone=host)
    network.update_router(router.id, enable_ndp_proxy=False)  # in an address scope, Neutron enables it by itself
    plain = by_id(routers_selected(api, ALL))[router.id]
    assert "enable_ndp_proxy" not in plain
    assert by_id(routers_of_host(rpc, host)) == {router.id: plain}
    network.update_router(router.id, enable_ndp_proxy=True)
    port = cloud.port(inner)
    [address] = [fixed_ip["ip_address"] for fixed_ip in port.fixed_ips if ":" in fixed_ip["ip_address"]]
    proxy = network.create_ndp_proxy(router_id=router.id, port_id=port.id)
    published = {"enable_ndp_proxy": True, "ndp_proxies": [{"id": proxy.id, "ip_address": address}]}
    assert by_id(routers_selected(api, ALL))[router.id] == {**plain, **published}
    assert by_id(routers_of_host(rpc, host)) == {router.id: {**plain, **published}}


def test_bandwidth_limits(cloud: Cloud, host: str, api: Api, rpc: Rpc) -> None:
    network = cloud.network
    policies = []
    for rate, direction in ((1000, "egress"), (2000, "ingress")):
        policy = network.create_qos_policy(name=direction)
        network.create_qos_bandwidth_limit_rule(policy, max_kbps=rate, max_burst_kbps=rate // 2, direction=direction)
        network.create_qos_dscp_marking_rule(policy, dscp_mark=26)  # which is none of the L3 agent's
        policies.append(policy)
    router, (inner,) = cloud.router("limited", "10.0.0.0/24", zone=host)
    machine = cloud.port(inner)
    floating_ip = cloud.floating_ip(machine)
    plain = by_id(routers_selected(api, ALL))[router.id]
    network.update_ip(floating_ip, qos_policy_id=policies[0].id)
    network.update_router(router, external_gateway_info={"network_id": cloud.public.id, "qos_policy_id": policies[1].id})
    limited = by_id(routers_selected(api, ALL))[router.id]
    rules = [
        {"bandwidth_limit_rules": [{"direction": direction, "max_kbps": rate, "max_burst_kbps": rate // 2}]}
        for rate, direction in ((1000, "egress"), (2000, "ingress"))
    ]
    assert limited["floating_ips"] == [{**plain["floating_ips"][0], **rules[0]}]
    assert limited["gateway"] == {**plain["gateway"], **rules[1]}
    assert by_id(routers_of_host(rpc, host)) == {router.id: limited}

    network.update_ip(floating_ip, port_id=None)
    cloud.port_forwarding(floating_ip, machine, external_port=80, internal_port=8080)
    (of_ports,) = by_id(routers_of_host(rpc, host)).values()
    assert by_id(routers_selected(api, ALL))[router.id] == of_ports
    assert [fip.get("bandwidth_limit_rules") for fip in of_ports["floating_ips"]] == [rules[0]["bandwidth_limit_rules"]]
    assert check_routers([of_ports]).rejected == ()


def test_a_policy_that_is_deleted_between_two_calls(server: NeutronServer, cloud: Cloud, host: str) -> None:
    policy = cloud.network.create_qos_policy(name="vanishes")
    router, (inner,) = cloud.router("no longer limited", "10.0.0.0/24", zone=host)
    floating_ip = cloud.floating_ip(cloud.port(inner))
    cloud.network.update_ip(floating_ip, qos_policy_id=policy.id)

    class Late(Rpc):
        def call(self, topic: str, version: str, method: str, /, **arguments: Any) -> Any:
            if method == "bulk_pull":
                cloud.network.update_ip(floating_ip, qos_policy_id=None)
                cloud.network.delete_qos_policy(policy)
            return super().call(topic, version, method, **arguments)

    with Late(server.transport_url, timeout=20) as rpc:
        with pytest.raises(NeutronError, match=rf"^The QoS policy {policy.id} was deleted while Neutron was asked"):
            routers_of_host(rpc, host)
        assert by_id(routers_of_host(rpc, host)).keys() == {router.id}


def test_api_and_message_bus_give_the_same(cloud: Cloud, host: str, api: Api, rpc: Rpc) -> None:
    rich, (front, _back) = cloud.router("rich", "10.0.0.0/24", "10.0.1.0/24", zone=host)
    cloud.network.add_interface_to_router(rich, subnet=cloud.subnet(front, "2001:db8:1::/64"))
    servers = ["2001:db8:53::2", "2001:db8:53::1"]
    advertised = {"network_id": front.id, "ip_version": 6, "cidr": "2001:db8:2::/64", "dns_nameservers": servers}
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    cloud.network.add_interface_to_router(rich, subnet=cloud.network.create_subnet(**advertised, **modes))
    cloud.network.update_router(rich, routes=[{"destination": "192.168.7.0/24", "nexthop": "10.0.0.9"}])
    cloud.floating_ip(cloud.port(front))
    cloud.floating_ip()
    machine, forwarded = cloud.port(front), cloud.floating_ip()
    cloud.port_forwarding(forwarded, machine, external_port=2222, internal_port=22)
    cloud.port_forwarding(forwarded, machine, external_port_range="8000:8009", internal_port_range="9000:9009")
    cloud.port_forwarding(forwarded, machine, "udp", external_port_range="70:79", internal_port=7)
    cloud.port_forwarding(cloud.floating_ip(), machine, external_port=80, internal_port=8080)
    several = cloud.external_network("several subnets", "physnet2", "203.0.113.0/24", "203.0.113.1")
    cloud.subnet(several, "198.51.100.0/24")
    address = {"ip_address": "203.0.113.7"}
    gateway = {"network_id": several.id, "enable_snat": False, "external_fixed_ips": [address]}
    other, _networks = cloud.router("other", "10.0.0.0/24", gateway=False, zone=host, external_gateway_info=gateway)
    internal, _networks = cloud.router("internal", "10.0.0.0/24", gateway=False, zone=host)
    cloud.router("down", "10.0.0.0/24", zone=host, is_admin_state_up=False)

    # Neutron lets any tenant make a port that says to be a gateway port of any router.
    rogue = cloud.network.create_network(name="rogue")
    cloud.subnet(rogue, "198.18.0.0/16")
    for router in (rich, internal):
        cloud.network.create_port(network_id=rogue.id, device_owner="network:router_gateway", device_id=router.id)

    (found,) = routers_of_hosts(api, [host.upper()])
    assert found is not None
    assert by_id(found).keys() == {rich.id, other.id, internal.id}
    assert by_id(found) == by_id(routers_of_host(rpc, host))
    routers = by_id(found)
    subnets = [subnet for port in routers[rich.id]["interfaces"] for subnet in port.get("subnets", ())]
    assert subnets == [{"cidr": "2001:db8:2::/64", "ipv6_ra_mode": "slaac", "dns_nameservers": servers}]
    assert routers[rich.id]["routes"] == [{"destination": "192.168.7.0/24", "nexthop": "10.0.0.9"}]
    assert sorted(len(port["addresses"]) for port in routers[rich.id]["interfaces"]) == [1, 1, 2]
    # The two others are there for their port forwardings.
    assert sorted(fip["fixed_ip_address"] is not None for fip in routers[rich.id]["floating_ips"]) == [False, False, True]
    forwardings = routers[rich.id]["port_forwardings"]
    assert sorted(ports_of(entry) for entry in forwardings) == [
        "tcp 2222 -> 22",
        "tcp 80 -> 8080",
        "tcp 8000:8009 -> 9000:9009",
        "udp 70:79 -> 7",
    ]
    assert sum(entry["floating_ip_address"] == forwarded.floating_ip_address for entry in forwardings) == 3
    assert {entry["internal_ip_address"] for entry in forwardings} <= {ip["ip_address"] for ip in machine.fixed_ips}
    assert check_routers(found).rejected == ()
    assert routers[other.id]["enable_snat"] is False
    assert routers[other.id]["gateway"]["extra_subnets"] == ["198.51.100.0/24"]
    assert routers[other.id]["gateway"]["gateway_ips"] == ["203.0.113.1"]
    assert "gateway" not in routers[internal.id]
    assert routers[internal.id]["interfaces"][0]["mtu"] == cloud.network.get_network(front.id).mtu

    for router_id in (rich.id, internal.id):
        (one,) = routers_of_hosts(api, [host], Selection(router_ids=[router_id, "unknown"]))
        assert one is not None
        assert by_id(one) == by_id(routers_of_host(rpc, host, [router_id, "unknown"])) == {router_id: routers[router_id]}


def test_address_scopes_and_helpers(cloud: Cloud, host: str, api: Api, rpc: Rpc) -> None:
    router, (plain,) = cloud.router("scoped", "172.31.0.0/24", zone=host)
    scopes = {}
    scoped = cloud.network.create_network(name="scoped")
    for prefix, cidr in (("10.77.0.0/16", "10.77.1.0/24"), ("2001:db8:77::/48", "2001:db8:77:1::/64")):
        pool = cloud.address_scope(prefix)
        cloud.network.add_interface_to_router(router, subnet=cloud.subnet(scoped, cidr, subnet_pool_id=pool.id))
        scopes[str(pool.ip_version)] = pool.address_scope_id
    cloud.network.create_conntrack_helper(router, protocol="udp", port=69, helper="tftp")
    cloud.network.create_conntrack_helper(router, protocol="tcp", port=21, helper="ftp")

    (found,) = routers_of_hosts(api, [host])
    assert found is not None
    assert by_id(found) == by_id(routers_of_host(rpc, host))
    ports = {(port["network_id"], ":" in port["addresses"][0]): port.get("address_scopes") for port in found[0]["interfaces"]}
    assert ports == {(plain.id, False): None, (scoped.id, False): scopes, (scoped.id, True): scopes}
    assert "address_scopes" not in found[0]["gateway"]
    assert sorted(found[0]["conntrack_helpers"], key=repr) == [
        {"protocol": "tcp", "port": 21, "helper": "ftp"},
        {"protocol": "udp", "port": 69, "helper": "tftp"},
    ]


def test_a_router_that_no_agent_could_get_gets_one_by_its_next_change(
    server: NeutronServer, cloud: Cloud, host: str, api: Api, rpc: Rpc
) -> None:
    server.make_dead(host)
    router, _networks = cloud.router("waits for an agent", "10.0.0.0/24", zone=host)
    report_state(rpc, host, {}, availability_zone=host)
    assert routers_of_hosts(api, [host]) == [[]]
    cloud.network.update_router(router, description="any")
    assert by_id(routers_of_hosts(api, [host])[0]).keys() == {router.id}


def test_a_disabled_agent_has_no_routers(cloud: Cloud, host: str, api: Api, rpc: Rpc) -> None:
    cloud.router("waits", "10.0.0.0/24", zone=host)
    (agent,) = cloud.network.agents(host=host)
    cloud.network.update_agent(agent, admin_state_up=False)
    assert routers_of_hosts(api, [host]) == [[]]
    assert routers_of_host(rpc, host) == []


def test_a_host_without_an_agent_is_told_from_one_without_routers(host: str, api: Api, rpc: Rpc) -> None:
    assert routers_of_hosts(api, [host, "nobody"]) == [[], None]
    assert routers_of_host(rpc, host) == []
    assert routers_of_host(rpc, "nobody") is None
    assert routers_of_host(rpc, "nobody", ["4ccc3b0e-1d0b-4b2c-9a2d-6d4bfa1f5a5e"]) is None


def test_routers_by_id_project_and_tag(cloud: Cloud, host: str, api: Api) -> None:
    project = "5b0f1c2d3e4f40718293a4b5c6d7e8f9"
    one, _networks = cloud.router("one", "10.0.0.0/24", project_id=project, zone=host)
    two, _networks = cloud.router("two", project_id=project, zone=host)
    three, _networks = cloud.router("three", "10.0.0.0/24", zone=host)
    cloud.network.set_tags(one, ["blue", "shared"])
    cloud.network.set_tags(three, ["shared"])

    def ids(**selection: Any) -> list[str]:
        return sorted(router["id"] for router in routers_selected(api, Selection(**selection)))

    assert ids(router_ids=[one.id, three.id]) == sorted([one.id, three.id])
    assert ids(router_ids=[]) == []
    assert ids(project_id=project) == sorted([one.id, two.id])
    assert ids(tags=["shared"]) == sorted([one.id, three.id])
    assert ids(tags=["shared", "blue"]) == [one.id]
    assert ids(project_id=project, router_ids=[two.id, three.id]) == [two.id]


def test_more_routers_take_more_pages_and_no_more_requests(server: NeutronServer, cloud: Cloud, host: str) -> None:
    def requests(*, pages: bool) -> int:
        """How many requests it takes to get all; without those for the pages after the first."""
        paths: list[str] = []
        with Interposed(server.url, lambda path, _headers: paths.append(path)) as counted:
            (found,) = routers_of_hosts(Api({"auth_type": "none", "auth": {"endpoint": counted.url}}), [host])
        assert found is not None and len(found) == routers
        return sum(pages or "marker=" not in path for path in paths)

    def router(name: str) -> None:
        _router, (network,) = cloud.router(name, "10.0.0.0/24", zone=host)
        cloud.port_forwarding(cloud.floating_ip(), cloud.port(network), external_port=80, internal_port=8080)

    routers = 2
    for number in range(routers):
        router(f"few {number}")
    few = requests(pages=False)
    routers += SMALL_PAGE
    for number in range(2, routers):
        router(f"many {number}")
    assert requests(pages=False) == few <= 8
    assert requests(pages=True) > few


def test_a_floating_ip_with_a_range_takes_a_request_or_all_of_them_one_call(
    server: NeutronServer, cloud: Cloud, host: str
) -> None:
    floating_ips = []
    for number in range(3):
        _router, (network,) = cloud.router(f"ranges {number}", "10.0.0.0/24", zone=host)
        floating_ips.append(cloud.floating_ip())
        ports = {"external_port_range": "8000:8009", "internal_port_range": "8000:8009"}
        cloud.port_forwarding(floating_ips[-1], cloud.port(network), **ports)
    paths: list[str] = []
    with Interposed(server.url, lambda path, _headers: paths.append(path)) as counted:
        (by_api,) = routers_of_hosts(Api({"auth_type": "none", "auth": {"endpoint": counted.url}}), [host])
    assert sorted(path.split("?")[0] for path in paths if "port_forwardings?" in path) == sorted(
        f"/v2.0/floatingips/{floating_ip.id}/port_forwardings" for floating_ip in floating_ips
    )
    calls: list[str] = []

    class Counting(Rpc):
        def call(self, topic: str, version: str, method: str, /, **arguments: Any) -> Any:
            calls.append(method)
            return super().call(topic, version, method, **arguments)

    with Counting(server.transport_url, timeout=20) as rpc:
        by_rpc = routers_of_host(rpc, host)
    assert calls == ["get_router_ids", "sync_routers", "bulk_pull"]
    assert by_id(by_api) == by_id(by_rpc)
    assert {ports_of(entry) for router in by_rpc or () for entry in router["port_forwardings"]} == {"tcp 8000:8009 -> 8000:8009"}
