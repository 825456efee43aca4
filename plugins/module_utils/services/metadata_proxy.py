# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The metadata proxy: one haproxy for the node, which listens in the namespace of every router.

It tells the upstream, which is Neutron's metadata agent or what speaks like it, by two headers which router a request
came through and from which address, and takes away what a client says of that kind.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import AbstractSet, FrozenSet, List, Mapping, Optional, Sequence, Tuple

from ..metadata_rate_limit import Window
from ..model import namespace_name
from ..options import Options

CONNECT_TIMEOUT = 1.0  # seconds that an upstream has to take a connection, before it is called unreachable
SHARED_MODE = stat.S_IWOTH  # who may connect to a socket must be allowed to write to it (unix(7))
_BIND = re.compile(r"^ +bind \S+(?: v6only)?(?: namespace \S+)? name (\S+)$", re.MULTILINE)
_LINES = re.compile(r"^ +bind .*(?:\n +bind .*)*$", re.MULTILINE)
_IDENTITY = re.compile(r"^ +uid ([0-9]{1,10})\n +gid ([0-9]{1,10})$", re.MULTILINE)
_SERVER = re.compile(r"^ +server metadata (\S+)$", re.MULTILINE)

_TEXT = """\
# Written by netnode.l3 at each run; changes are undone.
# upstream {upstream}
global
    {identity}
    maxconn 4096
    nbthread 1
    hard-stop-after 60s
defaults
    mode http
    timeout connect 5s
    timeout client 32s
    timeout server 32s
    timeout http-request 32s
    timeout http-keep-alive 30s
frontend metadata
{binds}
{limit}    # What clients say of themselves, also in the spelling that many servers take for the same.
    http-request del-header _ -m sub
    http-request del-header X-Neutron- -m beg
    http-request del-header X-Instance-ID -m beg
    http-request del-header X-Tenant-ID
    http-request del-header X-Metadata-Provider -m beg
    http-request del-header Forwarded
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Neutron-Router-ID %[so_name]
    default_backend metadata
backend metadata
    server metadata {server}
{tables}"""

# A client is an address behind a router, whatever its family: addresses of different routers are different clients.
_CLIENT = """\
    http-request set-var(txn.client) src
"""
_TRACK = "    http-request track-sc{number} so_name,concat(/,txn.client) table metadata_{name}\n"
_DENY = "    http-request deny deny_status 429 if {{ sc{number}_http_req_rate gt {queries} }}\n"
# The longest key: a router id of 64 characters, the slash, an IPv6 address.
_TABLE = """\
backend metadata_{name}
    stick-table type string len 112 size 100k expire {seconds}s store http_req_rate({seconds}s)
"""


@dataclass(frozen=True)
class Upstream:
    """Where requests go, and what was found there.

    ``address``: the same as haproxy writes it, None when the name cannot be resolved. ``identity``: whom a socket lets
    connect, as user and group id; None for the proxy's own user. ``problem``: why it cannot be reached, in words.
    """

    text: str
    address: Optional[str] = None
    identity: Optional[Tuple[int, int]] = None
    problem: Optional[str] = None

    @classmethod
    def observe(cls, text: str) -> Upstream:
        """Look whether the upstream ``unix:PATH`` or ``HOST:PORT`` is there."""
        if text.startswith("unix:"):
            return cls._observe_socket(text, text[len("unix:") :])
        host, _colon, port = text.rpartition(":")
        try:
            # Names are resolved here, at each run, as haproxy does so once; one of several addresses, always the same.
            found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            return cls(text, problem=_reason(error))
        chosen = min(str(info[4][0]) for info in found)
        address = "%s:%s" % (chosen, port)
        try:
            socket.create_connection((chosen, int(port)), CONNECT_TIMEOUT).close()
        except OSError as error:
            return cls(text, address, problem=_reason(error))
        return cls(text, address)

    @classmethod
    def unseen(cls, text: str) -> Upstream:
        """The upstream without looking for it."""
        return cls(
            text, text.replace("unix:", "unix@", 1) if text.startswith("unix:") else text.replace("[", "").replace("]", "")
        )

    @classmethod
    def _observe_socket(cls, text: str, path: str) -> Upstream:
        address, identity = "unix@" + path, None
        try:
            found = os.stat(path)
            if not found.st_mode & SHARED_MODE:
                identity = (found.st_uid, found.st_gid)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(CONNECT_TIMEOUT)
                probe.connect(path)
        except OSError as error:
            return cls(text, address, identity, _reason(error))
        return cls(text, address, identity)

    @property
    def is_known(self) -> bool:
        """Whether it could be seen whom it lets connect, or what its name stands for."""
        return self.address is not None and (self.identity is not None or self.problem is None)

    def or_as(self, before: Optional[Upstream]) -> Upstream:
        """What cannot be seen now, as it was before."""
        if self.is_known or before is None or before.text != self.text:
            return self
        return replace(self, address=before.address, identity=before.identity)

    @property
    def server(self) -> str:
        """The server line's address, and what is to be said of it."""
        return self.address or "127.0.0.1:1 disabled"  # a name that cannot be resolved now


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


