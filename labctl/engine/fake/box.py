"""A container of the engine in memory, and its log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from labctl.engine.model import ContainerState

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from labctl.engine.model import Container, ContainerSpec, LogLine

ALIVE: Final = frozenset({ContainerState.RUNNING, ContainerState.PAUSED})


@dataclass
class Box:
    """A container with all that is in it."""

    container: Container
    spec: ContainerSpec
    network_id: str = ""
    """Of the network that it was started on first: it starts on no other."""
    files: dict[str, bytes] = field(default_factory=dict)
    log: list[LogLine] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether it has processes."""
        return self.container.state in ALIVE


class Log:
    """A container's log from one place on: `labctl.engine.protocol.LogStream`."""

    def __init__(self, box: Box, first: int, changed: threading.Condition, *, follow: bool) -> None:
        self._box = box
        self._next = first
        self._changed = changed
        self._follow = follow
        self._closed = False

    def __iter__(self) -> Iterator[LogLine]:
        """Iterate over the lines until the log ends or is closed."""
        while (line := self._line()) is not None:
            yield line

    def _line(self) -> LogLine | None:
        with self._changed:
            self._changed.wait_for(self._settled)
            if self._closed or self._next >= len(self._box.log):
                return None
            self._next += 1
            return self._box.log[self._next - 1]

    def _settled(self) -> bool:
        more = self._next < len(self._box.log)
        return more or self._closed or not self._follow or not self._box.alive

    def close(self) -> None:
        """End it, from any thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
