# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Router data that was given as the text of JSON, read so that nothing in the text is lost or takes long."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Dict, List, Tuple

from .errors import NotRouterData

DIGITS = 400  # of a number at the most; to read longer ones takes the square of their length


class Doubled(Dict[str, Any]):
    """A mapping in whose text keys stand twice: which of the values was meant, nobody knows."""

    keys_twice: Tuple[str, ...] = ()


def parse(text: str) -> object:
    """What the text says. Raises ValueError when it is no JSON, and :class:`NotRouterData` when it is nested without end."""
    try:
        return json.loads(text, object_pairs_hook=_mapping, parse_int=_number)
    except RecursionError:
        raise NotRouterData("routers: the text of JSON is nested too deeply to be router data") from None


def _mapping(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    values = dict(pairs)
    if len(values) == len(pairs):
        return values
    doubled = Doubled(values)
    counts = Counter(key for key, _value in pairs)
    doubled.keys_twice = tuple(key for key, count in counts.items() if count > 1)
    return doubled


def _number(digits: str) -> object:
    return int(digits) if len(digits) <= DIGITS else float(digits)
