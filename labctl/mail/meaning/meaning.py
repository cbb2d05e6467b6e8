"""What a code, a reply or a state means, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from labctl.contract.value import Rule, Word


@dataclass(frozen=True, slots=True)
class Meaning:
    """An explanation for a person who may never have heard of SMTP."""

    subject: str
    """What was explained: ``4.4.1``, ``550 5.1.1``, ``deferred``; words where there is no code."""
    title: Word
    """A few words: ``no answer from the host``."""
    text: Word
    """What it means."""
    cause: Word
    """What usually causes it."""
    next: Annotated[tuple[Word, ...], Rule(least=1)]
    """What to look at next, the most promising first."""
    sources: Annotated[tuple[Word, ...], Rule(least=1)]
    """Where it is written: sections of RFCs, manual pages, vendors' documentation."""
