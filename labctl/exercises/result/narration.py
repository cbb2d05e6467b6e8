"""The steps of an exercise as they happen: what is done, what was seen, how it ended."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from labctl.contract.value import Amount, Text
from labctl.exercises.result.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Step:
    """One step that is over."""

    text: Text
    verdict: Verdict
    seconds: Amount
    evidence: tuple[str, ...]
    """What was seen: replies, log lines, header fields, DNS answers; a line each."""


class Listener(Protocol):
    """Who is told of steps as they happen."""

    def begins(self, text: str) -> None:
        """Take note that a step begins; it may wait here, as in front of a class."""

    def ended(self, step: Step) -> None:
        """Take note that a step is over."""


class Narrator:
    """Tells the steps of one exercise; what is done within a step belongs to it, and is none of its own."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners
        self._open: list[str] | None = None
        self.steps: list[Step] = []

    @contextmanager
    def step(self, text: str) -> Iterator[list[str]]:
        """Tell a step that lasts as long as the block.

        Yields:
            The list of its evidence, to add lines to.
        """
        if self._open is not None:
            yield self._open
            return
        text = text if text.strip() else "(no words)"
        for listener in self._listeners:
            listener.begins(text)
        evidence: list[str] = []
        self._open = evidence
        began = time.monotonic()
        verdict = Verdict.ERROR
        try:
            yield evidence
            verdict = Verdict.PASSED
        except AssertionError:
            verdict = Verdict.FAILED
            raise
        finally:
            self._open = None
            lines = tuple(line for each in evidence for line in each.splitlines())
            step = Step(text, verdict, time.monotonic() - began, lines)
            self.steps.append(step)
            for listener in self._listeners:
                listener.ended(step)
