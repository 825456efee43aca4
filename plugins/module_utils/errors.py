# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ends a run before anything was touched. The message is the whole sentence that the user reads."""

from __future__ import annotations


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
    """No root, or more routers to purge than allowed."""
