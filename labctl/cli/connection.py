"""Finding the engine for a command, and asking before one is installed."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.engine.docker import DockerEngine
    from labctl.engine.endpoint import Endpoint
    from labctl.progress import Progress


@dataclass(frozen=True, slots=True)
class Connection:
    """An engine that answers, and its URL."""

    engine: DockerEngine
    url: str


def connect() -> Connection:
    """Connect to the engine that is there.

    Raises:
        EngineUnavailable: None answers.
    """
    from labctl.engine import search

    return _connected(search.find(os.environ, search.home()))


def connect_or_bring(*, yes: bool, progress: Progress) -> Connection:
    """Connect to the engine that is there, or bring one where there is none, if the user says yes.

    Raises:
        EngineUnavailable: None answers, and none may or can be brought.
        EngineError: Bringing it failed.
    """
    from labctl.engine import search

    if (there := search.look_around(os.environ, search.home()).found) is not None:
        return _connected(there)
    from labctl.engine.local import bootstrap  # only where there is none

    found = bootstrap.ensure_engine(os.environ, search.home(), _confirmation(yes=yes), progress)
    return _connected(found)


def _connected(found: Endpoint) -> Connection:
    from labctl.engine.docker import DockerEngine

    return Connection(DockerEngine(found), found.url)


def _confirmation(*, yes: bool) -> Callable[[str], bool]:
    def confirm(proposal: str) -> bool:
        if yes:
            return True
        if not all(each is not None and each.isatty() for each in (sys.stdin, sys.stderr)):
            return False
        return typer.confirm(proposal, err=True)

    return confirm
