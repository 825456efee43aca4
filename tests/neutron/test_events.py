# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event source on the message bus of a real Neutron, whose routers are changed by its API."""

from __future__ import annotations

import asyncio
import logging
import runpy
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

import oslo_messaging
import pytest

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.rpc import CONTEXT, Rpc
from sandbox.cloud import Cloud
from sandbox.neutron_server import PASSWORD, NeutronServer
from sandbox.playbook import CHECKOUT

from .relay import Relay

SOURCE = CHECKOUT / ".cache/ansible_collections/netnode/l3/extensions/eda/plugins/event_source/neutron.py"
QUIET = 0.5
LONGEST_WAIT = 20.0


class Source:
    """The event source, in a loop in a thread of its own, from the file as ansible-rulebook runs it.

    ``slow``: nothing is taken from its queue while this is set.
    """

    def __init__(self, **args: Any) -> None:
        self.slow = threading.Event()
        self._events: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._main = runpy.run_path(str(SOURCE))["main"]
        self._args = {"quiet": QUIET, "rpc_timeout": 20, **args}
        self._end: Callable[[], object] = lambda: None
        self._failure: BaseException | None = None
        begun = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(begun)))
        self._thread.start()
        begun.wait()

    async def _run(self, begun: threading.Event) -> None:
        task = asyncio.create_task(self._main(self, self._args))
        loop = asyncio.get_running_loop()
        self._end = lambda: loop.call_soon_threadsafe(task.cancel)
        begun.set()
        try:
            await task
        except asyncio.CancelledError:
            pass
        except Exception as failure:
            self._failure = failure

    async def put(self, event: dict[str, Any]) -> None:
        while self.slow.is_set():
            await asyncio.sleep(0.05)
        self._events.put(event)

    def stop(self) -> None:
        if self._thread.is_alive():
            self._end()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def stop_when_failed(self) -> None:
        """Wait until it ends by itself."""
        self._thread.join(LONGEST_WAIT)
        self.stop()

    def next(self, within: float = LONGEST_WAIT) -> tuple[str, list[str]]:
        """The next event: its host and ids."""
        event = self._events.get(timeout=within)
        assert event.keys() == {"neutron"} and event["neutron"].keys() == {"host", "router_ids"}
        return event["neutron"]["host"], event["neutron"]["router_ids"]

    def news(self) -> dict[str, set[str]]:
        """What there are events of until it is quiet, by host. ``all`` is for all routers."""
        found: dict[str, set[str]] = {}
        within = LONGEST_WAIT
        while True:
            try:
                host, router_ids = self.next(within)
            except Empty:
                return found
            found.setdefault(host, set()).update(router_ids or ["all"])
            within = QUIET + 1.5


@pytest.fixture
def listen(server: NeutronServer) -> Iterator[Callable[..., Source]]:
    """What makes a source that has told its first events. It is stopped in the end, and has left no threads then."""
    sources: list[Source] = []

    def start(*hosts: str, **args: Any) -> Source:
        given = {"transport_url": server.transport_url, "availability_zone": hosts[0], **args}
        source = Source(hosts=list(hosts), **given)
        sources.append(source)
        assert sorted(source.next() for _host in hosts) == [(host, []) for host in sorted(hosts)]
        return source

    before = set(threading.enumerate())
    yield start
    for source in sources:
        source.stop()
    wait_for(lambda: set(threading.enumerate()) <= before)


def agent_of(cloud: Cloud, host: str) -> Any:
    (agent,) = cloud.network.agents(host=host)
    return agent


