"""The messages that are not told yet, in bounded memory: entries go in by time, whole messages come out."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from labctl.mail.log.journal import Journal, Message
from labctl.mail.log.logevent import Delivery, DeliveryStatus, Rejected
from labctl.mail.log.queuefile import KINDS
from labctl.trace.listing.refusals import Refusal, Refusals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from labctl.mail.log.queuefile import QueueFile
    from labctl.trace.journey.world import World
    from labctl.trace.listing.merging import Said
    from labctl.trace.logs.entry import Entry

MAX_BYTES: Final = 100_000_000
"""Roughly how much memory the messages take that are not told yet (some 60,000 of them)."""

GRACE: Final = timedelta(seconds=60)
"""How long a message is kept that is over: the host before logs later that it handed it over, and clocks
differ."""


class Register(Journal):
    """What is known of the messages that are not told yet.

    A message is told once all its queue files have left their queues and nothing was heard of it for `GRACE`
    of the logs' time. Where there is more than fits, the one that ended first is told at once, and where none
    ended, the one of which nothing was heard for longest. What was told is forgotten.

    Args:
        world: Of a lab, its hosts and when their logs begin.
        max_bytes: Roughly how much memory they may take.
    """

    def __init__(self, world: World, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(max_queue_ids=None, hosts=world.hosts)
        self._max_bytes = max_bytes
        self._left: OrderedDict[QueueFile, datetime] = OrderedDict()
        """Each queue file, with when its message was last heard of as it came to its place here."""
        self._ending: deque[tuple[datetime, QueueFile | Refusal]] = deque()
        """What may be told next, with when; of a queue file that is here several times, the last counts."""
        self._refusals: Final = Refusals()

    def feed(self, entry: Entry | Said) -> bool:
        """Take in what a line says next; return whether there is anything to be told now."""
        event, at = entry.event, entry.at
        if type(event) not in KINDS:
            return False
        if isinstance(event, Rejected) and event.queue_id is None:
            refusal = self._refusals.add(entry.host, at, event)
            self.size += refusal.copy.size
            self._ending.append((at + GRACE, refusal))
        elif (file := self.take(entry.host, at, event, entry.pid)) is not None:  # type: ignore[arg-type]  # Postfix's
            if isinstance(event, Delivery) and event.status != DeliveryStatus.SENT:
                self._refusals.quoted(at, file.mail_from, event.recipient, event.reply_text)
            if file.over:
                self._ending.append((at + GRACE, file))
        return bool(self._ending and self._ending[0][0] <= at) or self.size > self._max_bytes

    def told(self, now: datetime) -> Iterator[Message | Refusal]:
        """Take out what is to be told at a time, and what there is no more room for."""
        ending = self._ending
        while ending and (ending[0][0] <= now or self.size > self._max_bytes):
            due, ended = ending.popleft()
            if isinstance(ended, Refusal):
                self.size -= ended.copy.size
                if not self._refusals.forget(ended).told:
                    yield ended
            elif ended in self._left and (message := self._ended(ended, due)) is not None:
                yield message
                self._forget(message)
        while self.size > self._max_bytes and self._left:
            file, known = self._left.popitem(last=False)
            message = self._whole(file)
            # What was heard of since it came to its place moves to the end.
            self._left[file] = _heard(message)
            if self._left[file] == known:
                yield message
                self._forget(message)

    def rest(self) -> Iterator[Message | Refusal]:
        """Return all that is left, in the order of its end."""
        left: list[tuple[datetime, Message | Refusal]] = [
            (ended.at, ended) for _, ended in self._ending if isinstance(ended, Refusal) and not ended.told
        ]
        while self._left:
            message = self._whole(next(iter(self._left)))
            left.append((_heard(message), message))
            for file in message.files:
                self._left.pop(file, None)
        left.sort(key=lambda each: each[0])
        for _, each in left:
            yield each

    def _whole(self, file: QueueFile) -> Message:
        message = self.message_of(file)
        assert message is not None
        return message

    def _ended(self, file: QueueFile, due: datetime) -> Message | None:
        """Return a queue file's message, if it is over and no more was heard of it."""
        heard = due - GRACE
        return self.message_of(file, lambda each: each.over and each.last_at <= heard)

    def _forget(self, message: Message) -> None:
        for file in message.files:
            self._left.pop(file, None)
        self.forget(message.files)

    def _opened(self, host: str, queue_id: str, at: datetime, before: QueueFile | None) -> QueueFile:
        file = super()._opened(host, queue_id, at, before)
        self._left[file] = at
        return file

    def _close(self, file: QueueFile, at: datetime) -> None:
        if not file.closed:
            self._ending.append((at + GRACE, file))
        super()._close(file, at)


def _heard(message: Message) -> datetime:
    return max(file.last_at for file in message.files)
