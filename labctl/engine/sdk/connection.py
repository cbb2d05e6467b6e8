"""The connection to Docker Engine, and the one edge where its SDK's errors are translated."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import requests
from docker.api.client import APIClient
from docker.errors import APIError, DockerException, NotFound

from labctl.engine.model import EngineVersion
from labctl.errors import EngineError, EngineUnavailable, NameInUse, NoSuchObject, SubnetInUse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from docker.tls import TLSConfig

TIMEOUT: Final = 120.0
"""Seconds that one question to the engine may take."""

_SUBNET_WORDS: Final = re.compile(r"overlap|address space|already in use by", re.IGNORECASE)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise the SDK's errors as labctl's own; `doing` opens their message."""
    try:
        yield
    except NotFound as exc:
        raise NoSuchObject(f"{doing}: {exc.explanation}", hint="labctl status") from exc
    except APIError as exc:
        raise _from_api(doing, exc) from exc
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout, ConnectionError) as exc:
        raise EngineUnavailable(
            f"{doing}: the engine stopped answering ({exc})", hint="labctl doctor"
        ) from exc
    except (DockerException, requests.exceptions.RequestException) as exc:
        raise EngineError(f"{doing}: {exc}", hint="labctl doctor") from exc


def _from_api(doing: str, exc: APIError) -> EngineError:
    said = str(exc.explanation or exc)
    status = exc.status_code
    if status == requests.codes.conflict and "name" in said:
        return NameInUse(f"{doing}: {said}", hint="labctl list")
    if _SUBNET_WORDS.search(said):
        return SubnetInUse(f"{doing}: {said}", hint="labctl doctor")
    if "no space left" in said:
        return EngineError(f"{doing}: the engine's disk is full ({said})", hint="docker system df")
    if "port is already allocated" in said or "address already in use" in said:
        return EngineError(f"{doing}: a port is taken ({said})", hint="labctl down, or up without --publish")
    return EngineError(f"{doing}: {said}", hint="labctl doctor")


class Connection:
    """One engine, spoken to from any number of threads.

    The SDK's client is not safe to share between threads, so each thread gets its own.

    Args:
        url: ``unix:///var/run/docker.sock`` or another URL of an engine.
        tls: The SDK's TLS settings, where the endpoint wants them.
        api_version: The API to speak; the engine's own where it is None.
    """

    def __init__(self, url: str, *, tls: TLSConfig | None = None, api_version: str | None = None) -> None:
        self.url = url
        self._tls = tls
        self._local = threading.local()
        self._clients: list[APIClient] = []
        self._lock = threading.Lock()
        self._api_version = api_version

    @property
    def api_version(self) -> str:
        """The version of the engine's API that was agreed on."""
        self.client()
        assert self._api_version is not None
        return self._api_version

    def client(self) -> APIClient:
        """Return this thread's client."""
        client: APIClient | None = getattr(self._local, "client", None)
        if client is None:
            with self._lock, translated(f"engine {self.url}"):
                version = self._api_version or "auto"
                client = APIClient(
                    base_url=self.url, version=version, timeout=TIMEOUT, tls=self._tls or False
                )
                self._api_version = client._version  # noqa: SLF001  # it has no public name
                self._clients.append(client)
            self._local.client = client
        return client

    def version(self) -> EngineVersion:
        """See `Engine.version`."""
        with translated("engine version"):
            said = self.client().version()
        platform = said.get("Platform") or {}
        return EngineVersion(
            version=said["Version"], api=said["ApiVersion"], platform=platform.get("Name", "")
        )

    def close(self) -> None:
        """See `Engine.close`."""
        with self._lock:
            for client in self._clients:
                client.close()
            self._clients.clear()
        self._local = threading.local()


def label_filter(labels: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the API's filter for objects that carry all these labels; "" asks for presence only."""
    wanted = [f"{key}={value}" if value else key for key, value in labels.items()]
    return {"label": wanted} if wanted else {}
