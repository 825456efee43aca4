# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ends a run before anything was touched. The message is the whole sentence that the user reads."""

from __future__ import annotations

# What can end anything at any time, through no fault of what was asked for. Besides files, threads and processes need memory:
# "can't start new thread" is a RuntimeError, and of a command that cannot be started Python makes a SystemError.
UNFORESEEN = (OSError, MemoryError, RuntimeError, SystemError, KeyboardInterrupt)


def in_words(error: BaseException) -> str:
    """One of them as a sentence, or as the subject and what is wrong with it."""
    if isinstance(error, MemoryError):
        return "There is no memory left."
    if isinstance(error, KeyboardInterrupt):
        return "The run was interrupted."
    if isinstance(error, OSError):
        return "%s: %s." % (error.filename or "system call", error.strerror or error)
    return str(error) or type(error).__name__


class RunError(Exception):
    """The run cannot be; its kinds follow."""


class InvalidOption(RunError):
    """An option that cannot be."""


class NotRouterData(RunError):
    """What was given is not a list of routers at all."""


class MissingObject(RunError):
    """The object needs another one that is not on the node; the message says which, and how to make it."""


class MissingCommand(RunError):
    """A command that the engine needs is not on the node."""


class Refused(RunError):
    """The run must not be: the message says what is in its way."""
