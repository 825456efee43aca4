# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rule sets that were read and found right once, and need not be read again while the kernel says that none changed.

The kernel counts the changes of a namespace's nf_tables rule sets, whoever makes them (:mod:`nftables`). So the
note is never believed by itself: it holds as long as the kernel shows the very generation that was read. What there is
of it is thrown away by a reboot, and costs no more than reading when it is lost.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

from ..state import FAMILIES, Tables
from . import iptables, run_directory
from .nftables import Generation

FILE = run_directory.PATH + "/known-rules.json"
FORMAT = 1  # to be counted up when what is taken for right changes: the form of the note, or the reading of rule sets
BOOT_ID = "/proc/sys/kernel/random/boot_id"

Note = Tuple[int, str, List[str]]  # generation, digest of the rule sets, foreign rules beside them


class KnownRules:
    """The notes of a node, by the cookies of namespaces. ``usable``: whether the kernel's word is of use here."""

    def __init__(self, notes: Mapping[str, Note], usable: bool = True) -> None:
        self._before = dict(notes)
        self._notes = dict(notes)
        self._seen: Set[str] = set()  # namespaces that this run has met
        self.usable = usable

    @classmethod
    def on_node(cls) -> KnownRules:
        """The notes that the last runs left; none when they are of another boot or cannot be read."""
        try:
            with open(FILE, encoding="ascii") as file:
                found = json.load(file)
            notes = {key: _note(*note) for key, note in found["namespaces"].items()}
            same = found["format"] == FORMAT and found["boot"] == _boot_id()
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            notes, same = {}, False
        return cls(
            notes if same else {},
            all(iptables.keeps_to_nf_tables(family) or not iptables.is_there(family) for family in FAMILIES),
        )

    def foreign_beside(self, firewall: Mapping[int, Tables], generation: Optional[Generation]) -> Optional[Tuple[str, ...]]:
        """The foreign rules in a namespace that has these rule sets for sure; None when that is not known."""
        if not self.usable or generation is None:
            return None
        self._seen.add(str(generation.cookie))
        number, digest, foreign = self._notes.get(str(generation.cookie), (None, "", []))
        return tuple(foreign) if number == generation.number and digest == _digest(firewall) else None

    def note(self, firewall: Mapping[int, Tables], generation: Optional[Generation], foreign: Tuple[str, ...]) -> None:
        """The namespace has these rule sets, as read after the kernel told the generation."""
        if self.usable and generation is not None:
            self._notes[str(generation.cookie)] = (generation.number, _digest(firewall), list(foreign))

    def save(self, everything: bool) -> None:
        """Leave the notes for the next run; of a run that met all namespaces there are, theirs alone."""
        notes = {key: note for key, note in self._notes.items() if not everything or key in self._seen}
        if notes == self._before:
            return
        content: Dict[str, Any] = {"format": FORMAT, "boot": _boot_id(), "namespaces": notes}
        with suppress(OSError):
            run_directory.write(FILE, json.dumps(content), 0o600)  # rules are root's to read


def _note(number: int, digest: str, foreign: List[str]) -> Note:
    """A note of the file. Raises TypeError when it is of another form."""
    if not (isinstance(foreign, list) and all(isinstance(rule, str) for rule in foreign)):
        raise TypeError("foreign rules are not a list of text")
    return number, digest, foreign


def _boot_id() -> str:
    with open(BOOT_ID, encoding="ascii") as file:
        return file.read().strip()


def _digest(firewall: Mapping[int, Tables]) -> str:
    return hashlib.sha256(repr(firewall).encode()).hexdigest()
