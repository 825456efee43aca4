# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many requests for metadata a client may make, as the option says it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.errors import InvalidOption
from ansible_collections.netnode.l3.plugins.module_utils.metadata_rate_limit import Window
from ansible_collections.netnode.l3.plugins.module_utils.options import parse_options

BASE = {"base_query_rate_limit": 6, "base_window_duration": 60}
BURST = {"burst_query_rate_limit": 2, "burst_window_duration": 5}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({}, None),
        (dict.fromkeys({**BASE, **BURST}), None),
        (BASE, (Window("base", 6, 60),)),
        (BURST, (Window("burst", 2, 5),)),
        ({**BURST, **BASE}, (Window("base", 6, 60), Window("burst", 2, 5))),
        ({"base_query_rate_limit": 7}, (Window("base", 7, 10),)),
        ({"burst_query_rate_limit": 1}, (Window("burst", 1, 10),)),
        ({"base_query_rate_limit": "100", "base_window_duration": "30"}, (Window("base", 100, 30),)),
        ({"base_query_rate_limit": 1000000, "base_window_duration": 86400}, (Window("base", 1000000, 86400),)),
    ],
)
def test_which_windows_a_request_must_be_within(value: dict[str, Any] | None, expected: tuple[Window, ...] | None) -> None:
    assert parse_options({"metadata_rate_limit": value}).metadata_rate_limit == expected


REQUESTS, SECONDS = "is not a number of requests (1 to 1000000).", "is not a number of seconds (1 to 86400)."


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (5, ": expected a mapping, not 5."),
        ([BASE], ": expected a mapping, not a list."),
        (
            {"rate": 1},
            ": unknown key 'rate' (known are base_query_rate_limit, base_window_duration, burst_query_rate_limit,"
            " burst_window_duration).",
        ),
        ({"base_query_rate_limit": 0}, f".base_query_rate_limit: 0 {REQUESTS}"),
        ({"base_query_rate_limit": -1}, f".base_query_rate_limit: -1 {REQUESTS}"),
        ({"burst_query_rate_limit": 1000001}, f".burst_query_rate_limit: 1000001 {REQUESTS}"),
        ({**BASE, "burst_query_rate_limit": True}, f".burst_query_rate_limit: True {REQUESTS}"),
        ({**BASE, "base_window_duration": 1.5}, f".base_window_duration: 1.5 {SECONDS}"),
        ({**BASE, "base_window_duration": "1m"}, f".base_window_duration: '1m' {SECONDS}"),
        ({**BASE, "base_window_duration": 86401}, f".base_window_duration: 86401 {SECONDS}"),
        ({**BURST, "burst_window_duration": []}, f".burst_window_duration: a list {SECONDS}"),
        (
            {**BASE, "burst_window_duration": 5},
            ".burst_window_duration: there is no burst_query_rate_limit, which it is for.",
        ),
    ],
)
def test_what_is_no_limit_is_refused(value: object, error: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        parse_options({"metadata_rate_limit": value})
    assert str(raised.value) == f"metadata_rate_limit{error}"
