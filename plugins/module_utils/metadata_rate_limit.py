# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many requests for metadata a client may make: the option ``metadata_rate_limit``, checked. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Tuple

from .errors import InvalidOption
from .shown import shown

OPTION = "metadata_rate_limit"
WINDOW = 10  # seconds, as with the L3 agent
LONGEST_WINDOW = 86400
MOST_QUERIES = 1000000
_RANGES: Mapping[str, Tuple[int, str]] = {
    "base_query_rate_limit": (MOST_QUERIES, "a number of requests"),
    "base_window_duration": (LONGEST_WINDOW, "a number of seconds"),
    "burst_query_rate_limit": (MOST_QUERIES, "a number of requests"),
    "burst_window_duration": (LONGEST_WINDOW, "a number of seconds"),
}


@dataclass(frozen=True)
class Window:
    """So many requests may come in so many seconds, whichever these are."""

    name: str
    queries: int
    seconds: int


def parse_rate_limit(value: object) -> Optional[Tuple[Window, ...]]:
    """The windows that a request must be within, all of them; None for no limit. Raises :class:`InvalidOption`."""
    if not isinstance(value, Mapping):
        raise InvalidOption("%s: expected a mapping, not %s." % (OPTION, shown(value)))
    unknown = [key for key in value if key not in _RANGES]
    if unknown:
        raise InvalidOption("%s: unknown key %s (known are %s)." % (OPTION, shown(unknown[0]), ", ".join(_RANGES)))
    given = {name: _number(name, value[name]) for name in _RANGES if value.get(name) is not None}
    windows = [window for window in (_window(name, given) for name in ("base", "burst")) if window]
    return tuple(windows) or None


def _window(name: str, given: Dict[str, int]) -> Optional[Window]:
    limit, duration = name + "_query_rate_limit", name + "_window_duration"
    if limit in given:
        return Window(name, given[limit], given.get(duration, WINDOW))
    if duration in given:
        raise InvalidOption("%s.%s: there is no %s, which it is for." % (OPTION, duration, limit))
    return None


def _number(name: str, value: object) -> int:
    most, what = _RANGES[name]
    short = isinstance(value, str) and len(value) <= 9 and value.isdecimal() and value.isascii()
    number = int(value) if short else value  # type: ignore[call-overload]  # templates make text
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= most:
        return number
    raise InvalidOption("%s.%s: %s is not %s (1 to %d)." % (OPTION, name, shown(value), what, most))
