# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Between Ansible's module object and the engine: options in, result or a clear failure out."""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from . import json_text
from .converge import begun
from .errors import UNFORESEEN, RunError, in_words
from .host.cancellation import heeded
from .host.command import CommandError
from .host.netns import Inaccessible

ENGINE_OPTIONS: Dict[str, Dict[str, Any]] = {
    "interface_driver": {"type": "str"},
    "external_network_bridge": {"type": "raw", "default": "br-ex"},
    "internal_bridge": {"type": "str", "default": "brq{network_id}"},
    "integration_bridge": {"type": "str", "default": "br-int"},
    "vlan_tags": {"type": "dict", "default": {}},
    "metadata_port": {"type": "int", "default": 9697},
    "metadata_upstream": {"type": "str"},
    "ipv6_gateway": {"type": "str"},
    "firewall_driver": {"type": "str", "default": "iptables", "choices": ["iptables", "nftables"]},
    "clamp_mss_to_pmtu": {"type": "bool", "default": False},
    "metadata_rate_limit": {"type": "dict"},
    "use_namespaces": {"type": "bool", "default": True},
    "send_arp_for_ha": {"type": "int", "default": 3},
    "lock_timeout": {"type": "float", "default": 60.0},
}

_BEGUN = "The node was being changed, and how far that came is not known: the next run goes on from there."

# Which of the routers that are given are for the node, and which others stay on it.
SELECTION_OPTIONS: Dict[str, Dict[str, Any]] = {
    "router_id": {"type": "str"},
    "handle_internal_only_routers": {"type": "bool", "default": True},
    "gateway_external_network_id": {"type": "str"},
    "protected_routers": {"type": "list", "elements": "str", "default": []},
}


def run_module(module: Any, work: Callable[[Mapping[str, Any], bool, bool], Dict[str, Any]]) -> None:
    """Call ``work(params, check_mode, diff)`` and leave with its result, or with one clear sentence.

    ``module`` is an ``AnsibleModule``; the engine does not import Ansible.
    """
    with heeded():  # until the result is told: what was done must not go untold
        started = time.monotonic()
        gc.disable()  # a fifth of an idle run went into looking for cycles, in a process that ends in a moment
        begun.clear()
        failure, result = _tried(module, work)
        if failure is not None:
            _tell(module, module.fail_json, {"msg": failure, "changed": bool(begun)})
        for warning in result.pop("warnings", ()):
            module.warn(warning)
        duration = round(time.monotonic() - started, 3)
        _tell(module, module.exit_json, {**result, "success": "failed" not in result, "duration": duration})


def _tried(module: Any, work: Callable[[Mapping[str, Any], bool, bool], Dict[str, Any]]) -> Tuple[Optional[str], Dict[str, Any]]:
    """Why there is no result, or the result. When this returns, the memory of what failed is free again."""
    try:
        params = _without_json(module.params)
        if "routers" in params:  # the result echoes the parameters: not all the routers, but their number
            module.params = {**params, "routers": len(params["routers"]) if isinstance(params["routers"], list) else None}
        return None, work(params, module.check_mode, module._diff)
    except (RunError, CommandError, Inaccessible) as error:
        reason = str(error)
    except UNFORESEEN as error:
        reason = in_words(error)
    return "%s %s" % (reason, _BEGUN) if begun else reason, {}


def _tell(module: Any, leave: Callable[..., None], result: Dict[str, Any]) -> None:
    """Leave with a result. Where there is no memory for all of it, with what says most; where nobody listens, the node's log
    has that.
    """
    try:
        _leave(leave, result)
    except MemoryError:
        result = {key: result[key] for key in ("changed", "msg") if key in result}
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at its end
        module.log("The result could not be told: %s" % result.get("msg", "nothing was changed"))
        raise SystemExit(1) from None
    _leave(module.fail_json, {**result, "msg": "%s\nThere is no memory left for more of the result." % result.get("msg", "")})


def _leave(leave: Callable[..., None], result: Dict[str, Any]) -> None:
    try:
        leave(**result)
    except SystemExit:
        sys.stdout.flush()
        raise


def _without_json(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters with routers that were given as the text of JSON; what is no JSON is left for the check of the data."""
    if isinstance(params.get("routers"), str):
        try:
            return {**params, "routers": json_text.parse(params["routers"])}
        except ValueError:
            pass
    return params
