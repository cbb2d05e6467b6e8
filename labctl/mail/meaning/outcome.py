"""What a line of a mail log says became of mail, to be explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.mail.log import logevent
from labctl.mail.log.mailboxevent import SaveFailed
from labctl.mail.meaning.explanation import explain_reply, explain_state, explain_status, is_known
from labctl.mail.state import MessageState

if TYPE_CHECKING:
    from labctl.mail.meaning.meaning import Meaning


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message or of a copy."""

    word: str
    """``deferred``, ``bounced``, ``sent`` as the log has it; else a `MessageState`, or ``warning``."""
    said: str
    """The words that tell why; empty where there are none."""
    code: str = ""
    """The enhanced status code that stands beside them (``dsn=``) or begins them; empty where none does."""
    address: str = ""
    """The recipient."""
    host: str = ""
    """The next host."""
    is_fate: bool = True
    """Whether it is what became of mail, and not only said on the way to it."""


def outcome_of(event: object) -> Outcome | None:  # noqa: PLR0911  # a return for each kind of event
    """Return what an event of a log says became of mail; None where that is nothing to explain.

    Args:
        event: Any of `labctl.mail.log.logevent` or `labctl.mail.log.mailboxevent`.
    """
    match event:
        case logevent.Delivery():
            host = event.relay.partition("[")[0] if "[" in event.relay else ""
            return Outcome(event.status, event.reply_text, event.dsn, event.recipient, host)
        case logevent.Rejected():
            code = str(event.reply.enhanced or "")
            return Outcome(MessageState.REJECTED, str(event.reply), code, event.rcpt_to or "")
        case logevent.Held():
            return Outcome(MessageState.HELD, event.reason, address=event.rcpt_to or "")
        case logevent.Discarded():
            return Outcome(MessageState.DISCARDED, event.reason, address=event.rcpt_to or "")
        case logevent.Expired():
            return Outcome(MessageState.EXPIRED, "")
        case SaveFailed():
            return Outcome("not saved", event.reason, address=event.user)
        case logevent.Unreachable():
            return Outcome("warning", f"connect to {event.relay}: {event.reason}", is_fate=False)
        case logevent.ConnectionLost():
            what = "timeout" if event.timed_out else "lost connection"
            return Outcome("warning", f"{what} after {event.stage} from {event.client}", is_fate=False)
        case logevent.Remark() if is_known(event.text):
            return Outcome("warning", event.text, is_fate=False)
        case _:
            return None


def explain_outcome(outcome: Outcome) -> Meaning:
    """Explain what became of mail: its code and words, else its state."""
    if outcome.code:
        return explain_status(
            outcome.code,
            outcome.said,
            address=outcome.address,
            host=outcome.host,
            given_up=outcome.word == logevent.DeliveryStatus.BOUNCED,
        )
    if outcome.word in {MessageState.HELD, MessageState.DISCARDED, MessageState.EXPIRED}:
        return explain_state(MessageState(outcome.word))
    return explain_reply(outcome.said, address=outcome.address)
