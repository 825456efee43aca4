# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of ``l3_routers``: one call for a whole node."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from .converge import converge, observe_routers, plan_node, predict, require_node, routers_on
from .desired import desired_state
from .gather import gather_router
from .host.lock import exclusive
from .interface_drivers import interface_driver
from .interface_drivers.bridge import BridgeDriver
from .observe import observe_node
from .operations import Ip, Operation, RestoreRules, SetSysctl
from .options import Options, parse_options
from .plan import Planner
from .result import node_result
from .router_data import check_routers
from .state import ABSENT, IPV4, NodeState, RootLink, RouterState


def run_node(params: Mapping[str, Any], check_mode: bool, diff: bool) -> Dict[str, Any]:
    """Do what ``state`` says and return the module's result. Raises what :func:`module.run_module` turns to words."""
    options = parse_options(params)
    state = params["state"]
    if state == "gathered":
        require_node()
        return {"changed": False, "gathered": gathered(BridgeDriver(options))}
    driver = interface_driver(options)
    if state == "rendered":
        return rendered(params["routers"], options, driver)
    require_node()
    if check_mode:
        plan = plan_node(params["routers"], state, options, driver)
        return node_result(plan, predict(plan), driver, diff)
    with exclusive(options.lock_timeout):
        plan = plan_node(params["routers"], state, options, driver)
        return node_result(plan, converge(plan, options), driver, diff)


def gathered(driver: BridgeDriver) -> List[Dict[str, Any]]:
    """The node's routers as router data. Raises CommandError when one cannot be read."""
    node = observe_node()
    routers = []
    for router_id, found in observe_routers(routers_on(node), node, driver).items():
        if not isinstance(found, RouterState):
            raise found
        if found.namespace:
            routers.append(gather_router(router_id, found, driver))
    return routers


def rendered(data: object, options: Options, driver: BridgeDriver) -> Dict[str, Any]:
    """Commands and rule sets that build the routers on an empty node, as text."""
    checked = check_routers(data, options.needs_network_ids)
    bridge = RootLink(options.external_network_bridge, 0, None, None, True, 1500, True)
    planner = Planner(NodeState(frozenset(), {bridge.name: bridge}), driver)
    routers: List[Dict[str, Any]] = []
    for router in checked.routers:
        if not router.admin_state_up:
            continue
        plan = planner.plan(desired_state(router, options, driver), ABSENT)
        entry: Dict[str, Any] = {"id": router.id, "commands": [], "rules": {}}
        for operation in (*plan.shared, *plan.own):
            command = _command(operation, entry["rules"])
            if command:
                entry["commands"].append(command)
        if plan.problems:
            entry["error"] = "; ".join(plan.problems)
        routers.append(entry)
    routers += [{"id": r.id, "commands": [], "rules": {}, "error": "; ".join(r.errors)} for r in checked.rejected]
    failed = ["router %s: %s" % (router["id"], router["error"]) for router in routers if "error" in router]
    result: Dict[str, Any] = {"changed": False, "rendered": routers}
    return {**result, "failed": True, "msg": "\n".join(failed)} if failed else result


def _command(operation: Operation, rules: Dict[str, str]) -> str:
    """A step as a command line; rule sets are put into ``rules``, by the name of the file that the line reads."""
    if isinstance(operation, Ip):
        return "ip %s%s" % ("-n %s " % operation.namespace if operation.namespace else "", operation.line)
    inside = "ip netns exec %s " % operation.namespace
    if isinstance(operation, SetSysctl):
        return inside + "sysctl -w %s=%s" % (operation.key, operation.value)
    if isinstance(operation, RestoreRules):
        command = "iptables-restore" if operation.family == IPV4 else "ip6tables-restore"
        rules[command] = operation.text
        return inside + command + " --noflush"
    return ""
