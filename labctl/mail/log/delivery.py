"""Where a message is, told from the logs of all hosts.

What they say goes into a `Journal` in any interleaving of the hosts (each host's own order is kept). From the
queue files that a message came in as, one walk leads along "queued as" to the next host and along "forwarded
as" to the next queue file, to where each recipient's copy is now. What it finds depends on what the journal
holds, not on which host was read first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.contract.value import Word
from labctl.mail.content.message import normal_message_id
from labctl.mail.log.journal import Journal
from labctl.mail.state import MessageState, is_final, least_happy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from labctl.mail.log.logevent import Event
    from labctl.mail.log.queuefile import Copy, QueueFile
    from labctl.mail.reply import SmtpReply

MAX_HOPS: Final = 50
"""Postfix's own ``hopcount_limit``: what went further goes in circles."""

_HAPPY: Final = (MessageState.DELIVERED, MessageState.RELAYED)


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

    @classmethod
    def of(
        cls, host: str, copy: Copy, original: str, state: MessageState, reason: str | None
    ) -> RecipientState:
        """Tell of a copy at the last host that tries, or refuses, to take it."""
        return cls(copy.recipient, original, state, copy.dsn, reason, host, copy.at)

    @classmethod
    def refused(cls, host: str, copy: Copy) -> RecipientState:
        """Tell of a recipient that a host refused."""
        return cls.of(host, copy, copy.recipient, copy.state, copy.reason)


def addresses_of(root: QueueFile) -> tuple[str, ...]:
    """Return whom a message was for when it came in, as far as the log names them."""
    uses = _requeued(root)
    tried = [copy.original for use in uses for copy in use.copies.values()]
    named = tried or [each for use in uses for each in use.named]
    return tuple(named) if len(named) < 2 else distinct(named)  # noqa: PLR2004  # most have one


