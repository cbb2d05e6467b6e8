"""What a lab's daemons say, from one moment on: the ground on which every expectation stands."""

from __future__ import annotations

import queue
import threading
import time
from bisect import insort
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from labctl.engine.model import ContainerState
from labctl.errors import LabctlError, ServiceCommandFailed
from labctl.exercises.log.saying import Saying
from labctl.mail.log.journal import Journal
from labctl.mail.log.maillog import event_of
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from labctl.engine.protocol import Engine, LogStream
    from labctl.lab.running.instance import Host

T = TypeVar("T")

_LOOK_AGAIN: Final = 0.03
"""Seconds between two looks at what no log tells."""

_BACK_WITHIN: Final = 60.0
"""Seconds for which a host that was stopped may be away before its log is given up."""

_ROOM: Final = 64 << 20
"""Bytes that the lines of one host may take: as much as Postfix says of ten thousand messages."""

_OF_A_LINE: Final = 400
"""Bytes that a line takes besides its text."""


class Watch:
    """Follows the logs of hosts, whether they are stopped and started meanwhile or not.

    Args:
        engine: The engine.
        hosts: The hosts to follow.
        since: From when on.
    """

    def __init__(self, engine: Engine, hosts: Sequence[Host], since: datetime) -> None:
        self._engine = engine
        self._arriving: queue.SimpleQueue[Saying | Exception] = queue.SimpleQueue()
        self._streams: dict[str, LogStream] = {}
        self._closed = threading.Event()
        self.sayings: list[Saying] = []
        """In the order of time, in which those of several hosts need not arrive."""
        self.journal = Journal()
        for host in hosts:
            if host.container is not None:
                threading.Thread(
                    target=self._follow, args=(host, host.container.name, since), daemon=True
                ).start()

    def _follow(self, host: Host, container: str, since: datetime) -> None:
        """Read a host's log for as long as the watch is open, and there is room for it."""
        room = _ROOM
        try:
            while not self._closed.is_set():
                stream = self._engine.logs(container, since=since, follow=True)
                self._streams[container] = stream
                if self._closed.is_set():
                    stream.close()
                told = since
                for line in stream:
                    if line.at > told:  # what was told before the log broke off comes again
                        since = line.at
                        room -= len(line.text) + _OF_A_LINE
                        if room < 0:
                            self._arriving.put(_flooded(host))
                            return
                        event = event_of(line.text) if host.role == "mta" else None
                        self._arriving.put(Saying(line.at.astimezone(UTC), host, line.text, event))
                eventually(lambda: self._goes_on(container), within=_BACK_WITHIN)
        except Exception as exc:  # noqa: BLE001  # whoever waits is told
            if not self._closed.is_set():
                self._arriving.put(exc)

    def _goes_on(self, container: str) -> bool | None:
        if self._closed.is_set():
            return True
        running = self._engine.inspect(container).state in {ContainerState.RUNNING, ContainerState.PAUSED}
        return True if running else None

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
                self._take(self._arriving.get(timeout=min(left, _LOOK_AGAIN) if polls else left))
            except queue.Empty:
                continue
            self.catch_up()
        return fact

    def catch_up(self) -> None:
        """Take in what has arrived, without waiting for more."""
        while True:
            try:
                self._take(self._arriving.get_nowait())
            except queue.Empty:
                return

    def _take(self, arrived: Saying | Exception) -> None:
        if isinstance(arrived, LabctlError):
            raise arrived
        if isinstance(arrived, Exception):
            raise arrived
        insort(self.sayings, arrived, key=lambda each: each.at)
        self.journal.take(arrived.host.hostname, arrived.at, arrived.event)

    def close(self) -> None:
        """End it."""
        self._closed.set()
        for stream in list(self._streams.values()):
            stream.close()


def _flooded(host: Host) -> ServiceCommandFailed:
    return ServiceCommandFailed(
        f"{host.service} ({host.hostname}) floods its log: {_ROOM >> 20} MiB since this began",
        hint=f"labctl logs {host.service}",
        detail={"service": host.service},
    )


def now() -> datetime:
    """Return this moment, by the clock that the engine stamps with."""
    return datetime.now(UTC)
