# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells Neutron, from the controller, what became of a run."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.errors import NeutronError
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.reports import (
    floating_ip_reports,
    report_floating_ips,
    report_run,
)
from ansible_collections.netnode.l3.plugins.plugin_utils.neutron.rpc import Rpc

ARGUMENT_SPEC = {
    "transport_url": {"type": "raw", "no_log": True},
    "config_file": {"type": "path"},
    "rpc_timeout": {"type": "float", "default": 60},
    "host": {"type": "str", "required": True},
    "availability_zone": {"type": "str", "default": "nova"},
    "state": {"type": "bool", "default": True},
    "routers": {"type": "raw", "required": True},
    "result": {"type": "dict", "required": True},
}


class ActionModule(ActionBase):
    """See the documentation of the module with this name."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Report, and return what was reported."""
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        routers = arguments["routers"]
        news = dict(_news(json.loads(routers) if isinstance(routers, str) else routers, arguments["result"]))
        if not self._task.check_mode:
            try:
                with Rpc(arguments["transport_url"], arguments["config_file"], arguments["rpc_timeout"]) as rpc:
                    if arguments["state"]:
                        report_run(rpc, arguments["host"], _configurations(arguments["result"]), arguments["availability_zone"])
                    for router_id, statuses in news.items():
                        report_floating_ips(rpc, router_id, statuses)
            except NeutronError as error:
                return {"failed": True, "msg": str(error)}
        return {"changed": bool(news), "floating_ips": news}


def _news(routers: Collection[Mapping[str, Any]], result: Mapping[str, Any]) -> Any:
    entries = result.get("routers", ())
    return floating_ip_reports(
        routers,
        changed={entry["id"] for entry in entries if entry["changed"]},
        failed={entry["id"] for entry in entries if "error" in entry},
        skipped={entry["id"] for entry in result.get("skipped_routers", ())},
    )


def _configurations(result: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return result["report"]["configurations"]
    except KeyError:
        raise NeutronError("There is nothing to report: the run was refused as a whole.") from None
