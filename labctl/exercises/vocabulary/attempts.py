"""Attempts to deliver a letter: which ones are meant, and whether there will be more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from labctl.mail.state import MessageState, is_final

if TYPE_CHECKING:
    from labctl.exercises.vocabulary.letter import Attempt, Letter

_HAPPY_ENDS: Final = {MessageState.DELIVERED, MessageState.DISCARDED, MessageState.REJECTED}


@dataclass(frozen=True, slots=True)
class Wish:
    """Which attempt is meant; what is None may be anything."""

    status: str
    dsn: str | None = None
    code: int | None = None
    says: str | None = None
    at: str | None = None
    relay: str | None = None
    recipient: str | None = None

    def fits(self, attempt: Attempt) -> bool:
        """Say whether an attempt is one that is meant."""
        delivery = attempt.delivery
        return (
            delivery.status == self.status
            and self.dsn in {None, delivery.dsn}
            and (self.code is None or re.search(rf"(?<!\d){self.code}[ -]", delivery.reply_text) is not None)
            and (self.says is None or self.says in delivery.reply_text)
            and self.at in {None, attempt.saying.host}
            and (self.relay is None or _names(delivery.relay, self.relay))
        )

    def __str__(self) -> str:
        said = None if self.says is None else f"{self.says}”"
        parts = (
            *(("status=", self.status), ("dsn=", self.dsn), ("reply ", self.code), ("“", said)),
            *(("relay ", self.relay), ("for ", self.recipient), ("at ", self.at)),
        )
        return ", ".join(f"{name}{value}" for name, value in parts if value is not None)


def _names(relay: str, host: str) -> bool:
    """Say whether a relay as logged is a host's: ``beta.test`` is not ``mx.beta.test[203.0.113.20]:25``."""
    return re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w.-])", relay) is not None


def turn(nth: int) -> str:
    """Return in words which of several is meant."""
    return "" if nth == 1 else f", time no. {nth}"


def nth(wish: Wish, letter: Letter, number: int) -> Attempt | None:
    """Return the n-th attempt that fits."""
    fitting = [each for each in letter.attempts(wish.recipient) if wish.fits(each)]
    return fitting[number - 1] if len(fitting) >= number else None


def hopeless(letter: Letter) -> str | None:
    """Return why there won't be another attempt, or None."""
    if not letter.accepted:
        return f"the server refused it: {letter.reply}"
    if not letter.over():
        return None
    tried = list(letter.attempts())
    last = f"; the last attempt: {tried[-1].status} {tried[-1].dsn} ({tried[-1].says})" if tried else ""
    return f"the letter is {letter.state}{last}"


def gone(letter: Letter) -> bool:
    """Say whether every queue file of a letter's is closed."""
    if not letter.accepted:
        return True
    return letter.over() and letter.tracker.gone


def happy(letter: Letter) -> bool:
    """Say whether no copy of a letter failed, or can still fail."""
    if not letter.accepted:
        return True
    states = [each.state for each in letter.tracker.recipients]
    return bool(states) and all(is_final(each) and each in _HAPPY_ENDS for each in states)
