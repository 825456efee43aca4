# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine alone on a sandboxed node: no Ansible, the node's own Python, nothing but its standard library."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .node import Node

_COLLECTIONS = Path(__file__).resolve().parents[1] / ".cache"
DEFAULTS = {
    "interface_driver": "bridge",
    "external_network_bridge": "br-ex",
    "internal_bridge": "brq{network_id}",
    "integration_bridge": "br-int",
    "vlan_tags": {},
    "metadata_port": 9697,
    "metadata_upstream": None,
    "use_namespaces": True,
    "router_id": None,
    "handle_internal_only_routers": True,
    "gateway_external_network_id": None,
    "send_arp_for_ha": 0,
    "max_deletions": "100%",
    "lock_timeout": 60.0,
}
NODE_OPTIONS = ("router_id", "handle_internal_only_routers", "gateway_external_network_id", "max_deletions")
OBJECT_DEFAULTS: dict[str, dict[str, Any]] = {
    "router": {"state": "present", "enable_snat": True, "gateway": None, "routes": []},
    "interface": {
        "state": "present",
        "network_id": None,
        "mac_address": None,
        "mtu": None,
        "admin_state_up": True,
        "addresses": None,
    },
    "floating_ip": {"state": "present", "fixed_ip_address": None},
}
# A prefix for a run by nobody, who may read the checkout wherever it is.
READING = "+dac_read_search"
WITHOUT_ROOT = ("setpriv", "--reuid=65534", "--clear-groups", f"--inh-caps={READING}", f"--ambient-caps={READING}")
# Byte code is kept beside the tree, whatever the environment says: most of a small run would be compiling.
_PYTHON = ("env", "-u", "PYTHONDONTWRITEBYTECODE", f"PYTHONPYCACHEPREFIX={_COLLECTIONS}/pycache", "/usr/bin/python3")
_RUNNER = """
import collections, json, resource, sys, time
request = json.load(sys.stdin)
sys.path.insert(0, request["path"])
from ansible_collections.netnode.l3.plugins.module_utils import module, node_run, object_run
from ansible_collections.netnode.l3.plugins.module_utils.host import command, ip

class Module:
    params, check_mode, _diff, warnings = request["params"], request["check"], request["diff"], []
    def warn(self, warning):
        self.warnings.append(warning)
    def exit_json(self, **result):
        if self.warnings:
            result["warnings"] = self.warnings
        own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        result["cost"] = {
            "ip_lines": ip_lines,
            "seconds": time.perf_counter() - started,
            "cpu_seconds": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
            "processes": len(command.started),
            "commands": dict(collections.Counter(command.started)),
            "peak_kib": own.ru_maxrss,
        }
        json.dump(result, sys.stdout)
        sys.stdout.flush()
        sys.exit(0)
    def fail_json(self, msg):
        self.exit_json(failed=True, msg=msg)

ip_lines = 0
batch = ip.batch
def counted(lines):
    global ip_lines
    ip_lines += len(lines)
    batch(lines)
ip.batch = counted

started = time.perf_counter()
module.run_module(Module(), getattr(node_run, request["work"], None) or getattr(object_run, request["work"]))
"""


def run_engine(
    node: Node,
    routers: object,
    state: str = "overridden",
    *,
    check: bool = False,
    diff: bool = False,
    prefix: Sequence[str] = (),
    **options: Any,
) -> dict[str, Any]:
    """Do what the module ``l3_routers`` does and return its result, with what it took as ``cost``.

    ``options`` are the module's; ``prefix`` is put before the command.
    """
    return _run(node, "run_node", {**DEFAULTS, "routers": routers, "state": state, **options}, check, diff, prefix)


def run_object(node: Node, kind: str, *, check: bool = False, diff: bool = False, **params: Any) -> dict[str, Any]:
    """Do what the module ``l3_<kind>`` of a single object does and return its result; ``params`` are its options."""
    options = {name: value for name, value in DEFAULTS.items() if name not in NODE_OPTIONS}
    return _run(node, f"run_{kind}", {**options, **OBJECT_DEFAULTS[kind], **params}, check, diff, ())


def run_python(node: Node, source: str) -> Any:
    """What ``result`` is after these lines, which can import the engine, were run by the node's Python."""
    lines = f"import json, sys\nsys.path.insert(0, {str(_COLLECTIONS)!r})\n{source}\njson.dump(result, sys.stdout)"
    return json.loads(node.run(*_PYTHON, "-c", lines).stdout)


def _run(node: Node, work: str, params: dict[str, Any], check: bool, diff: bool, prefix: Sequence[str]) -> dict[str, Any]:
    request = {"path": str(_COLLECTIONS), "work": work, "params": params, "check": check, "diff": diff}
    done = node.run(*prefix, *_PYTHON, "-c", _RUNNER, text=json.dumps(request), timeout=600)
    result: dict[str, Any] = json.loads(done.stdout)
    return result
