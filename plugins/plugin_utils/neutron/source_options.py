# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of the event source netnode.l3.neutron."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import inf
from typing import Any


@dataclass(frozen=True)
class SourceOptions:
    """See the documentation of the event source."""

    hosts: list[str]
    transport_url: str | None = field(default=None, repr=False)
    config_file: str | None = None
    rpc_timeout: float = 60
    availability_zone: str = "nova"
    heartbeat: bool = True
    report_interval: float = 30
    configurations: Mapping[str, Any] = field(default_factory=dict)
    quiet: float = 1
    longest: float = 5


_TEXTS = ("transport_url", "config_file", "availability_zone")
_SECONDS = ("quiet", "longest")
_SECONDS_ABOVE_ZERO = ("rpc_timeout", "report_interval")
_OF_RULEBOOK = "eda_feedback_queue"  # ansible-rulebook adds it where the rulebook asks for feedback


def source_options(args: Mapping[str, Any]) -> SourceOptions:
    """The options of these arguments. Raises :class:`ValueError` with all that is wrong, and without their values."""
    given = {name: value for name, value in args.items() if value is not None and name != _OF_RULEBOOK}
    wrong = [*_unknown(given), *_hosts(given), *_texts(given), *_others(given)]
    seconds: dict[str, float] = {}
    for name in (*_SECONDS, *_SECONDS_ABOVE_ZERO):
        try:
            seconds[name] = float(given.get(name, getattr(SourceOptions, name)))
        except (TypeError, ValueError):
            seconds[name] = -1
        if not 0 <= seconds[name] < inf or (name in _SECONDS_ABOVE_ZERO and seconds[name] == 0):
            wrong.append(f"{name} must be a number of seconds{' above zero' if name in _SECONDS_ABOVE_ZERO else ''}")
    if 0 <= seconds["longest"] < seconds["quiet"]:
        wrong.append("longest must not be shorter than quiet")
    if wrong:
        raise ValueError(f"The arguments of the event source netnode.l3.neutron are wrong: {'; '.join(wrong)}.")
    return SourceOptions(**{**given, **seconds})


def _unknown(given: Mapping[str, Any]) -> list[str]:
    known = [option.name for option in fields(SourceOptions)]
    return [f"{name} is unknown (known are {', '.join(known)})" for name in given if name not in known]


def _hosts(given: Mapping[str, Any]) -> list[str]:
    hosts = given.get("hosts")
    if not isinstance(hosts, (list, tuple)) or not hosts or not all(isinstance(host, str) and host for host in hosts):
        return ["hosts is required, and must be a list of the names that Neutron has for the nodes"]
    return ["hosts has a name twice"] if len(set(hosts)) < len(hosts) else []


def _texts(given: Mapping[str, Any]) -> list[str]:
    wrong = [f"{name} must be text" for name in _TEXTS if not isinstance(given.get(name, ""), str)]
    if not given.get("transport_url") and not given.get("config_file"):
        wrong.append("one of transport_url and config_file is required")
    return wrong


def _others(given: Mapping[str, Any]) -> list[str]:
    wrong = []
    if not isinstance(given.get("heartbeat", True), bool):
        wrong.append("heartbeat must be true or false")
    if not isinstance(given.get("configurations", {}), Mapping):
        wrong.append("configurations must be a dictionary")
    return wrong
