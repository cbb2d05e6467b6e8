"""What a lab's daemons say, from one moment on: the ground on which every expectation stands."""

from __future__ import annotations

import queue
import time
from bisect import insort
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from labctl.mail.log.journal import Journal
from labctl.trace.following import Lines
from labctl.trace.logs.part import take

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labctl.engine.protocol import Engine
    from labctl.lab.running.instance import Host
    from labctl.trace.logs.entry import Entry

T = TypeVar("T")

_LOOK_AGAIN: Final = 0.03
"""Seconds between two looks at what no log tells."""

_ROOM: Final = 64 << 20
"""Bytes that the lines of one host may take: as much as Postfix says of ten thousand messages."""


class Watch:
    """Follows the logs of hosts, whether they are stopped and started meanwhile or not.

    Args:
        engine: The engine.
        hosts: The hosts to follow.
        since: From when on.
    """

    def __init__(self, engine: Engine, hosts: Sequence[Host], since: datetime) -> None:
        self._lines = Lines(engine, since, room=_ROOM)
        self.hosts = {host.hostname: host for host in hosts}
        self.sayings: list[Entry] = []
        """In the order of time, in which those of several hosts need not arrive."""
        self.journal = Journal()
        for host in hosts:
            if host.container is not None:
                self._lines.follow(host, since, 0)

    def until(self, probe: Callable[[], T | None], *, within: float, polls: bool = False) -> T | None:
        """Wait for a fact.

        Args:
            probe: Returns the fact, or None while it is not there; asked again whenever a daemon said more.
            within: Seconds until the deadline.
            polls: Whether the fact may come to be without any daemon saying so.

        Returns:
            The fact, or None where the deadline passed first.

        Raises:
            EngineError: A log can't be read any more.
        """
        deadline = time.monotonic() + within
        self.catch_up()
        while (fact := probe()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            try:
                self._take(self._lines.arriving.get(timeout=min(left, _LOOK_AGAIN) if polls else left))
            except queue.Empty:
                continue
            self.catch_up()
        return fact

    def catch_up(self) -> None:
        """Take in what has arrived, without waiting for more."""
        while True:
            try:
                self._take(self._lines.arriving.get_nowait())
            except queue.Empty:
                return

    def _take(self, arrived: tuple[datetime, Entry] | Exception) -> None:
        if isinstance(arrived, Exception):
            raise arrived
        _, entry = arrived
        insort(self.sayings, entry, key=lambda each: each.at)
        take(entry, self.journal)

    def close(self) -> None:
        """End it."""
        self._lines.close()


def now() -> datetime:
    """Return this moment, by the clock that the engine stamps with."""
    return datetime.now(UTC)
