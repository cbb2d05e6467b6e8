"""Docker's own SDK, and the edge where its errors become labctl's."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests
from docker.api.client import APIClient
from docker.errors import APIError, DockerException
from docker.tls import TLSConfig

from labctl.engine.docker.connection import TIMEOUT, refusal
from labctl.errors import EngineError, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.engine.endpoint import Endpoint


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise the SDK's errors as labctl's own; `doing` opens their message."""
    try:
        yield
    except APIError as exc:
        raise refusal(doing, exc.status_code or 0, str(exc.explanation or exc)) from exc
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout, ConnectionError) as exc:
        raise EngineUnavailable(
            f"{doing}: the engine stopped answering ({exc})", hint="labctl doctor"
        ) from exc
    except (DockerException, requests.exceptions.RequestException) as exc:
        raise EngineError(f"{doing}: {exc}", hint="labctl doctor") from exc


class Sdk:
    """The SDK's client about one engine: one for each thread, since it is not safe to share.

    Args:
        endpoint: Where the engine answers.
        api_version: The API to speak.
    """

    def __init__(self, endpoint: Endpoint, api_version: str) -> None:
        self._endpoint = endpoint
        self._api_version = api_version
        self._local = threading.local()
        self._clients: list[APIClient] = []
        self._lock = threading.Lock()

    def client(self) -> APIClient:
        """Return this thread's client."""
        client: APIClient | None = getattr(self._local, "client", None)
        if client is None:
            with translated(f"engine {self._endpoint}"):
                client = APIClient(
                    base_url=self._endpoint.url,
                    version=self._api_version,
                    timeout=TIMEOUT,
                    tls=_tls(self._endpoint) or False,
                )
            with self._lock:
                self._clients.append(client)
            self._local.client = client
        return client

    def close(self) -> None:
        """Give the connections back."""
        with self._lock:
            for client in self._clients:
                client.close()
            self._clients.clear()
        self._local = threading.local()


def _tls(endpoint: Endpoint) -> TLSConfig | None:
    files = endpoint.tls
    if files is None:
        return None
    pair = (str(files.cert), str(files.key)) if files.cert and files.key else None
    return TLSConfig(client_cert=pair, ca_cert=str(files.ca) if files.ca else None, verify=files.verify)
