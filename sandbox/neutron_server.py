# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real Neutron server on loopback: RabbitMQ, MariaDB, the API under uWSGI, and the server of its RPC.

Its Python packages are in an environment of their own, see ``tools/prepare-neutron``. It asks nobody who they are
(``auth_strategy = noauth``).
"""

from __future__ import annotations

import glob
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import kombu
from amqp.exceptions import NotFound

from .playbook import CHECKOUT

ENVIRONMENT = CHECKOUT / ".cache" / "neutron-venv"
EXTERNAL_NETWORK = "physnet1"
PASSWORD = "not-for-anybody-to-see"  # noqa: S105  # of the message bus; that it shows up nowhere is tested
_LONGEST_START = 90.0
_POLL = 0.05

_NEUTRON = """
[DEFAULT]
auth_strategy = noauth
core_plugin = ml2
service_plugins = router,port_forwarding,conntrack_helper,qos,ndp_proxy
transport_url = {transport_url}
state_path = {directory}/state
log_dir = {directory}/log
use_stderr = False
api_paste_config = {environment}/etc/neutron/api-paste.ini
notify_nova_on_port_status_changes = False
notify_nova_on_port_data_changes = False
dhcp_agent_notification = False
router_scheduler_driver = neutron.scheduler.l3_agent_scheduler.AZLeastRoutersScheduler
rpc_workers = 1
rpc_state_report_workers = 0
[oslo_concurrency]
lock_path = {directory}/lock
[oslo_messaging_notifications]
driver = noop
[database]
connection = {database_url}
[quotas]
quota_network = -1
quota_subnet = -1
quota_port = -1
quota_router = -1
quota_floatingip = -1
quota_security_group = -1
quota_security_group_rule = -1
"""
_ML2 = f"""
[ml2]
type_drivers = flat,vlan,vxlan
tenant_network_types = vxlan
mechanism_drivers = openvswitch
extension_drivers = port_security,dns,qos
[ml2_type_flat]
flat_networks = {EXTERNAL_NETWORK},physnet2,physnet3,physnet4
[ml2_type_vxlan]
vni_ranges = 1:8000
"""
_RABBIT = """
listeners.tcp.local = 127.0.0.1:{port}
load_definitions = {directory}/rabbit/definitions.json
"""
# The second is empty: for what is to be beside the server.
VIRTUAL_HOSTS = ("/", "beside")
_DEFINITIONS = {
    "users": [{"name": "neutron", "password": PASSWORD, "tags": []}],
    "vhosts": [{"name": name} for name in VIRTUAL_HOSTS],
    "permissions": [{"user": "neutron", "vhost": name, "configure": ".*", "write": ".*", "read": ".*"} for name in VIRTUAL_HOSTS],
}
# Today's tables at once, without the migrations that led to them.
_SCHEMA = """
import sys, sqlalchemy
from neutron.db.migration.models import head
head.get_metadata().create_all(sqlalchemy.create_engine(sys.argv[1]))
"""


class NeutronServer:
    """A server with nothing in it yet; a context manager. Its processes end with it, or with this process.

    ``url``: of the API; ``transport_url``: of the message bus; ``directory``: has its configuration and logs.
    ``maximum_page``: how many objects the API returns at once; 0: all.
    """

    def __init__(self, maximum_page: int = 0) -> None:
        self._files = TemporaryDirectory(prefix="neutron-")
        self.directory = Path(self._files.name)
        for name in ("state", "lock", "log", "rabbit", "tmp"):
            (self.directory / name).mkdir()
        api_port, amqp_port, epmd_port, erlang_port = _free_ports(4)
        self.url = f"http://127.0.0.1:{api_port}"
        self.transport_url = f"rabbit://neutron:{PASSWORD}@127.0.0.1:{amqp_port}/"
        self.database_url = f"mysql+pymysql://root@localhost/neutron?unix_socket={self.directory}/mariadb.sock"
        self._configure(amqp_port, maximum_page)
        # A process namespace, so that all of it ends with its first process, which ends when this one does.
        holder = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "cat"]
        self._holder = subprocess.Popen(holder, stdin=subprocess.PIPE)
        self._first = self._first_process()
        self._entering = ["nsenter", "--target", str(self._first), "--mount", "--pid", "--"]
        try:
            rabbit = self._start_rabbit(amqp_port, epmd_port, erlang_port)
            self._start_database()
            rabbit()
            self._start_api(api_port)
            self._start_rpc()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> NeutronServer:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it."""
        if self._holder.poll() is None:
            os.kill(self._first, signal.SIGKILL)  # this one is gone when all others are
        self._holder.communicate()
        self._files.cleanup()

    def _first_process(self) -> int:
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        _wait("the process namespace", lambda: bool(children.read_text(encoding="ascii")))
        return int(children.read_text(encoding="ascii").split()[0])

    def _configure(self, amqp_port: int, maximum_page: int) -> None:
        values = {
            "directory": self.directory,
            "environment": ENVIRONMENT,
            "transport_url": self.transport_url,
            "database_url": self.database_url,
        }
        neutron = _NEUTRON.format(**values)
        if maximum_page:
            neutron = neutron.replace("[DEFAULT]", f"[DEFAULT]\npagination_max_limit = {maximum_page}")
        for name, text in {
            "neutron.conf": neutron,
            "ml2_conf.ini": _ML2,
            "api.conf": "[DEFAULT]\nlog_file = neutron-api.log\n",
            "rabbit/rabbitmq.conf": _RABBIT.format(port=amqp_port, directory=self.directory),
            "rabbit/definitions.json": json.dumps(_DEFINITIONS),
        }.items():
            (self.directory / name).write_text(text, encoding="utf-8")

    def _start(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        with (self.directory / "log" / f"{name}.out").open("wb") as log:
            # The database names temporary files after its pid, which others in a namespace of processes can have too.
            own = {"HOME": str(self.directory), "TMPDIR": str(self.directory / "tmp")}
            settings = {**own, "PYTHONWARNINGS": "ignore", **(environment or {})}
            return subprocess.Popen(
                [*self._entering, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": f"{ENVIRONMENT}/bin:{os.environ['PATH']}:/usr/sbin", **settings},
                cwd=self.directory,
            )

    def _run(self, name: str, *command: str) -> None:
        if self._start(name, *command).wait() != 0:
            raise RuntimeError(f"Neutron: {command[0]} failed:\n{self._log(name)}")

    def _log(self, name: str) -> str:
        return (self.directory / "log" / f"{name}.out").read_text(encoding="utf-8", errors="replace")[-2000:]

    def _start_rabbit(self, port: int, epmd_port: int, erlang_port: int) -> Callable[[], None]:
        """Start it, with Erlang's own ports on loopback only; returns what waits for it."""
        # The wrappers on PATH insist on a user of its own; this does not.
        program = max(glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"))
        rabbit = self.directory / "rabbit"
        settings = {
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(epmd_port),
            "RABBITMQ_NODENAME": f"neutron{port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(rabbit / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(rabbit / "mnesia"),
            "RABBITMQ_LOG_BASE": str(rabbit),
            "RABBITMQ_ENABLED_PLUGINS_FILE": os.devnull,
            "RABBITMQ_PID_FILE": str(rabbit / "pid"),
            "RABBITMQ_DIST_PORT": str(erlang_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        process = self._start("rabbit", program, environment=settings)
        return lambda: self._wait("rabbit", process, lambda: _answers(port))

    def _start_database(self) -> None:
        data, place = f"--datadir={self.directory}/mariadb", f"--socket={self.directory}/mariadb.sock"
        made = ("--user=root", "--auth-root-authentication-method=normal", "--skip-test-db")
        self._run("mariadb-install", "mariadb-install-db", "--no-defaults", data, *made)
        run = ("--user=root", "--skip-networking", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0")
        process = self._start("mariadb", "mariadbd", "--no-defaults", data, place, *run)
        self._wait("mariadb", process, (self.directory / "mariadb.sock").exists)
        statement = "create database neutron character set utf8mb3"
        self._run("mariadb-database", "mariadb", "--no-defaults", "-uroot", place, "-e", statement)
        self._run("schema", f"{ENVIRONMENT}/bin/python", "-c", _SCHEMA, self.database_url)

    def make_dead(self, host: str) -> None:
        """Have Neutron take the agents of a host for dead until they report again."""
        statement = f"update neutron.agents set heartbeat_timestamp = '2001-01-01' where host = '{host}'"  # noqa: S608
        self._run("dead", "mariadb", "--no-defaults", "-uroot", f"--socket={self.directory}/mariadb.sock", "-e", statement)

    def _start_api(self, port: int) -> None:
        process = self._start(
            "api",
            f"{ENVIRONMENT}/bin/uwsgi",
            *("--http-socket", f"127.0.0.1:{port}", "--master", "--die-on-term", "--processes", "1", "--threads", "4"),
            *("--enable-threads", "--lazy-apps", "--need-app", "--thunder-lock", "--http-keepalive"),
            *("--buffer-size", "65535", "--add-header", "Connection: close"),
            *("--virtualenv", str(ENVIRONMENT), "--module", "neutron.wsgi.api:application"),
            *("--logto", str(self.requests)),
            environment={
                "OS_NEUTRON_CONFIG_DIR": str(self.directory),
                "OS_NEUTRON_CONFIG_FILES": "neutron.conf;ml2_conf.ini;api.conf",
            },
        )
        self._wait("api", process, lambda: _answers(port))

    @property
    def requests(self) -> Path:
        """The API's log: a line with the method and the path of each request, among others."""
        return self.directory / "log" / "requests"

    @contextmanager
    def rpc_held(self) -> Iterator[None]:
        """For the time being, nothing answers by the message bus."""
        held = list(_descendants(self._rpc.pid))
        for pid in held:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in (*held, self._rpc.pid):  # nsenter stops with what it has started
                os.kill(pid, signal.SIGCONT)

    def _start_rpc(self) -> None:
        files = ("--config-file", f"{self.directory}/neutron.conf", "--config-file", f"{self.directory}/ml2_conf.ini")
        self._rpc = self._start("rpc", f"{ENVIRONMENT}/bin/neutron-rpc-server", *files)
        with kombu.Connection(self.transport_url.replace("rabbit://", "amqp://")) as connection:
            for queue in ("q-l3-plugin", "q-reports-plugin"):
                self._wait("rpc", self._rpc, partial(_has_queue, connection, queue))

    def _wait(self, name: str, process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
        def there() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"Neutron: {name} ended:\n{self._log(name)}")
            return condition()

        _wait(name, there)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _port in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _descendants(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text(encoding="ascii").split():
            yield int(child)
            yield from _descendants(int(child))


def _has_queue(connection: kombu.Connection, queue: str) -> bool:
    with connection.channel() as channel:
        try:
            channel.queue_declare(queue, passive=True)
        except NotFound:
            return False
    return True


def _wait(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONGEST_START
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"Neutron: {what} is not there after {_LONGEST_START:g} seconds")
        time.sleep(_POLL)
