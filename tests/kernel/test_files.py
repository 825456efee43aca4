# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs leave in files of the node: who may read and write it, whatever the umask, and that it is whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox import Node
from sandbox.engine import How, run_confirm, run_engine

from ..routers import advertising, router, small_router

METADATA = {"metadata_upstream": "127.0.0.1:80"}
DIRECTORY = "/run/netnode-l3"
NOT_OURS = " -o ".join(f"-path /run/{name}" for name in ("overlay", "netns", "lock", "mount"))  # the sandbox's and ip(8)'s
ALL = rf"find /run \( {NOT_OURS} \) -prune -o ! -path /run -printf '%m %y %u:%g %P\n'"
ONCE_MADE = {"644", "600"}  # by the umask of the run that made it; haproxy, or who takes the lock, makes it once
MODES = {
    "netnode-l3": {"755"},
    "netnode-l3.lock": ONCE_MADE,
    "netnode-l3/guard.socket": {"600"},
    "netnode-l3/known-rules.json": {"600"},
    "netnode-l3/metadata-proxy.cfg": {"644"},
    "netnode-l3/metadata-proxy.pid": ONCE_MADE,
    "netnode-l3/radvd-r1.conf": {"644"},
    "netnode-l3/radvd-r1.pid": ONCE_MADE,
    "netnode-l3/taken-back.json": {"644"},
}


def modes(node: Node) -> dict[str, str]:
    """What is in /run, but for the sandbox's own: path -> mode."""
    found = [line.split(maxsplit=3) for line in node.run("/bin/sh", "-c", ALL).stdout.splitlines()]
    assert {owner for _mode, _kind, owner, _path in found} == {"root:root"}
    return {path: mode for mode, _kind, _owner, path in found}


@pytest.fixture(params=["000", "022", "077"])
def run(node: Node, request: pytest.FixtureRequest) -> Callable[..., dict[str, Any]]:
    """Runs of the engine with such a umask."""
    how = How(prefix=("/bin/sh", "-c", f'umask {request.param}; exec "$@"', "sh"))

    def run(*routers: dict[str, Any], **options: Any) -> dict[str, Any]:
        result = run_engine(node, list(routers), how=how, **options)
        assert "failed" not in result, result["msg"]
        return result

    return run


def test_root_alone_may_write_what_runs_leave(node: Node, run: Callable[..., dict[str, Any]]) -> None:
    run(advertising(router()), confirm_timeout=60.0, **METADATA)  # the guard is the first that needs the directory
    waiting = modes(node)
    assert waiting.keys() == MODES.keys() - {"netnode-l3/taken-back.json", "netnode-l3/known-rules.json"}
    assert run_confirm(node, "taken_back")["changed"]
    run(advertising(router()), **METADATA)
    run(advertising(router()), small_router(1), **METADATA)
    left = modes(node)
    assert left.keys() == MODES.keys() - {"netnode-l3/guard.socket"}
    assert [(path, mode) for found in (waiting, left) for path, mode in found.items() if mode not in MODES[path]] == []
    run()
    services = ("netnode-l3/metadata-proxy", "netnode-l3/radvd")
    assert modes(node).keys() == {path for path in left if not path.startswith(services)}


def test_a_directory_that_others_could_write_to_is_closed(node: Node) -> None:
    node.run("mkdir", "--mode=0777", DIRECTORY)
    run_engine(node, [small_router(1)], **METADATA)
    assert modes(node)["netnode-l3"] == "755"


def test_a_file_is_replaced_as_a_whole(node: Node) -> None:
    run_engine(node, [small_router(1)], **METADATA)
    config = node.file(f"{DIRECTORY}/metadata-proxy.cfg")
    before = config.read_text()
    node.file("/run/reader").hardlink_to(config)
    run_engine(node, [small_router(1), small_router(2)], **METADATA)
    assert node.file("/run/reader").read_text() == before
    assert "qrouter-small-2" in config.read_text()


def test_a_file_that_could_not_be_written_is_as_it_was_and_nothing_is_beside_it(node: Node) -> None:
    run_engine(node, [small_router(1)], **METADATA)
    before = node.file(f"{DIRECTORY}/metadata-proxy.cfg").read_text()
    keep = f"cp -a {DIRECTORY} /run/kept; mount -t tmpfs -o size=64k tmpfs {DIRECTORY}; cp -a /run/kept/. {DIRECTORY}"
    node.run("/bin/sh", "-c", f"{keep}; cat /dev/zero > {DIRECTORY}/full; true", check=False)
    result = run_engine(node, [small_router(1), small_router(2)], **METADATA)
    assert "No space left on device" in result["msg"]
    assert node.file(f"{DIRECTORY}/metadata-proxy.cfg").read_text() == before
    assert [path for path in modes(node) if path.endswith(".new")] == []
