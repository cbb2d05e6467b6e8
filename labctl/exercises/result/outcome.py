"""How an exercise ended, and whose fault it is where nothing is known of the mail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

from labctl.contract.value import Amount, LabName, Ordinal, Text, When, Word
from labctl.exercises.result.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labctl.exercises.result.narration import Step

_MOST_LINES: Final = 120
_MOST_CHARACTERS: Final = 400
"""Of what is told of a check: a student's daemon may have written any amount of it."""


class Blame(StrEnum):
    """What is broken where the verdict is ``error``."""

    EXERCISE = "exercise"
    """Its file: it can't be imported, raises what it should not, or never ends."""

    LAB = "lab"
    """The engine, a container or a daemon."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one exercise, or a phase of it, ended; `path` and `line` are the exercise's own."""

    verdict: Verdict
    explanation: str = ""
    """Why it did not pass; its last lines, indented, are the evidence."""

    blame: Blame | None = None
    path: str | None = None
    line: int | None = None
    evidence: tuple[str, ...] = ()
    """What proves that: replies, log lines, a letter's journey; anyone may have written them."""

    @property
    def reason(self) -> str:
        """The explanation without the evidence."""
        return self.explanation.removesuffix(told_below(self.evidence))

    def proven_by(self, lines: Iterable[str]) -> Outcome:
        """Return the same with further evidence."""
        evidence = (*self.evidence, *lines)
        return replace(self, explanation=self.reason + told_below(evidence), evidence=evidence)

    @property
    def bounded(self) -> Outcome:
        """The same with no more of explanation and evidence than a report shows."""
        evidence = bounded(self.evidence)
        explanation = "\n".join(bounded(self.reason.splitlines())) + told_below(evidence)
        return replace(self, explanation=explanation, evidence=evidence)

    @property
    def exit_code(self) -> int:
        """What it means for the run as a whole: the highest of all exercises' is the run's."""
        match self.verdict, self.blame:
            case Verdict.ERROR, Blame.LAB:
                return 4
            case Verdict.ERROR, _:
                return 3
            case Verdict.FAILED, _:
                return 1
            case _:
                return 0

    def joined(self, later: Outcome) -> Outcome:
        """Return which of two counts: the graver, and of two alike the first."""
        return later if later.gravity > self.gravity else self

    @property
    def gravity(self) -> tuple[int, bool]:
        """How grave it is, to be compared."""
        return self.exit_code, self.verdict == Verdict.SKIPPED

    def of(
        self, exercise: str, lab: str, title: str, seconds: float = 0.0, steps: tuple[Step, ...] = ()
    ) -> Result:
        """Return an exercise of a lab as one that ended so."""
        told = (self.explanation, self.blame, self.path, self.line)
        return Result(exercise, lab, title, self.verdict, seconds, steps, *told, evidence=self.evidence)


PASSED = Outcome(Verdict.PASSED)


@dataclass(frozen=True, slots=True)
class Result:
    """One exercise that was run."""

    WHEN: ClassVar = When(
        "verdict", Verdict.ERROR, then={"kind": Blame, "explanation": Word}, otherwise={"kind": None}
    )

    id: Text
    lab: LabName
    title: Text
    verdict: Verdict
    """How it ended: error where the exercise or the lab is broken, and nothing is known of the mail."""
    seconds: Amount
    """What it took, without making the lab as new."""
    steps: tuple[Step, ...]
    explanation: str = ""
    """Why it did not pass; empty where it did."""
    kind: Blame | None = None
    """What is broken where the verdict is error."""
    path: Word | None = None
    """The exercise's file."""
    line: Ordinal | None = None
    printed: str = ""
    """What it printed itself."""

    evidence: tuple[str, ...] = ()
    """What its explanation's last lines are: what proves that it did not pass."""

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return Outcome(self.verdict, self.explanation, self.kind, self.path, self.line, self.evidence)


def told_below(evidence: Iterable[str]) -> str:
    """Return evidence as an explanation has it: below what it proves, and indented."""
    return "".join(f"\n  {each}" for each in evidence)


def bounded(lines: Iterable[str]) -> tuple[str, ...]:
    """Return lines that anyone may have written, each short and not too many of them; what is cut is told."""
    every = [
        each if len(each) <= _MOST_CHARACTERS else f"{each[: _MOST_CHARACTERS - 4]} […]" for each in lines
    ]
    if len(every) > _MOST_LINES:
        every[_MOST_LINES - 1 :] = [f"[… {len(every) - _MOST_LINES + 1} more lines]"]
    return tuple(every)