@dataclass(frozen=True)
class MetadataProxy:
    """The proxy as a run finds it, or is to leave it.

    ``text``: the configuration that it was given; ``loaded``: whether it has read that. ``sockets``: the inodes of the
    sockets that it has, and ``hidden``: whether these may not be seen. ``missing``: why it cannot be started, in a sentence.
    """

    options: Options
    upstream: Optional[Upstream] = None
    text: str = ""
    running: bool = False
    loaded: bool = True
    sockets: FrozenSet[str] = frozenset()
    missing: Optional[str] = None
    hidden: bool = False

    @cached_property
    def lines(self) -> Mapping[str, str]:
        """Router id -> the line by which the configuration has the process listen for it."""
        return lines_of(self.text)

    @property
    def routers(self) -> AbstractSet[str]:
        """Routers that the process serves, or served before it ended."""
        return self.lines.keys()

    def listens_for(self, router_id: str) -> bool:
        """Whether the process was told to listen for the router, and runs."""
        return self.running and router_id in self.lines

    def render(self, lines: Mapping[str, str]) -> str:
        """The configuration with these lines, by router id; empty when there are none."""
        if not lines:
            return ""
        binds = "\n".join(line for _router_id, line in sorted(lines.items()))
        if self.upstream is None:  # no service is asked for; routers that are not part of the run keep theirs
            return _LINES.sub(lambda _match: binds, self.text, count=1)
        upstream = self.upstream if self.upstream.is_known else self._as_it_was(self.upstream)
        identity = "user haproxy\n    group haproxy" if upstream.identity is None else "uid %d\n    gid %d" % upstream.identity
        limit, tables = _limiting(self.options.metadata_rate_limit or ())
        return _TEXT.format(
            upstream=upstream.text, identity=identity, binds=binds, server=upstream.server, limit=limit, tables=tables
        )  # fmt: skip

    def _as_it_was(self, upstream: Upstream) -> Upstream:
        """An upstream that is not there now, as it was known when it was."""
        if "# upstream %s\n" % upstream.text not in self.text:
            return upstream
        identity, server = _IDENTITY.search(self.text), _SERVER.search(self.text)
        return replace(
            upstream,
            address=server.group(1) if server else upstream.address,
            identity=(int(identity.group(1)), int(identity.group(2))) if identity else upstream.identity,
        )

    def line(self, router_id: str, ipv6: bool = False) -> str:
        """The line that has the process listen for a router of this run, for IPv6 too or for IPv4 alone."""
        place = " namespace " + namespace_name(router_id) if self.options.use_namespaces else ""
        port = self.options.metadata_port
        # One socket for both would take clients of IPv4 for ::ffff:ADDRESS.
        sockets = "0.0.0.0:%d,:::%d v6only" % (port, port) if ipv6 else "0.0.0.0:%d" % port
        return "    bind %s%s name %s" % (sockets, place, router_id)

    def warnings(self) -> List[str]:
        """What the operator should know though routers are converged."""
        if self.upstream is None or self.upstream.problem is None:
            return []
        return ["metadata_upstream: %s cannot be reached: %s." % (self.upstream.text, self.upstream.problem)]

    def cannot_serve(self, router_id: str, port_taken: bool) -> Optional[str]:
        """Why a router cannot be served, in a sentence."""
        if port_taken and self.hidden:
            return "The run lacks CAP_SYS_PTRACE: it cannot see whether port %d of router %s is the metadata proxy's." % (
                self.options.metadata_port, router_id,
            )  # fmt: skip
        if port_taken:
            return "Port %d of router %s, which the metadata proxy needs, is taken by another process." % (
                self.options.metadata_port, router_id,
            )  # fmt: skip
        return self.missing

    def with_text(self, text: str) -> MetadataProxy:
        """The proxy once it has read this configuration."""
        return replace(self, text=text, running=bool(text), loaded=True)


def _limiting(windows: Sequence[Window]) -> Tuple[str, str]:
    """What the frontend does to limit how many requests come from a client, and the tables for it."""
    named = [{"number": number, **asdict(window)} for number, window in enumerate(windows)]
    rules = [pattern.format(**window) for pattern in (_TRACK, _DENY) for window in named]
    return "".join([_CLIENT, *rules] if named else []), "".join(_TABLE.format(**window) for window in named)


def lines_of(text: str) -> Mapping[str, str]:
    """The lines of a configuration by which the process listens, by router id."""
    return {match.group(1): match.group(0) for match in _BIND.finditer(text)}
