"""From what was seen to a score: weights may change, and nothing has to be run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from labctl.contract.value import Amount, Text, When, Word, values
from labctl.grading.job import Observation, Rejection
from labctl.grading.seedfrom import SeedFrom
from labctl.grading.verdict import AttemptVerdict, CheckVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.grading.job import Examination
    from labctl.lab.blueprint.definition import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedCheck(Observation):
    """What was seen of one check, with its points.

    Args:
        score: Its points.
        max_score: The most points that it can give.
        hint: What the lab's author says about where to look; only where it did not pass.
        hidden: Whether it is one of the teacher's hidden checks: not for the student.
    """

    score: Amount
    max_score: Amount
    hint: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class GradedAttempt:
    """One attempt, graded; of one that was rejected or that broke, `explanation` says why.

    Args:
        id: The name of its directory, made longer where two have the same.
        verdict: How it ended: rejected where it can't be used at all, error where a check or the whole lab
            broke.
        score: Its points; of an attempt whose verdict is error they are no score.
        max_score: The most points that there are.
        seed: What all that was random came from; empty where nothing was read.
        seconds: How long the examination took, with the laboratory's coming and going.
        checks: Its checks, in the order of their declaration.
        explanation: Why it was rejected, or what broke; empty otherwise.
        rejection: The same with file, line and the daemon's words, where it was rejected.
        remarks: What else a teacher should know: files that were ignored, a host that ran out of memory.
        logs: The last lines of the hosts that ran what was handed in, by service, where a check failed.
        cached: Whether it had been examined before, and was only weighed now.
        seed_from: Who says that this is its seed: the teacher's roster, the attempt itself, or nobody, and
            then it was made of what was handed in; None where no seed was needed.
    """

    WHEN: ClassVar = When(
        "verdict",
        AttemptVerdict.REJECTED,
        then={"rejection": Rejection, "explanation": Word, "score": Literal[0]},
        otherwise={"rejection": None},
    )

    id: Text
    verdict: AttemptVerdict
    score: Amount
    max_score: Amount
    seed: str
    seconds: Amount
    checks: tuple[GradedCheck, ...]
    explanation: str
    rejection: Rejection | None
    remarks: tuple[str, ...]
    logs: Mapping[str, tuple[str, ...]]
    cached: bool = False
    seed_from: SeedFrom | None = None


def graded(
    examination: Examination,
    checks: Sequence[Check],
    *,
    hidden: frozenset[str] = frozenset(),
    cached: bool = False,
) -> GradedAttempt:
    """Weigh what was seen of an attempt.

    Args:
        examination: What was seen.
        checks: The checks as their authors declare them, with their points.
        hidden: The ids of those that are hidden.
        cached: Whether it was seen in an earlier run.
    """
    seen = {each.id: each for each in examination.checks}
    weighed = tuple(
        _weighed(check, seen[check.id], hidden=check.id in hidden) for check in checks if check.id in seen
    )
    verdict = _verdict(examination, weighed)
    rejection = examination.rejection
    return GradedAttempt(
        id=examination.attempt,
        verdict=verdict,
        score=0 if verdict == AttemptVerdict.REJECTED else sum(each.score for each in weighed),
        max_score=sum(check.points for check in checks),
        seed=examination.seed,
        seconds=examination.seconds,
        checks=weighed,
        explanation=rejection.text if rejection is not None else examination.broken,
        rejection=rejection,
        remarks=examination.remarks,
        logs=examination.logs,
        cached=cached,
        seed_from=examination.seed_from,
    )


def _weighed(check: Check, seen: Observation, *, hidden: bool) -> GradedCheck:
    points = {CheckVerdict.PASSED: check.points, CheckVerdict.BLOCKED: check.points_if_blocked}
    passed = seen.verdict == CheckVerdict.PASSED
    return GradedCheck(
        **values(Observation, seen),
        score=points.get(seen.verdict, 0),
        max_score=check.points,
        hint="" if passed else check.hint,
        hidden=hidden,
    )


def _verdict(examination: Examination, checks: Sequence[GradedCheck]) -> AttemptVerdict:
    if examination.rejection is not None:
        return AttemptVerdict.REJECTED
    verdicts = {each.verdict for each in checks}
    if examination.broken or not checks or CheckVerdict.ERROR in verdicts:
        return AttemptVerdict.ERROR
    well = verdicts <= {CheckVerdict.PASSED, CheckVerdict.SKIPPED}
    return AttemptVerdict.PASSED if well else AttemptVerdict.FAILED
