# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What builds routers on an empty node, as text: nothing is read or touched."""

from __future__ import annotations

import shlex
from typing import Any, Dict, List, Type

from .desired import desired_state
from .host import radvd
from .interface_drivers.driver import InterfaceDriver
from .metadata_ipv6 import devices_with_metadata_v6
from .operations import Advertise, ChangeRules, Ip, Operation, Ovs, SetSysctl, Tc
from .options import Options
from .plan import Planner
from .router_data import check_routers
from .selection import select
from .services.metadata_proxy import MetadataProxy, Upstream
from .state import ABSENT, INET, IPV4, IPV6, RouterState

_RULE_COMMANDS = {
    IPV4: ("iptables-restore", "--noflush"),
    IPV6: ("ip6tables-restore", "--noflush"),
    INET: ("nft", "--file -"),
}


def rendered(data: object, options: Options, kind: Type[InterfaceDriver]) -> Dict[str, Any]:
    """Commands and rule sets, and the configuration of the metadata proxy where there is to be one."""
    checked = check_routers(data, options.needs_network_ids)
    chosen = select(checked.routers, options).routers
    upstream = Upstream.unseen(options.metadata_upstream) if options.metadata_upstream else None
    proxy = MetadataProxy(options, upstream)
    driver = kind.on_empty_node(options)
    planner = Planner(driver, proxy)
    routers: List[Dict[str, Any]] = []
    for router in chosen:
        absent = ABSENT if options.use_namespaces else RouterState(namespace=True, loopback_up=True)
        plan = planner.plan(desired_state(router, options, driver), absent)
        entry: Dict[str, Any] = {"id": router.id, "commands": [], "rules": {}}
        for operation in plan.operations:
            if isinstance(operation, Advertise):
                entry["router_advertisements"] = operation.text
            command = _command(operation, entry["rules"])
            if command:
                entry["commands"].append(command)
        if plan.problems:
            entry["error"] = "; ".join(plan.problems)
        routers.append(entry)
    routers += [{"id": r.id, "commands": [], "rules": {}, "error": "; ".join(r.errors)} for r in checked.rejected]
    failed = ["router %s: %s" % (router["id"], router["error"]) for router in routers if "error" in router]
    result: Dict[str, Any] = {"changed": False, "rendered": routers}
    if upstream is not None:
        result["metadata_proxy"] = proxy.render(
            {router.id: proxy.line(router.id, bool(devices_with_metadata_v6(router))) for router in chosen}
        )
    return {**result, "failed": True, "msg": "\n".join(failed)} if failed else result


def _command(operation: Operation, rules: Dict[str, str]) -> str:
    """A step as a command line; rule sets are put into ``rules``, by the name of the file that the line reads."""
    if isinstance(operation, Ovs):
        return shlex.join(["ovs-vsctl", *operation.arguments])
    if isinstance(operation, (Ip, Tc)):
        command = "ip" if isinstance(operation, Ip) else "tc"
        return "%s %s%s" % (command, "-n %s " % operation.namespace if operation.namespace else "", operation.line)
    inside = "ip netns exec %s " % operation.namespace if operation.namespace else ""
    if isinstance(operation, SetSysctl):
        return inside + "sysctl -w %s=%s" % (operation.key, operation.value)
    if isinstance(operation, Advertise):
        return inside + shlex.join([radvd.COMMAND, *radvd.arguments(operation.router_id)])
    if isinstance(operation, ChangeRules):
        command, arguments = _RULE_COMMANDS[operation.family]
        further = command in rules  # helpers of connection tracking, which a run sets by a call of their own
        rules[command] = rules.get(command, "") + operation.text
        return "" if further else "%s%s %s" % (inside, command, arguments)
    return ""
