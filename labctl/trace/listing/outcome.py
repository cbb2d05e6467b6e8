"""What became of a message's copies, walked from record to record as `DeliveryTracker` walks a journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.mail.log.delivery import MAX_HOPS, RecipientState
from labctl.mail.state import MessageState, is_final, least_happy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from labctl.trace.listing.record import Copy, Message, Record

_STILL_THERE: Final = (MessageState.SUBMITTED, MessageState.QUEUED)
_HAPPY: Final = (MessageState.DELIVERED, MessageState.RELAYED)


def recipients_of(message: Message, roots: Sequence[Record]) -> tuple[RecipientState, ...]:
    """Return where each recipient's copy is, as far as the logs name recipients."""
    found: list[RecipientState] = []
    for root in roots:
        uses = _requeued(root)
        addresses: dict[str, None] = {}
        for use in uses:
            for copy in use.copies.values():
                addresses[copy.orig_to or copy.recipient] = None
        if not addresses:
            addresses = {use.named: None for use in uses if use.named is not None}
        for address in addresses:
            found += _walk(root, address, address, ())
    for record in message.records:
        if record.refused:
            found += (
                _recipient(record, copy, copy.recipient, copy.state, copy.reason)
                for copy in record.refused
                if not record.follows or copy.recipient not in {each.address for each in found}
            )
    return tuple(found) if len(found) < 2 else tuple(dict.fromkeys(found))  # noqa: PLR2004  # most have one


def state_of(roots: Sequence[Record], recipients: tuple[RecipientState, ...]) -> MessageState:
    """Return the least happy of its recipients' states, those counted in whom no line names.

    Where the first queue file's beginning was not read, nobody knows who else it was for: then it is not
    called delivered or relayed.
    """
    states = [recipient.state for recipient in recipients]
    for root in roots:
        last = _requeued(root)[-1]
        if last.untold:
            states.append(last.state)
    state = states[0] if len(states) == 1 else least_happy(states)
    if state in _HAPPY and not all(root.began for root in roots):
        return MessageState.UNKNOWN
    return state


def _requeued(root: Record) -> list[Record]:
    """Return a record and those that it was requeued as, one after the other."""
    uses = [root]
    if root.requeued_as is None:
        return uses
    while (after := uses[-1].requeued_as) is not None and after not in uses:
        uses.append(after)
    return uses


def _walk(
    record: Record, address: str, original: str, passed: tuple[Record, ...], *, whole: bool = False
) -> Iterator[RecipientState]:
    """Tell where the copies for an address went from one record, whose `whole` may be theirs."""
    copies = list(record.copies.values()) if whole else _copies_for(record, address)
    passed = (*passed, record)
    if not copies or _more_to_come(record, copies, expanded=whole):
        after = record.requeued_as
        if after is not None and after not in passed and len(passed) <= MAX_HOPS:
            yield from _walk(after, address, original, passed, whole=whole)
        else:
            yield RecipientState(
                address, original, record.state, record.dsn, record.reason, record.host, record.since
            )
    for copy in copies:
        state, reason = _outcome(record, copy)
        after = _after(record, copy, state)
        if after is None or after in passed or len(passed) > MAX_HOPS:
            yield _recipient(record, copy, original, state, reason)
        else:
            # local(8) makes a queue file for each address that it forwards; of a list with an owner, it does
            # not say there whom the copies were sent to.
            forwarded = copy.local and state is MessageState.RELAYED
            yield from _walk(after, copy.recipient, original, passed, whole=forwarded)


def _after(record: Record, copy: Copy, state: MessageState) -> Record | None:
    """Return the record that a copy went into."""
    if copy.next_id is not None and record.onward is not None:
        return record.onward.get(copy.next_id)
    if record.filtered_as and state in _HAPPY:  # the filter took it, and gave it back
        return next((each for each in record.filtered_as if _copies_for(each, copy.recipient)), None)
    return None if is_final(state) or state is MessageState.RELAYED else record.requeued_as


def _copies_for(record: Record, address: str) -> list[Copy]:
    """Return the copies that an address's message became in a queue file (aliases, lists)."""
    every = list(record.copies.values())
    if len(every) == 1 and (every[0].orig_to or every[0].recipient) == address:
        return every
    wanted = address.casefold()
    own = [copy for copy in every if (copy.orig_to or copy.recipient).casefold() == wanted]
    own = own or [copy for copy in every if copy.recipient.casefold() == wanted]
    # Rewriting may have changed the address; a message for one recipient is still theirs.
    return own or (every if record.nrcpt == 1 else [])


def _more_to_come(record: Record, copies: list[Copy], *, expanded: bool) -> bool:
    """Whether an alias has copies that nobody has tried to deliver yet."""
    expanded = expanded or any(copy.orig_to is not None for copy in copies)
    return expanded and not record.closed and len(record.copies) < record.nrcpt


def _outcome(record: Record, copy: Copy) -> tuple[MessageState, str | None]:
    """Tell what the last attempt means for a copy."""
    if copy.state is MessageState.DEFERRED and record.state not in _STILL_THERE:
        # Since then the file expired, or was held or removed; why it expired is the last attempt's to say.
        expired = record.state is MessageState.EXPIRED
        return record.state, copy.reason if expired else record.reason or copy.reason
    return copy.state, copy.reason


def _recipient(
    record: Record, copy: Copy, original: str, state: MessageState, reason: str | None
) -> RecipientState:
    return RecipientState(copy.recipient, original, state, copy.dsn, reason, record.host, copy.at)