def figures(cloud: Cloud, host: str) -> tuple[int, ...]:
    """What Neutron has of the host's agent: routers, gateways, interfaces, floating IPs."""
    configuration = agent_of(cloud, host).configuration
    return tuple(configuration[key] for key in ("routers", "ex_gw_ports", "interfaces", "floating_ips"))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_each_change_is_an_event_of_the_host_that_it_concerns(
    cloud: Cloud, host: str, other_host: str, listen: Callable[..., Source]
) -> None:
    source = listen(host, other_host, heartbeat=False)
    router, (front, back) = cloud.router("events", "10.0.0.0/24", "10.0.1.0/24", zone=host)
    assert source.news() == {host: {router.id}}
    cloud.network.update_router(router, routes=[{"destination": "192.168.7.0/24", "nexthop": "10.0.0.9"}])
    assert source.news() == {host: {router.id}}
    floating_ip = cloud.floating_ip(cloud.port(front))
    assert source.news() == {host: {router.id}}
    cloud.network.update_ip(floating_ip, port_id=None)
    assert source.news() == {host: {router.id}}
    cloud.network.update_router(router, routes=[])
    cloud.unplug(router, back)
    assert source.news() == {host: {router.id}}

    # As an administrator moves it.
    cloud.network.remove_router_from_agent(agent_of(cloud, host), router)
    assert source.news() == {host: {router.id}}
    cloud.network.add_router_to_agent(agent_of(cloud, other_host), router)
    assert source.news() == {other_host: {router.id}}
    cloud.network.update_agent(agent_of(cloud, host), admin_state_up=False)
    assert source.news() == {host: {"all"}}

    # All agents are told that it is deleted; the first host had it, and can have it still.
    cloud.network.delete_ip(floating_ip)
    cloud.unplug(router, front)
    cloud.network.delete_router(router)
    assert source.news() == {host: {router.id}, other_host: {router.id}}


def test_port_forwardings_are_news_of_their_router(
    cloud: Cloud, host: str, other_host: str, listen: Callable[..., Source]
) -> None:
    source = listen(host, other_host, heartbeat=False)
    router, (network,) = cloud.router("forwards", "10.0.0.0/24", zone=host)
    floating_ip, machine = cloud.floating_ip(), cloud.port(network)
    assert source.news() == {host: {router.id}}
    forwarding = cloud.port_forwarding(floating_ip, machine, external_port=80, internal_port=8080)
    assert source.news() == {host: {router.id}}
    cloud.change_port_forwarding(floating_ip, forwarding, internal_port=8081)
    assert source.news() == {host: {router.id}}
    cloud.delete_port_forwarding(floating_ip, forwarding)
    assert source.news() == {host: {router.id}}


def test_ndp_proxies_are_news_of_their_router(cloud: Cloud, host: str, other_host: str, listen: Callable[..., Source]) -> None:
    source = listen(host, other_host, heartbeat=False)
    router, network = cloud.publishing_router("publishes", "physnet4", zone=host)
    machine = cloud.port(network)
    assert source.news() == {host: {router.id}}
    proxy = cloud.network.create_ndp_proxy(router_id=router.id, port_id=machine.id)
    assert source.news() == {host: {router.id}}
    cloud.network.delete_ndp_proxy(proxy)
    assert source.news() == {host: {router.id}}


def test_helpers_are_news_of_their_router(cloud: Cloud, host: str, other_host: str, listen: Callable[..., Source]) -> None:
    source = listen(host, other_host, heartbeat=False)
    router, _networks = cloud.router("helps", zone=host)
    assert source.news() == {host: {router.id}}
    helper = cloud.network.create_conntrack_helper(router, protocol="udp", port=69, helper="tftp")
    assert source.news() == {host: {router.id}}
    cloud.network.update_conntrack_helper(helper, router, port=6969)
    assert source.news() == {host: {router.id}}
    cloud.network.delete_conntrack_helper(helper, router)
    assert source.news() == {host: {router.id}}


def test_rules_of_a_qos_policy_are_news_of_the_routers_that_have_it(
    cloud: Cloud, host: str, other_host: str, listen: Callable[..., Source]
) -> None:
    network = cloud.network
    policy, others = (network.create_qos_policy(name=name) for name in ("of routers", "of ports"))
    first, _networks = cloud.router("limited from the start", zone=host)
    network.update_router(first, external_gateway_info={"network_id": cloud.public.id, "qos_policy_id": policy.id})
    source = listen(host, other_host, heartbeat=False)
    rule = network.create_qos_bandwidth_limit_rule(policy, max_kbps=1000, max_burst_kbps=500)
    assert source.news() == {host: {first.id}}
    second, (inner,) = cloud.router("limited later", "10.0.0.0/24", zone=other_host)
    floating_ip = cloud.floating_ip(cloud.port(inner))
    network.update_ip(floating_ip, qos_policy_id=policy.id)
    assert source.news() == {other_host: {second.id}}
    network.update_qos_bandwidth_limit_rule(rule, policy, max_kbps=2000)
    assert source.news() == {host: {first.id}, other_host: {second.id}}
    network.update_ip(floating_ip, qos_policy_id=None)
    assert source.news() == {other_host: {second.id}}
    network.create_qos_bandwidth_limit_rule(others, max_kbps=1000)
    network.delete_qos_bandwidth_limit_rule(rule, policy)
    assert source.news() == {host: {first.id}}


