"""One message's journey, woven from the lines of all logs and what else is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from labctl.mail.content.message import normal_message_id
from labctl.mail.log.delivery import RecipientState, state_of
from labctl.mail.log.journal import Journal
from labctl.mail.log.logevent import (
    Accepted,
    NonDelivery,
    NotificationKind,
    Queued,
    Received,
    Rejected,
)
from labctl.mail.log.queuefile import Copy, QueueFile
from labctl.mail.state import MessageState
from labctl.trace.journey import gap, telling
from labctl.trace.journey.attribution import Surroundings
from labctl.trace.journey.fate import message_id_of, recipients_of, sender_of
from labctl.trace.journey.hop import Hop, HopEvent, Note, NoteKind, Notice, QueueFileName, TracedMessage
from labctl.trace.journey.notes import notes_of
from labctl.trace.journey.readers import at_the_mailboxes
from labctl.trace.journey.world import address_in
from labctl.trace.logs.part import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from labctl.mail.content.dsn import Dsn
    from labctl.mail.log.journal import Message
    from labctl.trace.journey.world import World
    from labctl.trace.logs.entry import Entry
    from labctl.trace.logs.part import Part

_NOTICES_OF_NOTICES: Final = 2
"""How deep notifications about notifications are told; Postfix writes no more (``2bounce``)."""

_RANKS: Final = {event: rank for rank, event in enumerate(HopEvent)}
"""Of what a host logs in the same second, what comes first."""


def weave(
    entries: Sequence[Entry],
    world: World,
    *,
    message_ids: Iterable[str] = (),
    queue_files: Iterable[tuple[str, str]] = (),
    address: str | None = None,
) -> tuple[TracedMessage, ...]:
    """Tell the journeys of some messages.

    Args:
        entries: Lines of all logs, in the order of time; lines of other messages do no harm, and are needed
            to tell with whom a DNS answer may be shared.
        world: What else is known.
        message_ids: The messages, by their Message-IDs.
        queue_files: More of them, by (host, queue id).
        address: Tell, too, of what was refused from or to this address before it had a queue id: its
            Message-ID no log tells.

    Returns:
        One for each message, by the time it was first seen; messages may share a Message-ID.
    """
    weaver = Weaver(entries, world)
    messages = weaver.messages(message_ids, queue_files)
    if address is None:
        return messages
    refused = weaver.refused(address.casefold(), messages)
    return tuple(sorted((*messages, *refused), key=lambda message: message.hops[0].at))


def refusal(entry: Entry, event: Rejected) -> TracedMessage:
    """Tell of a message that was refused before it had a queue id."""
    copy = Copy.refused(entry.at, event)
    return TracedMessage(
        message_id="",
        state=MessageState.REJECTED,
        recipients=(RecipientState.refused(entry.host, copy),) if copy.recipient else (),
        hops=(telling.rejected(entry, event),),
        bounce=None,
        mail_from=event.mail_from,
        first_at=entry.at,
        last_at=entry.at,
        notes=(Note(NoteKind.NO_ID, "it was refused before any log could tell its Message-ID"),),
    )


class Weaver:
    """Tells the messages that some lines are of.

    Args:
        entries: The lines, in the order of time.
        world: What else is known.
        journal: What the lines say of queue files, where that is known.
        parts: The lines of each queue file then.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        world: World,
        journal: Journal | None = None,
        parts: Mapping[QueueFile, Part] | None = None,
    ) -> None:
        self._entries = entries
        self._world = world
        self._journal = journal or Journal(max_queue_ids=None, hosts=world.hosts)
        self._parts = parts_of(entries, self._journal) if parts is None else parts
        self._surroundings = Surroundings(entries, self._parts.values(), world.hosts)

    def messages(
        self, message_ids: Iterable[str], queue_files: Iterable[tuple[str, str]]
    ) -> tuple[TracedMessage, ...]:
        """See `weave`."""
        ids = {normal_message_id(each) for each in message_ids} - {""}
        names = set(queue_files)
        found: dict[QueueFile, Message] = {}
        for part in self._parts.values():
            # A queue id may be used again, by a message with another Message-ID.
            if part.message_id in ids or (part.name in names and not (ids and part.message_id)):
                message = self._journal.message_of(part.file)
                if message is not None:
                    found[message.roots[0]] = message
        alike = [root.message_id for root in found]
        return tuple(
            self._message(message, twins=alike.count(root.message_id) - 1)
            for root, message in sorted(found.items(), key=lambda each: each[0].first_at)
        )

    def refused(self, address: str, told: Iterable[TracedMessage]) -> Iterator[TracedMessage]:
        """Tell of what was refused from or to an address, but for what is a part of the messages told."""
        lines = {line for message in told for hop in message.hops for line in hop.detail.get("lines", ())}
        for entry in self._entries:
            event = entry.event
            if not isinstance(event, Rejected) or event.queue_id is not None or entry.text in lines:
                continue
            if address_in(event.client) in self._world.hosts:
                continue  # another host's attempt, and so a part of that message's journey
            if address not in {(event.mail_from or "").casefold(), (event.rcpt_to or "").casefold()}:
                continue
            yield refusal(entry, event)

    def _message(self, message: Message, *, twins: int = 0) -> TracedMessage:
        files, roots = message
        parts = self._depths(message)
        hops = self._hops(parts)
        recipients, state = self._fate(message, hops)
        notices = tuple(self._notices(parts, depth=1))
        failures = [each for each in notices if each.kind is NotificationKind.FAILED and each.to == "sender"]
        root = self._parts[roots[0]]
        return TracedMessage(
            message_id=message_id_of(roots, files) or "",
            state=state,
            recipients=recipients,
            hops=hops,
            bounce=failures[-1] if failures else None,
            mail_from=sender_of(roots, files),
            first_at=hops[0].at if hops else root.first_at,
            last_at=hops[-1].at if hops else root.last_at,
            queue_ids=tuple(QueueFileName(*part.name) for part in parts),
            notices=notices,
            notes=(
                *notes_of(root, parts, recipients, hops, notices, twins=twins),
                *gap.gaps(hops, self._world),
            ),
        )

    def _depths(self, message: Message) -> dict[Part, int]:
        """Return a message's queue files, each with the number of steps that lead to it."""
        found = dict.fromkeys((self._parts[file] for file in message.roots), 0)
        ahead = list(found)
        while ahead:
            part = ahead.pop(0)
            for after in self._onward(part):
                if after not in found:
                    found[after] = found[part] + 1
                    ahead.append(after)
        return found

    def _onward(self, part: Part) -> Iterator[Part]:
        return (self._parts[file] for file in self._journal.after(part.file))

    def _fate(self, message: Message, hops: Sequence[Hop]) -> tuple[tuple[RecipientState, ...], MessageState]:
        """Tell where each recipient's copy is."""
        files, roots = message
        waiting = [each for file in roots for each in self._waiting(file)]
        told = recipients_of(self._journal, roots, files, self._world, waiting=waiting)
        recipients = tuple(_scripted(each, hops) for each in told)
        return recipients, state_of(roots, recipients)

    def _waiting(self, file: QueueFile) -> Iterator[str]:
        """Yield whom the queue itself still has a message for."""
        for each in () if file.closed else self._world.queues.get(file.host, ()):
            if each.queue_id == file.queue_id:
                yield from (recipient.address for recipient in each.recipients)

    def _notices(self, parts: Iterable[Part], depth: int) -> Iterator[Notice]:
        if depth > _NOTICES_OF_NOTICES:
            return
        told = [(entry, event, part) for part in parts for entry, event in part.notices()]
        for entry, event, part in sorted(told, key=lambda each: each[0].at):
            written = self._written(part, entry, event)
            message = self._journal.message_of(written.file) if written is not None else None
            if written is None or message is None:
                yield Notice(
                    event.kind,
                    entry.at,
                    entry.host,
                    event.dsn_queue_id,
                    event.to,
                    None,
                    MessageState.UNKNOWN,
                    (),
                    (),
                    None,
                )
                continue
            own = self._depths(message)
            hops = self._hops(own)
            recipients, state = self._fate(message, hops)
            yield Notice(
                event.kind,
                entry.at,
                entry.host,
                event.dsn_queue_id,
                event.to,
                written.message_id or None,
                state,
                recipients,
                hops,
                self._dsn(written.message_id),
            )
            yield from self._notices(own, depth + 1)

    def _dsn(self, message_id: str) -> Dsn | None:
        """Find what a notification says, where it lies in a mailbox that was looked into."""
        for messages in self._world.mailboxes.values():
            for _, message in messages:
                if message.dsn is not None and message.message_id == message_id:
                    return message.dsn
        return None

    def _hops(self, parts: dict[Part, int]) -> tuple[Hop, ...]:
        """Tell all that happened, in the order of time; of what is of the same time, causes come first."""
        told: list[tuple[int, Hop]] = []
        for part, depth in parts.items():
            told.extend((depth, hop) for hop in self._of(part, first=depth == 0))
            told.extend((depth, hop) for hop in self._surroundings.of(part))
        last = max(parts.values()) + 1
        told.extend((last, hop) for hop in at_the_mailboxes(self._entries, parts))
        told.sort(key=lambda pair: (pair[1].at, pair[0], _RANKS[pair[1].event]))
        return tuple(hop for _, hop in told)

    def _of(self, part: Part, *, first: bool) -> Iterator[Hop]:
        """Tell what the lines of one queue file say."""
        yield from self._taken_in(part, first=first)
        onward = {each.file.queue_id: each for each in self._onward(part)}
        for (entry, delivery), turn in zip(part.deliveries(), self._turns(part), strict=True):
            yield from telling.attempted(
                entry,
                delivery,
                turn,
                clock=self._world.clock,
                onward=onward.get(delivery.next_queue_id or ""),
                tls=self._surroundings.tls(entry),
            )
        for entry in part.entries:
            event = entry.event
            written = self._written(part, entry, event) if isinstance(event, NonDelivery) else None
            yield from telling.happened(entry, self._world.clock, written)

    def _written(self, part: Part, entry: Entry, event: NonDelivery) -> Part | None:
        """Return the queue file of a notification that a line tells of."""
        file = self._journal.written(part.file, entry.at, event)
        return None if file is None else self._parts.get(file)

    def _taken_in(self, part: Part, *, first: bool) -> Iterator[Hop]:
        """Tell how a message came into the queue, and each time the queue manager took it up again."""
        named: list[Entry] = []
        runs: list[tuple[Entry, Accepted]] = []
        for entry in part.entries:
            match entry.event:
                case Received() as event:
                    tls = self._surroundings.tls(entry)
                    yield telling.submitted(entry, event, first=first, tls=tls)
                case Queued():
                    named.append(entry)
                case Accepted() as event:
                    runs.append((entry, event))
        if named or runs:
            yield telling.queued(named, runs[0] if runs else None, part.message_id)
        for number, (entry, _) in enumerate(runs[1:], start=1):
            yield telling.retried(entry, number)

    def _turns(self, part: Part) -> list[telling.Turn]:
        """Number the attempts for each recipient, and say when the next one was or will be."""
        runs = [(entry.at, (event.recipient, event.orig_to)) for entry, event in part.deliveries()]
        counts: dict[tuple[str, str | None], int] = {}
        numbers: list[int] = []
        for _, key in runs:
            numbers.append(counts.get(key, 0))
            counts[key] = numbers[-1] + 1
        following: dict[tuple[str, str | None], datetime] = {}
        waits = self._next_try(part)
        found: list[telling.Turn] = []
        for (at, key), number in zip(reversed(runs), reversed(numbers), strict=True):
            age = max((at - part.first_at).total_seconds(), 0)
            found.append(telling.Turn(number, age, following.get(key, waits)))
            following[key] = at
        return found[::-1]

    def _next_try(self, part: Part) -> datetime | None:
        """Return when a message that waits is tried again, as the queue itself has it."""
        host, queue_id = part.name
        waiting = () if part.file.closed else self._world.queues.get(host, ())
        return next((each.next_try_at for each in waiting if each.queue_id == queue_id), None)


def _scripted(recipient: RecipientState, hops: Sequence[Hop]) -> RecipientState:
    """Tell what a Sieve script made of a copy that LMTP took, and that every MTA calls delivered."""
    user = recipient.address.casefold()
    own = [each for each in hops if str(each.detail.get("user", "")).casefold() == user]
    dropped = [
        each for each in own if each.event is HopEvent.FILTERED and each.detail["action"] == "discarded"
    ]
    stored = any(each.event is HopEvent.STORED for each in own)
    if recipient.state is not MessageState.DELIVERED or stored or not dropped:
        return recipient
    last = dropped[-1]
    return replace(
        recipient, state=MessageState.DISCARDED, dsn=None, reason=last.text, host=last.host, at=last.at
    )
