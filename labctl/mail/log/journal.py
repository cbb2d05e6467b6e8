"""The queue files of all hosts as their logs tell of them, and how messages went from one to the next."""

from __future__ import annotations

from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from labctl.mail.log.logevent import Delivery, Discarded, Event, Held, NonDelivery, Queued, Received
from labctl.mail.log.queuefile import Copy, QueueFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

MAX_QUEUE_IDS: Final = 20_000
"""How many queue ids a journal remembers; the longest untouched are forgotten first."""

_MAX_NAMESAKES: Final = 64
"""How much is remembered of one queue id or Message-ID: a log that has more was made to cost time."""
_MAX_SESSIONS: Final = 500
SLACK: Final = timedelta(seconds=5)
"""How far clocks may differ, and lines may come late, where a message is not surely the same."""
_LATE: Final = timedelta(seconds=2)
"""By how much a host may log the arrival of a message later than its sender logs that it was taken."""

_T = TypeVar("_T")


class Message(NamedTuple):
    """The queue files that one message was in, by time and in the order of its way."""

    files: Sequence[QueueFile]
    roots: Sequence[QueueFile]
    """Those that it came in as."""


class Journal:
    """The queue files of all hosts; what is not known to belong to a message yet is here too.

    Each host's lines come in their order, those of several hosts in any: how messages went is told from all
    that is known when it is asked for.

    Args:
        max_queue_ids: How many queue ids it remembers; None where nothing is to be forgotten.
        hosts: Host names by IP address, as far as they are known.
    """

    def __init__(
        self, *, max_queue_ids: int | None = MAX_QUEUE_IDS, hosts: Mapping[str, str] | None = None
    ) -> None:
        self._max = max_queue_ids
        self._hosts = hosts or {}
        self._uses: OrderedDict[str, list[QueueFile]] = OrderedDict()
        """The uses of each queue id on all hosts, the latest last."""
        self._sent_to: dict[str, list[tuple[QueueFile, Copy]]] = {}
        """By queue id, what went to it."""
        self._given_back: dict[str, list[QueueFile]] = {}
        """By queue id, what a content filter took from it and gave back."""
        self._alike: dict[str, list[QueueFile]] = {}
        """By Message-ID."""
        self._verdicts: dict[tuple[str, int], Held | Discarded] = {}
        """What was decided, in a session of smtpd(8), of a message that has no queue id yet."""
        self._announced: dict[tuple[str, str], str] = {}
        """Notifications that were not seen yet, with what they are about."""
        self._takers: Final[dict[type, Callable[..., None]]] = {
            Delivery: self._tried,
            NonDelivery: self._notified,
            Queued: self._named,
            Received: self._received,
        }
        self.size = 0
        """Roughly the bytes of memory that all take."""
        self.version = 0
        """Grows with every event taken in."""

    def take(self, host: str, at: datetime, event: Event | None, pid: int = 0) -> QueueFile | None:
        """Take in what a host's log says next.

        Args:
            host: The host.
            at: When.
            event: What; what concerns no queue file is left out.
            pid: Of the daemon that says it; 0 where that is not known.

        Returns:
            The queue file that it concerns.
        """
        if event is None:
            return None
        queue_id = event.queue_id
        if queue_id is None:
            if pid and isinstance(event, Held | Discarded):
                self._decided(host, pid, event)
            return None
        self.version += 1
        file = self._use(host, queue_id, at, event)
        before = file.size
        if (taker := self._takers.get(type(event))) is None:
            file.take(at, event)
        else:
            taker(file, at, event, pid)
        self.size += file.size - before
        return file

    def last(self, host: str, queue_id: str) -> QueueFile | None:
        """Return the latest use of a queue id on a host."""
        for file in reversed(self._uses.get(queue_id, ())):
            if file.host == host:
                return file
        return None

    def holding(self, host: str, queue_id: str, message_id: str) -> QueueFile | None:
        """Return the latest use of a queue id that holds a message; failing that, one that may hold it.

        A use whose Message-ID is empty or not told yet may.
        """
        uses = [file for file in reversed(self._uses.get(queue_id, ())) if file.host == host]
        sure = (file for file in uses if file.message_id == message_id)
        possible = (file for file in uses if not file.message_id)
        return next(sure, None) or next(possible, None)

    def alike(self, message_id: str) -> tuple[QueueFile, ...]:
        """Return the queue files in which messages with a Message-ID were."""
        return tuple(self._alike.get(message_id, ()))

    def onward(self, file: QueueFile, copy: Copy) -> QueueFile | None:
        """Find the queue file that an accepted copy went into.

        Two hosts may use the same id, and a host uses it again: it must be one that may hold this message.
        One that surely does comes before one that may, a host that the relay names before others, and what
        came in just then before what came in at another time.
        """
        here_only = copy.program == "local"  # "forwarded as": the same host's next queue file
        found: QueueFile | None = None
        for use in self._uses.get(copy.next_id or "", ()):
            if use is file or (here_only and use.host != file.host):
                continue
            if _may_be(use, file.message_id, copy.at) and (
                found is None or _is_likelier(use, found, file, copy)
            ):
                found = use
        return found

    def given_back(self, file: QueueFile) -> list[QueueFile]:
        """Return what a content filter took from a queue file and gave back."""
        return [each for each in self._given_back.get(file.queue_id, ()) if self._filtered(each) is file]

    def written(self, file: QueueFile, at: datetime, event: NonDelivery) -> QueueFile | None:
        """Return the queue file of a notification about a queue file, which was written at some time."""
        uses = [
            use for use in self._uses.get(event.dsn_queue_id, ()) if use.host == file.host and use is not file
        ]
        return min(uses, key=lambda use: abs(use.first_at - at), default=None)

    def after(self, file: QueueFile) -> list[QueueFile]:
        """Return the queue files that a queue file's message went into next; one may come several times."""
        found = [] if file.requeued_as is None else [file.requeued_as]
        for copy in file.copies.values():
            if copy.next_id is not None and (onward := self.onward(file, copy)) is not None:
                found.append(onward)  # noqa: PERF401  # nearly all have one copy: a comprehension costs more
        if self._given_back:
            found += self.given_back(file)
        alike = self._alike.get(file.message_id or "", ())
        for other in alike if len(alike) > 1 else ():
            if other is not file and other.caller and other not in found and self._inferred(other) is file:
                found.append(other)
        return found

    def before(self, file: QueueFile) -> list[QueueFile]:
        """Return the queue files that a queue file's message came from; one may come several times."""
        if (told := self._told_before(file)) or (inferred := self._inferred(file)) is None:
            return told
        return [inferred]

    def message_of(
        self, file: QueueFile, only_if: Callable[[QueueFile], bool] = lambda _: True
    ) -> Message | None:
        """Return the message that is in a queue file.

        Args:
            file: The queue file.
            only_if: What has to be true of each of its queue files; else None is returned.
        """
        if not only_if(file):
            return None
        steps = {file: 0}
        ahead = [file]
        roots = []
        while ahead:
            each = ahead.pop()
            if not (before := self.before(each)):
                roots.append(each)
            for neighbours, step in ((before, -1), (self.after(each), 1)):
                for other in neighbours:
                    if other not in steps:
                        if not only_if(other):
                            return None
                        steps[other] = steps[each] + step
                        ahead.append(other)
        if len(steps) == 1:
            return Message([file], [file])

        def place(each: QueueFile) -> tuple[datetime, int, str, str]:
            return each.first_at, steps[each], each.host, each.queue_id

        files = sorted(steps, key=place)
        return Message(files, sorted(roots, key=place) or files[:1])  # a circle has no beginning

    def forget(self, files: Iterable[QueueFile]) -> None:
        """Forget queue files, and how messages came to them and went on."""
        for file in files:
            self.size -= file.size
            _drop(self._uses, file.queue_id, file)
            for copy in file.copies.values():
                if copy.next_id is not None:
                    _drop(self._sent_to, copy.next_id, (file, copy))
            if file.filtered_from is not None:
                _drop(self._given_back, file.filtered_from, file)
            if file.message_id:
                _drop(self._alike, file.message_id, file)

    def _use(self, host: str, queue_id: str, at: datetime, event: Event) -> QueueFile:
        """Return the use of a queue id that a line is of."""
        uses = self._uses.get(queue_id)
        file = uses[-1] if uses else None
        if file is not None and file.host != host:
            file = self.last(host, queue_id)
        if file is None or file.is_before(at, event):
            return self._opened(host, queue_id, at, file)
        if self._max is not None:
            self._uses.move_to_end(queue_id)
        return file

    def _opened(self, host: str, queue_id: str, at: datetime, before: QueueFile | None) -> QueueFile:
        """Begin a use of a queue id: the one before it is over."""
        if before is not None:
            self._close(before, at)
        file = QueueFile(host, queue_id, at, at)
        self.size += file.size
        _append(self._uses, queue_id, file)
        if self._announced:
            file.about = self._announced.pop((host, queue_id), None)
        if self._max is not None:
            self._uses.move_to_end(queue_id)
            if len(self._uses) > self._max:
                self.forget(list(next(iter(self._uses.values()))))
        return file

    def _tried(self, file: QueueFile, at: datetime, event: Delivery, _: int) -> None:
        """Take in an attempt, and where the copy went to."""
        key = Copy.key(event)
        before = file.copies.get(key)
        file.take(at, event)
        copy = file.copies.get(key)
        if copy is before:  # it only asked for an address
            return
        if before is not None and before.next_id is not None:
            _drop(self._sent_to, before.next_id, (file, before))
        if copy is not None and copy.next_id is not None:
            _append(self._sent_to, copy.next_id, (file, copy))

    def _named(self, file: QueueFile, at: datetime, event: Queued, _: int) -> None:
        file.take(at, event)
        if file.message_id and file not in self._alike.get(file.message_id, ()):
            _append(self._alike, file.message_id, file)

    def _close(self, file: QueueFile, _: datetime) -> None:
        """Note at what time it became known that a message is not in a queue file any more."""
        file.closed = True

    def _received(self, file: QueueFile, at: datetime, event: Received, pid: int) -> None:
        file.take(at, event)
        if event.original_queue_id is not None:
            before = self.last(file.host, event.original_queue_id)
            if before is not None and before is not file and not before.closed:
                before.requeued_as, file.requeued_from = file, before
                self._close(before, at)
        file.caller = self._caller(event.client)
        if event.filtered_from is not None and file not in self._given_back.get(event.filtered_from, ()):
            _append(self._given_back, event.filtered_from, file)
        if self._verdicts and (verdict := self._verdicts.pop((file.host, pid), None)) is not None:
            file.take(at, verdict)

    def _decided(self, host: str, pid: int, event: Held | Discarded) -> None:
        """Note what was decided in a session before the message had its id."""
        if len(self._verdicts) >= _MAX_SESSIONS:
            self._verdicts.clear()
        self._verdicts[host, pid] = event

    def _notified(self, file: QueueFile, at: datetime, event: NonDelivery, _: int) -> None:
        file.take(at, event)
        written = self.last(file.host, event.dsn_queue_id)
        about = file.message_id or file.queue_id
        if written is None or written.first_at < file.first_at:
            if len(self._announced) >= _MAX_SESSIONS:
                self._announced.clear()
            self._announced[file.host, event.dsn_queue_id] = about
        elif written is not file:
            written.about = about

    def _told_before(self, file: QueueFile) -> list[QueueFile]:
        """Return the queue files that a message came from, as the log itself says."""
        found: list[QueueFile] = []
        for before, copy in self._sent_to.get(file.queue_id, ()):
            if before is not file and before not in found and self.onward(before, copy) is file:
                found.append(before)
        if file.requeued_from is not None:
            found.append(file.requeued_from)
        if file.filtered_from is not None and (filtered := self._filtered(file)) is not None:
            found.append(filtered)
        return found

    def _filtered(self, file: QueueFile) -> QueueFile | None:
        """Find what a content filter took, to give it back as this: mostly on the same host."""
        fitting = [
            use
            for use in self._uses.get(file.filtered_from or "", ())
            if use is not file and use.may_hold(file.message_id) and _is_about(use, file.first_at)
        ]
        return max(
            fitting, key=lambda use: (use.host == file.host, -abs(file.first_at - use.first_at)), default=None
        )

    def _inferred(self, file: QueueFile) -> QueueFile | None:
        """Find whom a queue file came from, where no line says it: the sender lost the connection, perhaps.

        It must be the same message, from that host, while that host still had it.
        """
        if not file.caller:
            return None
        for other in self._alike.get(file.message_id or "", ()):
            if _may_have_sent(other, file):
                return None if self._told_before(file) else other
        return None

    def _caller(self, client: str) -> str:
        """Return the name of the host that a client is, by its address or as it is called."""
        name, _, address = client.partition("[")
        name = self._hosts.get(address.rstrip("]"), name)
        return "" if name == "unknown" else name.casefold()


