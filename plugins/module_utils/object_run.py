# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules of a single object: a router as it is on the node, edited, and converged like any other.

What the kernel tells of a router is all that is known of the rest of it, and stays.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from .converge import converge, leave_out_limits, observe_proxy, predict, require_node, warn_of_rights
from .errors import MissingObject, NotRouterData, Refused
from .gather import gather_router
from .host.known_rules import KnownRules
from .host.lock import exclusive
from .host.progress import Progress
from .interface_drivers import interface_driver
from .interface_drivers.driver import InterfaceDriver
from .observe import Observer, Place, observe_node, places
from .options import parse_options
from .plan_node import plan_node
from .result import node_result
from .router_data import check_router_ids
from .saving import saved
from .state import RouterState
from .wholeness import why_not_whole

RouterData = Dict[str, Any]
_KEPT = ("interfaces", "floating_ips", "port_forwardings", "enable_ndp_proxy", "ndp_proxies")  # by the module l3_router


class Edit(NamedTuple):
    """What a module makes of a router: its data (None: it goes), and where in it the module's own options stand."""

    router: Optional[RouterData]
    path: str = ""


def run_router(params: Mapping[str, Any], check_mode: bool, diff: bool) -> Dict[str, Any]:
    """The module ``l3_router``: a router with its gateway and routes; its interfaces and floating IPs stay."""

    def edit(present: Optional[RouterData]) -> Edit:
        if params["state"] == "absent":
            return Edit(None)
        kept = {key: present[key] for key in _KEPT if key in present} if present else {}
        given = {key: params[key] for key in ("id", "enable_snat", "gateway", "routes", "conntrack_helpers")}
        return Edit({**kept, **given})

    return _run(params["id"], params, check_mode, diff, edit)


def run_interface(params: Mapping[str, Any], check_mode: bool, diff: bool) -> Dict[str, Any]:
    """The module ``l3_interface``: one internal port of a router."""
    keys = ("id", "network_id", "mac_address", "mtu", "admin_state_up", "addresses", "address_scopes", "subnets")
    return _run_part("interfaces", "id", keys, params, check_mode, diff)


def run_floating_ip(params: Mapping[str, Any], check_mode: bool, diff: bool) -> Dict[str, Any]:
    """The module ``l3_floating_ip``: one floating IP of a router, on whatever its gateway is."""
    keys = ("floating_ip_address", "fixed_ip_address")
    return _run_part("floating_ips", "floating_ip_address", keys, params, check_mode, diff)


def _run_part(
    kind: str, key: str, keys: tuple[str, ...], params: Mapping[str, Any], check_mode: bool, diff: bool
) -> Dict[str, Any]:
    """An entry of one of a router's lists, known by ``key``."""

    def edit(present: Optional[RouterData]) -> Optional[Edit]:
        if present is None:
            if params["state"] == "absent":
                return None
            raise MissingObject("Router %s is not on this node: make it first, with l3_router." % params["router_id"])
        if kind == "floating_ips" and params["state"] == "present" and "gateway" not in present:
            raise MissingObject(
                "Router %s has no gateway, which a floating IP needs: give it one, with l3_router." % params["router_id"]
            )
        entries: List[Any] = [entry for entry in present[kind] if entry[key] != params[key]]
        place = len(entries)
        if params["state"] == "present":
            place = next((n for n, entry in enumerate(present[kind]) if entry[key] == params[key]), place)
            given = {name: params[name] for name in keys if params[name] is not None}
            former = [entry for entry in present[kind] if entry[key] == params[key]]
            # What the module has no option for stays: the bandwidth limits of a floating IP.
            kept = {name: value for entry in former for name, value in entry.items() if name not in keys}
            entries.insert(place, {**kept, **given})
        return Edit({**present, kind: entries}, "%s[%d]." % (kind, place))

    return _run(params["router_id"], params, check_mode, diff, edit)


def _run(
    router_id: str,
    params: Mapping[str, Any],
    check_mode: bool,
    diff: bool,
    edit: Callable[[Optional[RouterData]], Optional[Edit]],
) -> Dict[str, Any]:
    options = parse_options(params)
    kind = interface_driver(options.interface_driver)
    _ids, rejected = check_router_ids([{"id": router_id}])
    if rejected:
        raise NotRouterData("; ".join(rejected[0].errors).replace("routers[0].", ""))
    require_node(options, kind.commands)
    with ExitStack() as stack:
        if not check_mode:
            stack.enter_context(exclusive(options.lock_timeout))
        driver = kind.on_node(options, observe_node())
        place = Place(router_id, options.namespace_of(router_id))
        observer = Observer(driver, KnownRules({}))
        present = observer.observe([place], {})[place]
        if not isinstance(present, RouterState):
            raise present
        try:
            silent = place.router_id in observer.advertisers.known and not present.advertised
            edited = edit(_present_data(place, present, driver, params, silent))
        except MissingObject as reason:
            if not check_mode:
                raise
            warning = "%s In check mode it is taken for granted that a task before this one does." % reason
            return {"changed": True, "actions": [], "warnings": [warning]}
        if edited is None:  # there is nothing to edit
            return {"changed": False, "actions": [], "diff": []} if diff else {"changed": False, "actions": []}
        data, state = ([edited.router], "replaced") if edited.router is not None else ([{"id": router_id}], "deleted")
        proxy = observe_proxy(options)
        plan = plan_node(data, state, options, driver, proxy, Observer(driver, KnownRules({}), proxy.sockets))
        leave_out_limits(plan)
        warn_of_rights(plan, options)
        outcome = predict(plan) if check_mode else converge(plan, options, Progress())
        if not check_mode:
            outcome = saved(plan, outcome, data, state, params, options)
        result = node_result(plan, outcome, driver, diff)
    return _of_one(result, edited.path)


def _present_data(
    place: Place, present: RouterState, driver: InterfaceDriver, params: Mapping[str, Any], silent: bool
) -> Optional[RouterData]:
    """The router as it is, as data; None when it is not there. ``silent``: its radvd has ended, or what it was told is not known.
    Raises :class:`Refused` when it cannot be edited.
    """
    elsewhere = any(other.router_id == place.router_id and other != place for other in places(driver))
    if not present.namespace or (elsewhere and not present.devices):
        if elsewhere and params["state"] == "present":
            where = "the node's own namespace" if place.namespace else "a namespace of its own"
            message = "Router %s lives in %s: use_namespaces says otherwise, and the run would move it without its ports."
            raise Refused(message % (place.router_id, where))
        return None
    removes_all = "router_id" not in params and params["state"] == "absent"
    reason = None if removes_all else why_not_whole(present, driver)
    reason = "its radvd is gone" if silent and not removes_all else reason
    if reason is not None:
        message = "Router %s is not whole: %s. Converge it with l3_routers first: the rest of it would be lost."
        raise Refused(message % (place.router_id, reason))
    return gather_router(place.router_id, present, as_meant=True)


def _of_one(result: Dict[str, Any], path: str) -> Dict[str, Any]:
    """The result of a run over one router, with paths as the user of the module knows them."""
    [entry] = result["routers"]
    one: Dict[str, Any] = {key: result[key] for key in ("changed", "failed", "diff", "warnings") if key in result}
    one["actions"] = [*entry["actions"], *result["node"]["actions"]]
    errors = [text for text in (entry.get("error"), result["node"].get("error")) if text]
    if errors:
        one["msg"] = "; ".join(errors).replace("routers[0].", "").replace(path or "\0", "")
    return one
