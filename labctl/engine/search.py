"""Which engine: an order of the user's, else the usual sockets, and whether it answers."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from http.client import HTTPException
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from labctl import plainfile
from labctl.engine import wire
from labctl.engine.endpoint import Endpoint, Tls
from labctl.engine.machine import SOCKET, Machine
from labctl.errors import EngineUnavailable, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTALL_DOCKER: Final = "install Docker Engine: https://docs.docker.com/engine/install/"
JOIN_GROUP: Final = "sudo usermod -aG docker $USER, then log in again"


class Answer(StrEnum):
    """What became of the question whether an engine is there."""

    ANSWERS = "answers"
    ABSENT = "absent"
    FORBIDDEN = "forbidden"
    SILENT = "silent"


_LONGEST_NAME: Final = 80
_LONGEST_URL: Final = 200

_MEANINGS: Final[tuple[tuple[type[OSError], Answer, str], ...]] = (
    (PermissionError, Answer.FORBIDDEN, "permission denied"),
    (FileNotFoundError, Answer.ABSENT, "no such socket"),
    (NotADirectoryError, Answer.ABSENT, "no such socket"),
    (ConnectionRefusedError, Answer.ABSENT, "nobody listens there"),
    (socket.gaierror, Answer.ABSENT, "no such host"),
    (TimeoutError, Answer.SILENT, "it is there, but does not answer"),
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One place that was looked at; `seen` says in words what was there."""

    endpoint: Endpoint
    answer: Answer
    seen: str


@dataclass(frozen=True, slots=True)
class Search:
    """All the places that were looked at, in their order; the search ends at the first that answers."""

    sightings: tuple[Sighting, ...]

    @property
    def found(self) -> Endpoint | None:
        """The endpoint that answers."""
        return next((each.endpoint for each in self.sightings if each.answer is Answer.ANSWERS), None)

    @property
    def vacant(self) -> bool:
        """Whether there is no engine at all and none was ordered: the case for bringing one."""
        return all(
            each.answer is Answer.ABSENT and each.endpoint.ordered_by is None for each in self.sightings
        )

    def error(self, hint: str = INSTALL_DOCKER) -> EngineUnavailable:
        """Say what was looked for and what was seen.

        Args:
            hint: The next step where no engine is there; other states have their own.
        """
        places = "; ".join(f"{each.endpoint}: {each.seen}" for each in self.sightings)
        answers = {each.answer for each in self.sightings}
        if Answer.FORBIDDEN in answers:
            hint = JOIN_GROUP
        elif Answer.SILENT in answers:
            hint = "restart the engine, for example: sudo systemctl restart docker"
        elif not self.vacant:
            hint = f"start that engine, or go without it: {_countermand(self.sightings[0].endpoint)}"
        return EngineUnavailable(
            f"no container engine answers: {places}",
            hint=hint,
            detail={
                "looked": [
                    {
                        "url": each.endpoint.url,
                        "ordered_by": each.endpoint.ordered_by,
                        "answer": each.answer.value,
                        "seen": each.seen,
                    }
                    for each in self.sightings
                ]
            },
        )


def home() -> Path:
    """Return the user's home directory; one without anything for a user who has none, as in a container."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/nonexistent")


def find(environ: Mapping[str, str], home: Path, *, machine: Machine | None = None) -> Endpoint:
    """Find the engine to use.

    Raises:
        EngineUnavailable: None answers, or the one that was ordered is on another machine.
    """
    search = look_around(environ, home, machine=machine)
    if (endpoint := search.found) is None:
        raise search.error()
    return endpoint


def look_around(environ: Mapping[str, str], home: Path, *, machine: Machine | None = None) -> Search:
    """Look where an engine may be.

    Args:
        environ: The environment; ``DOCKER_HOST`` goes before ``DOCKER_CONTEXT``, as with the docker command.
        home: The user's home directory.
        machine: Where the usual sockets are.

    Raises:
        EngineUnavailable: What was ordered can't be used at all.
    """
    order = ordered(environ, home)
    if order is not None:
        _require_local(order)
        return Search((look(order),))
    sightings: list[Sighting] = []
    for endpoint in usual(environ, home, machine or Machine()):
        sightings.append(look(endpoint))
        if sightings[-1].answer is Answer.ANSWERS:
            break
    return Search(tuple(sightings))


def ordered(environ: Mapping[str, str], home: Path) -> Endpoint | None:
    """Return the endpoint that the environment or the docker command's configuration names, if any."""
    config = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    if url := environ.get("DOCKER_HOST"):
        verify = bool(environ.get("DOCKER_TLS_VERIFY"))
        certificates = environ.get("DOCKER_CERT_PATH")
        wanted = (verify or certificates) and not url.startswith(("unix:", "npipe:"))
        tls = Tls.of(Path(certificates or config), verify=verify) if wanted else None
        return Endpoint(url if "://" in url else f"tcp://{url}", ordered_by="DOCKER_HOST", tls=tls)
    name = environ.get("DOCKER_CONTEXT") or _json(config / "config.json").get("currentContext")
    if not name or name == "default":
        return None
    return _context(config / "contexts", str(name))


