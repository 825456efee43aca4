# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is saved of the upstream of metadata, which can come after the routers at boot."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.saved_routers import SavedRouters, decode, encode
from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import Upstream

SOCKET = Upstream("unix:/run/agent", "unix@/run/agent", (1234, 4321))
NAME = Upstream("agent.example.org:8775", "192.0.2.13:8775")


@pytest.mark.parametrize("upstream", [None, SOCKET, NAME])
def test_it_is_read_as_it_was_written(upstream: Upstream | None) -> None:
    assert decode(encode(SavedRouters(upstream=upstream))).upstream == upstream


@pytest.mark.parametrize(
    "wrong", [5, [], {}, {"text": "a:1", "address": None}, {"text": "unix:a", "address": "unix@a", "identity": ["root", 0]}]
)
def test_another_kind_of_it_is_as_none(wrong: Any) -> None:
    body = json.dumps({"options": {}, "routers": [], "upstream": wrong})
    head = json.dumps({"format": 1, "sha256": sha256(body.encode()).hexdigest()})
    assert decode(f"{head}\n{body}\n").upstream is None


@pytest.mark.parametrize("known", [SOCKET, NAME])
def test_it_counts_while_nothing_else_is_known(known: Upstream) -> None:
    missing = Upstream(known.text, known.address if known is SOCKET else None, problem="No such thing")
    assert missing.or_as(known) == replace(known, problem="No such thing")
    assert missing.or_as(None) == missing.or_as(replace(known, text="unix:other")) == missing
    seen = Upstream(known.text, "elsewhere")
    assert seen.or_as(known) == seen
