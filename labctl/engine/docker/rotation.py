"""Logs that the engine rotates while they are followed: each line of them, once."""

from __future__ import annotations

import threading
from collections import Counter, deque
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from labctl.errors import NoSuchObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from labctl.engine.model import LogLine
    from labctl.engine.protocol import LogStream

_REMEMBERED: Final = 10_000
"""Lines among which one that comes again is known: more than are said while a reader falls behind."""

_PAUSE: Final = 0.05
"""Seconds between two readings of a packed log."""

_MEANWHILE: Final = 5000
"""More lines than a container says in that time."""

_UNORDERED: Final = timedelta(seconds=1)
"""By how much a line may stand behind a younger one: stdout and stderr have a writer each."""


def is_packed(said: Any) -> bool:
    """Whether a container's log is one that the engine packs when it is full, by what it tells of it."""
    log = said["HostConfig"]["LogConfig"]
    packed = (log.get("Config") or {}).get("compress")
    return log["Type"] == "local" if packed is None else bool(packed == "true")


class UnrepeatedLog:
    """A followed log without what comes twice.

    Docker Engine before 23 begins a new file anew for those who follow where it tells of it twice (its
    ``loggerutils/logfile.go``).
    """

    def __init__(self, stream: LogStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[LogLine]:
        """Iterate over the lines; raises as the stream does."""
        order: deque[int] = deque()
        known: set[int] = set()
        for line in self._stream:
            if (token := hash(line)) not in known:  # a line may have a mebibyte
                known.add(token)
                order.append(token)
                if len(order) > _REMEMBERED:
                    known.remove(order.popleft())
                yield line

    def close(self) -> None:
        """End it, from any thread."""
        self._stream.close()


class PackedLog:
    """A followed log that the engine packs when it is full.

    Of such a one, Docker Engine before 23 tells those who follow only some lines (of 720 in files of 6 KiB,
    79 came), and those who ask for what was said since a moment may miss a file: one older than that ends its
    search. It tells all to who asks for the last lines; so it is asked for them again and again.

    Args:
        read: Reads the last lines, so many at most.
        lives: Whether the container may still say something.
        since: Begin with what was said at this moment.
        tail: Begin with so many lines at most.
    """

    def __init__(
        self,
        read: Callable[[int | None], LogStream],
        lives: Callable[[], bool],
        since: datetime | None,
        tail: int | None,
    ) -> None:
        self._read, self._lives = read, lives
        self._since, self._tail = since, tail
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[LogLine]:
        """Iterate over the lines until the container stops or it is closed.

        Raises:
            EngineError: It can't be read any more.
        """
        since, tail = self._since, self._tail
        told: list[tuple[datetime, int]] = []
        lives = True
        while lives and not self._closed.is_set():
            known, again = Counter(told), []
            try:
                lives = self._lives()  # asked first: what it says last is read
                with closing(self._read(tail)) as stream:
                    for line in stream:
                        if since is not None and line.at < since:
                            continue
                        again.append(token := (line.at, hash(line)))
                        if known[token]:
                            known[token] -= 1
                        else:
                            yield line
            except NoSuchObject:
                return
            if again:
                latest = max(at for at, _ in again)
                since, tail = max(latest - _UNORDERED, again[0][0]), _MEANWHILE
                told = [each for each in again if each[0] >= since]
            self._closed.wait(_PAUSE if lives else 0)

    def close(self) -> None:
        """End it, from any thread."""
        self._closed.set()
