# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mappings of router data, read key by key, and the kinds of their values. What is wrong is noted with its path. Pure."""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple, TypeVar

from .json_text import Doubled
from .shown import shown

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
ID_RULE = "is not an id (1 to 64 letters, digits, '_', '.', '-', beginning with a letter or digit)"
MTU_RANGE = (1280, 65535)  # below the minimum of IPv6 (RFC 8200) the kernel takes IPv6 and its parameters off a device
LAST_PORT = 65535
PORT_RANGE_RULE = "is not a range of ports (as '8000:8009', from 1 to %d)" % LAST_PORT
_PORT_RANGE = re.compile(r"[1-9][0-9]{0,4}:[1-9][0-9]{0,4}\Z")

T = TypeVar("T")


class Fields:
    """One mapping of router data, read key by key. What is wrong is noted, with its path, in ``errors``."""

    def __init__(self, values: Dict[str, Any], path: str, errors: List[str]) -> None:
        self.values, self.path, self.errors = values, path, errors
        self.known: Set[str] = set()

    @classmethod
    def of(cls, value: object, path: str, errors: List[str]) -> Optional[Fields]:
        """A value that is to be a mapping; None when it is none."""
        if isinstance(value, dict):
            for key in value.keys_twice if isinstance(value, Doubled) else ():
                errors.append("%s: the key %s stands there twice" % (path, shown(key)))
            return cls(value, path, errors)
        errors.append("%s: expected a mapping, not %s" % (path, shown(value)))
        return None

    def wrong(self, key: str, message: str) -> None:
        """Note what is wrong with the value of a key."""
        self.errors.append("%s.%s: %s" % (self.path, key, message))

    def get(self, key: str, required: bool = False) -> Any:
        """The value of a key, which is known from then on; None when there is none."""
        self.known.add(key)
        value = self.values.get(key)
        if required and value is None:
            self.wrong(key, "is required")
        return value

    def parsed(self, key: str, parse: Callable[[object], T], required: bool = False) -> Optional[T]:
        """The value as ``parse`` has it, which raises ValueError with the end of a sentence."""
        value = self.get(key, required)
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            self.wrong(key, "%s %s" % (shown(value), error))
            return None

    def id(self, key: str, required: bool = False) -> Optional[str]:
        """An id."""
        if isinstance(self.values, Doubled) and key in self.values.keys_twice:
            self.known.add(key)
            return None  # to take one of the two for it could cost another router
        return self.parsed(key, parse_id, required)

    def boolean(self, key: str, default: bool = True) -> bool:
        """True or false."""
        value = self.parsed(key, parse_boolean)
        return default if value is None else value

    def entries(self, key: str, required: bool = False) -> Iterator[Tuple[str, object]]:
        """The entries of a list, each with its place (``addresses[0]``)."""
        values = self.get(key, required)
        if values is None:
            return
        if not isinstance(values, (list, tuple)):
            self.wrong(key, "expected a list, not %s" % shown(values))
            return
        for index, value in enumerate(values):
            yield "%s[%d]" % (key, index), value

    def parsed_entries(self, key: str, parse: Callable[[object], T], required: bool = False) -> Tuple[T, ...]:
        """The entries of a list, as ``parse`` has them."""
        results = []
        for place, value in self.entries(key, required):
            try:
                results.append(parse(value))
            except ValueError as error:
                self.wrong(place, "%s %s" % (shown(value), error))
        return tuple(results)

    def children(self, key: str) -> Iterator[Fields]:
        """The mappings in a list."""
        for place, value in self.entries(key):
            fields = Fields.of(value, "%s.%s" % (self.path, place), self.errors)
            if fields:
                yield fields

    def refuse_unknown(self) -> None:
        """Note the keys that nobody asked for."""
        for key in self.values:
            if key not in self.known:
                self.errors.append("%s: unknown key %s (known are %s)" % (self.path, shown(key), ", ".join(sorted(self.known))))


def parse_id(value: object) -> str:
    """An id."""
    if isinstance(value, str) and ID.match(value):
        return value
    raise ValueError("is a number, and an id is text: quote it" if type(value) in (int, float) else ID_RULE)


def parse_boolean(value: object) -> bool:
    """True or false, and nothing that Python takes for them."""
    if isinstance(value, bool):
        return value
    raise ValueError("is not true or false")


def parse_mtu(value: object) -> int:
    """An MTU in bytes."""
    low, high = MTU_RANGE
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise ValueError("is not an MTU (a number from %d to %d)" % (low, high))


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def parse_port(value: object) -> int:
    """A port of TCP, UDP and the like."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LAST_PORT:
        return value
    raise ValueError("is not a port (a number from 1 to %d)" % LAST_PORT)


def parse_port_range(value: object) -> Tuple[int, int]:
    """Ports as Neutron writes them: ``8000:8009``."""
    if isinstance(value, str) and _PORT_RANGE.match(value):
        first, last = map(int, value.split(":"))
        if 1 <= first <= last <= LAST_PORT:
            return first, last
    # To YAML, "22:30" is a number to the base of 60.
    raise ValueError("is a number, and a range is text: quote it" if _is_number(value) else PORT_RANGE_RULE)


def parse_name(value: object) -> str:
    """Text, of which the first 255 characters count."""
    if isinstance(value, str):
        return value[:255]
    raise ValueError("is not text")
