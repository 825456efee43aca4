# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs over the routers that a node was last converged to, as it saved them: at boot, and for who is logged in on the node.

They are the state ``replaced``: what else is on the node stays.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Dict, List, Optional

from .converge import converge, predict, require_node, require_root
from .errors import RunError
from .host import saved_file
from .host.lock import exclusive
from .host.progress import Progress
from .interface_drivers import interface_driver
from .interface_drivers.bridge import BridgeDriver
from .node_run import gathered, planned
from .observe import observe_node, places
from .options import parse_options
from .result import node_result
from .saved_routers import SavedRouters, Unreadable, decode


class NothingSaved(RunError):
    """There is nothing to restore."""

    def __init__(self) -> None:
        super().__init__(
            "Nothing is saved on this node (%s): no run has converged it since it was prepared, or the file is gone. The next run"
            " of the playbook saves its routers." % saved_file.PATH
        )


def load() -> SavedRouters:
    """What was saved. Raises :class:`NothingSaved` or :class:`Unreadable`."""
    try:
        text = saved_file.read()
    except OSError as error:
        raise Unreadable(_unusable("it cannot be read: %s" % error.strerror)) from None
    if text is None:
        raise NothingSaved
    try:
        return decode(text)
    except Unreadable as reason:
        raise Unreadable(_unusable(str(reason))) from None


def _unusable(reason: str) -> str:
    return "%s cannot be used, %s. Nothing was touched. The next run of the playbook writes it anew." % (saved_file.PATH, reason)


def run_saved(check_mode: bool, lock_timeout: float) -> Dict[str, Any]:
    """Have the node's routers be as they were saved, or say what that would change; the result is that of ``l3_routers``."""
    require_root()
    with ExitStack() as stack:
        progress: Optional[Progress] = None
        if not check_mode:
            stack.enter_context(exclusive(lock_timeout))
            progress = stack.enter_context(Progress())
        saved = load()  # by now no other run is about to save something else
        options = parse_options(saved.options)
        require_node(options, interface_driver(options.interface_driver).commands)
        plan, driver = planned(list(saved.routers.values()), "replaced", options, False, progress, saved.upstream)
        outcome = predict(plan) if progress is None else converge(plan, options, progress)
    unsaved = sorted({place.router_id for place in places(driver)} - set(saved.routers))
    return {**node_result(plan, outcome, driver, False, predicted=check_mode), "unsaved": unsaved, "time": saved.time}


def routers_of_node() -> List[Dict[str, Any]]:
    """The routers that are on the node, as router data, read as the last run would read them."""
    require_root()
    try:
        options = parse_options(load().options)
    except (NothingSaved, Unreadable):
        options = parse_options({})
    require_node(options)
    kind = interface_driver(options.interface_driver) if options.interface_driver else BridgeDriver
    return gathered(kind.on_node(options, observe_node()))
