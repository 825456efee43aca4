# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages stay short whatever they are about, and text of JSON loses nothing of what it says."""

from __future__ import annotations

import time
from itertools import combinations
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils import json_text
from ansible_collections.netnode.l3.plugins.module_utils.addresses import PAIRS, overlapping, parse_network
from ansible_collections.netnode.l3.plugins.module_utils.errors import NotRouterData
from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_router_ids, check_routers
from ansible_collections.netnode.l3.plugins.module_utils.shown import Complaints, listed, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        ({}, "a mapping"),
        ([[]], "a list"),
        ((), "a list"),
        (7, "7"),
        (True, "True"),
        (float("nan"), "nan"),
        ("a\n'b'", "\"a\\n'b'\""),
        ("x" * 58, f"'{'x' * 58}'"),
        ("x" * 59, f"'{'x' * 59}…"),
        pytest.param(10**5000, "a number of 16610 bits", id="a number"),
        pytest.param(-(10**5000), "a number of 16610 bits", id="below"),
        (b"x" * 1000, f"b'{'x' * 58}…"),
    ],
)
def test_a_value_in_a_message(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_value_that_is_nested_without_end() -> None:
    value: list[Any] = []
    for _time in range(100_000):
        value = [value]
    assert shown(value) == "a list"


def test_many_names() -> None:
    assert listed(["a", "b"], " and ") == "a and b"
    assert listed([str(n) for n in range(1000)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 990 more"


def test_of_many_errors_the_first_are_told() -> None:
    complaints = Complaints()
    assert complaints.told == []
    for number in range(Complaints.KEPT + 5):
        complaints.append(str(number))
    assert complaints.told == [*(str(n) for n in range(Complaints.KEPT)), "and 5 more errors"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('[{"a": 1, "b": [1.5, true, null]}]', [{"a": 1, "b": [1.5, True, None]}]),
        ('{"a": {"a": {"a": 1}}}', {"a": {"a": {"a": 1}}}),
        ("-12", -12),
        ("9" * 5000, float("inf")),
    ],
)
def test_text_of_json(text: str, value: object) -> None:
    assert json_text.parse(text) == value


def test_keys_that_stand_twice_are_known() -> None:
    parsed = json_text.parse('{"b": 1, "a": 2, "b": 3, "b": 4, "c": 5, "a": 6}')
    assert isinstance(parsed, json_text.Doubled)
    assert (parsed, parsed.keys_twice) == ({"a": 6, "b": 4, "c": 5}, ("b", "a"))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_text_that_is_nested_without_end(text: str) -> None:
    with pytest.raises(NotRouterData):
        json_text.parse(text)


@pytest.mark.parametrize("place", ["[%s]", '[{"id": "r", "floating_ips": [%s]}]', '[{"id": "r", "gateway": %s}]'])
def test_a_key_that_stands_twice_fails_the_router(place: str) -> None:
    checked = check_routers(json_text.parse(place % '{"id": "a", "id": "b"}'))
    assert checked.routers == ()
    assert "the key 'id' stands there twice" in "".join(checked.rejected[0].errors)


def test_of_an_id_that_stands_twice_neither_is_removed() -> None:
    ids, [rejected] = check_router_ids(json_text.parse('[{"id": "a", "id": "b"}]'))
    assert (ids, rejected.identified) == ((), False)


NETWORKS = ["10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/16", "10.0.1.0/24", "10.1.0.0/16", "11.0.0.0/8", "10.0.0.0/8", "2001:db8::/32",
            "2001:db8:1::/48", "2001:db8:1::/64", "0.0.0.0/0", "::/0", "a00::/8"]  # fmt: skip


def test_networks_that_overlap() -> None:
    networks = [parse_network(text) for text in NETWORKS]
    expected = {
        (i, j)
        for (i, one), (j, other) in combinations(enumerate(networks), 2)
        if one.version == other.version and one.overlaps(other)  # type: ignore[arg-type]
    }
    assert set(overlapping(networks, range(len(networks)))) == expected
    assert overlapping(networks, [0] * len(networks)) == []


@pytest.mark.parametrize("text", ["10.0.0.0/16", "10.0.%d.0/24"])
@pytest.mark.parametrize("ports", [1, 30_000])
def test_networks_are_looked_at_in_bounded_time(text: str, ports: int) -> None:
    networks = [parse_network(text.replace("%d", str(n % 256))) for n in range(30_000)]
    started = time.process_time()
    found = overlapping(networks, [n % ports for n in range(30_000)])
    assert time.process_time() - started < 2
    assert len(found) == (0 if ports == 1 else PAIRS)
