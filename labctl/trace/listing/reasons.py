"""Why mail did not get where it should, as logs tell: each reason once, and how often."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from labctl.contract.value import Ordinal, Word
from labctl.mail.log.logevent import DeliveryStatus
from labctl.mail.meaning.meaning import Meaning  # noqa: TC001  # its schema is made of it
from labctl.mail.meaning.outcome import explain_outcome, outcome_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labctl.mail.meaning.outcome import Outcome
    from labctl.trace.logs.entry import Entry

_MOST_REASONS: Final = 500
_MOST_TEXTS: Final = 10_000
"""So many different texts are read for their words; of more, which only garbage has, the code tells."""
_LONGEST: Final = 1000
_NAMES: Final = re.compile(r"(?<![^\s<>@])[^\s<>@]*+@[^\s<>]*+|\[[0-9A-Fa-f.:]{3,45}\]|\b[0-9A-Fa-f]{8,}\b")
"""What is another one in each line, and has no part in the meaning."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason that some lines of logs tell."""

    count: Ordinal
    """How many lines tell it."""
    outcome: Word
    """``deferred``, ``bounced``, ``sent`` as the log has it; else ``rejected``, ``held``, ``discarded``,
    ``expired``, ``warning`` or ``not saved``."""
    code: str
    """The enhanced status code; empty where there is none."""
    text: str
    """What the first of them says; empty where it says nothing."""
    recipient: str | None
    """Its recipient, where it names one."""
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Reasons:
    """What logs tell of mail that failed."""

    reasons: tuple[Reason, ...]
    """The most frequent first."""
    delivered: int
    """How many deliveries succeeded."""
    further: int
    """How many lines tell of other reasons; 0 where logs are what they should be."""


def reasons_of(entries: Iterable[Entry], *, also_sent: bool = False) -> Reasons:
    """Count the reasons that entries of logs tell; warnings count where nothing else is told.

    However many entries there are, some megabytes of memory are enough.

    Args:
        entries: The entries.
        also_sent: Whether success is to be explained, too.
    """
    fates, warnings = _Tally(), _Tally()
    delivered = 0
    for entry in entries:
        outcome = outcome_of(entry.event)
        if outcome is None:
            continue
        delivered += outcome.word == DeliveryStatus.SENT
        if outcome.word != DeliveryStatus.SENT or also_sent:
            (fates if outcome.is_fate else warnings).add(outcome)
    tally = fates if fates.found else warnings
    ordered = sorted(tally.found.values(), key=lambda each: -each.count)
    return Reasons(tuple(ordered), delivered, tally.further)


class _Tally:
    """Counts reasons that mean the same."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str, str], Reason] = {}
        self.further = 0
        self._keys: dict[tuple[str, str, str], tuple[str, str, str]] = {}

    def add(self, outcome: Outcome) -> None:
        """Take in what one line tells."""
        text = (outcome.word, outcome.code, _NAMES.sub("@", outcome.said[:_LONGEST]))
        key = self._keys.get(text)
        if key is None:
            known = len(self._keys) < _MOST_TEXTS
            meaning = explain_outcome(outcome if known or not outcome.code else replace(outcome, said=""))
            key = (outcome.word, outcome.code, meaning.title)
            if known:
                self._keys[text] = key
            if key not in self.found and len(self.found) < _MOST_REASONS:
                said = outcome.said[:_LONGEST]
                self.found[key] = Reason(
                    0, outcome.word, outcome.code, said, outcome.address or None, meaning
                )
        if (reason := self.found.get(key)) is not None:
            self.found[key] = replace(reason, count=reason.count + 1)
        else:
            self.further += 1
