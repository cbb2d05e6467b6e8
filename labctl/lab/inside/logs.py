"""What a lab's daemons say, by time, across its hosts."""

from __future__ import annotations

import heapq
import queue
import threading
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from labctl.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labctl.engine.protocol import Engine, LogStream
    from labctl.lab.running.instance import Host

_MEANWHILE: Final = 5000
"""Lines that a host may say between the request for its log and the engine's beginning to follow it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one host's log, with the engine's stamp."""

    at: datetime
    service: str
    text: str


def said(engine: Engine, hosts: Sequence[Host]) -> Iterator[Line]:
    """Yield what the daemons of these hosts have said so far, in the order of time."""
    return heapq.merge(*(_said_by(engine, each) for each in hosts), key=lambda line: line.at)


@contextmanager
def followed(
    engine: Engine, hosts: Sequence[Host], *, since: datetime | None = None
) -> Iterator[queue.SimpleQueue[Line | None]]:
    """Give a queue of what the daemons of these hosts say, as it comes; None when all of them have ended.

    Args:
        engine: The engine.
        hosts: The hosts; those without a container say nothing.
        since: Begin with what was said after this moment, instead of what is said from now on.
    """
    lines: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
    # The engine answers before it has found a log's end: with a tail of 0, what was said meanwhile is lost.
    begin, tail = (since, None) if since is not None else (datetime.now(UTC), _MEANWHILE)
    streams = {
        host.service: engine.logs(host.container.id, since=begin, tail=tail, follow=True)
        for host in hosts
        if host.container is not None
    }
    left = threading.Semaphore(max(len(streams) - 1, 0))

    def read(service: str, stream: LogStream) -> None:
        try:
            with suppress(EngineError):  # it broke off: there are no more
                for line in stream:
                    lines.put(Line(line.at, service, line.text))
        finally:
            if not left.acquire(blocking=False):
                lines.put(None)

    for service, stream in streams.items():
        threading.Thread(target=read, args=(service, stream), daemon=True).start()
    if not streams:
        lines.put(None)
    try:
        yield lines
    finally:
        for stream in streams.values():
            stream.close()


def _said_by(engine: Engine, host: Host) -> Iterator[Line]:
    if host.container is None:
        return
    with closing(engine.logs(host.container.id)) as stream:
        for line in stream:
            yield Line(line.at, host.service, line.text)
