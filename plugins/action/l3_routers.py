# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module as any other, and tells from time to time how far a long run is."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from ansible.plugins.action.normal import ActionModule as NormalActionModule
from ansible.utils.display import Display

from ansible_collections.netnode.l3.plugins.module_utils.host.progress import FILE

INTERVAL = 3.0  # seconds; runs that are shorter say nothing
JOINED_WITHIN = 10.0  # seconds that a question to the node which is under way may still take

display = Display()


class ActionModule(NormalActionModule):
    """The module, watched."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> Any:
        """Run the module and return its result."""
        if self._task.async_val:
            return super().run(tmp, task_vars)
        with _watched(self._connection, (task_vars or {}).get("inventory_hostname", "")):
            return super().run(tmp, task_vars)


@contextmanager
def _watched(connection: Any, host: str) -> Iterator[None]:
    """Beside what the caller does with the connection, ask the node over it for the run's progress."""
    ended = Event()
    # A copy, since a connection keeps what concerns a command under way in itself.
    watcher = Thread(target=_watch, args=(copy.copy(connection), host, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join(JOINED_WITHIN)


def _watch(connection: Any, host: str, ended: Event) -> None:
    while not ended.wait(INTERVAL):
        try:
            status, output, _errors = connection.exec_command("cat " + FILE, sudoable=False)
            sentence = _sentence(json.loads(output)) if status == 0 else None
        except Exception:  # whatever is wrong, the module's own task is who says it
            return
        if sentence is not None and not ended.is_set():
            display.display("%s: %s" % (host, sentence))


def _sentence(progress: Mapping[str, Any]) -> str:
    if progress["stage"] == "read":
        return "%(done)d of %(routers)d routers read" % progress
    return "%(done)d of %(routers)d routers converged: %(changed)d changed, %(failed)d failed" % progress
