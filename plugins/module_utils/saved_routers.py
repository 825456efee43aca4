# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a node was last converged to: router data and options, as text that tells when it is not whole. Pure.

The text is two lines of JSON: the first has the version of the format, the checksum of the second, and when it was written.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional

from .converge import NodeResult
from .errors import RunError
from .module import ENGINE_OPTIONS
from .options import Options
from .plan_node import NodePlan
from .selection import ADMIN_DOWN
from .services.metadata_proxy import Upstream

FORMAT = 1
# What a run over the saved routers is done with. Which routers are for the node was decided before they were saved.
OPTIONS = tuple(name for name in ENGINE_OPTIONS if name != "lock_timeout")
_OF_UPSTREAM = ("text", "address", "identity")


class Unreadable(RunError):
    """What was saved cannot be used; the message says why."""


@dataclass(frozen=True)
class SavedRouters:
    """The routers, by their ids, and the options of the last run. ``time``: when they were saved, by the node's clock;
    ``upstream``: that of metadata as it was last seen, since after a boot it can come later than the routers.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    routers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    time: str = ""
    upstream: Optional[Upstream] = None


def encode(saved: SavedRouters) -> str:
    """As text."""
    content: Dict[str, Any] = {"options": saved.options, "routers": list(saved.routers.values())}
    if saved.upstream is not None:
        content["upstream"] = {name: getattr(saved.upstream, name) for name in _OF_UPSTREAM}
    body = json.dumps(content)
    head = json.dumps({"format": FORMAT, "sha256": _digest(body), "time": saved.time})
    return "%s\n%s\n" % (head, body)


def is_same(text: Optional[str], other: str) -> bool:
    """Whether two texts save the same, whenever they were written."""
    return text is not None and text.split("\n", 1)[1:] == other.split("\n", 1)[1:]


def decode(text: str) -> SavedRouters:
    """From text. Raises :class:`Unreadable`."""
    head, _newline, body = text.partition("\n")
    told = _mapping(head)
    version = told.get("format")
    if isinstance(version, int) and version > FORMAT:
        message = "it was written by a newer version (format %d, and this version reads up to %d)"
        raise Unreadable(message % (version, FORMAT))
    if version != FORMAT or told.get("sha256") != _digest(body.rstrip("\n")):
        raise Unreadable("it is damaged: its checksum does not fit")
    content = _mapping(body)
    options, routers = content.get("options"), content.get("routers")
    if not isinstance(options, dict) or not isinstance(routers, list):
        raise Unreadable("it is damaged: it has no options or no routers")
    by_id = {str(router.get("id")): router for router in routers if isinstance(router, dict)}
    kept = {name: options[name] for name in OPTIONS if name in options}
    return SavedRouters(kept, by_id, str(told.get("time", "")), _upstream(content.get("upstream")))


def _upstream(found: Any) -> Optional[Upstream]:
    if not isinstance(found, dict):
        return None
    text, address, identity = (found.get(name) for name in _OF_UPSTREAM)
    if not isinstance(text, str) or not isinstance(address, str):
        return None
    if identity is None:
        return Upstream(text, address)
    if isinstance(identity, list) and [type(number) for number in identity] == [int, int]:
        return Upstream(text, address, (identity[0], identity[1]))
    return None


def _mapping(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("it is damaged: it is no JSON") from None
    return found if isinstance(found, dict) else {}


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", errors="surrogatepass")).hexdigest()


def after_run(
    before: SavedRouters, data: Any, state: str, params: Mapping[str, Any], plan: NodePlan, outcome: NodeResult, options: Options
) -> SavedRouters:
    """What is to be saved after a run with this data: what it converged; what failed or was rejected as it was before."""
    given = {entry["id"]: entry for entry in data if isinstance(entry, dict) and isinstance(entry.get("id"), str)}
    wanted = {router.id for router in plan.routers}
    errors = {result.change.router_id: result.error for result in outcome.routers}
    routers: Dict[str, Mapping[str, Any]] = dict(before.routers)
    purges = state == "overridden" and all(rejected.identified for rejected in plan.rejected)
    if purges:
        stay = {rejected.id for rejected in plan.rejected} | options.protected_routers | set(errors)
        routers = {router_id: router for router_id, router in routers.items() if router_id in stay}
    if state == "replaced" or purges:
        for skipped in plan.skipped:
            if skipped.reason == ADMIN_DOWN and skipped.id not in errors:
                routers.pop(skipped.id, None)
    converged = False
    for router_id, error in errors.items():
        if error is None and router_id in wanted:
            routers[router_id] = given[router_id]
            converged = True
        elif error is None:
            routers.pop(router_id, None)
    new = {name: params[name] for name in OPTIONS if params.get(name) is not None}
    if not converged and before.routers:
        return SavedRouters(before.options, routers, upstream=before.upstream)
    return SavedRouters(new, routers, upstream=_last_seen(plan.proxy.upstream, before.upstream))


def _last_seen(upstream: Optional[Upstream], before: Optional[Upstream]) -> Optional[Upstream]:
    if upstream is None or upstream.is_known:
        return upstream
    return before if before is not None and before.text == upstream.text else None