def test_hosts_that_never_had_a_router_are_not_told_that_it_is_gone(
    cloud: Cloud, host: str, other_host: str, listen: Callable[..., Source]
) -> None:
    router, _networks = cloud.router("known from the start", zone=host)
    source = listen(host, other_host, heartbeat=False)
    cloud.network.delete_router(router)
    assert source.news() == {host: {router.id}}
    router, _networks = cloud.router("heard of", zone=host)
    assert source.news() == {host: {router.id}}
    cloud.network.delete_router(router)
    assert source.news() == {host: {router.id}}


def test_a_host_becomes_known_by_its_heartbeats(cloud: Cloud, host: str, listen: Callable[..., Source]) -> None:
    nobodys, _networks = cloud.router("on no host", gateway=False)
    new = f"{host}-new"
    source = listen(new, report_interval=0.5)
    assert agent_of(cloud, new).is_alive
    # Neutron has scheduled it when the source asked again, and tells nobody.
    wait_for(lambda: figures(cloud, new)[0] > 0)
    count = figures(cloud, new)[0]
    cloud.network.delete_router(nobodys)
    assert source.news() == {new: {nobodys.id}}
    wait_for(lambda: figures(cloud, new) == (count - 1, 0, 0, 0))
    router, _networks = cloud.router("first", "10.0.0.0/24", zone=new)
    assert source.news() == {new: {router.id}}
    wait_for(lambda: figures(cloud, new) == (count, 1, 1, 0))


def test_heartbeats_keep_the_agent_alive_with_the_figures_of_its_routers(
    cloud: Cloud, host: str, listen: Callable[..., Source]
) -> None:
    router, (front, back) = cloud.router("figures", "10.0.0.0/24", "10.0.1.0/24", zone=host)
    cloud.router("internal", "10.0.0.0/24", gateway=False, zone=host)
    source = listen(host, report_interval=0.5, configurations={"interface_driver": "bridge"})
    first = agent_of(cloud, host)
    assert figures(cloud, host) == (2, 1, 3, 0)
    assert first.configuration["interface_driver"] == "bridge"
    assert first.configuration["agent_mode"] == "legacy"
    assert first.availability_zone == host

    floating_ip = cloud.floating_ip(cloud.port(front))
    wait_for(lambda: figures(cloud, host) == (2, 1, 3, 1))
    cloud.network.delete_ip(floating_ip)
    cloud.unplug(router, back)
    wait_for(lambda: figures(cloud, host) == (2, 1, 2, 0))
    cloud.network.remove_router_from_agent(agent_of(cloud, host), router)
    wait_for(lambda: figures(cloud, host) == (1, 0, 1, 0))

    seen = agent_of(cloud, host)
    wait_for(lambda: agent_of(cloud, host).last_heartbeat_at > seen.last_heartbeat_at)
    assert seen.is_alive
    assert seen.last_heartbeat_at > seen.started_at == first.started_at
    source.stop()
    seen = agent_of(cloud, host)
    time.sleep(2)
    assert agent_of(cloud, host).last_heartbeat_at == seen.last_heartbeat_at


def test_without_heartbeats_the_agent_is_as_the_runs_report_it(cloud: Cloud, host: str, listen: Callable[..., Source]) -> None:
    before = agent_of(cloud, host)
    source = listen(host, report_interval=0.2, heartbeat=False)
    router, _networks = cloud.router("silent", zone=host)
    assert source.news() == {host: {router.id}}
    assert agent_of(cloud, host).to_dict() == before.to_dict()


