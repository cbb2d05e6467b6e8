"""Processes that run the checks of one attempt after another, each attempt's in a process of its own."""

from __future__ import annotations

import tempfile
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from labctl.errors import GradingError
from labctl.exercises.worker.process import Child

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_KNOWN: Final = frozenset({"HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "TZ", "USER", "XDG_RUNTIME_DIR"})
_KNOWN_PREFIXES: Final = ("DOCKER_", "LC_", "LABCTL_")
_HIDDEN: Final = frozenset({"LABCTL_ATTEMPT"})
"""Checks get what was handed in as data; where it lies is none of their business."""


class Children:
    """Processes that wait for checks to run; usable from several threads at once.

    Each imports what all checks need once, and lets a copy of itself (fork(2)) run them: a copy costs a
    few milliseconds, and nothing of what checks do to theirs is left for the next.

    Args:
        environ: The environment, of which they get what the engine is found by, and no more.
        limit: How many of them may wait at most.
    """

    def __init__(self, environ: Mapping[str, str], limit: int) -> None:
        self._environ = {key: value for key, value in environ.items() if _is_known(key)}
        self._limit = limit
        self._lock = threading.Lock()
        self._directory = tempfile.TemporaryDirectory(prefix="labctl-checks-")
        self._closed = False
        self._idle: list[Child] = []
        self._lent: set[Child] = set()
        self._idle.append(self._born())  # it takes longer to start than a laboratory's first steps

    @contextmanager
    def child(self) -> Iterator[Child]:
        """Lend a process for the length of a block; one that did all it was told comes back.

        Raises:
            GradingError: This is closed.
        """
        child = self._taken()
        try:
            yield child
        finally:
            with self._lock:
                self._lent.discard(child)
                kept = child.free and not self._closed and len(self._idle) < self._limit
                if kept:
                    self._idle.append(child)
            if not kept:
                child.close()

    def close(self) -> None:
        """End them all, those that are lent too; a second time there is nothing to do."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for each in self._lent:
                each.kill()  # who borrowed it gives it back
        for each in idle:
            each.close()
        self._directory.cleanup()

    def _taken(self) -> Child:
        with self._lock:
            if self._closed:
                raise GradingError("checks are not run any more", hint="labctl grade")
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    break
                child.close()
            else:
                child = self._born()
            self._lent.add(child)
            return child

    def _born(self) -> Child:
        return Child(self._environ, self._directory.name)


def _is_known(variable: str) -> bool:
    return variable not in _HIDDEN and (variable in _KNOWN or variable.startswith(_KNOWN_PREFIXES))
