"""What a code, a reply or a state means, in plain words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """An explanation for a person who may never have heard of SMTP."""

    subject: str
    """What was explained: ``4.4.1``, ``550 5.1.1``, ``deferred``; words where there is no code."""
    title: str
    """A few words: ``no answer from the host``."""
    text: str
    """What it means."""
    cause: str
    """What usually causes it."""
    next: tuple[str, ...]
    """What to look at next, the most promising first."""
    sources: tuple[str, ...]
    """Where it is written: sections of RFCs, manual pages, vendors' documentation."""
