# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The project in examples/awx, run as AWX runs it: by ansible-runner, with the inventory in AWX's own form."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml

from sandbox import Node
from sandbox.cloud import Cloud
from sandbox.neutron_server import NeutronServer
from sandbox.playbook import CHECKOUT

pytestmark = pytest.mark.filterwarnings("ignore:Using fork:DeprecationWarning")  # it only starts another program

EXAMPLE = CHECKOUT / "examples" / "awx"
# By which AWX finds the playbooks of a project.
PLAYBOOK = re.compile(r"^\s*?-?\s*?(?:hosts|include|import_playbook):\s*?.*?$", re.MULTILINE)


class Awx:
    """What AWX does with a project, its inventory source, and job templates, in one directory of ansible-runner."""

    def __init__(self, directory: Path, repository: Path, clouds: Path) -> None:
        self.directory = directory
        self.project = directory / "project"
        self.clouds = clouds
        self._run("git", "clone", "--quiet", str(repository), str(self.project))
        requirements = str(self.project / "collections" / "requirements.yml")
        self._collections = directory / "requirements_collections"
        self._run(
            str(Path(sys.executable).with_name("ansible-galaxy")),
            *("collection", "install", "--requirements-file", requirements, "--collections-path", str(self._collections)),
        )
        # What AWX puts into the database of its inventory, and gives to jobs as a script.
        self.hosts: dict[str, Any] = {}

    def _run(self, *command: str) -> None:
        subprocess.run(command, cwd=self.directory, check=True, capture_output=True)

    def _environment(self) -> dict[str, str]:
        return {
            "ANSIBLE_COLLECTIONS_PATH": str(self._collections),
            "ANSIBLE_CONNECTION_PLUGINS": str(CHECKOUT / "sandbox" / "connection_plugins"),
            "ANSIBLE_FORCE_COLOR": "false",
        }

    def update_inventory(self, source: str, node: Node) -> None:
        """Read an inventory source, with a credential of the type OpenStack. ``node``: how its host is reached."""
        output, errors = ansible_runner.get_inventory(
            "list",
            [str(self.project / source)],
            response_format="json",
            export=True,
            playbook_dir=str((self.project / source).parent),
            private_data_dir=str(self.directory),
            envvars={
                **self._environment(),
                "OS_CLIENT_CONFIG_FILE": str(self.clouds),
                "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
            },
            quiet=True,
        )
        assert isinstance(output, dict), errors
        output["_meta"]["hostvars"][node.name] |= {
            "ansible_connection": "sandbox",
            "ansible_python_interpreter": "/usr/bin/python3",
            "sandbox_pid": node.pid,
        }
        self.hosts = output
        script = self.directory / "inventory" / "hosts"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({json.dumps(output)!r})\n", encoding="utf-8")
        script.chmod(0o700)

    def launch(self, playbook: str, *arguments: str, **extra_vars: Any) -> Job:
        """Run a job template's playbook; ``extra_vars`` are the answers to its survey."""
        runner = ansible_runner.run(
            private_data_dir=str(self.directory),
            playbook=playbook,
            extravars=extra_vars,
            cmdline=" ".join(arguments),
            envvars=self._environment(),
            quiet=True,
        )
        return Job(runner)


