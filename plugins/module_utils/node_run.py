# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of ``l3_routers``: one call for a whole node."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from .converge import converge, leave_out_limits, observe_proxy, predict, require_node, warn_of_rights
from .gather import gather_router
from .host import saved_file
from .host.guard import Guard
from .host.known_rules import KnownRules
from .host.lock import exclusive
from .host.progress import Progress
from .interface_drivers import interface_driver
from .interface_drivers.bridge import BridgeDriver
from .interface_drivers.driver import InterfaceDriver
from .observe import Observer, observe_node, places
from .options import Options, parse_options
from .plan_node import NodePlan, plan_node
from .rendered import rendered
from .restore import Before, restore
from .result import node_result
from .saving import saved
from .services.metadata_proxy import Upstream
from .state import RouterState


def run_node(params: Mapping[str, Any], check_mode: bool, diff: bool) -> Dict[str, Any]:
    """Do what ``state`` says and return the module's result. Raises what :func:`module.run_module` turns to words."""
    options = parse_options(params)
    state = params["state"]
    if state == "gathered":
        kind = interface_driver(options.interface_driver) if options.interface_driver else BridgeDriver
        require_node(options, kind.commands)
        return {"changed": False, "gathered": gathered(kind.on_node(options, observe_node()))}
    kind = interface_driver(options.interface_driver)
    if state == "rendered":
        return rendered(params["routers"], options, kind)
    require_node(options, kind.commands)
    if check_mode:
        plan, driver = planned(params["routers"], state, options, diff, None)
        return node_result(plan, predict(plan), driver, diff, predicted=True)
    with exclusive(options.lock_timeout) as lock, Progress() as progress:
        # The way back needs to know all of what goes.
        plan, driver = planned(params["routers"], state, options, diff or options.confirm_timeout > 0, progress)

        def made() -> Dict[str, Any]:
            outcome = converge(plan, options, progress)
            unconfirmed = options.confirm_timeout > 0
            outcome = saved(plan, outcome, params["routers"], state, params, options, unconfirmed)
            return node_result(plan, outcome, driver, diff)

        return _guarded(plan, options, driver, lock, made) if options.confirm_timeout else made()


def _guarded(
    plan: NodePlan, options: Options, driver: InterfaceDriver, lock: int, made: Callable[[], Dict[str, Any]]
) -> Dict[str, Any]:
    """Make a planned run happen, by ``made``, and have the node take it back unless somebody confirms it."""
    before, kind = Before.of(plan, driver), type(driver)
    plan.warnings += before.losses

    def taken_back() -> Dict[str, Any]:
        try:
            return restore(before, options, kind)
        finally:
            saved_file.discard_unconfirmed()

    with Guard(options.confirm_timeout, lock, taken_back, saved_file.confirm) as guard:
        result = made()
        if not result["changed"]:
            guard.unchanged()
            saved_file.confirm()
            return result
        if guard.changed():
            sentence = "Unless it is confirmed within %g seconds, the node takes the change back." % options.confirm_timeout
            return {**result, "unconfirmed": True, "msg": "%s\n%s" % (result["msg"], sentence)}
    saved_file.confirm()
    sentence = "The guard of the change was killed meanwhile: the change STANDS, and will not be taken back."
    return {**result, "failed": True, "msg": "%s\n%s" % (result["msg"], sentence)}


def planned(
    data: object, state: str, options: Options, thorough: bool, progress: Optional[Progress], known: Optional[Upstream] = None
) -> Tuple[NodePlan, InterfaceDriver]:
    """The plan, and the driver that knows the node. ``progress``: None in check mode, which leaves nothing on the node.

    ``thorough``: rules that go with a namespace are read as well, for showing them or for having them back. ``known``: the
    upstream of metadata as it was last seen.
    """
    driver = interface_driver(options.interface_driver).on_node(options, observe_node())
    proxy = observe_proxy(options, thorough=not data, known=known)
    known_rules = KnownRules.on_node()
    observer = Observer(driver, known_rules, proxy.sockets, thorough=thorough, progress=progress, lost_too=not data)
    plan = plan_node(data, state, options, driver, proxy, observer)
    leave_out_limits(plan)
    warn_of_rights(plan, options)
    if progress is not None:
        known_rules.save(everything=state == "overridden")
    return plan, driver


def gathered(driver: InterfaceDriver) -> List[Dict[str, Any]]:
    """The node's routers as router data. Raises CommandError when one cannot be read."""
    routers = []
    for place, found in Observer(driver, KnownRules({})).observe(places(driver), {}).items():
        if not isinstance(found, RouterState):
            raise found
        if found.namespace and (place.namespace is not None or found.devices):
            routers.append(gather_router(place.router_id, found))
    return routers
