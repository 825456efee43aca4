# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The floor: the same kernel objects made, read and removed by bare tools, one after the other, and no engine at all.

What is made is what the engine says it would make (state ``rendered``), with as few processes as the tools allow. One
shell script in the node does it for all routers.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox import Node
from sandbox.engine import run_engine

_DIRECTORY = "/run/floor"
_BRIDGE = re.compile(r"link set dev \S+ name (\S+) alias .*")  # the step that gives a bridge its name
_TIME = re.compile(r"(\d+)m([\d.]+)s")
_QUESTIONS = "address show\nroute show table all\n"
_READ_BACK = f"""
for namespace in /run/netns/qrouter-*; do
    nsenter --net="$namespace" /bin/sh -ec '
        ip -json -details -batch {_DIRECTORY}/questions; iptables-save; exec ip6tables-save' >/dev/null
done
"""
# The devices outside go with the namespace, but only when the kernel gets round to it.
_REMOVE = f"""
for namespace in /run/netns/qrouter-*; do
    ip netns delete "${{namespace##*/}}"
done
left=12000
while set -- /sys/class/net/tap*; [ -e "$1" ]; do
    [ "$left" -gt 0 ] || {{ echo "devices are left: $*"; exit 1; }}
    left=$((left - 1))
    sleep 0.01
done
ip -batch {_DIRECTORY}/unbridge
"""


@dataclass
class Steps:
    """What makes one router: lines for ``ip`` outside, kernel parameters of the node and of the router, rule sets by command,
    lines for ``ip`` inside.
    """

    namespace: str = ""
    outside: list[str] = field(default_factory=list)
    node_parameters: list[tuple[str, str]] = field(default_factory=list)
    parameters: list[tuple[str, str]] = field(default_factory=list)
    rules: dict[str, str] = field(default_factory=dict)
    inside: list[str] = field(default_factory=list)


def steps_of(rendered: dict[str, Any], done: set[str]) -> Steps:
    """One entry of the engine's ``rendered``. Lines that are in ``done``, of bridges that others use too, are left out."""
    steps = Steps(namespace=f"qrouter-{rendered['id']}", rules=dict(rendered["rules"]))
    inside, run_inside = f"ip -n {steps.namespace} ", f"ip netns exec {steps.namespace} "
    for command in rendered["commands"]:
        if command.startswith(inside):
            steps.inside.append(command.removeprefix(inside))
        elif command.startswith(run_inside + "sysctl -w "):
            steps.parameters.append(_parameter(command))
        elif command.startswith("sysctl -w "):
            steps.node_parameters += [_parameter(command)] if command not in done else []
            done.add(command)
        elif command in {f"{run_inside}{restore} --noflush" for restore in steps.rules}:
            pass
        elif command.startswith(("ip link ", "ip netns add ")):
            if command not in done:
                steps.outside.append(command.removeprefix("ip "))
            done.add(command)
        else:
            raise SystemExit(f"the floor knows no way to do this: {command}")
    return steps


def _parameter(command: str) -> tuple[str, str]:
    key, _equals, value = command.rpartition(" ")[2].partition("=")
    return key, value


def _settings(parameters: list[tuple[str, str]]) -> list[str]:
    return [f"echo {value} >/proc/sys/{key}" for key, value in parameters]


def script_inside(steps: Steps, directory: str) -> str:
    """What a shell in the router's namespace does, with the files in this directory."""
    lines = _settings(steps.parameters)
    lines += [f"{restore} --noflush <{directory}/{restore}" for restore in steps.rules]
    return "\n".join([*lines, f"exec ip -batch {directory}/inside", ""])


class Floor:
    """Routers on an empty node, by bare tools alone. The methods return ``floor_seconds`` and ``floor_cpu_seconds``."""

    def __init__(self, node: Node, routers: Sequence[dict[str, Any]]) -> None:
        self._node = node
        self._routers = routers
        rendered = run_engine(node, routers, state="rendered")
        if "failed" in rendered:
            raise SystemExit(f"floor: {rendered['msg']}")
        done: set[str] = set()
        script, bridges = [], []
        for number, entry in enumerate(rendered["rendered"]):
            steps = steps_of(entry, done)
            bridges += [match[1] for line in steps.outside if (match := _BRIDGE.fullmatch(line))]
            directory = f"{_DIRECTORY}/{number}"
            files = {"outside": _lines(steps.outside), "inside": _lines(steps.inside), **steps.rules}
            for name, text in {**files, "script": script_inside(steps, directory)}.items():
                self._write(f"{directory}/{name}", text)
            script.append(f"ip -batch {directory}/outside")
            script += _settings(steps.node_parameters)
            script.append(f"nsenter --net=/run/netns/{shlex.quote(steps.namespace)} /bin/sh -e {directory}/script")
        self._write(f"{_DIRECTORY}/unbridge", _lines(f"link delete dev {bridge}" for bridge in bridges))
        self._write(f"{_DIRECTORY}/questions", _QUESTIONS)
        self._build = _lines(script)

    def build(self) -> dict[str, float]:
        """Make the routers. The engine must then find nothing to do, or the benchmark ends: both made the same."""
        figures = self._run("build", self._build)
        found = run_engine(self._node, self._routers, check=True)
        if "failed" in found or found["changed"]:
            actions: list[str] = next((entry["actions"] for entry in found.get("routers", ()) if entry["changed"]), [])
            raise SystemExit("\n".join(["floor: the engine would make something else:", found["msg"], *actions]))
        return figures

    def read_back(self) -> dict[str, float]:
        """Have the tools print the state of all routers."""
        return self._run("read-back", _READ_BACK)

    def remove(self) -> dict[str, float]:
        """Delete namespaces and bridges, and wait for the devices outside to be gone."""
        return self._run("remove", _REMOVE)

    def _write(self, path: str, text: str) -> None:
        file = self._node.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def _run(self, name: str, script: str) -> dict[str, float]:
        """Run a script in the node; the time to get there does not count."""
        path = f"{_DIRECTORY}/{name}.sh"
        self._write(path, f"echo ready\nread -r go\n{script}\necho done\ntimes\n")
        process = self._node.start_with_input("/bin/sh", "-e", path)
        if process.stdin is None or process.stdout is None:
            raise ValueError("the shell is not piped")
        said = [process.stdout.readline()]
        started = time.perf_counter()
        process.stdin.write("go\n")
        process.stdin.flush()
        while said[-1] not in ("done\n", ""):
            said.append(process.stdout.readline())
        seconds = time.perf_counter() - started
        times = process.stdout.read()
        if process.wait() != 0 or said[0] != "ready\n":
            raise SystemExit(f"floor: {name}: {''.join(said)}")
        return {"floor_seconds": seconds, "floor_cpu_seconds": cpu_seconds(times)}


def cpu_seconds(times: str) -> float:
    """The sum of what the shell's ``times`` prints: user and system, of itself and of its children."""
    return sum(int(minutes) * 60 + float(seconds) for minutes, seconds in _TIME.findall(times))


def _lines(lines: Iterable[str]) -> str:
    return "".join(line + "\n" for line in lines)
