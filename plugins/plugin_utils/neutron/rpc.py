# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message bus of Neutron, as its agents use it."""

from __future__ import annotations

import logging
import warnings
from typing import Any, Self

from .errors import NeutronError

try:
    with warnings.catch_warnings():  # of eventlet, which is imported wherever it is installed, and not used here
        warnings.simplefilter("ignore")
        import oslo_messaging
    from oslo_config import cfg
except ImportError as error:
    OSLO_MESSAGING_IMPORT_ERROR: ImportError | None = error
else:
    OSLO_MESSAGING_IMPORT_ERROR = None

EXCHANGE = "neutron"
# What neutron_lib makes of an administrator's context, as far as the server looks at it.
CONTEXT = {"is_admin": True, "user_id": None, "project_id": None, "roles": ["admin", "member", "reader"]}

# It says by itself, beside what Ansible prints, that it cannot connect; the exception says it too.
logging.getLogger("oslo.messaging").addHandler(logging.NullHandler())
logging.getLogger("oslo_messaging").addHandler(logging.NullHandler())


class RemoteError(NeutronError):
    """Neutron refused a call. ``kind``: the name of its exception."""

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text)
        self.kind = kind


class TimedOut(NeutronError):
    """Neutron did not answer in time."""


class Rpc:
    """A connection to the message bus; a context manager.

    ``transport_url``: as in ``neutron.conf``; without it, ``config_file`` has it, which is such a file and may have the section
    ``oslo_messaging_rabbit`` too. ``timeout``: of a call, in seconds. Raises :class:`NeutronError`.
    """

    def __init__(self, transport_url: str | None = None, config_file: str | None = None, timeout: float = 60) -> None:
        if OSLO_MESSAGING_IMPORT_ERROR is not None:
            raise NeutronError(
                "Neutron's message bus needs the Python library oslo.messaging on the controller: pip install oslo.messaging."
            ) from OSLO_MESSAGING_IMPORT_ERROR
        if not isinstance(transport_url, (str, type(None))):
            raise NeutronError(f"transport_url is no text: it is of the type {type(transport_url).__name__}.")
        if not transport_url and not config_file:
            raise NeutronError("Where Neutron's message bus is, is not said: give transport_url, or a config_file that has it.")
        self.timeout = timeout
        conf = cfg.CONF  # parts of oslo.messaging look nowhere else
        conf.clear()
        oslo_messaging.set_transport_defaults(EXCHANGE)
        try:
            conf(args=[], default_config_files=[config_file] if config_file else [], default_config_dirs=[])
            self.transport = oslo_messaging.get_rpc_transport(conf, url=transport_url or None)
        except Exception as error:  # their texts can have the URL, with its password
            raise NeutronError(
                f"The message bus of Neutron cannot be used ({type(error).__name__}): "
                f"see {'transport_url' if transport_url else config_file}."
            ) from None
        self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.transport.cleanup()

    def _connect(self) -> None:
        """Make a connection, which is used later. A call would try for ever."""
        driver = self.transport._driver
        try:
            with driver._get_connection(retry=len(driver._url.hosts)):
                pass
        except Exception as error:
            raise NeutronError(f"The message bus of Neutron cannot be reached: {' '.join(str(error).split())}") from None

    def call(self, topic: str, version: str, method: str, /, **arguments: Any) -> Any:
        """What a method of the server returns. Raises :class:`RemoteError`, :class:`TimedOut`, :class:`NeutronError`."""
        target = oslo_messaging.Target(topic=topic, version=version)
        client = oslo_messaging.get_rpc_client(self.transport, target, timeout=self.timeout, retry=1)
        what = f"Neutron was asked for {method} by the message bus"
        try:
            return client.call(CONTEXT, method, **arguments)
        except oslo_messaging.MessagingTimeout as error:
            raise TimedOut(f"{what}: no answer within {self.timeout:g} seconds.") from error
        except oslo_messaging.RemoteError as error:
            raise RemoteError(f"{what}: {error.exc_type}: {error.value}", error.exc_type) from error
        except oslo_messaging.MessagingException as error:
            raise NeutronError(f"{what}: {type(error).__name__}: {error}") from error
