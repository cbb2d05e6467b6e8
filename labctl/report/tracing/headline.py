"""One sentence about a message: what became of it, and who stopped it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from labctl.mail.meaning.explanation import explain_reply
from labctl.mail.state import MessageState, least_happy
from labctl.report.layout.wrap import brief
from labctl.trace.picture.path import Mark, Path, Station, StationKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.mail.log.delivery import RecipientState
    from labctl.mail.meaning.meaning import Meaning
    from labctl.trace.journey.hop import TracedMessage

NAMES: Final = {
    Mark.PASSED: "✓",
    Mark.HERE: "●",
    Mark.WAITING: "◷",
    Mark.FAILED: "✗",
    Mark.NOT_REACHED: "·",
    Mark.UNKNOWN: "?",
}
"""The sign of each mark; none is told by its colour alone."""

_WORDS: Final = {
    Mark.HERE: "HERE",
    Mark.WAITING: "HERE",
    Mark.FAILED: "failed",
    Mark.NOT_REACHED: "not reached",
    Mark.UNKNOWN: "unknown",
}

SIGNS: Final = {
    MessageState.REJECTED: NAMES[Mark.FAILED],
    MessageState.BOUNCED: NAMES[Mark.FAILED],
    MessageState.EXPIRED: NAMES[Mark.FAILED],
    MessageState.DISCARDED: NAMES[Mark.FAILED],
    MessageState.UNKNOWN: NAMES[Mark.UNKNOWN],
    MessageState.RELAYED: NAMES[Mark.UNKNOWN],
    MessageState.DELIVERED: NAMES[Mark.HERE],
}
"""The sign of each state; of those that are missing here, the sign of what waits."""

_STOPPED: Final = (MessageState.BOUNCED, MessageState.EXPIRED, MessageState.REJECTED, MessageState.DEFERRED)


def sign(state: MessageState) -> str:
    """Return the sign of a state."""
    return SIGNS.get(state, NAMES[Mark.WAITING])


def told(station: Station) -> str:
    """Say in words what a station did, else what its frame says; empty where it has passed the message on."""
    words = brief(station.says) or _WORDS.get(station.state)
    return f"{NAMES[station.state]} {words}" if words else ""


def headline(message: TracedMessage, ways: Sequence[Path]) -> str:
    """Tell in one sentence what became of a message.

    Args:
        message: The message.
        ways: Its `paths`.
    """
    forward = [each for each in ways if each.notice is None]
    state = least_happy(each.state for way in forward for each in way.recipients)
    way = next((way for way in forward if any(each.state is state for each in way.recipients)), None)
    if way is None:
        return f"{message.state}."
    recipient = next(each for each in way.recipients if each.state is state)
    said = _sentence(way, recipient)
    if len(message.recipients) == 1:
        return f"{state}: {said}"
    count = Counter(each.state for each in message.recipients)
    states = ", ".join(f"{count[each]} {each}" for each in reversed(MessageState) if count[each])
    return f"{states}: {said}"


def meaning_of(recipient: RecipientState) -> Meaning | None:
    """Explain why a recipient's copy went no further; None where nothing stopped it."""
    if recipient.state not in _STOPPED or not recipient.reason:
        return None
    return explain_reply(
        recipient.reason,
        address=recipient.address,
        given_up=recipient.state is not MessageState.DEFERRED,
    )


def _sentence(way: Path, recipient: RecipientState) -> str:  # noqa: PLR0911  # a return for each state
    address = brief(recipient.address, 80) or "its recipient"
    here = _last(way, Mark.HERE, Mark.WAITING)
    failed = _last(way, Mark.FAILED)
    at = brief(here.name if here else recipient.host, 80) or "an MTA"
    match recipient.state:
        case MessageState.DELIVERED:
            return _delivered(way, address)
        case MessageState.RELAYED:
            taker = next((each for each in reversed(way.stations) if each.kind is StationKind.MTA), None)
            return f"{brief(taker.name, 80) if taker else at} took it for {address}, and its log is not here"
        case MessageState.DEFERRED:
            when = next((each for each in (here.lines if here else ()) if each.startswith("next try")), "")
            return f"it waits at {at} for {address}{_why(recipient)}{f'; {brief(when, 30)}' if when else ''}"
        case MessageState.HELD:
            return f"it is on hold at {at}, until an operator releases it"
        case MessageState.SUBMITTED | MessageState.QUEUED:
            return f"it is in the queue of {at}, for {address}"
        case MessageState.DISCARDED:
            who = brief(failed.name, 80) if failed else at
            return f"{who} threw it away, and nobody was told"
        case MessageState.UNKNOWN:
            return f"the logs that are here do not tell what became of the copy for {address}"
        case _:
            return f"{_who_stopped(way, recipient)} {address}{_why(recipient)}"


def _delivered(way: Path, address: str) -> str:
    last = way.stations[-1]
    where = next((each for each in way.stations if each.kind is StationKind.MDA), None)
    copies = next(
        (f", {each.partition(': ')[2]}" for each in (where.lines if where else ()) if " copies: " in each), ""
    )
    others = len(way.recipients) - 1
    address += f" and {others} more" if others else ""
    if last.state is Mark.HERE:
        return f"{address} has it: {brief(last.says)}"
    place = f" {brief(where.name, 80)}" if where else ""
    seen = f", who {brief(last.says)}" if last.state is Mark.PASSED and not others else ""
    return f"it lies at{place} in the mailbox of {address}{copies}{seen}"


def _who_stopped(way: Path, recipient: RecipientState) -> str:
    failed = _last(way, Mark.FAILED)
    if failed is not None and failed.kind is StationKind.DNS:
        return "the DNS knows no way to"
    if failed is not None and recipient.state is not MessageState.EXPIRED:
        verb = "refused" if failed.says.startswith("refused") else "did not pass it on to"
        return f"{brief(failed.name, 80)} {verb}"
    host = brief(failed.name if failed else recipient.host, 80) or "an MTA"
    return f"{host} gave up on" if recipient.state is MessageState.EXPIRED else f"{host} gave it back, for"


def _why(recipient: RecipientState) -> str:
    found = meaning_of(recipient)
    if found is None:
        return f" ({recipient.dsn})" if recipient.dsn else ""
    return f": {brief(found.title, 100)}" + (f" ({brief(recipient.dsn, 12)})" if recipient.dsn else "")


def _last(way: Path, *marks: Mark) -> Station | None:
    return next((each for each in reversed(way.stations) if each.state in marks), None)
