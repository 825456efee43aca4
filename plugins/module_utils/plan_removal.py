# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a router goes from the node: pure."""

from __future__ import annotations

from typing import Iterable, List, Optional, Tuple

from .interface_drivers.driver import InterfaceDriver
from .operations import EndAgentsProxy, Ip, Operation, Unserve
from .plan_bandwidth import IFB
from .plan_firewall import firewall_operations
from .services.metadata_proxy import MetadataProxy
from .state import RouterState


def end_agents_proxy(router_id: str, observed: RouterState) -> Tuple[Operation, ...]:
    """The L3 agent's own metadata proxy goes, whether ours takes its place or not: its redirection is gone anyway."""
    if observed.agents_proxy is None:
        return ()
    action = "metadata proxy of the L3 agent ended (process %d)" % observed.agents_proxy
    return (EndAgentsProxy(None, (action,), observed.agents_proxy, router_id),)


def removal(
    router_id: str,
    namespace: Optional[str],
    observed: RouterState,
    driver: InterfaceDriver,
    proxy: MetadataProxy,
    released: Iterable[str] = (),
) -> List[Operation]:
    """The operations that remove a router from a namespace, None being the node's own.

    A router's devices go with its namespace, a moment later. ``released``: what of its things on the node does not,
    or must be gone at once.
    """
    # A socket in a namespace would keep it, and all that is in it, in being.
    operations: List[Operation] = [Unserve(namespace, (), router_id)] if proxy.listens_for(router_id) else []
    if namespace is not None:
        operations += driver.release(released, stale=False)
        action = "dead namespace %s removed" if observed.dead else "namespace %s removed"
        deleted = Ip(None, (action % namespace,), "netns delete " + namespace)
        return [*operations, deleted, *end_agents_proxy(router_id, observed)]
    for device in observed.devices.values():
        operations += driver.unplug(None, device)
    if observed.shaping.ifb:
        operations.append(Ip(None, ("device %s removed" % IFB,), "link delete dev " + IFB))
    unplugged = {device.attachment.peer for device in observed.devices.values() if device.attachment is not None}
    operations += driver.release((name for name in released if name not in unplugged), stale=True)
    return [*operations, *firewall_operations(None, {}, observed)]
