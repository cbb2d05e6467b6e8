"""When things would happen outside a laboratory: by Postfix's own rules, never by a factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from labctl.mail.clock import in_words
from labctl.mail.log.logevent import DeliveryStatus, Expired, NotificationKind, Queued, Received

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from labctl.exercises.vocabulary.letter import Attempt, Letter
    from labctl.lab.blueprint.clock import Clock
    from labctl.trace.logs.entry import Entry

_FOR_NOW: Final = {DeliveryStatus.DEFERRED, DeliveryStatus.SOFTBOUNCE}

_WAITED: Final = {
    "Connection timed out": "connect_timeout",
    "timed out while receiving the initial server greeting": "helo_timeout",
    "timed out while performing the": "helo_timeout",
    "timed out while sending MAIL FROM": "mail_timeout",
    "timed out while sending RCPT TO": "rcpt_timeout",
    "timed out while sending DATA command": "data_init_timeout",
    "timed out while sending message body": "data_xfer_timeout",
    "timed out while sending end of data": "data_done_timeout",
}
"""What an agent says whose patience is at an end, and the setting that says so (postconf(5))."""


def of_attempt(
    letter: Letter, attempt: Attempt, clock: Clock, flushed: Sequence[tuple[str, datetime]]
) -> Iterator[str]:
    """Say when an attempt was made and when the next is due: here, and outside a laboratory.

    Args:
        letter: The letter.
        attempt: The attempt.
        clock: The lab's clock.
        flushed: Which hosts the exercise made try at once what waited, and when.
    """
    here = attempt.saying
    own = [each for each in letter.attempts(attempt.delivery.recipient) if each.saying.host == here.host]
    number = own.index(attempt)
    deferred = attempt.status in _FOR_NOW
    if not deferred and number == 0:
        return
    what = f"retry no. {number}" if number else "first attempt"
    began = sum(attempt.delivery.delays[:2])  # before the queue manager, and in it: qmgr(8), "delays="
    by_hand = [at for host, at in flushed if host == here.host and at < here.at]
    if not by_hand:
        yield f"{what} after {began:.1f} s; in the real world {_after(clock.real.attempt_at(number))}"
    elif len(by_hand) == 1 and own[number - 1].saying.at < by_hand[0]:
        itself = _after(clock.real.attempt_at(number))
        yield f"{what} after {began:.1f} s, made by hand; by itself it comes in the real world {itself}"
    else:
        yield f"{what} after {began:.1f} s"
    yield from _patience(attempt, clock)
    ends = clock.lab.lifetime(bounce=not letter.mail_from)
    if deferred and not by_hand and attempt.delivery.delay < ends:
        due = clock.lab.next_attempt(attempt.delivery.delay)
        real = clock.real.attempt_at(number + 1)
        yield f"the next attempt is due after {in_words(due)}; in the real world {_after(real)}"


def _patience(attempt: Attempt, clock: Clock) -> Iterator[str]:
    """Say which setting ended an attempt at a host that said nothing."""
    setting = next((name for text, name in _WAITED.items() if text in attempt.says), None)
    if setting is None or attempt.status not in _FOR_NOW:
        return
    name = f"{attempt.delivery.program}_{setting}".replace("lmtp_helo", "lmtp_lhlo")
    waited = sum(attempt.delivery.delays[2:])  # in connecting, and in transmitting
    if (real := clock.patience.get(name)) is not None and waited:
        limit = f"after {in_words(real)}" if real else "when the kernel does, after minutes"
        yield f"it gave up after {waited:.1f} s ({name}); in the real world {limit}"


def of_report(letter: Letter, kind: NotificationKind, saying: Entry, clock: Clock) -> Iterator[str]:
    """Say when a warning, or a bounce after expiry, would have come outside a laboratory.

    Args:
        letter: The letter that it is about.
        kind: Which kind of report.
        saying: The line that tells of its writing.
        clock: The lab's clock.
    """
    lines = [each for each in letter.sayings() if each.host == saying.host]
    arrived = next((each.at for each in lines if isinstance(each.event, Received | Queued)), saying.at)
    after = f"after {(saying.at - arrived).total_seconds():.1f} s; in the real world "
    warned_at = clock.real.warning_at()
    if kind == NotificationKind.DELAYED and warned_at is not None:
        yield f"warned {after}{_after(warned_at)}"
    elif kind == NotificationKind.FAILED and any(
        isinstance(each.event, Expired) and not each.event.forced for each in lines
    ):
        yield f"given up {after}{_after(clock.real.expires_at(bounce=not letter.mail_from))}"


def _after(seconds: float) -> str:
    return f"after {in_words(seconds)}" if seconds else "at once"
