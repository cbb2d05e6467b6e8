"""What a lab's daemons say, told as it comes."""

from __future__ import annotations

import heapq
import itertools
import math
import queue
import threading
import time
from collections import deque
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from labctl.engine.model import ContainerState
from labctl.errors import NoSuchObject, ServiceCommandFailed
from labctl.mail.log.querylog import DnsAnswer
from labctl.trace.laboratory import logs_of
from labctl.trace.logs.entry import Entry
from labctl.trace.logs.log import LINE_LIMIT
from labctl.trace.logs.reading import Reader
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.engine.model import LogLine
    from labctl.engine.protocol import Engine, LogStream
    from labctl.lab.running.instance import Host, Instance
    from labctl.trace.logs.log import Log

WINDOW: Final = 0.05
"""Seconds that a line waits for older ones of other hosts, at most."""

_JUST_NOW: Final = timedelta(seconds=1)
_SAID_JUST_NOW: Final = 20_000
"""More lines than a host says in a second: the engine finds the last ones at once, but reads all of a log to
find a time in it."""

_END: Final = 1 << 16
"""Bytes of a log's end among which are all lines of its last moment."""

_LOOK_AGAIN: Final = 0.1
"""Seconds between two looks at a host that is stopped, at most."""

_OF_A_LINE: Final = 400
"""Bytes that a line takes besides its text."""

_ALIVE: Final = frozenset({ContainerState.RUNNING, ContainerState.PAUSED})


@contextmanager
def followed(engine: Engine, there: Instance, *, since: datetime | None = None) -> Iterator[Iterator[Entry]]:
    """Follow the logs of a lab's hosts, also where these are stopped and started meanwhile.

    What was said before comes in the order of time, and so does what hosts say now, as far as it arrives
    within `WINDOW`. Of each host nothing is lost, nothing comes twice, and all comes in the order of its log.
    It ends when all hosts were removed.

    Args:
        engine: The engine.
        there: The lab.
        since: Begin with what was said at this moment, but not before the last reset; with what is said from
            now on where it is None.

    Raises:
        EngineError: A log can't be read, or, when it is iterated over, can't be read any more.
    """
    now = datetime.now(UTC)
    since = since or now
    hosts = [each for each in there.hosts if each.container is not None]
    earlier = now - since > _JUST_NOW
    with ExitStack() as stack:
        logs = stack.enter_context(logs_of(engine, hosts)) if earlier else ()
        known = now if earlier else since
        ends = {log.host: _end(log, known) for log in logs}
        lines = stack.enter_context(closing(Lines(engine, known)))
        for host in hosts:
            lines.follow(host, *ends.get(host.hostname, (known, 0)))
        said = (log.entries(log.offset_at(since)) for log in logs)
        yield itertools.chain(heapq.merge(*said, key=lambda entry: entry.at), lines.in_order(len(hosts)))


def _end(log: Log, known: datetime) -> tuple[datetime, int]:
    """Return a log's last moment, and how many lines it has of that; an empty log ends when it was read."""
    reader = log.reader()
    times = [
        reader.lines.time_of(line.decode("utf-8", "replace"))
        for _, line in log.lines(max(log.size - _END, 0))
    ]
    latest = max((each for each in times if each is not None), default=known)
    return latest, times.count(latest)


