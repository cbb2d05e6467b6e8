"""The connection to Docker Engine, and the edge where its refusals become labctl's errors."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlencode

from labctl.engine import wire
from labctl.engine.answer import Answer, answering
from labctl.engine.model import EngineVersion
from labctl.errors import EngineError, NameInUse, NoSuchObject, SubnetInUse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labctl.engine.answer import Stream
    from labctl.engine.endpoint import Endpoint
    from labctl.engine.wire import Body

T = TypeVar("T")

_LONGEST_BLOB: Final = 1 << 30
"""Bytes of a whole log: its files hold a tenth of that."""

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


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an engine is waited for, in seconds.

    Args:
        answer: For a whole answer: a busy engine needs a while to start a container.
        log: For a whole log.
        silence: Between two pieces of what a command says, until the engine is asked whether it still runs.
        work: Between two signs of work on an image: one step of a build may say nothing for minutes.
        image: For all the work on an image.
    """

    answer: float = 120.0
    log: float = 600.0
    silence: float = 20.0
    work: float = 900.0
    image: float = 6 * 3600.0


class Connection:
    """One engine, spoken to from any number of threads: each question has a connection of its own.

    Args:
        endpoint: Where it answers.
        patience: How long it is waited for.
    """

    def __init__(self, endpoint: Endpoint, patience: Patience | None = None) -> None:
        self.endpoint = endpoint
        self.patience = patience or Patience()
        self._api_version = endpoint.api_version
        self._identity: str | None = None

    @property
    def api_version(self) -> str:
        """The version of the API to speak: the engine's own newest."""
        if self._api_version is None:
            answer = self._heard("engine version", "GET", "/_ping", timeout=self.patience.answer)
            self._api_version = answer.api_version or "1.41"
        return self._api_version

    def version(self) -> EngineVersion:
        return self._ask("engine version", "GET /version", read=_version)

    def identity(self) -> str:
        """See `Engine.identity`.

        It is the id of Docker's network ``none``, which an engine makes once for its data, at random: to ask
        for it takes 0.4 ms, and for ``/info`` with the engine's ``ID`` ten times that and more. Podman has no
        such network, and another ``ID`` at every question: there it is where its data lies.
        """
        doing = "engine identity"
        if self._identity is None:
            try:
                self._identity = self._ask(doing, "GET /networks/none", read=id_in)
            except NoSuchObject:
                self._identity = self._ask(doing, "GET /info", read=lambda said: text(said["DockerRootDir"]))
        return self._identity

    def enforces(self) -> frozenset[str]:
        """See `Engine.enforces`; with the driver ``overlay2`` nothing tells that there are quotas."""
        return self._ask("engine information", "GET /info", read=_enforced)

    def close(self) -> None:
        """See `Engine.close`: each question has given its own connection back."""

    def _ask(
        self,
        doing: str,
        asked: str,
        body: Mapping[str, Any] | None = None,
        /,
        *,
        read: Callable[[Any], T],
        **query: Any,
    ) -> T:
        """Ask the API for ``GET /networks`` and so on.

        `doing` opens the message of an error, and `read` takes the JSON apart.
        """
        return self._answer(doing, asked, body, query=query).read(doing, read)

    def _order(
        self,
        doing: str,
        asked: str,
        body: Mapping[str, Any] | bytes | None = None,
        /,
        *,
        takes: float = 0.0,
        **query: Any,
    ) -> None:
        """Ask for what has no answer but that it was done, and may take so many seconds by itself."""
        self._answer(doing, asked, body, query=query, timeout=self.patience.answer + takes)

    def _blob(self, doing: str, asked: str, /, **query: Any) -> bytes:
        """Ask for bytes that are many."""
        within = self.patience.log
        answer = self._answer(doing, asked, query=query, timeout=within, most=_LONGEST_BLOB, in_chunks=False)
        return answer.body

    def _stream(
        self,
        doing: str,
        asked: str,
        body: Body | None = None,
        /,
        *,
        timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
        terminal: bool = False,
        **query: Any,
    ) -> Stream:
        """Ask for an answer that comes bit by bit; its head within the time of an answer, or another."""
        method, target = self._target(asked, query)
        with answering(self.endpoint, doing):
            answer = wire.stream(
                self.endpoint,
                method,
                target,
                body,
                doing=doing,
                timeout=timeout or self.patience.answer,
                headers=headers,
                terminal=terminal,
            )
        if isinstance(answer, Answer):
            raise refusal(doing, answer.status, answer.words)
        return answer

    def _work(
        self,
        doing: str,
        asked: str,
        body: Body | None = None,
        /,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Stream:
        """Ask for work on an image, of which there are signs while it is done."""
        stream = self._stream(doing, asked, body, timeout=self.patience.work, headers=headers, **query)
        stream.connection.bound(silence=self.patience.work, within=self.patience.image)
        return stream

    def _answer(
        self,
        doing: str,
        asked: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        query: Mapping[str, Any],
        timeout: float | None = None,
        **bounds: Any,
    ) -> Answer:
        method, target = self._target(asked, query)
        return self._heard(doing, method, target, body, timeout=timeout or self.patience.answer, **bounds)

    def _heard(self, doing: str, *question: Any, **bounds: Any) -> Answer:
        """Return the answer to a request; the question and its bounds are those of `wire.request`."""
        with answering(self.endpoint, doing):
            answer = wire.request(self.endpoint, *question, **bounds)
        if answer.refused:
            raise refusal(doing, answer.status, answer.words)
        return answer

    def _target(self, asked: str, query: Mapping[str, Any]) -> tuple[str, str]:
        method, _, path = asked.partition(" ")
        more = f"?{urlencode(query, doseq=True)}" if query else ""
        return method, f"/v{self.api_version}{path}{more}"


def _version(said: Any) -> EngineVersion:
    platform = said.get("Platform") or {}
    return EngineVersion(
        version=text(said["Version"]), api=text(said["ApiVersion"]), platform=text(platform.get("Name", ""))
    )


def _enforced(said: Any) -> frozenset[str]:
    limits = {name for key, name in _LIMITS.items() if said.get(key)}
    return frozenset(limits | ({"disk"} if said.get("Driver") in _WITH_QUOTAS else set()))


def text(said: Any) -> str:
    """Return what is a text; raise `TypeError` where it is none."""
    if not isinstance(said, str):
        raise TypeError(f"a {type(said).__name__} instead of a text")
    return said


def id_in(said: Any) -> str:
    """Return the id of what was created."""
    return text(said["Id"])


def labels_in(said: Any) -> dict[str, str]:
    """Return an object's labels; none are said to be null."""
    return {text(key): text(value) for key, value in (said or {}).items()}


def filters(labels: Mapping[str, str]) -> str:
    """Return the API's filter for objects that carry all these labels; "" asks for presence only."""
    wanted = [f"{key}={value}" if value else key for key, value in labels.items()]
    return json.dumps({"label": wanted} if wanted else {})


def escaped(name: str) -> str:
    """Return a name or a tag as a part of a path."""
    return quote(name, safe="/:@")
