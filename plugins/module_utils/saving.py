# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After a run, what it led to is saved on the node for its next boot, where the role network_node has put what restores it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Mapping, Optional

from .converge import NodeResult
from .errors import UNFORESEEN, in_words
from .host import saved_file
from .options import Options
from .plan_node import NodePlan
from .saved_routers import SavedRouters, Unreadable, after_run, decode, encode, is_same

_NOT_SAVED = "What the run led to is not saved for the next boot: %s The next boot or repair of the node sets its routers back."
_LOST = "What was saved for the next boot could not be read (%s: %s). From now on it is what this run led to."


def saved(
    plan: NodePlan,
    outcome: NodeResult,
    data: Any,
    state: str,
    params: Mapping[str, Any],
    options: Options,
    unconfirmed: bool = False,
) -> NodeResult:
    """Save what a run led to, and return what became of the run: that it could not be saved is an error of the node.

    ``unconfirmed``: it counts only when :func:`saved_file.confirm` is called.
    """
    if not saved_file.is_wanted():
        return outcome
    try:
        text = saved_file.read()
        after = after_run(_before(text, plan), data, state, params, plan, outcome, options)
        new = encode(replace(after, time=time.strftime("%Y-%m-%d %H:%M:%S %z")))
        saved_file.discard_unconfirmed()
        if not is_same(text, new):
            (saved_file.write_unconfirmed if unconfirmed else saved_file.write)(new)
    except UNFORESEEN as error:
        return replace(outcome, error="; ".join(filter(None, [outcome.error, _NOT_SAVED % in_words(error)])))
    return outcome


def _before(text: Optional[str], plan: NodePlan) -> SavedRouters:
    if text is None:
        return SavedRouters()
    try:
        return decode(text)
    except Unreadable as reason:
        plan.warnings.append(_LOST % (saved_file.PATH, reason))
        return SavedRouters()
