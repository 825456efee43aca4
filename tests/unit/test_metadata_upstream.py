# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the upstream of the metadata proxy is there, and whom it lets connect: asked of real sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import Upstream


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The path of a socket that listens."""
    monkeypatch.chdir(tmp_path)  # by its name alone, as the whole path can be too long for an address
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        server.listen()
        yield Path("s")


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[tuple[str, int]]:
    """Have every name lead to these addresses. What is connected to."""
    connected = []

    def connect(address: tuple[str, int], _timeout: float) -> socket.socket:
        connected.append(address)
        return socket.socket()

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 8775)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, _port, **_more: found)
    monkeypatch.setattr(socket, "create_connection", connect)
    return connected


def listening(host: str) -> socket.socket:
    server = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    server.bind((host, 0))
    server.listen()
    return server


@pytest.mark.parametrize("mode", [0o666, 0o777, 0o602, 0o202])
def test_a_socket_that_all_may_connect_to_needs_no_identity(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert Upstream.observe(f"unix:{path}") == Upstream(f"unix:{path}", f"unix@{path}")


@pytest.mark.parametrize("mode", [0o660, 0o600, 0o755, 0o775, 0o664])
def test_who_connects_to_another_socket_has_to_be_its_owner(path: Path, mode: int) -> None:
    path.chmod(mode)
    owner = (os.getuid(), os.stat(path).st_gid)
    assert Upstream.observe(f"unix:{path}") == Upstream(f"unix:{path}", f"unix@{path}", owner)


def test_the_owner_and_the_group_are_the_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(os.stat(path))
    found[4:6] = 1001, 2002
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda _path: os.stat_result(found))
        observed = Upstream.observe("unix:/run/metadata.sock")
    assert (observed.identity, observed.address) == ((1001, 2002), "unix@/run/metadata.sock")


def test_what_is_no_socket_is_a_problem(path: Path) -> None:
    Path("file").touch()
    for found in (".", "file"):
        observed = Upstream.observe(f"unix:{found}")
        assert (observed.problem, observed.address) == ("Connection refused", f"unix@{found}")


def test_a_socket_at_which_nobody_listens_any_more_is_a_problem(path: Path) -> None:
    """Its file stays when its process ends. Who may connect is known all the same, for when it is there again."""
    with socket.socket(socket.AF_UNIX) as ended:
        ended.bind("old")
    Path("old").chmod(0o600)
    owner = (os.getuid(), os.stat("old").st_gid)
    assert Upstream.observe("unix:old") == Upstream("unix:old", "unix@old", owner, "Connection refused")


def test_a_socket_of_another_kind_is_a_problem(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind("datagrams")
        assert Upstream.observe("unix:datagrams").problem == "Protocol wrong type for socket"


def test_what_is_not_there_is_a_problem(path: Path) -> None:
    assert Upstream.observe("unix:missing") == Upstream("unix:missing", "unix@missing", problem="No such file or directory")


def test_a_socket_has_a_moment_to_answer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(socket.socket, "settimeout", lambda _self, timeout: asked.append(timeout), raising=False)
    Upstream.observe(f"unix:{path}")
    assert asked == [1.0]


@pytest.mark.parametrize(("host", "written"), [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"), ("::1", "[::1]")])
def test_a_server_that_listens_is_there(host: str, written: str) -> None:
    try:
        server = listening(host)
    except OSError:
        pytest.skip("no such address on this machine")
    with server:
        port = server.getsockname()[1]
        assert Upstream.observe(f"{written}:{port}") == Upstream(f"{written}:{port}", f"{host}:{port}")


def test_a_server_that_does_not_listen_is_a_problem() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))  # and does not listen
        text = f"127.0.0.1:{server.getsockname()[1]}"
        assert Upstream.observe(text) == Upstream(text, text, problem="Connection refused")


@pytest.mark.parametrize(
    ("addresses", "chosen"),
    [
        (["192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7", "192.0.2.10"], "192.0.2.10"),  # as texts, in whatever order they come
        (["192.0.2.10", "192.0.2.7"], "192.0.2.10"),
        (["2001:db8::1", "192.0.2.7"], "192.0.2.7"),
        (["fd00::1", "2001:db8::1", "2001:db8::1"], "2001:db8::1"),
    ],
)
def test_of_several_addresses_it_is_always_the_same(monkeypatch: pytest.MonkeyPatch, addresses: list[str], chosen: str) -> None:
    """Else the proxy would be reloaded by every run."""
    connected = resolving(monkeypatch, *addresses)
    text = "metadata.example:8775"
    assert Upstream.observe(text) == Upstream(text, f"{chosen}:8775")
    assert connected == [(chosen, 8775)]


def test_a_name_that_nobody_knows_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_arguments: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    text = "metadata.example:8775"
    observed = Upstream.observe(text)
    assert observed == Upstream(text, problem="Name or service not known")
    assert observed.server == "127.0.0.1:1 disabled"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/metadata.sock", "unix@/run/metadata.sock"),
        ("unix:/run/unix:/a:1", "unix@/run/unix:/a:1"),
        ("192.0.2.1:8775", "192.0.2.1:8775"),
        ("metadata.example:8775", "metadata.example:8775"),
        ("[2001:db8::1]:8775", "2001:db8::1:8775"),
    ],
)
def test_an_upstream_can_be_written_without_looking_for_it(text: str, address: str) -> None:
    assert (Upstream.unseen(text), Upstream.unseen(text).server) == (Upstream(text, address), address)


def test_a_server_has_a_moment_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def create_connection(address: tuple[str, int], timeout: float) -> socket.socket:
        asked.append((address, timeout))
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", create_connection)
    text = "[2001:db8::1]:8775"
    assert Upstream.observe(text) == Upstream(text, "2001:db8::1:8775", problem="timed out")
    assert asked == [(("2001:db8::1", 8775), 1.0)]


@pytest.mark.parametrize("host", ["a..b", "a" * 64, "metadata..example"])
def test_a_name_that_no_host_can_have_is_a_problem_and_no_crash(host: str) -> None:
    """Encoding such a name fails before anything is asked, with an error of another kind."""
    observed = Upstream.observe(f"{host}:80")
    assert observed.problem
    assert (observed.address, observed.server) == (None, "127.0.0.1:1 disabled")
