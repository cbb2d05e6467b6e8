"""One graded attempt as the ``results.json`` that Gradescope's autograder reads."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from labctl.grading.verdict import AttemptVerdict, CheckVerdict
from labctl.report.document import dumped
from labctl.report.grading.verdict import excerpt, hint, located, score, seeded
from labctl.report.layout.plain import harmless
from labctl.report.layout.wrap import brief

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.grading.score import GradedAttempt, GradedCheck

_ROOM: Final = 20_000


def gradescope(attempt: GradedAttempt, title: str) -> str:
    """Return one attempt as Gradescope's ``results.json``.

    A hidden check has the visibility ``hidden``: Gradescope shows it to teachers alone, also when grades are
    published. Logs are not in it, for they tell what hidden checks did.

    Gradescope wants a score of the whole, or of each test ("Output format" in its autograder
    specifications, https://gradescope-autograders.readthedocs.io/en/latest/specs/), and adds up the tests'
    where the whole has none. Of an attempt whose verdict is ``error`` nothing may become a grade, so that
    neither has a score there, nor a status: Gradescope has no grade to take, and the text says why.

    Args:
        attempt: The attempt.
        title: The lab's.
    """
    known = attempt.verdict != AttemptVerdict.ERROR
    content: dict[str, Any] = {
        "output": _output(attempt, title),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "execution_time": round(attempt.seconds, 3),
        "extra_data": {
            "attempt": harmless(attempt.id),
            "verdict": attempt.verdict,
            "seed": harmless(attempt.seed),
            "seed_from": attempt.seed_from,
            "labctl": version("labctl"),
        },
        "tests": [_test(each, n, known=known) for n, each in enumerate(attempt.checks, start=1)],
    }
    return f"{dumped({'score': attempt.score, **content} if known else content)}\n"


def _output(attempt: GradedAttempt, title: str) -> str:
    lines = [f"{brief(title, 300)}: {attempt.verdict}, {score(attempt)}, {seeded(attempt)}"]
    rejected = attempt.rejection
    if rejected is not None:
        lines.append(brief(located(rejected), 1300))
        lines.extend(f"    {each}" for each in excerpt(rejected.said.splitlines(), _ROOM))
        lines.append(f"hint: {brief(rejected.hint, 500)}")
    elif attempt.explanation:
        lines.extend(excerpt(attempt.explanation.splitlines(), _ROOM))
    if attempt.verdict == AttemptVerdict.ERROR:
        lines.append("The grader broke, not your system: this is no score, and it has to be graded again.")
    lines.extend(f"note: {each}" for each in excerpt(attempt.remarks, _ROOM))
    return "\n".join(lines)


def _test(check: GradedCheck, number: int, *, known: bool) -> dict[str, Any]:
    weighed: dict[str, Any] = {"score": check.score, "max_score": check.max_score}
    if check.verdict != CheckVerdict.SKIPPED:
        weighed["status"] = "passed" if check.verdict == CheckVerdict.PASSED else "failed"
    return {
        **(weighed if known else {}),
        "name": f"{brief(check.id, 100)}: {brief(check.title, 300)}",
        "number": str(number),
        "output": "\n".join(_told(check)),
        "tags": [check.verdict],
        "visibility": "hidden" if check.hidden else "visible",
    }


def _told(check: GradedCheck) -> Iterator[str]:
    yield from excerpt(check.explanation.splitlines(), _ROOM)
    yield from (f"    {line}" for line in excerpt(check.evidence, _ROOM))
    if told := hint(check):
        yield f"hint: {told}"
