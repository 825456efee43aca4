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
        ("", "", None),
        (line(f"{ANY4}:25E1", "0A", 11), "", "11"),
        (line(f"{LOCAL4}:25E1", "0A", 11), "", "11"),
        ("", line(f"{ANY6}:25E1", "0A", 12), "12"),
        (line(f"{ANY4}:25E1", "0A", 11), line(f"{ANY6}:25E1", "0A", 12), "11"),
        (line(f"{ANY4}:25E2", "0A", 11), line(f"{ANY6}:0050", "0A", 12), None),
        (line(f"{LOCAL4}:25E1", "01", 11), line(f"{ANY6}:25E1", "06", 12), None),  # connections
        (line(f"{LOCAL4}:C350", "0A", 11, remote=f"{LOCAL4}:25E1"), "", None),
        (line(f"{ANY4}:0016", "0A", 10) + line(f"{LOCAL4}:25E1", "01", 11) + line(f"{ANY4}:25E1", "0A", 13), "", "13"),
        (None, line(f"{ANY6}:25E1", "0A", 12), "12"),
        (line(f"{ANY4}:25E1", "0A", 11), None, "11"),
        (line(f"{ANY4}:0000", "0A", 11), None, None),
    ],
)
def test_a_listener_on_any_address_is_found(
    monkeypatch: pytest.MonkeyPatch, tcp: str | None, tcp6: str | None, expected: str | None
) -> None:
    """A list is missing where the kernel has no such protocol."""
    files = {"/proc/thread-self/net/tcp": tcp, "/proc/thread-self/net/tcp6": tcp6}

    def open_list(path: str, encoding: str) -> io.StringIO:
        text = files[path]
        if text is None:
            raise FileNotFoundError(path)
        return io.StringIO(HEADING + text)

    monkeypatch.setattr(sockets, "open", open_list, raising=False)
    assert sockets.listed_listener(0x25E1) == expected


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernel_tells_of_a_real_one(family: int, host: str) -> None:
    with socket.socket(family) as server:
        try:
            server.bind((host, 0))
        except OSError:
            pytest.skip("no such address on this machine")
        port = server.getsockname()[1]
        assert (sockets.listener(port), sockets.listed_listener(port)) == (None, None)
        server.listen()
        inode = str(os.fstat(server.fileno()).st_ino)
        with socket.create_connection((host, port)):  # which is no listener, though it has the port
            assert (sockets.listener(port), sockets.listed_listener(port)) == (inode, inode)


def test_without_the_module_the_kernels_list_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Netlink, _kind: int, _body: bytes) -> None:
        raise OSError(2, "sock_diag")

    monkeypatch.setattr(Netlink, "dump", refuse)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert sockets.listener(server.getsockname()[1]) == str(os.fstat(server.fileno()).st_ino)
