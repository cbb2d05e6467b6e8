"""Refusals before a message had a queue id, and the deliveries that tell of them already."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from labctl.mail.log.queuefile import Copy

if TYPE_CHECKING:
    from datetime import datetime

    from labctl.mail.log.logevent import Rejected

NEAR: Final = timedelta(seconds=5)
"""How far a refusal and the line of the delivery that quotes it may be apart."""

_LONGEST: Final = 1000
"""Characters of a reply by which it is known again."""
_SAID: Final = " said: "
_MOST_QUOTES: Final = 1000
_MOST_ALIKE: Final = 64
"""How many refusals from one address to another are kept in sight: more were made to cost time."""


@dataclass(slots=True, eq=False)
class Refusal:
    """A message that was refused before it had a queue id."""

    host: str
    at: datetime
    mail_from: str | None
    copy: Copy
    told: bool = False
    """Whether a delivery tells of it."""


class Refusals:
    """Joins what one host refused to the delivery of another that was refused.

    Two hosts log it then: ``NOQUEUE: reject: RCPT from …: 550 5.1.1 …`` and ``status=bounced (host … said:
    550 5.1.1 …)``. It is one message's fate. Which line comes first depends on the hosts' clocks.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], deque[Refusal]] = {}
        self._quotes: OrderedDict[tuple[str, str], tuple[datetime, str]] = OrderedDict()

    def add(self, host: str, at: datetime, event: Rejected) -> Refusal:
        """Take in a refusal, and return what is remembered of it."""
        refusal = Refusal(host, at, event.mail_from, Copy.refused(at, event))
        if refusal.mail_from is None:
            return refusal
        key = refusal.mail_from, refusal.copy.recipient
        if (quote := self._quotes.get(key)) is not None and _is_told(refusal, *quote):
            refusal.told = True
        else:
            self._waiting.setdefault(key, deque(maxlen=_MOST_ALIKE)).append(refusal)
        return refusal

    def quoted(self, at: datetime, mail_from: str | None, recipient: str, reply_text: str) -> None:
        """Take in what a delivery says about being refused."""
        _, said, reply = reply_text.partition(_SAID)
        if not said or mail_from is None:
            return
        key = mail_from, recipient
        reply = reply[:_LONGEST]
        for refusal in self._waiting.get(key, ()):
            refusal.told = refusal.told or _is_told(refusal, at, reply)
        self._quotes[key] = at, reply
        self._quotes.move_to_end(key)
        if len(self._quotes) > _MOST_QUOTES:
            self._quotes.popitem(last=False)

    def forget(self, refusal: Refusal) -> Refusal:
        """Return a refusal whose time is over, and forget it; of each address's, the oldest comes first."""
        key = refusal.mail_from or "", refusal.copy.recipient
        alike = self._waiting.get(key)
        if alike and alike[0] is refusal:
            alike.popleft()
            if not alike:
                del self._waiting[key]
        return refusal


def _is_told(refusal: Refusal, at: datetime, reply: str) -> bool:
    said = refusal.copy.reason[:_LONGEST]
    return abs(at - refusal.at) <= NEAR and bool(said) and reply.startswith(said)