def usual(environ: Mapping[str, str], home: Path, machine: Machine) -> tuple[Endpoint, ...]:
    """Return the sockets of Docker Engine, rootless Docker and Docker Desktop."""
    runtime = environ.get("XDG_RUNTIME_DIR") or machine.path(f"/run/user/{machine.uid}")
    sockets = (
        machine.path(SOCKET),
        Path(runtime) / "docker.sock",
        home / ".docker/run/docker.sock",
        home / ".docker/desktop/docker.sock",
    )
    return tuple(Endpoint(f"unix://{each}") for each in sockets)


def look(endpoint: Endpoint) -> Sighting:
    """Ask an endpoint whether it is there, with the API's ``/_ping``."""
    try:
        answer = wire.request(endpoint, "GET", "/_ping", timeout=wire.ANSWER_TIMEOUT)
    except (OSError, HTTPException) as exc:
        for kind, verdict, seen in _MEANINGS:
            if isinstance(exc, kind):
                return Sighting(endpoint, verdict, seen)
        return Sighting(endpoint, Answer.SILENT, f"it does not answer as an engine does ({exc})")
    if answer.status != HTTPStatus.OK:
        said = answer.body[:80].decode(errors="replace").strip()
        return Sighting(endpoint, Answer.SILENT, f"it answers {answer.status} {said}")
    there = replace(endpoint, api_version=answer.api_version)
    return Sighting(there, Answer.ANSWERS, "answers")


def _context(contexts: Path, name: str) -> Endpoint:
    """Read a docker context: it lies under the SHA-256 of its name."""
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    order = f"docker context {name if name.isprintable() and len(name) <= _LONGEST_NAME else quoted(name)}"
    docker: Any = _json(contexts / "meta" / digest / "meta.json")
    for key in ("Endpoints", "docker"):
        docker = docker.get(key) if isinstance(docker, dict) else None
    url = docker.get("Host") if isinstance(docker, dict) else None
    if not isinstance(url, str) or not url:
        raise EngineUnavailable(
            f"{order} is chosen, but {contexts} has no such context with a Docker endpoint",
            hint="docker context use default",
        )
    endpoint = Endpoint(url, ordered_by=order)
    certificates = contexts / "tls" / digest / "docker"
    if certificates.is_dir() and not url.startswith(("unix:", "npipe:")):
        verify = not docker.get("SkipTLSVerify", False)
        return replace(endpoint, tls=Tls.of(certificates, verify=verify))
    return endpoint


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(plainfile.content(path, plainfile.LARGEST_TEXT))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as exc:
        raise EngineUnavailable(
            f"{path} may name an engine, but can't be read: {exc.strerror}",
            hint=f'sudo chown -R "$USER" {path.parent}',
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise EngineUnavailable(
            f"{path} may name an engine, but is no JSON: {exc}", hint=f"mend or remove {path}"
        ) from exc
    return found if isinstance(found, dict) else {}


def _require_local(endpoint: Endpoint) -> None:
    """Refuse what labctl can't work with: it reaches the lab's hosts by addresses of this machine."""
    try:
        parts = urlsplit(endpoint.url)
        host, _ = parts.hostname or "", parts.port
        os.fsencode(endpoint.url)
    except ValueError as exc:  # a UnicodeError among them
        raise EngineUnavailable(
            f"{quoted(str(endpoint), _LONGEST_URL)} is no URL of an engine: {exc}",
            hint=_countermand(endpoint),
        ) from exc
    if parts.scheme == "unix" and parts.path and "\0" not in parts.path:
        return
    if parts.scheme in {"tcp", "http", "https"} and _is_loopback(host):
        return
    if parts.scheme == "ssh":
        reason = "is reached by ssh"
    elif parts.scheme in {"tcp", "http", "https"} and host:
        reason = "is on another machine"
    else:
        reason = "is no URL of a kind that labctl speaks"
    raise EngineUnavailable(
        f"{endpoint} {reason}: labctl talks to a lab's hosts by addresses of its own machine, "
        "and engines elsewhere are not supported for now",
        hint=_countermand(endpoint),
        detail={"url": endpoint.url, "ordered_by": endpoint.ordered_by},
    )


def _countermand(endpoint: Endpoint) -> str:
    """Say how to take an order back."""
    return "unset DOCKER_HOST" if endpoint.ordered_by == "DOCKER_HOST" else "docker context use default"


def _is_loopback(host: str) -> bool:
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
