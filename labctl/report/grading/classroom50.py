"""One graded attempt as the ``result.json`` of Classroom 50, which came after GitHub Classroom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from labctl.errors import GradingError, UsageError
from labctl.grading.verdict import AttemptVerdict, CheckVerdict
from labctl.report.document import dumped
from labctl.report.grading.verdict import excerpt, hint, named, reason, withheld
from labctl.report.layout.plain import harmless
from labctl.report.layout.wrap import brief

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.grading.score import GradedAttempt, GradedCheck

SCHEMA: Final = "classroom50/result/v1"

_ROOM: Final = 4_000
_VARIABLES: Final = {
    "classroom": "CLASSROOM",
    "assignment": "ASSIGNMENT",
    "owner": "OWNER",
    "submission": "SUBMISSION_TAG",
    "commit": "COMMIT_URL",
    "release": "RELEASE_URL",
    "review": "REVIEW_URL",
}
"""What Classroom 50's runner sets for an autograder."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose result it is, in the words of Classroom 50.

    Args:
        classroom: The classroom's short name.
        assignment: The assignment's.
        owner: The login of the repository's owner.
        submission: The tag that was pushed: ``submit/…``.
        commit: A link to the commit.
        release: A link to the release.
        review: A link to all changes.
        at: When it was graded, and handed in as far as is known.
        assignment_type: ``individual``, ``group`` or ``team``.
        username: The login of who pushed; empty where it is not known.
        user_id: Their number.
    """

    classroom: str
    assignment: str
    owner: str
    submission: str
    commit: str
    release: str
    review: str
    at: datetime
    assignment_type: str = "individual"
    username: str = ""
    user_id: int | None = None


def identity(environ: Mapping[str, str], now: datetime) -> Identity:
    """Read whose result it is from the variables that Classroom 50's runner sets.

    The runner puts its own time, owner and type of assignment over those that an autograder writes.

    Args:
        environ: The environment.
        now: The time.

    Raises:
        UsageError: A variable is missing: this is not Classroom 50's runner.
    """
    there = {**environ}
    there.setdefault("OWNER", there.get("USERNAME", ""))
    there["REVIEW_URL"] = there.get("REVIEW_URL") or there.get("COMMIT_URL", "")
    if missing := sorted(name for name in _VARIABLES.values() if not there.get(name)):
        raise UsageError(
            f"{', '.join(missing)} not set: this is not the runner of Classroom 50",
            hint="use --classroom50 in an autograder.py of Classroom 50",
        )
    number = there.get("GITHUB_ACTOR_ID", "")
    return Identity(
        **{field: there[name] for field, name in _VARIABLES.items()},
        at=now,
        assignment_type=there.get("ASSIGNMENT_TYPE") or "individual",
        username=there.get("GITHUB_ACTOR", ""),
        user_id=int(number) if number.isascii() and number.isdigit() else None,
    )


def classroom50(attempt: GradedAttempt, identity: Identity) -> str:
    """Return one attempt as Classroom 50's ``result.json``.

    Its scores are whole numbers. Where all of an attempt's points are whole they are written as they are,
    else in hundredths; each test says how many of its ``scale`` make a point, beside labctl's own verdict.
    The student sees the file, so that of a hidden check only its points are in it, and no logs are. Its
    fields: "The result.json contract" in the chapter "Advanced Autograding" of Classroom 50's manual.

    Raises:
        GradingError: The grader broke, and there is no score. The format has no word for that: an
            autograder writes nothing and fails, and the runner reports the error itself.
    """
    if attempt.verdict == AttemptVerdict.ERROR:
        raise GradingError(
            f"attempt {named(attempt)} has no score: {brief(reason(withheld(attempt)), 500)}",
            hint="grade it again; what broke is no fault of the attempt (labctl doctor)",
        )
    shown = withheld(attempt)
    weights = (attempt.max_score, *(each for one in shown.checks for each in (one.score, one.max_score)))
    scale = 1 if all(float(each).is_integer() for each in weights) else 100
    tests = [_test(each, scale) for each in shown.checks] or [_refused(attempt, scale)]
    content: dict[str, Any] = {
        "schema": SCHEMA,
        **{name: harmless(getattr(identity, name)) for name in (*_VARIABLES, "assignment_type")},
        **dict.fromkeys(("datetime", "graded_at"), f"{identity.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"),
        "score": sum(each["score"] for each in tests),
        "max-score": sum(each["max-score"] for each in tests),
        "tests": tests,
    }
    if identity.username:
        content["submitted_by"] = {"username": harmless(identity.username), "id": identity.user_id}
    return f"{dumped(content)}\n"


def _test(check: GradedCheck, scale: int) -> dict[str, Any]:
    most = round(check.max_score * scale)
    return {
        "test-name": f"{brief(check.id, 100)}: {brief(check.title, 300)}",
        "passed": check.verdict == CheckVerdict.PASSED,
        "score": min(round(check.score * scale), most),  # the collector refuses more
        "max-score": most,
        "scale": scale,
        "verdict": check.verdict,
        "message": "\n".join(excerpt(check.explanation.splitlines(), _ROOM)),
        "output": "\n".join(excerpt(check.evidence, _ROOM)),
        "hint": hint(check),
    }


def _refused(attempt: GradedAttempt, scale: int) -> dict[str, Any]:
    """Stand for all checks of an attempt that can't be used."""
    rejected = attempt.rejection
    return {
        "test-name": "attempt: It can be graded.",
        "passed": attempt.verdict == AttemptVerdict.PASSED,
        "score": 0,
        "max-score": round(attempt.max_score * scale),
        "scale": scale,
        "verdict": attempt.verdict,
        "message": "\n".join(excerpt(attempt.explanation.splitlines(), _ROOM)),
        "output": "\n".join(excerpt(rejected.said.splitlines(), _ROOM)) if rejected is not None else "",
        "hint": brief(rejected.hint, 500) if rejected is not None else "",
    }