def _may_have_sent(one: QueueFile, other: QueueFile) -> bool:
    """Whether one queue file's message may have gone into the other: it came from there at that time."""
    if one.host == other.host or not _is_called(other.caller, one.host) or (one.closed and not one.copies):
        return False
    soon = other.first_at + _LATE >= one.first_at
    return soon and (not one.closed or other.first_at <= one.last_at + _LATE)


def _may_be(file: QueueFile, message_id: str | None, at: datetime) -> bool:
    """Whether a message that went somewhere at some time may be the one that is in a queue file."""
    if message_id and file.message_id:
        return message_id == file.message_id
    return _is_about(file, at)


def _is_likelier(one: QueueFile, other: QueueFile, file: QueueFile, copy: Copy) -> bool:
    """Whether a copy went into one queue file rather than into another; of equals, the later one."""

    def rank(use: QueueFile) -> tuple[bool, bool, timedelta]:
        named = copy.relay.startswith(f"{use.host}[")
        return use.message_id == file.message_id, named, -abs(use.first_at - copy.at)

    return rank(one) >= rank(other)


def _is_about(file: QueueFile, at: datetime) -> bool:
    """Whether a queue file was there at about some time."""
    return file.first_at - SLACK <= at and (not file.closed or at <= file.last_at + SLACK)


def _is_called(known: str, host: str) -> bool:
    """Whether a host's name is the one that a client gave; a log may know it by the first label only."""
    host = host.casefold()
    label = host.partition("/")[0]
    return known == host or ("." not in label and known.partition(".")[0] == label)


def _append(index: dict[str, list[_T]], key: str, value: _T) -> None:
    """Put a value behind others of its key, of which only so many are remembered."""
    if (values := index.get(key)) is None:
        index[key] = [value]
        return
    values.append(value)
    if len(values) > _MAX_NAMESAKES:
        del values[0]


def _drop(index: dict[str, list[_T]], key: str, value: _T) -> None:
    """Take a value away from others of its key, if it is there."""
    values = index.get(key)
    if values is not None and value in values:
        if len(values) == 1:
            del index[key]
        else:
            values.remove(value)
