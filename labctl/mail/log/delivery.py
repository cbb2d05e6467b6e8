"""Where a message is, told from the logs of all hosts.

Events go into a `Journal` in any interleaving of the hosts (each host's own order is kept). A
`DeliveryTracker` walks it from the queue id under which the message was submitted, along "queued as" to the
next host and along "forwarded as" to the next queue file, to where each recipient's copy is now. What it
finds depends on what the journal holds, not on which host was read first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from labctl.contract.value import Word
from labctl.mail.content.message import normal_message_id
from labctl.mail.log.journal import Attempt, Journal, QueueFile
from labctl.mail.log.logevent import Delivery, DeliveryStatus, Event, NotificationKind
from labctl.mail.state import MessageState, contradicts, is_final, least_happy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from labctl.mail.reply import SmtpReply

__all__ = [
    "DeliveryTracker",
    "Journal",
    "MessageState",
    "Notification",
    "RecipientState",
    "contradicts",
    "is_final",
    "least_happy",
]

MAX_HOPS: Final = 50
"""Postfix's own ``hopcount_limit``: what went further goes in circles."""

_STATES: Final[dict[str, MessageState]] = {
    DeliveryStatus.SENT: MessageState.RELAYED,  # until a mailbox took it: sent is not delivered
    DeliveryStatus.DEFERRED: MessageState.DEFERRED,
    DeliveryStatus.SOFTBOUNCE: MessageState.DEFERRED,
    DeliveryStatus.BOUNCED: MessageState.BOUNCED,
}


@dataclass(frozen=True, slots=True)
class RecipientState:
    """Where one recipient's copy is."""

    address: str
    """To whom it goes at the last host that tells: an alias is expanded here."""
    original: str
    """To whom it was submitted."""
    state: MessageState
    dsn: Word | None = None
    """The enhanced status code of the last attempt."""
    reason: str | None = None
    host: str = ""
    """The host whose log says so; empty where none does."""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """A message that bounce(8) wrote about this one."""

    at: datetime
    host: str
    queue_id: str
    kind: NotificationKind
    message_id: str | None
    """None until the log says it."""


class DeliveryTracker:
    """Follows one message from its submission to each of its recipients.

    Args:
        message_id: Its Message-ID.
        queue_id: What the first host queued it as; None where it was not accepted, or did not say.
        host: The first host, as the events name it.
        recipients: The envelope's recipients that the first host accepted; None where only its log
            tells them, as it does with the first attempt for each.
        refused: Those it refused, each with its reply.
        journal: Shared by the trackers of many messages, or None for one of its own.
    """

    def __init__(
        self,
        message_id: str,
        queue_id: str | None,
        host: str,
        recipients: Iterable[str] | None,
        *,
        refused: Iterable[tuple[str, SmtpReply]] = (),
        journal: Journal | None = None,
    ) -> None:
        self.message_id = normal_message_id(message_id)
        self.journal = Journal() if journal is None else journal
        self._queue_id = queue_id
        self._host = host
        self._recipients = None if recipients is None else tuple(dict.fromkeys(recipients))
        self._refused = tuple(_refused(address, reply, host) for address, reply in refused)
        self._cache: tuple[int, tuple[RecipientState, ...]] | None = None

    def feed(self, host: str, at: datetime, event: Event | None) -> None:
        """Take in what a host's log says; events of other messages do no harm."""
        self.journal.feed(host, at, event)

    @property
    def state(self) -> MessageState:
        """The message's state: the least happy of its recipients'."""
        return least_happy(recipient.state for recipient in self.recipients)

    @property
    def recipients(self) -> tuple[RecipientState, ...]:
        """Where each recipient's copy is; an alias has as many as it expands to."""
        if self._cache is None or self._cache[0] != self.journal.version:
            found = (state for address in self._addresses() for state in self._from_root(address))
            self._cache = (self.journal.version, (*dict.fromkeys(found), *self._refused))
        return self._cache[1]

    @property
    def knows_all(self) -> bool:
        """Whether no recipient is left to be told by the first host's log, where only that tells them."""
        root = self._root()
        return self._recipients is not None or root is None or root.closed or len(root.attempts) >= root.nrcpt

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """What bounce(8) wrote about this message, on any host on its way, in the order of time."""
        found = []
        for file in self._trail():
            for at, event in file.notifications:
                written = self.journal.last(file.host, event.dsn_queue_id)
                message_id = written.message_id if written else None
                found.append(Notification(at, file.host, event.dsn_queue_id, event.kind, message_id))
        return tuple(sorted(found, key=lambda notification: notification.at))

    @property
    def queue_ids(self) -> tuple[tuple[str, str], ...]:
        """Every (host, queue id) that the message is known to have had, the first host's first."""
        return tuple((file.host, file.queue_id) for file in self._trail())

    def _addresses(self) -> tuple[str, ...]:
        if self._recipients is not None:
            return self._recipients
        root = self._root()
        tried = () if root is None else root.attempts
        return tuple(dict.fromkeys(orig_to or recipient for recipient, orig_to in tried))

    def _root(self) -> QueueFile | None:
        if self._queue_id is None:
            return None
        return self.journal.holding(self._host, self._queue_id, self.message_id)

    def _from_root(self, address: str) -> Iterator[RecipientState]:
        root = self._root()
        if root is None:
            state = MessageState.UNKNOWN if self._queue_id is None else MessageState.SUBMITTED
            yield RecipientState(address, address, state, host=self._host)
            return
        for found in self._walk(root, address, ()):
            yield replace(found, original=address)

    def _walk(
        self, file: QueueFile, address: str, passed: tuple[QueueFile, ...], *, whole: bool = False
    ) -> Iterator[RecipientState]:
        """Tell where the copies for an address went from one queue file, whose `whole` may be theirs."""
        attempts = list(file.attempts.values()) if whole else _attempts_for(file, address)
        if not attempts or _more_to_come(file, attempts, expanded=whole):
            here = RecipientState(address, address, file.state, file.dsn, file.reason, file.host, file.since)
            yield from self._onward(here, file.requeued_as, (*passed, file), whole=whole)
        for at, delivery in attempts:
            here = _outcome(file, at, delivery)
            next_file = None if is_final(here.state) else file.requeued_as
            if here.state is MessageState.RELAYED:
                next_file = self.journal.onward(file, delivery, self.message_id)
            # local(8) makes a queue file for each address that it forwards; of a list with an owner, it does
            # not say there whom the copies were sent to.
            forwarded = here.state is MessageState.RELAYED and delivery.program == "local"
            yield from self._onward(here, next_file, (*passed, file), whole=forwarded)

    def _onward(
        self,
        here: RecipientState,
        next_file: QueueFile | None,
        passed: tuple[QueueFile, ...],
        *,
        whole: bool = False,
    ) -> Iterator[RecipientState]:
        if next_file is None or next_file in passed or len(passed) > MAX_HOPS:
            yield here
        else:
            yield from self._walk(next_file, here.address, passed, whole=whole)

    def _trail(self) -> list[QueueFile]:
        trail: dict[QueueFile, None] = {}
        ahead = [self._root()]
        while ahead:
            file = ahead.pop(0)
            if file is None or file in trail:
                continue
            trail[file] = None
            ahead.append(file.requeued_as)
            ahead.extend(
                self.journal.onward(file, delivery, self.message_id) for _, delivery in file.attempts.values()
            )
        return list(trail)


