# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""iproute2: many operations in one process, and reading links, addresses and routes as JSON."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Sequence, Set

from .command import CommandError, run

_FAILED_LINE = re.compile(r"Command failed .*:(\d+)\s*$", re.MULTILINE)


class BatchError(Exception):
    """A line of a batch failed; those before it (``done`` of them) took effect, those after it were not tried."""

    def __init__(self, line: str, done: int, message: str) -> None:
        self.done = done
        self.message = message
        super().__init__("ip %s: %s" % (line, message))


def batch(lines: Sequence[str]) -> None:
    """Run ``ip`` command lines in one process. Raises :class:`BatchError` at the first that fails."""
    arguments = ["ip", "-batch", "-"]
    result = run(arguments, "".join(line + "\n" for line in lines), accept=range(256))
    if result.returncode == 0:
        return
    match = _FAILED_LINE.search(result.stderr)
    if not match:
        # A line that ip cannot even parse ends it without a number: nothing tells which one it was.
        raise CommandError([*arguments, *lines], result.stderr)
    number = int(match.group(1))
    message = _FAILED_LINE.sub("", result.stderr).strip() or "exit status %d" % result.returncode
    raise BatchError(lines[number - 1], number - 1, message)


def _read(lines: Sequence[str], details: bool) -> List[List[Dict[str, Any]]]:
    """The JSON documents of a batch of ``show`` commands, one for each line."""
    options = ["-json", "-details"] if details else ["-json"]
    text = run(["ip", *options, "-batch", "-"], "".join(line + "\n" for line in lines)).stdout
    decoder, documents, place = json.JSONDecoder(), [], 0
    try:
        while place < len(text):
            if text[place].isspace():
                place += 1
                continue
            document, place = decoder.raw_decode(text, place)
            documents.append(document)
    except ValueError:
        raise CommandError(["ip", *options], "printed what is not JSON: %.60r" % text[place:]) from None
    if len(documents) != len(lines):
        raise CommandError(["ip", *options], "printed %d lists for %d commands" % (len(documents), len(lines)))
    return documents


def links_and_routes() -> tuple[List[Dict[str, Any]], List[Dict[str, Any]]]:
    """Links with their addresses, and the routes of all tables, of the namespace that the thread is in."""
    links, routes = _read(["address show", "route show table all"], details=True)
    return links, routes


def links_and_bridges() -> tuple[List[Dict[str, Any]], Set[str]]:
    """Links without their addresses, and which of them are bridges, of the namespace that the thread is in."""
    links, bridges = _read(["link show", "link show type bridge"], details=False)
    return links, {bridge["ifname"] for bridge in bridges}
