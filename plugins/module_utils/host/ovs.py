# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open vSwitch's database: reading its bridges and ports, and changing them, many at once."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from .command import CommandError, run

TIMEOUT = 10  # seconds; without, ovs-vsctl waits for ever for a switch that does not run
ALARM = "signal 14"  # how ovs-vsctl tells that it waited so long
AT_ONCE = 500  # commands of one transaction at the most, well below the limit of a command line
_VSCTL = ["ovs-vsctl", "--timeout=%d" % TIMEOUT]


class Port(NamedTuple):
    """A port of a bridge, with the external ids of its interface."""

    bridge: str
    tag: Optional[int]
    external_ids: Mapping[str, str]


class Database(NamedTuple):
    """What Open vSwitch is told to have: the names of its bridges, and its ports by name."""

    bridges: Sequence[str]
    ports: Mapping[str, Port]


def read() -> Database:
    """Read bridges and ports. Raises :class:`CommandError`."""
    lists = [
        "--columns=name,ports list Bridge",
        "--columns=_uuid,name,tag list Port",
        "--columns=name,external_ids list Interface",
    ]
    arguments = [*_VSCTL, "--format=json", *" -- ".join(lists).split()]
    lines = run(arguments).stdout.splitlines()
    if len(lines) != len(lists):
        raise CommandError(arguments, "printed %d tables for %d" % (len(lines), len(lists)))
    try:
        return _database(*(json.loads(line)["data"] for line in lines))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise CommandError(arguments, "printed tables that are not understood (%s)" % error) from None


def _database(bridges: List[Any], ports: List[Any], interfaces: List[Any]) -> Database:
    bridge_by_port = {uuid: name for name, members in bridges for uuid in _set(members)}
    external_ids = {name: dict(ids[1]) for name, ids in interfaces}
    found: Dict[str, Port] = {}
    for uuid, name, tag in ports:
        tags = _set(tag)
        bridge = bridge_by_port.get(uuid[1], "")
        found[name] = Port(bridge, tags[0] if tags else None, external_ids.get(name, {}))
    return Database([name for name, _members in bridges], found)


def _set(value: Any) -> List[Any]:
    """The members of a column: one atom stands for a set of one (RFC 7047, section 5.1)."""
    atoms = value[1] if isinstance(value, list) and value[0] == "set" else [value]
    return [atom[1] if isinstance(atom, list) else atom for atom in atoms]


def change(commands: Sequence[Sequence[str]]) -> None:
    """Run commands of ovs-vsctl, ``AT_ONCE`` at the most, in one transaction, and wait for the switch.

    Raises :class:`CommandError`; then none of them took effect, unless the switch did not answer.
    """
    arguments = list(_VSCTL)
    for command in commands:
        arguments += ["--", *command]
    try:
        run(arguments)
    except CommandError as error:
        if ALARM not in error.message:
            raise
        raise CommandError(_VSCTL, "no answer within %d seconds: is ovs-vswitchd running?" % TIMEOUT) from None
