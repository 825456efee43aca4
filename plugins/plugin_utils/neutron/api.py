# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Neutron's REST API, as far as it is asked for lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from .errors import NeutronError

try:
    import openstack
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import HttpException, SDKException, raise_from_response
except ImportError as error:
    OPENSTACKSDK_IMPORT_ERROR: ImportError | None = error
else:
    OPENSTACKSDK_IMPORT_ERROR = None

_ATTEMPTS = 3
_NOT_FOUND = 404
PAGE = 1000  # objects; a server may return less at a time
_LONGEST_FILTER = 50  # ids: about two kilobytes, and servers take URLs of at least four


Objects = list[dict[str, Any]]


class _MarkerGone(Exception):
    """The last object of a page was deleted before the next page was asked for."""


class Missing(NeutronError):
    """What was asked for is not there."""


class Api:
    """A connection to the network service of a cloud.

    ``cloud``: the name of a cloud in ``clouds.yaml``, or what an entry there has; None: the environment says it.
    ``timeout``: in seconds, of one request. Raises :class:`NeutronError`.
    """

    def __init__(self, cloud: str | Mapping[str, Any] | None = None, timeout: float | None = None) -> None:
        with _usable(cloud):
            settings = {} if timeout is None else {"api_timeout": timeout}
            self._network = openstack.connect(**_named(cloud), **settings).network

    def list(self, path: str, filters: Mapping[str, Iterable[str]] | None = None, fields: Iterable[str] = ()) -> Objects:
        """All objects below a path such as ``/routers``, in pages.

        ``filters``: an object must have one of the values of each. ``fields``: what of an object is wanted; else all.
        Raises :class:`NeutronError`, as :class:`Missing` where the path is of something that has gone.
        """
        key = path.rpartition("/")[2]
        if key == "l3-routers":
            listed: Objects = self._get(path, "routers", {})["routers"]  # has no pages
            return listed
        query: dict[str, Any] = {**(filters or {}), "limit": PAGE}
        if fields:
            query["fields"] = list(fields)
        for _attempt in range(_ATTEMPTS):
            with suppress(_MarkerGone):
                return self._pages(path, key, query)
        raise NeutronError(f"Neutron's API was asked for {path}: objects were deleted all the time. Try again.")

    def _pages(self, path: str, key: str, query: Mapping[str, Any]) -> Objects:
        found: Objects = []
        while True:
            answer = self._get(path, key, {**query, "marker": found[-1]["id"]} if found else query)
            found += answer[key]
            if not answer[key] or not any(link.get("rel") == "next" for link in answer.get(f"{key}_links", ())):
                return found

    def _get(self, path: str, key: str, query: Mapping[str, Any]) -> dict[str, Any]:
        try:
            response = self._network.get(path, params=query)
            if response.status_code == _NOT_FOUND and "marker" in query:
                raise _MarkerGone
            raise_from_response(response)
            answer = response.json()
            if not isinstance(answer, dict) or key not in answer:
                raise ValueError(f"the answer has no list of {key}")
            return answer
        except (SDKException, ClientException, ValueError) as error:
            missing = isinstance(error, HttpException) and error.status_code == _NOT_FOUND
            raise (Missing if missing else NeutronError)(f"Neutron's API was asked for {path}: {_text(error)}") from error


def place(cloud: str | Mapping[str, Any] | None = None) -> list[str | None]:
    """What tells the network service of one cloud from that of another. It has no credentials, and nobody is asked for it.

    Raises :class:`NeutronError`.
    """
    with _usable(cloud):
        region = openstack.config.get_cloud_region(**_named(cloud))
        return [region.config.get("auth", {}).get("auth_url"), region.region_name, region.get_endpoint("network")]


def among(key: str, ids: Iterable[str]) -> dict[str, list[str]]:
    """A filter for these ids when they are few; when not, none, and the caller leaves out what else comes."""
    wanted = sorted(ids)
    return {key: wanted} if len(wanted) <= _LONGEST_FILTER else {}


def _named(cloud: str | Mapping[str, Any] | None) -> dict[str, Any]:
    return {"load_yaml_config": False, **cloud} if isinstance(cloud, Mapping) else {"cloud": cloud}


@contextmanager
def _usable(cloud: object) -> Iterator[None]:
    if OPENSTACKSDK_IMPORT_ERROR is not None:
        raise NeutronError(
            "Neutron's API needs the Python library openstacksdk on the controller: pip install openstacksdk."
        ) from OPENSTACKSDK_IMPORT_ERROR
    if not isinstance(cloud, (str, Mapping, type(None))):
        raise NeutronError(f"The cloud is neither a name in clouds.yaml nor a mapping: it is of the type {type(cloud).__name__}.")
    try:
        yield
    except Exception as error:  # what is wrong in a configuration can be any
        where = "the option cloud" if isinstance(cloud, Mapping) else "clouds.yaml, and OS_* in the environment"
        raise NeutronError(f"The cloud cannot be used: {_text(error)} (see {where})") from error


def _text(error: Exception) -> str:
    if isinstance(error, HttpException) and error.status_code:
        return f"{error.status_code} {error.details or error.message}"
    return " ".join(str(error).split()) or type(error).__name__
