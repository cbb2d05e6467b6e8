"""The messages that are not told yet, in bounded memory: entries go in by time, whole messages come out."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from labctl.mail.content.message import normal_message_id
from labctl.mail.log.logevent import (
    Accepted,
    Delivery,
    DeliveryStatus,
    Discarded,
    Expired,
    Held,
    NonDelivery,
    Queued,
    Received,
    Rejected,
    Released,
    Removed,
)
from labctl.mail.state import MessageState, is_final
from labctl.trace.listing.record import TEXT_LIMIT, Copy, Message, Record, Refusal
from labctl.trace.listing.refusals import Refusals, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from labctl.trace.journey.world import World
    from labctl.trace.listing.merging import Said
    from labctl.trace.logs.entry import Entry

MAX_BYTES: Final = 100_000_000
"""Roughly how much memory the messages take that are not told yet (some 60,000 of them)."""

GRACE: Final = timedelta(seconds=60)
"""How long a message is kept that is over: the host before logs later that it handed it over, and clocks
differ."""

_MAX_SESSIONS: Final = 500
_MAX_NAMESAKES: Final = 64
"""How many uses of one queue id are remembered: a log that has more was made to cost time."""
_REFUSAL_SIZE: Final = 900
_NEXT_SIZE: Final = 150
_NORMAL_ID: Final = re.compile(r"<[!-;=@-~]++>")
"""A Message-ID as it should be, as nearly all are."""

_PROBES: Final = (DeliveryStatus.DELIVERABLE, DeliveryStatus.UNDELIVERABLE)


class Register:
    """What is known of the messages that are not told yet.

    A message is told once all its queue files have left their queues and nothing was heard of it for `GRACE`
    of the logs' time. Where there is more than fits, the one that ended first is told at once, and where none
    ended, the one of which nothing was heard for longest.

    Args:
        world: Of a lab, its hosts and when their logs begin.
        max_bytes: Roughly how much memory they may take.
    """

    def __init__(self, world: World, *, max_bytes: int = MAX_BYTES) -> None:
        self._world = world
        self._max = max_bytes
        self._size = 0
        self._uses: dict[str, list[Record]] = {}
        """The uses of each queue id on all hosts, the latest last."""
        self._messages: OrderedDict[Message, datetime] = OrderedDict()
        """Each message with when it was last heard of as it came to its place here."""
        self._ending: deque[tuple[datetime, Message | Refusal]] = deque()
        """What is told next, with when; of a message that stands here several times, its own time counts."""
        self._expected: dict[str, list[Record]] = {}
        """Queue ids that messages went to and that were not seen yet, with where they came from."""
        self._verdicts: dict[tuple[str, int], Held | Discarded] = {}
        """What was decided, in a session of smtpd(8), of a message that has no queue id yet."""
        self._refusals: Final = Refusals()
        self._takers: Final[dict[object, Callable[..., None]]] = {
            Accepted: self._accepted,
            Delivery: self._delivery,
            Discarded: self._discarded,
            Expired: self._expired,
            Held: self._held,
            NonDelivery: self._non_delivery,
            Queued: self._queued,
            Received: self._received,
            Rejected: self._rejected,
            Released: self._released,
            Removed: self._removed,
        }

    def feed(self, entry: Entry | Said) -> bool:
        """Take in what a line says next; return whether there is anything to be told now."""
        event = entry.event
        take = self._takers.get(type(event))
        if take is None:
            return False
        queue_id = event.queue_id  # type: ignore[union-attr]  # all that are taken have one
        host, at = entry.host, entry.at
        if queue_id is None:
            self._without_id(entry)
            return bool(self._ending and self._ending[0][0] <= at) or self._size > self._max
        uses = self._uses.get(queue_id)
        record = uses[-1] if uses else None
        if record is not None and record.host != host:
            record = self._last(host, queue_id)
        # An id is used again once its message is gone; where the log lacks that, a new message tells.
        if record is None or record.closed or type(event) is Received:
            if record is not None and not record.over:
                self._over(record, at)
            record = self._opened(host, queue_id, at)
            if host in self._world.begins and type(event) not in {Received, Queued}:
                for before in self._expected.get(queue_id, ()):  # its beginning was cut off
                    self._meet(before, record, at)
        record.message.last_at = at
        if record.over:
            self._await(record.message, at)
        take(record, at, event)
        if self._verdicts and type(event) is Received:
            self._apply_verdict(entry, record)
        return bool(self._ending and self._ending[0][0] <= at) or self._size > self._max

    def told(self, now: datetime) -> Iterator[Message | Refusal]:
        """Take out what is to be told at a time, and what there is no more room for."""
        ending = self._ending
        while ending and (ending[0][0] <= now or self._size > self._max):
            due, ended = ending.popleft()
            if isinstance(ended, Refusal):
                self._size -= _REFUSAL_SIZE
                if self._refusals.forget(ended).told:
                    continue
            elif ended.due is due:
                self._forget(ended)
            else:  # more was heard of it since
                continue
            yield ended
        while self._size > self._max and self._messages:
            message, known = self._messages.popitem(last=False)
            # What was heard of since it came to its place moves to the end.
            self._messages[message] = message.last_at
            if message.last_at == known:
                self._forget(message)
                yield message

    def rest(self) -> Iterator[Message | Refusal]:
        """Take out all that is left, in the order of its end."""
        refusals = [ended for _, ended in self._ending if isinstance(ended, Refusal) and not ended.told]
        left: list[Message | Refusal] = [*self._messages, *refusals]
        self._ending.clear()
        left.sort(key=lambda each: each.at if isinstance(each, Refusal) else each.last_at)
        for each in left:
            if isinstance(each, Message):
                self._forget(each)
            yield each

    def _last(self, host: str, queue_id: str) -> Record | None:
        """Return the latest use of an id on a host."""
        for record in reversed(self._uses.get(queue_id, ())):
            if record.host == host:
                return record
        return None

    def _opened(self, host: str, queue_id: str, at: datetime) -> Record:
        record = Record(host, queue_id, at)
        uses = self._uses.setdefault(queue_id, [])
        uses.append(record)
        if len(uses) > _MAX_NAMESAKES:
            del uses[0]
        self._messages[record.message] = at
        self._size += record.message.size
        return record

    def _forget(self, message: Message) -> None:
        del self._messages[message]
        self._size -= message.size
        message.due = None
        for record in message.records:
            uses = self._uses.get(record.queue_id, [])
            if record in uses:
                uses.remove(record)
                if not uses:
                    del self._uses[record.queue_id]
            for queue_id, found in (record.onward or {}).items():
                if found is None:
                    self._no_longer_expect(queue_id, record)

    def _no_longer_expect(self, queue_id: str, record: Record) -> None:
        left = [each for each in self._expected.get(queue_id, ()) if each is not record]
        if left:
            self._expected[queue_id] = left
        else:
            self._expected.pop(queue_id, None)

    def _over(self, record: Record, at: datetime) -> None:
        """Take down that nothing more is expected of a record."""
        if not record.over:
            record.over = True
            record.message.open -= 1
        self._await(record.message, at)

    def _await(self, message: Message, at: datetime) -> None:
        """Have a message told later, if nothing more is expected of it."""
        if message.open == 0:
            message.due = at + GRACE
            self._ending.append((message.due, message))

    def _join(self, record: Record, following: Record, at: datetime) -> None:
        """Take down that a record's message went into another."""
        following.follows = True
        one, other = record.message, following.message
        if one is other:
            return
        if len(one.records) < len(other.records):
            one, other = other, one
        one.absorb(other)
        del self._messages[other]
        one.due = other.due = None
        self._await(one, at)

    def _grown(self, message: Message, by: int) -> None:
        message.size += by
        self._size += by

    def _received(self, record: Record, at: datetime, event: Received) -> None:
        record.began = True
        if event.original_queue_id is not None:
            before = self._last(record.host, event.original_queue_id)
            if before is not None and before is not record:
                before.requeued_as = record
                self._join(before, record, at)
                before.closed = True
                self._over(before, at)
        if event.filtered_from is not None and (before := self._filtered(event.filtered_from, record)):
            before.filtered_as = (*before.filtered_as, record)
            self._join(before, record, at)

    def _filtered(self, queue_id: str, record: Record) -> Record | None:
        """Find what a filter took, to give it back as this record's message: mostly on the same host."""
        before = self._last(record.host, queue_id)
        if before is None:
            before = next(reversed(self._uses.get(queue_id, ())), None)
        return None if before is record else before

    def _queued(self, record: Record, at: datetime, event: Queued) -> None:
        record.began = True
        if record.message_id is None:
            text = event.message_id[:TEXT_LIMIT]
            record.message_id = text if _NORMAL_ID.fullmatch(text) else normal_message_id(text)
            self._grown(record.message, len(text))
        if record.state is MessageState.SUBMITTED:
            record.state, record.since = MessageState.QUEUED, at
        if record.queue_id in self._expected:
            for before in self._expected[record.queue_id]:
                self._meet(before, record, at)

    def _meet(self, before: Record, record: Record, at: datetime) -> None:
        """Join a record to one whose message went to its id, if it is the same message."""
        if before is record or not record.may_hold(before.message_id):
            return
        assert before.onward is not None
        before.onward[record.queue_id] = record
        self._no_longer_expect(record.queue_id, before)
        self._join(before, record, at)

    def _accepted(self, record: Record, at: datetime, event: Accepted) -> None:
        if record.mail_from is None:
            record.mail_from = event.mail_from[:TEXT_LIMIT]
            self._grown(record.message, len(record.mail_from))
        record.nrcpt = max(record.nrcpt, event.nrcpt)
        record.state, record.reason, record.since = MessageState.QUEUED, None, at
        if record.over:
            record.over = False
            record.message.open += 1
            record.message.due = None

    def _delivery(self, record: Record, at: datetime, event: Delivery) -> None:
        if event.status in _PROBES:
            record.probe = True
            return
        copy = Copy.of(at, event, self._world)
        if event.status != DeliveryStatus.SENT and record.mail_from is not None:
            self._refusals.quoted(at, record.mail_from, event.recipient, event.reply_text)
        key: object = copy.recipient if copy.orig_to is None else (copy.recipient, copy.orig_to)
        known = record.copies.get(key)
        record.copies[key] = copy
        self._grown(record.message, copy.size - (0 if known is None else known.size))
        if copy.next_id is not None:
            self._went_to(record, copy.next_id, at, event)

    def _went_to(self, record: Record, next_id: str, at: datetime, event: Delivery) -> None:
        if record.onward is None:
            record.onward = {}
        elif next_id in record.onward:  # for a further recipient, in the same transaction
            return
        found = record.onward[next_id] = self._found(next_id, record, event)
        self._grown(record.message, _NEXT_SIZE)
        if found is not None:
            self._join(record, found, at)
        elif len(expecting := self._expected.setdefault(next_id, [])) < _MAX_NAMESAKES:
            expecting.append(record)

    def _found(self, queue_id: str, before: Record, event: Delivery) -> Record | None:
        """Find the record of an id that a record's message went to.

        Two hosts may use the same id: it must be one that may hold this message. That of a host which the
        relay names is better than another, and one that surely holds it better than one that may.
        """
        found = None
        best = -1
        for record in reversed(self._uses.get(queue_id, ())):
            if record is before or not record.may_hold(before.message_id):
                continue
            here = record.host == before.host
            if event.program == "local" and not here:  # "forwarded as": the same host's next queue file
                continue
            rank = 2 * event.relay.startswith(f"{record.host}[") + bool(record.message_id)
            if rank > best:
                found, best = record, rank
        return found

    def _removed(self, record: Record, at: datetime, event: Removed) -> None:
        record.closed = True
        if not is_final(record.state):
            record.become(MessageState.UNKNOWN, at, f"removed from the queue by {event.by}")
        self._over(record, at)

    def _expired(self, record: Record, at: datetime, event: Expired) -> None:
        record.name(event.mail_from, None)
        record.become(MessageState.EXPIRED, at, "returned to sender")

    def _held(self, record: Record, at: datetime, event: Held) -> None:
        record.become(MessageState.HELD, at, event.reason)
        record.name(event.mail_from, event.rcpt_to)

    def _released(self, record: Record, at: datetime, _: Released) -> None:
        record.become(MessageState.QUEUED, at)

    def _discarded(self, record: Record, at: datetime, event: Discarded) -> None:
        record.become(MessageState.DISCARDED, at, event.reason)
        record.name(event.mail_from, event.rcpt_to)
        self._over(record, at)  # nothing more is logged of it, mostly

    def _rejected(self, record: Record, at: datetime, event: Rejected) -> None:
        record.began = True  # it has an id, and was refused all the same: this is its session
        if event.stage == "RCPT":
            copy = refused(at, event)
            record.refused = (*record.refused, copy)
            record.name(event.mail_from, None)
            self._grown(record.message, copy.size)
            return
        record.become(MessageState.REJECTED, at, str(event.reply))
        record.dsn = str(event.reply.enhanced) if event.reply.enhanced else None
        record.name(event.mail_from, event.rcpt_to)
        self._over(record, at)  # it never comes into a queue

    def _non_delivery(self, record: Record, at: datetime, event: NonDelivery) -> None:
        written = self._last(record.host, event.dsn_queue_id)
        if written is record:
            return
        if written is None or written.first_at < record.first_at:
            written = self._opened(record.host, event.dsn_queue_id, at)
        written.about = record.message_id or record.queue_id

    def _without_id(self, entry: Entry | Said) -> None:
        event, at = entry.event, entry.at
        if isinstance(event, Rejected):
            refusal = self._refusals.add(entry.host, at, event)
            self._size += _REFUSAL_SIZE
            self._ending.append((at + GRACE, refusal))
        elif isinstance(event, Held | Discarded):
            if len(self._verdicts) >= _MAX_SESSIONS:
                self._verdicts.clear()
            self._verdicts[entry.host, entry.pid] = event

    def _apply_verdict(self, entry: Entry | Said, record: Record) -> None:
        """Take down what was decided in the session before the message had its id."""
        match self._verdicts.pop((entry.host, entry.pid), None):
            case Held() as held:
                self._held(record, entry.at, held)
            case Discarded() as discarded:
                self._discarded(record, entry.at, discarded)
