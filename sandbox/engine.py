# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine alone on a sandboxed node: no Ansible, the node's own Python, nothing but its standard library."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

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
    "ipv6_gateway": None,
    "firewall_driver": "iptables",
    "clamp_mss_to_pmtu": False,
    "metadata_rate_limit": None,
    "use_namespaces": True,
    "router_id": None,
    "handle_internal_only_routers": True,
    "gateway_external_network_id": None,
    "send_arp_for_ha": 0,
    "max_deletions": "100%",
    "protected_routers": [],
    "confirm_timeout": 0.0,
    "lock_timeout": 60.0,
}
NODE_OPTIONS = (
    "router_id",
    "handle_internal_only_routers",
    "gateway_external_network_id",
    "max_deletions",
    "protected_routers",
    "confirm_timeout",
)
OBJECT_DEFAULTS: dict[str, dict[str, Any]] = {
    "router": {"state": "present", "enable_snat": True, "gateway": None, "routes": [], "conntrack_helpers": []},
    "interface": {
        "state": "present",
        "network_id": None,
        "mac_address": None,
        "mtu": None,
        "admin_state_up": True,
        "addresses": None,
        "address_scopes": None,
        "subnets": None,
    },
    "floating_ip": {"state": "present", "fixed_ip_address": None},
}
# A prefix for a run by nobody, who may read the checkout wherever it is.
READING = "+dac_read_search"
WITHOUT_ROOT = ("setpriv", "--reuid=65534", "--clear-groups", f"--inh-caps={READING}", f"--ambient-caps={READING}")
# Byte code is kept beside the tree, whatever the environment says: most of a small run would be compiling. Signals do what
# they usually do, whoever runs the tests.
_BYTE_CODE = ("-u", "PYTHONDONTWRITEBYTECODE", f"PYTHONPYCACHEPREFIX={_COLLECTIONS}/pycache")
_PYTHON = ("env", "--default-signal", *_BYTE_CODE, "/usr/bin/python3")
_LONGEST = 600  # seconds
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)  # of the process itself, and as its parent tells it


class Killed(Exception):
    """The process of the run ended without a result."""


@dataclass(frozen=True)
class How:
    """How a run is done. By a fork of a process that has the engine in memory, unless ``fresh`` or with a ``prefix``, which is
    put before the command.

    ``end_before``: the number of the step before which the run is killed (SIGKILL); its ``cost`` says how many ``steps``
    there are. ``settings``: names of ``host.command`` and other values for them.
    """

    fresh: bool = False
    prefix: Sequence[str] = ()
    end_before: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


USUAL = How()
_PROGRAM = Path(__file__).with_name("engine_server.py")
_SOCKET = "/run/overlay/engine.sock"
_servers: WeakKeyDictionary[Node, subprocess.Popen[str]] = WeakKeyDictionary()
_starting = Lock()


def run_engine(
    node: Node,
    routers: object,
    state: str = "overridden",
    *,
    check: bool = False,
    diff: bool = False,
    how: How = USUAL,
    **options: Any,
) -> dict[str, Any]:
    """Do what the module ``l3_routers`` does and return its result, with what it took as ``cost``. ``options``: the module's."""
    return _run(node, "routers", {**DEFAULTS, "routers": routers, "state": state, **options}, check, diff, how)


def run_probe(node: Node, routers: object = None, state: str = "overridden", **options: Any) -> dict[str, Any]:
    """Do what the module ``l3_probe`` does and return its result. ``options``: the module's."""
    params = {**DEFAULTS, "routers": routers, "state": state, "timeout": 0.5, **options}
    return _run(node, "probe", params, False, False, USUAL)


def run_confirm(node: Node, state: str = "confirmed", *, check: bool = False) -> dict[str, Any]:
    """Do what the module ``l3_confirm`` does and return its result."""
    return _run(node, "confirm", {"state": state}, check, False, USUAL)


def run_object(node: Node, kind: str, *, check: bool = False, diff: bool = False, **params: Any) -> dict[str, Any]:
    """Do what the module ``l3_<kind>`` of a single object does and return its result; ``params`` are its options."""
    options = {name: value for name, value in DEFAULTS.items() if name not in NODE_OPTIONS}
    return _run(node, kind, {**options, **OBJECT_DEFAULTS[kind], **params}, check, diff, USUAL)


def run_python(node: Node, source: str) -> Any:
    """What ``result`` is after these lines, which can import the engine, were run by the node's Python."""
    lines = f"import json, sys\nsys.path.insert(0, {str(_COLLECTIONS)!r})\n{source}\njson.dump(result, sys.stdout)"
    return json.loads(node.run(*_PYTHON, "-c", lines).stdout)


def _run(node: Node, work: str, params: dict[str, Any], check: bool, diff: bool, how: How) -> dict[str, Any]:
    request = {
        "work": work,
        "params": params,
        "check": check,
        "diff": diff,
        "end_before": how.end_before,
        "settings": how.settings,
    }
    text = json.dumps(request)
    if how.fresh or how.prefix:
        done = node.run(*how.prefix, *_PYTHON, str(_PROGRAM), "-", text=text, timeout=_LONGEST, check=False)
        if done.returncode not in (0, *_KILLED):
            raise RuntimeError(f"{node.name}: the engine failed:\n{done.stderr}")
        said = done.stdout
    else:
        said = _ask_server(node, text)
    if not said:
        raise Killed(f"the run on {node.name} ended before its end")
    answer = json.loads(said)
    if "traceback" in answer:
        raise RuntimeError(f"{node.name}: the engine failed:\n{answer['traceback']}")
    result: dict[str, Any] = answer["result"]
    return result


def _ask_server(node: Node, text: str) -> str:
    """Have the node's server do a run, starting it when there is none. Empty when the run was killed."""
    with _starting:
        if node not in _servers:
            server = _servers[node] = node.start(*_PYTHON, str(_PROGRAM), _SOCKET)
            assert server.stdout is not None
            if server.stdout.readline() != "ready\n":
                raise RuntimeError(f"{node.name}: no server of the engine: {server.stdout.read()}")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_LONGEST)
        connection.connect(str(node.file(_SOCKET)))
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile(encoding="utf-8") as answer:
            return answer.read()