def test_many_changes_are_few_events(cloud: Cloud, host: str, listen: Callable[..., Source]) -> None:
    routers = [cloud.router(f"burst {number}", zone=host)[0] for number in range(8)]
    source = listen(host, quiet=4, longest=60)
    for name in ("here", "there"):
        for router in routers:
            cloud.network.update_router(router, name=name)
    assert source.next() == (host, sorted(router.id for router in routers))
    with pytest.raises(Empty):
        source.next(5)


def test_what_is_heard_while_events_wait_is_one_more_event(cloud: Cloud, host: str, listen: Callable[..., Source]) -> None:
    routers = [cloud.router(f"waiting {number}", zone=host)[0] for number in range(3)]
    source = listen(host)
    source.slow.set()
    for router in routers:
        cloud.network.update_router(router, name="renamed")
        time.sleep(3 * QUIET)
    source.slow.clear()
    assert [source.next(), source.next()] == [(host, [routers[0].id]), (host, sorted(router.id for router in routers[1:]))]
    with pytest.raises(Empty):
        source.next(2)


def test_a_host_that_was_dead_for_neutron_has_an_event_of_all_its_routers(
    server: NeutronServer, cloud: Cloud, host: str, listen: Callable[..., Source]
) -> None:
    source = listen(host, report_interval=1)
    server.make_dead(host)
    assert source.news() == {host: {"all"}}
    assert agent_of(cloud, host).is_alive


def test_a_lost_connection_is_made_again_and_all_routers_are_looked_at(
    server: NeutronServer, cloud: Cloud, host: str, listen: Callable[..., Source], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    port = int(server.transport_url.rpartition(":")[2].rstrip("/"))
    with Relay(port) as relay:
        url = server.transport_url.replace(str(port), str(relay.port))
        source = listen(host, transport_url=url, report_interval=1)
        relay.cut()
        router, _networks = cloud.router("unheard", "10.0.0.0/24", zone=host)
        with pytest.raises(Empty):
            source.next(3)
        relay.mend()
        assert "all" in source.news()[host]
        wait_for(lambda: figures(cloud, host) == (1, 1, 1, 0))
        cloud.network.update_router(router, name="heard")
        assert source.news() == {host: {router.id}}
        source.stop()
    assert len(caplog.records) > 100
    assert all(PASSWORD not in f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records)


def test_other_calls_of_an_agent_are_taken(
    server: NeutronServer, host: str, listen: Callable[..., Source], caplog: pytest.LogCaptureFixture
) -> None:
    source = listen(host)
    with Rpc(server.transport_url) as rpc:
        client = oslo_messaging.get_rpc_client(rpc.transport, oslo_messaging.Target(topic="l3_agent", version="1.0"))
        fanout, directly = client.prepare(fanout=True, version="1.3"), client.prepare(server=host, timeout=10, version="1.1")
        for method in ("add_arp_entry", "del_arp_entry"):
            fanout.cast(CONTEXT, method, payload={"router_id": "r", "arp_table": {}})
        fanout.cast(CONTEXT, "fipnamespace_delete_on_ext_net", ext_net_id="n")
        assert directly.call(CONTEXT, "router_added_to_agent", payload=["r1", "r2"]) is None
        assert source.news() == {host: {"r1", "r2"}}
        directly.cast(CONTEXT, "routers_updated", routers=[{"id": "r3", "name": "whole"}])
        assert source.news() == {host: {"r3"}}
        directly.cast(CONTEXT, "routers_updated", routers=["{{ lookup('pipe', 'id') }}"])
        assert source.news() == {host: {"all"}}
    assert not [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]


def test_a_message_bus_that_cannot_be_reached_is_said_at_once(server: NeutronServer) -> None:
    port = server.transport_url.rpartition(":")[2].rstrip("/")
    began = time.monotonic()
    with pytest.raises(Exception, match="message bus of Neutron cannot be reached") as failure:
        Source(hosts=["node"], transport_url=server.transport_url.replace(port, "1")).stop_when_failed()
    assert PASSWORD not in str(failure.value)
    assert time.monotonic() - began < LONGEST_WAIT
