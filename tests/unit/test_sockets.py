# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who listens on a port, as the kernel's lists of sockets tell it."""

from __future__ import annotations

import io
import os
import socket

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.host import sockets
from ansible_collections.netnode.l3.plugins.module_utils.host.netlink import Netlink

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ANY4, LOCAL4, ANY6 = "00000000", "0100007F", "0" * 32


def line(local: str, state: str, inode: int, remote: str = "00000000:0000") -> str:
    return f"   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0 100 0 0 10 0\n"


@pytest.mark.parametrize(
    ("tcp", "tcp6", "expected"),
    [
        ("", "", {}),
        (line(f"{ANY4}:25E1", "0A", 11), "", {4: "11"}),
        (line(f"{LOCAL4}:25E1", "0A", 11), "", {4: "11"}),
        ("", line(f"{ANY6}:25E1", "0A", 12), {6: "12"}),
        (line(f"{ANY4}:25E1", "0A", 11), line(f"{ANY6}:25E1", "0A", 12), {4: "11", 6: "12"}),
        (line(f"{ANY4}:25E2", "0A", 11), line(f"{ANY6}:0050", "0A", 12), {}),
        (line(f"{LOCAL4}:25E1", "01", 11), line(f"{ANY6}:25E1", "06", 12), {}),  # connections
        (line(f"{LOCAL4}:C350", "0A", 11, remote=f"{LOCAL4}:25E1"), "", {}),
        (line(f"{ANY4}:0016", "0A", 10) + line(f"{LOCAL4}:25E1", "01", 11) + line(f"{ANY4}:25E1", "0A", 13), "", {4: "13"}),
        (None, line(f"{ANY6}:25E1", "0A", 12), {6: "12"}),
        (line(f"{ANY4}:25E1", "0A", 11), None, {4: "11"}),
        (line(f"{ANY4}:0000", "0A", 11), None, {}),
    ],
)
def test_a_listener_on_any_address_is_found(
    monkeypatch: pytest.MonkeyPatch, tcp: str | None, tcp6: str | None, expected: dict[int, str]
) -> None:
    """A list is missing where the kernel has no such protocol."""
    files = {"/proc/thread-self/net/tcp": tcp, "/proc/thread-self/net/tcp6": tcp6}

    def open_list(path: str, encoding: str) -> io.StringIO:
        text = files[path]
        if text is None:
            raise FileNotFoundError(path)
        return io.StringIO(HEADING + text)

    monkeypatch.setattr(sockets, "open", open_list, raising=False)
    assert sockets.listed_listeners(0x25E1) == expected


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernel_tells_of_a_real_one(family: int, host: str) -> None:
    with socket.socket(family) as server:
        try:
            server.bind((host, 0))
        except OSError:
            pytest.skip("no such address on this machine")
        port = server.getsockname()[1]
        assert (sockets.listeners(port), sockets.listed_listeners(port)) == ({}, {})
        server.listen()
        inode = str(os.fstat(server.fileno()).st_ino)
        with socket.create_connection((host, port)):  # which is no listener, though it has the port
            found = {4 if family == socket.AF_INET else 6: inode}
            assert (sockets.listeners(port), sockets.listed_listeners(port)) == (found, found)
            assert sockets.listener(port) == inode


def test_of_the_listeners_of_both_families_that_of_ipv4_is_told_first() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET6) as other:
        port = server.getsockname()[1]
        try:
            other.bind(("::1", port))
        except OSError:
            pytest.skip("no such address on this machine")
        other.listen()
        inodes = [str(os.fstat(each.fileno()).st_ino) for each in (server, other)]
        assert sockets.listeners(port) == sockets.listed_listeners(port) == dict(zip((4, 6), inodes, strict=True))
        assert sockets.listener(port) == inodes[0]


def test_without_the_module_the_kernels_list_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Netlink, _kind: int, _body: bytes) -> None:
        raise OSError(2, "sock_diag")

    monkeypatch.setattr(Netlink, "dump", refuse)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert sockets.listener(server.getsockname()[1]) == str(os.fstat(server.fileno()).st_ino)
