# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network namespaces: which there are, and entering one with setns(2).

Entering concerns the calling thread alone, and the children that it starts, so that several namespaces can be
worked on at once.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import contextmanager
from typing import Iterator, List, Optional, Tuple

DIRECTORY = "/run/netns"  # where ip-netns(8) keeps them
CLONE_NEWNET = 0x40000000  # linux/sched.h

_libc = ctypes.CDLL(None, use_errno=True)


class DeadNamespace(Exception):
    """A name without a namespace behind it."""


class Inaccessible(Exception):
    """A namespace that is there, or may be, and cannot be entered."""


def names(prefix: str) -> List[str]:
    """Names of namespaces that begin with ``prefix``."""
    try:
        return sorted(name for name in os.listdir(DIRECTORY) if name.startswith(prefix))
    except FileNotFoundError:
        return []


def is_alive(name: str) -> bool:
    """Whether there is a namespace behind the name."""
    try:
        return os.stat(os.path.join(DIRECTORY, name)).st_dev == os.stat("/proc/self/ns/net").st_dev
    except OSError:
        return False


def identity() -> Tuple[int, int]:
    """What tells the namespace of the calling thread from others."""
    found = os.stat("/proc/thread-self/ns/net")
    return found.st_dev, found.st_ino


def file_of_current() -> str:
    """The file of the namespace of the calling thread that goes on standing for it when the thread has ended. Raises OSError."""
    here = identity()
    for path in ["/proc/1/ns/net", *(os.path.join(DIRECTORY, name) for name in names(""))]:
        try:
            found = os.stat(path)
        except OSError:
            continue
        if (found.st_dev, found.st_ino) == here:
            return path
    raise FileNotFoundError(errno.ENOENT, "the namespace has no file", DIRECTORY)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@contextmanager
def entered(name: Optional[str]) -> Iterator[None]:
    """Have this thread in the namespace ``name``, None being the node's own, in which it is anyway.

    Raises :class:`DeadNamespace` or :class:`Inaccessible`.
    """
    if name is None:
        yield
        return
    home = _open("/proc/thread-self/ns/net", "the node's own namespace")
    try:
        namespace = _open(os.path.join(DIRECTORY, name), name)
        try:
            if os.path.samestat(os.fstat(namespace), os.fstat(home)):
                raise Inaccessible("namespace %s is the node's own, and no router's" % name)
            _setns(namespace)
        except OSError as error:
            # EINVAL: the file is not a namespace. Anything else says nothing about what is behind the name.
            kind = DeadNamespace if error.errno == errno.EINVAL else Inaccessible
            raise kind("namespace %s cannot be entered: %s" % (name, error.strerror)) from None
        finally:
            os.close(namespace)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def _open(path: str, name: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        kind = DeadNamespace if error.errno in (errno.ENOENT, errno.ELOOP) else Inaccessible
        raise kind("namespace %s cannot be opened: %s" % (name, error.strerror)) from None
