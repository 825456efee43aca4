# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module returns: plain data out of plans and outcomes. Pure."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set

from .converge import NodeResult, RouterResult
from .gather import describe_state
from .interface_drivers.driver import InterfaceDriver
from .model import EXTERNAL_PREFIX
from .options import Options
from .plan_node import Change, NodePlan
from .port_forwardings import number_of_floating_ips
from .state import RouterState

LINE_LENGTH = 110  # characters of a diff's line before it is broken
LONGEST_ERROR = 1000  # characters of a router's errors in the closing sentence; its own entry has all
NAMED = 10  # failed routers that the closing sentence names one by one


def node_result(
    plan: NodePlan, outcome: NodeResult, driver: InterfaceDriver, diff: bool, predicted: bool = False
) -> Dict[str, Any]:
    """The result of a run over a node, as the design of the modules fixes it. ``predicted``: nothing of it was done."""
    routers = [_router_entry(result) for result in outcome.routers]
    routers += [{"id": r.id, "changed": False, "actions": [], "error": "; ".join(r.errors)} for r in plan.rejected]
    changed = [router for router in routers if router["changed"]]
    failed = [router for router in routers if "error" in router]
    node: Dict[str, Any] = {"changed": bool(outcome.actions), "actions": list(outcome.actions)}
    if outcome.error is not None:
        node["error"] = outcome.error
    removed = _removed([result.change for result in outcome.routers if result.error is None])
    result: Dict[str, Any] = {
        "changed": bool(changed or outcome.actions),
        "routers": routers,
        "node": node,
        # "skipped" alone would make Ansible take the whole task for skipped.
        "skipped_routers": [{"id": skipped.id, "reason": skipped.reason} for skipped in plan.skipped],
        "report": _report(plan, driver.options),
        "warnings": plan.warnings,
        "removed": removed,
        "msg": _summary(len(routers), len(changed), failed, len(plan.skipped), outcome.error, _sentence(removed, predicted)),
    }
    if failed or outcome.error is not None:
        result["failed"] = True
    if diff:
        result["diff"] = [_diff(r, driver) for r in outcome.routers if r.actions] + _node_diff(plan, outcome)
    return result


def _router_entry(result: RouterResult) -> Dict[str, Any]:
    entry: Dict[str, Any] = {
        "id": result.change.router_id,
        "changed": bool(result.actions),
        "actions": list(result.actions),
    }
    if result.change.before.foreign and result.change.after.namespace:
        entry["foreign"] = list(result.change.before.foreign)
    if result.error is not None:
        entry["error"] = result.error
    return entry


def _removed(changes: Sequence[Change]) -> Dict[str, int]:
    """How many routers, and how many floating IPs, the node no longer has; one that moves to another router stays."""
    before, after = _floating_ips(change.before for change in changes), _floating_ips(change.after for change in changes)
    gone = sum(1 for c in changes if (c.unread is not None or _is_there(c.before)) and not _is_there(c.after))
    return {"routers": gone, "floating_ips": len(before - after)}


def _is_there(state: RouterState) -> bool:
    return state.namespace or state.dead or bool(state.devices)


def _floating_ips(states: Iterable[RouterState]) -> Set[str]:
    """Host addresses behind the first address of gateway ports, since rules are not read of all routers that go."""
    return {
        address
        for state in states
        for device, addresses in state.addresses.items()
        if device.startswith(EXTERNAL_PREFIX)
        for address in addresses[1:]
        if address.endswith("/32")
    }


def _sentence(removed: Mapping[str, int], predicted: bool) -> str:
    if not any(removed.values()):
        return ""
    parts = [
        "%d %s%s" % (number, what, "" if number == 1 else "s")
        for number, what in ((removed["routers"], "router"), (removed["floating_ips"], "floating IP"))
        if number
    ]
    return " %s: %s." % ("To be removed" if predicted else "Removed", " and ".join(parts))


def _report(plan: NodePlan, options: Options) -> Dict[str, Any]:
    """What the agent's report_state says: figures of the routers that the node is to have, and its configuration."""
    figures = {
        "routers": len(plan.routers),
        "ex_gw_ports": sum(1 for router in plan.routers if router.gateway is not None),
        "interfaces": sum(len(router.interfaces) for router in plan.routers),
        "floating_ips": sum(number_of_floating_ips(router) for router in plan.routers),
    }
    configurations = {
        "agent_mode": "legacy",
        "interface_driver": options.interface_driver,
        "use_namespaces": options.use_namespaces,
        "router_id": options.router_id or "",
        "handle_internal_only_routers": options.handle_internal_only_routers,
        "gateway_external_network_id": options.gateway_external_network_id or "",
    }
    return {**figures, "configurations": {**configurations, **figures}}


def _summary(
    count: int, changed: int, failed: List[Dict[str, Any]], skipped: int, node_error: Optional[str], removed: str
) -> str:
    text = "%d router%s: %d changed, %d failed, %d skipped." % (
        count, "" if count == 1 else "s", changed, len(failed), skipped,
    )  # fmt: skip
    text += removed
    by_error: Dict[str, List[str]] = {}
    for router in failed:
        by_error.setdefault(router["error"], []).append(router["id"])
    lines = ["%s: %s" % (_names(routers), _beginning(error)) for error, routers in list(by_error.items())[:NAMED]]
    if len(by_error) > NAMED:
        lines.append("and %d more errors, see routers in the result" % (len(by_error) - NAMED))
    if node_error is not None and node_error not in by_error:
        lines.append("node: " + _beginning(node_error))
    return "\n".join([text, *lines])


def _beginning(error: str) -> str:
    return error if len(error) <= LONGEST_ERROR else error[:LONGEST_ERROR] + "…"


def _names(routers: List[str]) -> str:
    if len(routers) == 1:
        return "router " + routers[0]
    more = " and %d more" % (len(routers) - NAMED) if len(routers) > NAMED else ""
    return "routers %s%s" % (", ".join(routers[:NAMED]), more)


def _diff(result: RouterResult, driver: InterfaceDriver) -> Dict[str, str]:
    router_id = result.change.router_id

    def text(state: Any) -> str:
        described = describe_state(router_id, state, driver)
        return "".join(line + "\n" for line in _lines(described, ""))

    return {
        "before_header": "router %s" % router_id,
        "after_header": "router %s" % router_id,
        "before": text(result.change.before),
        "after": text(result.change.after),
    }


def _node_diff(plan: NodePlan, outcome: NodeResult) -> List[Dict[str, str]]:
    """What of the run concerns no router: the metadata proxy's configuration, and what else was done."""
    others = "".join(action + "\n" for action in outcome.actions if not action.startswith("metadata proxy"))
    texts = (("metadata proxy", plan.proxy.text, plan.proxy_after), ("node", "", others))
    return [
        {"before_header": header, "after_header": header, "before": old, "after": new}
        for header, old, new in texts
        if outcome.actions and old != new
    ]


def _lines(value: Any, indent: str) -> List[str]:
    """Nested data as lines in the manner of YAML, what fits on a line on one, so that a diff can be read."""
    pairs = [("- ", entry) for entry in value] if isinstance(value, list) else [(k + ": ", v) for k, v in value.items()]
    lines: List[str] = []
    for label, entry in pairs:
        text = entry if isinstance(entry, str) else json.dumps(entry)
        if not isinstance(entry, (dict, list)) or len(indent) + len(label) + len(text) <= LINE_LENGTH:
            lines.append(indent + label + text)
        else:
            lines.append((indent + label).rstrip())
            lines += _lines(entry, indent + "  ")
    return lines
