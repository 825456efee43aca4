# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ``l3_confirm``: what becomes of a change that waits to be confirmed."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from .converge import require_root
from .errors import Refused
from .host import guard

RESTORED_WITHIN = 600.0  # seconds; a thousand routers take a fraction of that


def run_confirm(params: Mapping[str, Any], check_mode: bool, diff: bool) -> Dict[str, Any]:  # noqa: ARG001
    """Do what the module does. Raises :class:`Refused` when no change waits."""
    require_root()
    confirms = params["state"] == "confirmed"
    if not guard.is_standing_by():
        raise Refused(_nobody())
    if check_mode:
        return {"changed": not confirms}
    answer = guard.ask(guard.CONFIRM if confirms else guard.TAKE_BACK, RESTORED_WITHIN)
    if answer is None:
        raise Refused(_nobody())
    return {"changed": False, "msg": "The change is confirmed.", **answer} if confirms else {"changed": True, **answer}


def _nobody() -> str:
    nobody = "No change waits to be confirmed on this node"
    if guard.died():
        return nobody + ": the guard of the last one was killed. That change STANDS, and nothing was taken back."
    taken_back = guard.last_taken_back()
    if taken_back is None:
        return nobody + "."
    return "%s: the last one was taken back at %s, since %s. %s" % (
        nobody, taken_back["time"], taken_back["why"], taken_back.get("msg", ""),
    )  # fmt: skip
