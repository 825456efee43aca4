# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Between Ansible's module object and the engine: options in, result or a clear failure out."""

from __future__ import annotations

import gc
import json
import time
from typing import Any, Callable, Dict, Mapping

from .errors import RunError
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
    "use_namespaces": {"type": "bool", "default": True},
    "send_arp_for_ha": {"type": "int", "default": 3},
    "lock_timeout": {"type": "float", "default": 60.0},
}


def run_module(module: Any, work: Callable[[Mapping[str, Any], bool, bool], Dict[str, Any]]) -> None:
    """Call ``work(params, check_mode, diff)`` and leave with its result, or with one clear sentence.

    ``module`` is an ``AnsibleModule``; the engine does not import Ansible.
    """
    started = time.monotonic()
    gc.disable()  # a fifth of an idle run went into looking for cycles, in a process that ends in a moment
    params = _without_json(module.params)
    if isinstance(params.get("routers"), list):  # the result echoes the parameters: not all the routers, but their number
        module.params = {**params, "routers": len(params["routers"])}
    try:
        result = work(params, module.check_mode, module._diff)
    except (RunError, CommandError, Inaccessible) as error:
        module.fail_json(msg=str(error))
    except OSError as error:  # of one of the few files that the engine has
        module.fail_json(msg="%s: %s" % (error.filename or "system call", error.strerror))
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**result, success="failed" not in result, duration=round(time.monotonic() - started, 3))


def _without_json(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters with routers that were given as the text of JSON; what is no JSON is left for the check of the data."""
    if isinstance(params.get("routers"), str):
        try:
            return {**params, "routers": json.loads(params["routers"])}
        except ValueError:
            pass
    return params