def distinct(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return each address once, as it comes first: upper and lower case are the same."""
    found: dict[str, str] = {}
    for each in addresses:
        found.setdefault(each.casefold(), each)
    return tuple(found.values())


def fates(
    journal: Journal, root: QueueFile, addresses: Iterable[str]
) -> Iterator[tuple[RecipientState, Copy | None]]:
    """Tell where each recipient's copy is, with the last attempt for it, if there was one.

    Args:
        journal: What the logs said.
        root: The queue file that the message came in as.
        addresses: Whom it was for; an alias has as many copies as it expands to.
    """
    for address in addresses:
        yield from _walk(journal, root, address, address, ())


def refusals(
    roots: Iterable[QueueFile], files: Iterable[QueueFile], told: Iterable[RecipientState]
) -> Iterator[RecipientState]:
    """Tell whom hosts refused that took a message in for others.

    Args:
        roots: The queue files that it came in as.
        files: All its queue files.
        told: Whose copies are told already: what a further host refused, the one before tells of.
    """
    first = set(roots)
    known = {each.address for each in told}
    for file in files:
        for copy in file.refused:
            if file in first or copy.recipient not in known:
                yield RecipientState.refused(file.host, copy)


def state_of(roots: Sequence[QueueFile], recipients: Sequence[RecipientState]) -> MessageState:
    """Return the least happy of a message's recipients' states, those counted in whom no line names."""
    states = [recipient.state for recipient in recipients]
    for root in roots:
        last = _requeued(root)[-1]
        if last.untold:
            states.append(last.state)
    return states[0] if len(states) == 1 else least_happy(states)


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
        self.journal.take(host, at, event)

    @property
    def state(self) -> MessageState:
        """The message's state: the least happy of its recipients'."""
        return least_happy(recipient.state for recipient in self.recipients)

    @property
    def recipients(self) -> tuple[RecipientState, ...]:
        """Where each recipient's copy is; an alias has as many as it expands to."""
        if self._cache is None or self._cache[0] != self.journal.version:
            found = dict.fromkeys((*self._found(), *self._refused))
            self._cache = (self.journal.version, tuple(found))
        return self._cache[1]

    @property
    def knows_all(self) -> bool:
        """Whether no recipient is left to be told by the first host's log, where only that tells them."""
        root = self._root()
        return self._recipients is not None or root is None or root.closed or len(root.copies) >= root.nrcpt

    @property
    def queue_ids(self) -> tuple[tuple[str, str], ...]:
        """Every (host, queue id) that the message is known to have had, the first host's first."""
        return tuple((file.host, file.queue_id) for file in self._trail())

    @property
    def gone(self) -> bool:
        """Whether it is known to have left each queue that it was in."""
        trail = self._trail()
        return bool(trail) and all(file.closed for file in trail)

    def _root(self) -> QueueFile | None:
        if self._queue_id is None:
            return None
        return self.journal.holding(self._host, self._queue_id, self.message_id)

    def _found(self) -> Iterator[RecipientState]:
        root = self._root()
        if root is None:
            state = MessageState.UNKNOWN if self._queue_id is None else MessageState.SUBMITTED
            for address in self._recipients or ():
                yield RecipientState(address, address, state, host=self._host)
            return
        addresses = addresses_of(root) if self._recipients is None else self._recipients
        for recipient, _ in fates(self.journal, root, addresses):
            yield recipient

    def _trail(self) -> list[QueueFile]:
        trail: dict[QueueFile, None] = {}
        ahead = [root] if (root := self._root()) is not None else []
        while ahead:
            file = ahead.pop(0)
            if file not in trail:
                trail[file] = None
                ahead.extend(self.journal.after(file))
        return list(trail)


def _refused(address: str, reply: SmtpReply, host: str) -> RecipientState:
    return RecipientState(address, address, MessageState.REJECTED, reply.dsn, str(reply), host)


def _requeued(root: QueueFile) -> list[QueueFile]:
    """Return a queue file and those that it was requeued as, one after the other."""
    uses = [root]
    while (after := uses[-1].requeued_as) is not None and after not in uses:
        uses.append(after)
    return uses


def _walk(
    journal: Journal,
    file: QueueFile,
    address: str,
    original: str,
    passed: tuple[QueueFile, ...],
    *,
    whole: bool = False,
) -> Iterator[tuple[RecipientState, Copy | None]]:
    """Tell where the copies for an address went from one queue file, whose `whole` may be theirs."""
    copies = list(file.copies.values()) if whole else file.copies_for(address)
    passed = (*passed, file)

    def may_go_to(after: QueueFile | None) -> bool:
        return after is not None and after not in passed and len(passed) <= MAX_HOPS

    if not copies or _more_to_come(file, copies, expanded=whole):
        after = file.requeued_as
        if after is not None and may_go_to(after):
            yield from _walk(journal, after, address, original, passed, whole=whole)
        else:
            yield (
                RecipientState(address, original, file.state, file.dsn, file.reason, file.host, file.since),
                None,
            )
    for copy in copies:
        state, reason = file.outcome(copy)
        after = _went_to(journal, file, copy, state)
        if after is not None and may_go_to(after):
            # local(8) makes a queue file for each address that it forwards; of a list with an owner, it does
            # not say there whom the copies were sent to.
            forwarded = copy.program == "local" and state is MessageState.RELAYED
            yield from _walk(journal, after, copy.recipient, original, passed, whole=forwarded)
        else:
            yield RecipientState.of(file.host, copy, original, state, reason), copy


def _went_to(journal: Journal, file: QueueFile, copy: Copy, state: MessageState) -> QueueFile | None:
    """Return the queue file that a copy went into."""
    if copy.next_id is not None and (found := journal.onward(file, copy)) is not None:
        return found
    if state not in _HAPPY:
        return None if is_final(state) else file.requeued_as
    back = journal.given_back(file)  # a content filter took it perhaps
    of_copy = (each for each in back if each.copies_for(copy.recipient))
    return next(of_copy, None) or next((each for each in back if each.untold), None) if back else None


def _more_to_come(file: QueueFile, copies: list[Copy], *, expanded: bool) -> bool:
    """Whether an alias has copies that nobody has tried to deliver yet."""
    expanded = expanded or any(copy.orig_to is not None for copy in copies)
    return expanded and not file.closed and len(file.copies) < file.nrcpt
