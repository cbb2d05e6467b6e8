"""What must be known of a message beside its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.mail.log.logevent import Queued, Received
from labctl.mail.state import MessageState
from labctl.trace.journey.hop import HopEvent, Note, NoteKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from labctl.mail.log.delivery import RecipientState
    from labctl.trace.journey.hop import Hop, Notice
    from labctl.trace.logs.part import Part

_LOOPS = ("loops back to myself", "mail forwarding loop", "too many hops")
"""What Postfix says where it sees one."""

_LAST = frozenset({"lmtp", "local", "virtual", "pipe"})
"""The delivery agents that hand a message to a mailbox."""


def notes_of(
    root: Part,
    parts: Mapping[Part, int],
    recipients: Sequence[RecipientState],
    hops: Sequence[Hop],
    notices: Sequence[Notice],
    *,
    twins: int,
) -> tuple[Note, ...]:
    """Tell what must be known of a message.

    Args:
        root: Its first queue file.
        parts: All its queue files, with the number of steps that lead to each.
        recipients: Where each copy is.
        hops: All that happened.
        notices: What was written about it.
        twins: How many other messages have its Message-ID.
    """
    return (
        *_twice(hops, parts),
        *_circles(parts, recipients),
        *_lost(recipients),
        *_unanswered(notices),
        *_unknown(root, parts, recipients, hops, twins),
    )


def _twice(hops: Sequence[Hop], parts: Mapping[Part, int]) -> Iterator[Note]:
    stored = [each for each in hops if each.event is HopEvent.STORED]
    counted: dict[str, list[str]] = {}
    for each in stored:
        counted.setdefault(str(each.detail["user"]).casefold(), []).append(str(each.detail["mailbox"]))
    if not stored:  # without the MDA's log, what the MTAs handed over tells
        for part in parts:
            for _, delivery in part.deliveries():
                last = delivery.next_queue_id is None and delivery.program in _LAST
                if last and delivery.status == "sent":
                    counted.setdefault(delivery.recipient.casefold(), []).append(delivery.relay)
    for user, places in counted.items():
        if len(places) > 1:
            times = "twice" if len(places) == 2 else f"{len(places)} times"  # noqa: PLR2004  # the word for two
            text = f"{user} got it {times}: once is what the sender wanted"
            yield Note(NoteKind.DUPLICATE, text)


def _circles(parts: Mapping[Part, int], recipients: Sequence[RecipientState]) -> Iterator[Note]:
    said = [
        delivery.reply_text
        for part in parts
        for _, delivery in part.deliveries()
        if any(each in delivery.reply_text for each in _LOOPS)
    ]
    visits: dict[str, int] = {}
    for part in parts:
        if part.file.client and part.file.filtered_from is None:
            visits[part.file.host] = visits.get(part.file.host, 0) + 1
    rounds = max(visits.values(), default=1)
    copies = max(len(recipients), 1)
    if said or rounds > copies + 1:
        around = f", after {rounds} visits to one host" if rounds > 1 else ""
        yield Note(NoteKind.LOOP, f"it went in circles{around}" + (f": {said[-1]}" if said else ""))


def _lost(recipients: Sequence[RecipientState]) -> Iterator[Note]:
    lost = [each.address for each in recipients if each.state is MessageState.DISCARDED]
    if lost:
        yield Note(
            NoteKind.VANISHED,
            f"thrown away for {', '.join(lost)}: the sender was told that it was accepted, and nothing else",
        )


def _unanswered(notices: Sequence[Notice]) -> Iterator[Note]:
    for each in notices:
        if each.state in {MessageState.BOUNCED, MessageState.EXPIRED, MessageState.DISCARDED}:
            text = f"the notification {each.queue_id} of {each.host} came to nobody: {each.state}"
            yield Note(NoteKind.DOUBLE_BOUNCE, text)


def _taken_in(part: Part) -> bool:
    return any(isinstance(each.event, Received) for each in part.entries)


def _written_here(part: Part) -> bool:
    """Say whether a message is one of bounce(8)'s own: nobody submits those, they begin with cleanup(8)."""
    sender = part.file.mail_from
    of_bounce = sender is not None and (not sender or sender.startswith("double-bounce@"))
    return of_bounce and any(isinstance(each.event, Queued) for each in part.entries)


def _unknown(
    root: Part,
    parts: Mapping[Part, int],
    recipients: Sequence[RecipientState],
    hops: Sequence[Hop],
    twins: int,
) -> Iterator[Note]:
    if not root.message_id:
        yield Note(NoteKind.NO_ID, "it has no Message-ID, or the log does not have it")
    elif twins:
        others = f"{twins} other message{'s have' if twins > 1 else ' has'}"
        yield Note(NoteKind.DUPLICATE_ID, f"{others} the same Message-ID")
    if not _taken_in(root) and not _written_here(root):
        yield Note(NoteKind.INCOMPLETE, f"the log of {root.file.host} does not have its beginning")
    if any(each.state is MessageState.RELAYED for each in recipients):
        here = {part.file.queue_id for part in parts}
        told = (each.detail for each in hops if each.event is HopEvent.RELAYED)
        hosts = sorted({str(each["next_host"]) for each in told if each.get("next_queue_id") not in here})
        text = f"{', '.join(hosts) or 'another host'} accepted it, and its log does not tell more"
        yield Note(NoteKind.ELSEWHERE, text)
