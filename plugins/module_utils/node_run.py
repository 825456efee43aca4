# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of ``l3_routers``: one call for a whole node."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from .converge import converge, observe_proxy, predict, require_node
from .gather import gather_router
from .host.known_rules import KnownRules
from .host.lock import exclusive
from .host.progress import Progress
from .interface_drivers import interface_driver
from .interface_drivers.bridge import BridgeDriver
from .interface_drivers.driver import InterfaceDriver
from .observe import Observer, observe_node, places
from .options import Options, parse_options
from .plan_node import plan_node
from .rendered import rendered
from .result import node_result
from .state import RouterState


def run_node(params: Mapping[str, Any], check_mode: bool, diff: bool) -> Dict[str, Any]:
    """Do what ``state`` says and return the module's result. Raises what :func:`module.run_module` turns to words."""
    options = parse_options(params)
    state = params["state"]
    if state == "gathered":
        kind = interface_driver(options.interface_driver) if options.interface_driver else BridgeDriver
        require_node(kind.commands)
        return {"changed": False, "gathered": gathered(kind.on_node(options, observe_node()))}
    kind = interface_driver(options.interface_driver)
    if state == "rendered":
        return rendered(params["routers"], options, kind)
    require_node(kind.commands)
    if check_mode:
        return _run(params["routers"], state, options, diff, None)
    with exclusive(options.lock_timeout), Progress() as progress:
        return _run(params["routers"], state, options, diff, progress)


def _run(data: object, state: str, options: Options, diff: bool, progress: Optional[Progress]) -> Dict[str, Any]:
    driver = interface_driver(options.interface_driver).on_node(options, observe_node())
    proxy = observe_proxy(options, thorough=not data)
    known_rules = KnownRules.on_node()
    # Rules that go with a namespace are read for showing alone.
    observer = Observer(driver, known_rules, proxy.sockets, thorough=diff, progress=progress)
    plan = plan_node(data, state, options, driver, proxy, observer)
    if progress is None:  # check mode
        return node_result(plan, predict(plan), driver, diff)
    known_rules.save(everything=state == "overridden")
    return node_result(plan, converge(plan, options, progress), driver, diff)


def gathered(driver: InterfaceDriver) -> List[Dict[str, Any]]:
    """The node's routers as router data. Raises CommandError when one cannot be read."""
    routers = []
    for place, found in Observer(driver, KnownRules({})).observe(places(driver), {}).items():
        if not isinstance(found, RouterState):
            raise found
        if found.namespace and (place.namespace is not None or found.devices):
            routers.append(gather_router(place.router_id, found))
    return routers