class Job:
    """A job that ended: its status and events, as AWX shows them."""

    def __init__(self, runner: Any) -> None:
        self.status: str = runner.status
        self.output: str = runner.stdout.read()
        self.events = list(runner.events)

    @property
    def changed(self) -> dict[str, int]:
        """Of the last event, with what AWX has as host summaries: host -> changed tasks."""
        (stats,) = (event["event_data"] for event in self.events if event["event"] == "playbook_on_stats")
        return dict(stats["changed"])

    def results(self, module: str) -> list[dict[str, Any]]:
        """What a module returned, of the events of hosts that were not skipped."""
        return [
            event["event_data"]["res"]
            for event in self.events
            if event["event"] in ("runner_on_ok", "runner_on_failed") and event["event_data"]["task_action"] == module
        ]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection, as a server of collections would have it."""
    directory = tmp_path_factory.mktemp("artifact")
    program = str(Path(sys.executable).with_name("ansible-galaxy"))
    subprocess.run(
        [program, "collection", "build", "--output-path", str(directory)], cwd=CHECKOUT, check=True, capture_output=True
    )
    (file,) = directory.iterdir()
    return file


@pytest.fixture
def awx(tmp_path: Path, artifact: Path, server: NeutronServer, host: str, monkeypatch: pytest.MonkeyPatch) -> Awx:
    """The example as a project of AWX, with only the places of the collection and the cloud put in."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")  # where ansible-runner finds Ansible
    repository = tmp_path / "repository"
    shutil.copytree(EXAMPLE, repository)
    requirements = repository / "collections" / "requirements.yml"
    collections = yaml.safe_load(requirements.read_text(encoding="utf-8"))["collections"]
    assert [entry["name"] for entry in collections] == ["netnode.l3"]
    requirements.write_text(json.dumps({"collections": [{"name": str(artifact), "type": "file"}]}), encoding="utf-8")
    source = repository / "inventory" / "nodes.neutron.yml"
    source.write_text(f"{source.read_text(encoding='utf-8')}hosts: [{host}]\n", encoding="utf-8")
    git = ["git", "-C", str(repository), "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "Begin"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    clouds = tmp_path / "clouds.yaml"  # with the one name that AWX gives it
    cloud = {"auth_type": "none", "auth": {"endpoint": server.url}}
    clouds.write_text(json.dumps({"clouds": {"devstack": cloud}}), encoding="utf-8")
    directory = tmp_path / "awx"
    directory.mkdir()
    return Awx(directory, repository, clouds)


def test_a_schedule_of_jobs_changes_what_differs_and_shows_drift(awx: Awx, cloud: Cloud, host: str) -> None:
    router, _networks = cloud.router("awx", "10.0.0.0/24", zone=host)
    with Node(host) as node:
        node.add_bridge("br-ex")
        offered = [file.name for file in sorted(awx.project.glob("*.yml")) if PLAYBOOK.search(file.read_text(encoding="utf-8"))]
        assert offered == ["sync.yml", "verify.yml"]

        awx.update_inventory("inventory/nodes.neutron.yml", node)
        assert host in awx.hosts["network_nodes"]["hosts"]
        # On a schedule, with the survey's answer left empty.
        jobs = [awx.launch("sync.yml", l3_sync_router_ids="") for _time in range(2)]
        assert [job.status for job in jobs] == ["successful", "successful"], jobs[0].output
        assert [host in job.changed for job in jobs] == [True, False]
        assert [job.results("netnode.l3.l3_routers")[0]["changed"] for job in jobs] == [True, False]
        assert f"qrouter-{router.id}" in node.run("ip", "netns", "list").stdout

        node.run("ip", "-n", f"qrouter-{router.id}", "route", "delete", "default")
        check = awx.launch("sync.yml", "--check", "--diff", l3_sync_router_ids=router.id)
        (result,) = check.results("netnode.l3.l3_routers")
        (entry,) = result["routers"]
        assert (check.status, check.changed, entry["id"]) == ("successful", {host: 1}, router.id)
        assert [action.split(" via ")[0] for action in entry["actions"]] == ["route default"]

        verify = awx.launch("verify.yml")
        assert verify.status == "failed"
        assert f"router {router.id}: is not converged" in verify.output

        repair = awx.launch("sync.yml")
        assert (repair.status, repair.changed) == ("successful", {host: 1})
        assert repair.results("netnode.l3.l3_routers")[0]["routers"][0]["actions"] == entry["actions"]

        # When Neutron does not answer, there is no inventory, and AWX does not begin the job.
        awx.clouds.write_text(awx.clouds.read_text(encoding="utf-8").replace("http:", "no-such-scheme:"), encoding="utf-8")
        with pytest.raises(AssertionError, match="No inventory was parsed"):
            awx.update_inventory("inventory/nodes.neutron.yml", node)
