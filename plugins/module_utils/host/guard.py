# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A process on the node that takes a change back unless somebody confirms it: whatever became of the run, of the connection,
or of the controller.

It is a fork of the run, and has in memory how the node was before. It holds the run's lock until the change is confirmed
or taken back, so that no other run comes in between.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from contextlib import suppress
from typing import Any, Callable, Dict, Optional, Tuple

from ..errors import Refused, in_words
from . import command, lock, run_directory
from .detached import FIRST, detached

SOCKET = run_directory.PATH + "/guard.socket"
TAKEN_BACK = run_directory.PATH + "/taken-back.json"  # what became of the last change that was taken back
CONFIRM, TAKE_BACK = "confirm", "take back"
_CHANGED, _UNCHANGED = b"c", b"u"
_LONGEST = 1 << 16
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Guard:
    """Stands by from now on. A context manager: when it is left without :meth:`changed` or :meth:`unchanged` having been
    called, however that comes, the change is taken back at once; or rather when the last command of the run has ended.

    ``restore``: makes the node what it was, and returns what it did. ``confirmed``: what else is to be done when the change is
    confirmed. Both are called by the guard's process. ``lock_descriptor``: of the run's lock. Raises :class:`Refused` when there
    can be no guard.
    """

    def __init__(
        self, timeout: float, lock_descriptor: int, restore: Callable[[], Dict[str, Any]], confirmed: Callable[[], None]
    ) -> None:
        with suppress(FileNotFoundError):
            os.unlink(TAKEN_BACK)
        reading, self._writing = os.pipe()
        ready, getting_ready = os.pipe()
        detached(lambda: _stand_by(timeout, restore, confirmed), [reading, getting_ready, lock_descriptor])
        os.close(reading)
        os.close(getting_ready)
        if not os.read(ready, 1):
            raise Refused("The guard of the change could not be started, is there no space left in /run? Nothing was touched.")
        os.close(ready)
        os.set_inheritable(self._writing, True)
        command.kept_open.add(self._writing)

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *_exception: object) -> None:
        command.kept_open.discard(self._writing)
        os.close(self._writing)

    def changed(self) -> bool:
        """The change is done, and the time to confirm it begins. Whether somebody stands by: the process could be killed."""
        return self._tell(_CHANGED)

    def unchanged(self) -> None:
        """There is nothing to confirm."""
        self._tell(_UNCHANGED)

    def _tell(self, word: bytes) -> bool:
        try:
            return os.write(self._writing, word) == len(word)
        except BrokenPipeError:
            return False


def _listen() -> socket.socket:
    run_directory.make()
    with suppress(FileNotFoundError):
        os.unlink(SOCKET)  # the lock is ours, so that nobody stands by
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(SOCKET)
    finally:
        os.umask(mask)
    listener.listen()
    return listener


def _stand_by(timeout: float, restore: Callable[[], Dict[str, Any]], confirmed: Callable[[], None]) -> None:
    client: Optional[socket.socket] = None
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # as long as the run is at work; what comes until then waits
        run, ready, lock_descriptor = FIRST, FIRST + 1, FIRST + 2
        command.kept_open.add(lock_descriptor)
        lock.sign(lock_descriptor, "a change that is not confirmed yet, guarded by ")
        listener = _listen()
        os.write(ready, b"r")
        os.close(ready)
        client, why = _reason_to_take_back(run, listener, timeout)
    except _Ended as ended:
        why = str(ended)
    except Exception as error:  # whatever it is, nobody could confirm any more
        why = "the guard failed: %s: %s" % (type(error).__name__, error)
    _on_ending(signal.SIG_IGN)
    answer = _take_back(why, restore) if why is not None else _confirm(confirmed) if client is not None else {}
    with suppress(FileNotFoundError):
        os.unlink(SOCKET)  # before the answer: whoever has it finds that nobody stands by
    _answer(client, answer)


class _Ended(Exception):
    """Somebody wants the guard to end."""


def _on_ending(handler: Any) -> None:
    """What becomes of the signals from now on, and of those that wait."""
    for number in _ENDING:
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


def _end(number: int, _frame: object) -> None:
    raise _Ended("the guard was told to end (%s)" % signal.Signals(number).name)


def _reason_to_take_back(
    run: int, listener: socket.socket, timeout: float
) -> Tuple[Optional[socket.socket], Optional[str]]:  # fmt: skip
    """Who is to be answered, and why the change is to be taken back; None when it is not."""
    word = os.read(run, 1)
    os.close(run)
    if word == _UNCHANGED:
        return None, None
    if word != _CHANGED:
        return None, "the run ended before its end"
    _on_ending(_end)
    client, wish = _wish(listener, timeout)
    if wish == CONFIRM:
        return client, None
    return client, "it was asked for" if wish == TAKE_BACK else "nobody confirmed the change within %g seconds" % timeout


def _wish(listener: socket.socket, timeout: float) -> Tuple[Optional[socket.socket], Optional[str]]:
    """Who came, and what is to be done; nothing of both when nobody did in time."""
    deadline = time.monotonic() + timeout
    while select.select([listener], [], [], max(0.0, deadline - time.monotonic()))[0]:
        client, _address = listener.accept()
        client.settimeout(1.0)
        with suppress(OSError):
            wish = client.recv(_LONGEST).decode(errors="replace")
            if wish in (CONFIRM, TAKE_BACK):
                return client, wish
        client.close()
    return None, None


def _confirm(confirmed: Callable[[], None]) -> Dict[str, Any]:
    try:
        confirmed()
    except OSError as error:
        return {"failed": True, "msg": "The change is confirmed, and not saved for the next boot: %s" % in_words(error)}
    return {}


def _take_back(why: str, restore: Callable[[], Dict[str, Any]]) -> Dict[str, Any]:
    try:
        done = restore()
    except Exception as error:  # whatever it is, the operator must come to know of it
        done = {"failed": True, "msg": "%s: %s" % (type(error).__name__, error)}
    found = {"why": why, "time": time.strftime("%Y-%m-%d %H:%M:%S"), **done}
    with suppress(OSError):
        run_directory.write(TAKEN_BACK, json.dumps(found))
    return found


def _answer(client: Optional[socket.socket], answer: Dict[str, Any]) -> None:
    if client is not None:
        with suppress(OSError), client:
            client.settimeout(None)
            client.sendall(json.dumps(answer).encode())


def ask(wish: str, timeout: float) -> Optional[Dict[str, Any]]:
    """Tell the guard of the node to ``CONFIRM`` or to ``TAKE_BACK``, and return its answer; None when nobody stands by, or
    the guard began to take the change back by itself. Raises OSError.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(SOCKET)
            connection.sendall(wish.encode())
            with connection.makefile(encoding="utf-8") as answer:
                text = answer.read()
        except (FileNotFoundError, ConnectionError):
            return None
        return json.loads(text) if text else None


def is_standing_by() -> bool:
    """Whether a change waits to be confirmed."""
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(SOCKET) == 0


def died() -> bool:
    """Whether the guard of the last change ended before it could do anything: then that change stands."""
    return os.path.exists(SOCKET) and not is_standing_by()


def last_taken_back() -> Optional[Dict[str, Any]]:
    """What became of the last change that was taken back: ``why``, ``time``, and what was done; None when there is none."""
    try:
        with open(TAKEN_BACK, encoding="utf-8") as file:
            found: Dict[str, Any] = json.load(file)
            return found
    except (OSError, ValueError):
        return None
