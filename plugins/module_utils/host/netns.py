# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network namespaces: which there are, and entering one with setns(2).

Entering concerns the calling thread alone, and the children that it starts, so that several namespaces can be
worked on at once.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import Iterator, List

DIRECTORY = "/run/netns"  # where ip-netns(8) keeps them
CLONE_NEWNET = 0x40000000  # linux/sched.h

_libc = ctypes.CDLL(None, use_errno=True)


class DeadNamespace(Exception):
    """A name without a namespace behind it."""


def names(prefix: str) -> List[str]:
    """Names of namespaces that begin with ``prefix``."""
    try:
        return sorted(name for name in os.listdir(DIRECTORY) if name.startswith(prefix))
    except FileNotFoundError:
        return []


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextmanager
def entered(name: str) -> Iterator[None]:
    """Have this thread in the namespace ``name``. Raises :class:`DeadNamespace`."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            namespace = os.open(os.path.join(DIRECTORY, name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                _setns(namespace)
            finally:
                os.close(namespace)
        except OSError as error:
            raise DeadNamespace("namespace %s cannot be entered: %s" % (name, error.strerror)) from None
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)
