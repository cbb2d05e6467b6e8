"""The connection to Docker Engine, and the edge where its refusals become labctl's errors."""

from __future__ import annotations

import json
import re
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from labctl.engine import wire
from labctl.engine.model import EngineVersion
from labctl.errors import EngineError, EngineUnavailable, NameInUse, NoSuchObject, SubnetInUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.engine.docker.sdk import Sdk
    from labctl.engine.endpoint import Endpoint

TIMEOUT: Final = 120.0
"""Seconds that the engine may take for one answer: a busy one needs a while to start a container."""

_LIMITS: Final = {"MemoryLimit": "memory", "SwapLimit": "swap", "CpuCfsQuota": "cpus", "PidsLimit": "pids"}
_WITH_QUOTAS: Final = frozenset({"btrfs", "devicemapper", "zfs"})

_SUBNET_WORDS: Final = re.compile(r"overlap|address space|already in use by", re.IGNORECASE)


def refusal(doing: str, status: int, said: str) -> EngineError:
    """Return the error that a refusal of the engine is; `doing` opens its message."""
    message = f"{doing}: {said}"
    if status == HTTPStatus.NOT_FOUND:
        return NoSuchObject(message, hint="labctl status")
    if (status == HTTPStatus.CONFLICT and "name" in said) or "marked for removal" in said:
        return NameInUse(message, hint="labctl list")
    if _SUBNET_WORDS.search(said):
        return SubnetInUse(message, hint="labctl doctor")
    if "no space left" in said:
        return EngineError(f"{doing}: the engine's disk is full ({said})", hint="docker system df")
    if "port is already allocated" in said or "address already in use" in said:
        return EngineError(f"{doing}: a port is taken ({said})", hint="labctl down, or up without --publish")
    return EngineError(message, hint="labctl doctor")


class Connection:
    """One engine, spoken to from any number of threads: each question has a connection of its own.

    Args:
        endpoint: Where it answers.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._lock = threading.Lock()
        self._api_version = endpoint.api_version
        self._sdk: Sdk | None = None

    @property
    def api_version(self) -> str:
        """The version of the API to speak: the engine's own newest."""
        if self._api_version is None:
            answer = self._answer("engine version", "GET", "/_ping", None, None)
            self._api_version = answer.headers.get("Api-Version") or "1.41"
        return self._api_version

    @property
    def sdk(self) -> Sdk:
        """Docker's SDK about this engine, for what goes through it."""
        from labctl.engine.docker.sdk import Sdk  # noqa: PLC0415  # it takes 80 ms, and few commands need it

        with self._lock:
            if self._sdk is None:
                self._sdk = Sdk(self.endpoint, self.api_version)
            return self._sdk

    def version(self) -> EngineVersion:
        """See `Engine.version`."""
        said = self._ask("engine version", "GET", "/version")
        platform = said.get("Platform") or {}
        return EngineVersion(
            version=said["Version"], api=said["ApiVersion"], platform=platform.get("Name", "")
        )

    def enforces(self) -> frozenset[str]:
        """See `Engine.enforces`; with the driver ``overlay2`` nothing tells that there are quotas."""
        said = self._ask("engine information", "GET", "/info")
        limits = {name for key, name in _LIMITS.items() if said.get(key)}
        return frozenset(limits | ({"disk"} if said.get("Driver") in _WITH_QUOTAS else set()))

    def close(self) -> None:
        """See `Engine.close`."""
        with self._lock:
            if self._sdk is not None:
                self._sdk.close()
                self._sdk = None

    def _ask(
        self,
        doing: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        /,
        **query: Any,
    ) -> Any:
        """Ask the API, and return its JSON; `doing` opens the message of an error."""
        return self._answer(doing, method, f"/v{self.api_version}{path}", body, query).json()

    def _fetch(self, doing: str, path: str, /, **query: Any) -> bytes:
        """Ask for bytes that are no JSON."""
        return self._answer(doing, "GET", f"/v{self.api_version}{path}", None, query).body

    def _blob(self, doing: str, path: str, /, **query: Any) -> bytes:
        """Ask for bytes that are many."""
        target = f"/v{self.api_version}{path}?{urlencode(query)}"
        try:
            answer = wire.blob(self.endpoint, target, timeout=TIMEOUT)
        except (OSError, wire.HTTPException) as exc:
            raise self._unavailable(doing, exc) from exc
        if answer.refused:
            raise refusal(doing, answer.status, answer.words)
        return answer.body

    def _stream(
        self, doing: str, method: str, path: str, body: Mapping[str, Any] | None = None, /, **query: Any
    ) -> wire.Stream:
        """Ask for an answer that comes bit by bit."""
        target = f"/v{self.api_version}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            answer = wire.stream(self.endpoint, method, target, body)
        except (OSError, wire.HTTPException) as exc:
            raise self._unavailable(doing, exc) from exc
        if isinstance(answer, wire.Answer):
            raise refusal(doing, answer.status, answer.words)
        return answer

    def _answer(
        self,
        doing: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None,
        query: Mapping[str, Any] | None,
    ) -> wire.Answer:
        target = path + (f"?{urlencode(query)}" if query else "")
        try:
            answer = wire.request(self.endpoint, method, target, body, timeout=TIMEOUT)
        except (OSError, wire.HTTPException) as exc:
            raise self._unavailable(doing, exc) from exc
        if answer.refused:
            raise refusal(doing, answer.status, answer.words)
        return answer

    def _unavailable(self, doing: str, exc: Exception) -> EngineUnavailable:
        return EngineUnavailable(
            f"{doing}: the engine at {self.endpoint} stopped answering ({exc})", hint="labctl doctor"
        )


def filters(labels: Mapping[str, str]) -> str:
    """Return the API's filter for objects that carry all these labels; "" asks for presence only."""
    wanted = [f"{key}={value}" if value else key for key, value in labels.items()]
    return json.dumps({"label": wanted} if wanted else {})


def escaped(name: str) -> str:
    """Return a name or a tag as a part of a path."""
    return quote(name, safe="/:@")