def _refused(address: str, reply: SmtpReply, host: str) -> RecipientState:
    dsn = str(reply.enhanced) if reply.enhanced else None
    return RecipientState(address, address, MessageState.REJECTED, dsn, str(reply), host)


def _attempts_for(file: QueueFile, address: str) -> list[Attempt]:
    """Return the last attempt for each copy that an address's message became in a file (aliases, lists)."""
    wanted = address.casefold()
    every = list(file.attempts.values())
    own = [pair for pair in every if (pair[1].orig_to or pair[1].recipient).casefold() == wanted]
    own = own or [pair for pair in every if pair[1].recipient.casefold() == wanted]
    # Rewriting may have changed the address; a message for one recipient is still theirs.
    return own or (every if file.nrcpt == 1 else [])


def _more_to_come(file: QueueFile, attempts: list[Attempt], *, expanded: bool) -> bool:
    """Whether an alias has copies that nobody has tried to deliver yet."""
    expanded = expanded or any(delivery.orig_to is not None for _, delivery in attempts)
    return expanded and not file.closed and len(file.attempts) < file.nrcpt


def _outcome(file: QueueFile, at: datetime, delivery: Delivery) -> RecipientState:
    """Tell what the last delivery attempt means for its recipient's copy."""
    state = _STATES.get(delivery.status, MessageState.UNKNOWN)
    reason = delivery.reply_text
    if state is MessageState.RELAYED and delivery.program == "discard":
        state = MessageState.DISCARDED
    elif state is MessageState.RELAYED and delivery.next_queue_id is None and delivery.program != "smtp":
        # LMTP's acceptance is the mailbox's own (RFC 2033, section 4.2), and other agents deliver themselves.
        state = MessageState.DELIVERED
    elif state is MessageState.DEFERRED and file.state not in (MessageState.SUBMITTED, MessageState.QUEUED):
        # Since then the file expired, or was held or removed; why it expired is the last attempt's to say.
        state = file.state
        reason = reason if state is MessageState.EXPIRED else file.reason or reason
    return RecipientState(
        delivery.recipient,
        delivery.orig_to or delivery.recipient,
        state,
        dsn=delivery.dsn,
        reason=reason,
        host=file.host,
        at=at,
    )
