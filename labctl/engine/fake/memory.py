"""What the parts of the engine in memory share: its lock, its record of calls, and its ids."""

from __future__ import annotations

import itertools
import threading
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from labctl.engine.model import EngineVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Call(NamedTuple):
    """One call of an engine's method, and what it was about: a name, a tag, or nothing."""

    method: str
    subject: str = ""


class Memory:
    """The part of `labctl.engine.protocol.Engine` about the engine itself.

    Args:
        hook: See `FakeEngine`.
    """

    def __init__(self, hook: Callable[[Call], None]) -> None:
        self.calls: list[Call] = []
        """All calls so far."""
        self.hook = hook
        self.enforced = frozenset({"memory", "swap", "cpus", "pids"})
        """What it can bound a container's use of."""
        self.id = f"memory {uuid.uuid4()}"
        """What tells it from others."""
        self._changed = threading.Condition()
        self._ids = itertools.count(1)

    def version(self) -> EngineVersion:
        self._called("version")
        return EngineVersion("27.0.0", "1.46", "an engine in memory")

    def identity(self) -> str:
        return self.id

    def enforces(self) -> frozenset[str]:
        self._called("enforces")
        return self.enforced

    def close(self) -> None:
        self._called("close")

    @contextmanager
    def _calling(self, method: str, subject: str = "") -> Iterator[None]:
        """Record a call, and let nothing else happen while it has its effect."""
        self._called(method, subject)
        with self._changed:
            yield

    def _called(self, method: str, subject: str = "") -> None:
        """Record a call; no lock is held while the hook runs, so that it may call the engine itself."""
        call = Call(method, subject)
        with self._changed:
            self.calls.append(call)
        self.hook(call)

    def _new_id(self) -> str:
        return f"{next(self._ids):064x}"
