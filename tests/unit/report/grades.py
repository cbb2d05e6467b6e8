"""Graded attempts to write reports of: one by hand, and any at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st

from labctl.commands.grade import Grade
from labctl.grading.job import Rejection
from labctl.grading.score import GradedAttempt, GradedCheck
from labctl.grading.seedfrom import SeedFrom
from labctl.grading.verdict import AttemptVerdict, CheckVerdict
from tests.unit.report.hostile import HOSTILE

ANYTHING: Final = st.text(st.characters(codec=None, exclude_categories=()), max_size=40) | st.sampled_from(
    [
        "\x00\x1b[2J\x9b\x07",
        "::error::owned\n##[error]owned",
        "]]></failure><!--",
        "</script></pre></style><script>",
        "````\n# owned\n```",
        "| a | b |\n[x](javascript:y) @someone <img src=x>",
        '=HYPERLINK("x")',
        "\t+1",
        "\u202egnp.exe\ud800\ufffe",
        "\r\n\u2028\x85",
        *HOSTILE,
    ]
)
"""Text as a student may bring it about, bytes that are no text included."""


def graded() -> Grade:
    """Return one attempt of each verdict, with a check of each verdict, and one that is hidden."""

    def check(name: str, title: str, verdict: CheckVerdict, score: float, **more: Any) -> GradedCheck:
        seen: dict[str, Any] = {"tries": 1, "explanation": "", "hint": "", "evidence": (), "seconds": 0.5}
        return GradedCheck(
            id=name, title=title, verdict=verdict, score=score, max_score=2, **{**seen, **more}
        )

    found = check("mx-resolves", "The MX of beta.test is found.", CheckVerdict.PASSED, 2)
    failed = check(
        "letter-arrives",
        "A letter to bob arrives.",
        CheckVerdict.FAILED,
        0,
        explanation="expected: the letter is delivered\n    seen: it is deferred",
        hint="dig mail.beta.test: where does the relay deliver?",
        evidence=("alice@alpha.test sends", "  451 4.3.0 <bob@beta.test>: no such host"),
    )
    blocked = check(
        "bounce-returns",
        "A letter to nobody comes back.",
        CheckVerdict.BLOCKED,
        0.5,
        explanation="blocked by letter-arrives",
        hint="look at the bounce",
    )
    skipped = check("later", "Not today.", CheckVerdict.SKIPPED, 0, explanation="not today")
    hidden = check(
        "no-open-relay",
        "It relays for nobody else.",
        CheckVerdict.FAILED,
        0,
        explanation="expected: 554 5.7.1\n    seen: 250 2.1.5",
        hint="mynetworks",
        evidence=("RCPT TO:<quinn@elsewhere.test>",),
        hidden=True,
    )
    broke = check(
        "mx-resolves", "The MX of beta.test is found.", CheckVerdict.ERROR, 0, explanation="dns is gone"
    )

    def attempt(name: str, verdict: AttemptVerdict, *checks: GradedCheck, **more: Any) -> GradedAttempt:
        other: dict[str, Any] = {"explanation": "", "rejection": None, "remarks": (), "logs": {}}
        score = sum(each.score for each in checks)
        return GradedAttempt(
            id=name,
            verdict=verdict,
            score=score,
            max_score=10,
            seed="5eed",
            seed_from=SeedFrom.ROSTER,
            seconds=3.25,
            checks=checks,
            **{**other, **more},
        )

    refused = Rejection(
        "config-rejected",
        "CoreDNS refuses the zone",
        "mend line 3, then grade it again",
        "beta.test.zone",
        3,
        "dns",
        'plugin/file: dns: not a TTL: "MX" at line: 3:9',
    )
    return Grade(
        "zones",
        "A zone of one's own",
        (
            attempt(
                "ada",
                AttemptVerdict.PASSED,
                *(replace(found, id=each.id, title=each.title) for each in (found, failed, blocked, skipped)),
                replace(found, id=hidden.id, title=hidden.title, hidden=True, tries=2),
            ),
            attempt(
                "ben",
                AttemptVerdict.FAILED,
                *(found, failed, blocked, skipped, hidden),
                remarks=("2 other files were ignored",),
                logs={"mx-beta": ("postfix/smtpd: connect from mx.alpha.test",)},
            ),
            attempt("cat", AttemptVerdict.ERROR, broke, replace(found, id="later"), cached=True),
            attempt("dan", AttemptVerdict.REJECTED, explanation=refused.text, rejection=refused),
            attempt("eve", AttemptVerdict.ERROR, explanation="the engine went away"),
        ),
        seconds=12.5,
    )


def grades(least: int = 0) -> st.SearchStrategy[Grade]:
    """Return a strategy for grades of attempts with any text in them.

    Args:
        least: The fewest attempts.
    """
    lines = st.lists(ANYTHING, max_size=4).map(tuple)
    points = st.integers(0, 4).map(float) | st.floats(0, 100).map(lambda each: round(each, 2))
    check = st.builds(
        GradedCheck,
        id=ANYTHING,
        title=ANYTHING,
        verdict=st.sampled_from(CheckVerdict),
        score=st.just(0.0),
        max_score=points,
        tries=st.integers(1, 2),
        explanation=ANYTHING,
        hint=ANYTHING,
        evidence=lines,
        seconds=st.floats(0, 1000),
        hidden=st.booleans(),
    ).map(lambda each: replace(each, score=each.max_score if each.verdict == CheckVerdict.PASSED else 0))
    checks = st.lists(check, max_size=3, unique_by=lambda each: each.id).map(tuple)
    refused = st.builds(
        Rejection,
        code=st.just("config-rejected"),
        text=ANYTHING,
        hint=ANYTHING,
        file=st.none() | ANYTHING,
        line=st.none() | st.integers(1, 9),
        service=st.none() | ANYTHING,
        said=ANYTHING,
    )
    attempt = st.builds(
        _attempt,
        name=ANYTHING.filter(bool),
        checks=checks,
        rejection=st.none() | refused,
        broken=st.just("") | ANYTHING,
        remarks=lines,
        logs=st.dictionaries(st.sampled_from(["dns", "mx-beta"]), lines),
    )
    attempts = st.lists(attempt, min_size=least, max_size=3, unique_by=lambda each: each.id).map(tuple)
    return st.builds(
        Grade, lab=st.just("zones"), title=ANYTHING, attempts=attempts, seconds=st.floats(0, 9e4)
    )


def _attempt(
    *,
    name: str,
    checks: tuple[GradedCheck, ...],
    rejection: Rejection | None,
    broken: str,
    remarks: tuple[str, ...],
    logs: dict[str, tuple[str, ...]],
) -> GradedAttempt:
    """Return an attempt whose verdict is that of its parts."""
    verdicts = {each.verdict for each in checks}
    if rejection is not None:
        verdict, checks, broken = AttemptVerdict.REJECTED, (), rejection.text
    elif broken or not checks or CheckVerdict.ERROR in verdicts:
        verdict = AttemptVerdict.ERROR
    else:
        well = verdicts <= {CheckVerdict.PASSED, CheckVerdict.SKIPPED}
        verdict = AttemptVerdict.PASSED if well else AttemptVerdict.FAILED
    return GradedAttempt(
        id=name,
        verdict=verdict,
        score=sum(each.score for each in checks),
        max_score=sum(each.max_score for each in checks) or 4,
        seed=name,
        seconds=1.5,
        checks=checks,
        explanation=broken,
        rejection=rejection,
        remarks=remarks,
        logs=logs,
    )