class Lines:
    """The lines of several hosts, as they arrive, also where these are stopped and started meanwhile.

    Of each host nothing is lost, nothing comes twice, and all comes in the order of its log.

    Args:
        engine: The engine.
        known: What was said before this moment is known.
        room: Bytes that the lines of one host may take; as many as they are where it is None.
    """

    def __init__(self, engine: Engine, known: datetime, *, room: int | None = None) -> None:
        self._engine = engine
        self._known = known
        self._room = room
        self.arriving: queue.SimpleQueue[tuple[datetime, Entry] | Exception] = queue.SimpleQueue()
        """Each line, with a time that is not before that of its host's last; then what ended it."""
        self._streams: dict[str, LogStream] = {}
        self._closed = threading.Event()

    def follow(self, host: Host, latest: datetime, count: int) -> None:
        """Begin to read a host's log, behind so many lines of that time."""
        threading.Thread(target=self._read, args=(host, latest, count), daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._closed.set()
        for stream in list(self._streams.values()):
            stream.close()

    def _read(self, host: Host, latest: datetime, count: int) -> None:
        """Read a host's log until it is removed, or says more than there is room for."""
        left = self._room
        try:
            for arrived in self._entries(host, latest, count):
                if left is not None:
                    left -= len(arrived[1].text) + _OF_A_LINE
                    if left < 0:
                        raise _flooded(host, self._room or 0)  # noqa: TRY301  # as what the engine raises
                self.arriving.put(arrived)
        except Exception as error:  # noqa: BLE001  # whoever waits is told
            self.arriving.put(error)

    def _entries(self, host: Host, latest: datetime, count: int) -> Iterator[tuple[datetime, Entry]]:
        """Yield what a host says, each with a time that is not before the one before."""
        assert host.container is not None
        name = host.container.name
        reader = Reader(host.hostname, host=host.hostname, newest=self._known, since=self._known)
        offset = 0
        tail = _SAID_JUST_NOW if datetime.now(UTC) - self._known < _JUST_NOW else None
        while not self._closed.is_set():
            stream = self._streams[name] = self._engine.logs(name, since=latest, tail=tail, follow=True)
            if self._closed.is_set():
                stream.close()
            again = count  # these come once more
            for line in stream:
                if line.at > latest:
                    latest, count, again = line.at, 1, 0
                elif line.at == latest and again:
                    again -= 1
                    continue
                elif line.at == latest:
                    count += 1
                yield latest, _entry(reader, host, line, offset)
                offset += len(line.text) + 1
            stream.close()
            tail = None
            eventually(lambda: self._back(name), within=math.inf, longest_pause=_LOOK_AGAIN)

    def _back(self, name: str) -> bool | None:
        """Whether a host that was stopped runs again, or nobody waits for it any more."""
        return self._closed.is_set() or self._engine.inspect(name).state in _ALIVE or None

    def in_order(self, hosts: int) -> Iterator[Entry]:
        """Yield what arrives, by time, holding nothing back for longer than `WINDOW`."""
        numbers = itertools.count()
        waiting: list[tuple[datetime, int, Entry]] = []
        due: deque[tuple[float, tuple[datetime, int]]] = deque()
        while hosts:
            try:
                arrived = self.arriving.get(timeout=max(due[0][0] - time.monotonic(), 0) if due else None)
            except queue.Empty:
                pass
            else:
                if isinstance(arrived, NoSuchObject):
                    hosts -= 1
                elif isinstance(arrived, Exception):
                    raise arrived
                else:
                    at, entry = arrived
                    number = next(numbers)
                    heapq.heappush(waiting, (at, number, entry))
                    due.append((time.monotonic() + WINDOW, (at, number)))
            while due and due[0][0] <= time.monotonic():
                _, last = due.popleft()
                while waiting and waiting[0][:2] <= last:
                    yield heapq.heappop(waiting)[2]
        while waiting:
            yield heapq.heappop(waiting)[2]


def _entry(reader: Reader, host: Host, line: LogLine, offset: int) -> Entry:
    """Read what a daemon said; the engine's stamp counts, but for what tells its own time more exactly."""
    text = line.text[:LINE_LIMIT]
    at = line.at.astimezone(UTC)
    entry = reader.entry(text, offset)
    if entry is None:
        return Entry(at, host.hostname, "", 0, None, text, None, host.hostname, offset)
    return replace(entry, at=entry.at if isinstance(entry.event, DnsAnswer) else at, text=text)


def _flooded(host: Host, room: int) -> ServiceCommandFailed:
    return ServiceCommandFailed(
        f"{host.service} ({host.hostname}) floods its log: {room >> 20} MiB since this began",
        hint=f"labctl logs {host.service}",
        detail={"service": host.service},
    )
