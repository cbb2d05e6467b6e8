"""Graded attempts in JUnit's XML, as GitLab's test reports read it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from labctl.grading.verdict import CheckVerdict
from labctl.report.grading.verdict import excerpt, first_line, fitting, hint, named, points, score
from labctl.report.layout.junit import counts, lawful, written
from labctl.report.layout.wrap import brief

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from labctl.commands.grade import Grade
    from labctl.grading.score import GradedAttempt, GradedCheck

_MOST_BYTES: Final = 30_000_000
_ELEMENTS: Final = {
    CheckVerdict.FAILED: "failure",
    CheckVerdict.ERROR: "error",
    CheckVerdict.BLOCKED: "skipped",
    CheckVerdict.SKIPPED: "skipped",
}


def junit(result: Grade) -> str:
    """Return graded attempts as a JUnit report: a suite for each attempt, a case for each check.

    It is for the teacher: hidden checks are in it. GitLab shows a case by its ``classname`` and ``name``, of
    those that share both only the first, and reads files of at most 30 MB ("Unit test reports" in GitLab's
    documentation): of longer ones, evidence is cut here, which is told.
    """
    return fitting(lambda room: _report(result, room), result, _MOST_BYTES)


def _report(result: Grade, room: int) -> str:
    root = ET.Element("testsuites", {"name": "labctl"})
    classes: set[str] = set()
    for each in result.attempts:
        _add(root, each, _apart(f"{result.lab}.{named(each)}", classes), room)
    root.attrib |= counts(root)
    return written(root)


def _apart(name: str, taken: set[str]) -> str:
    """Return a name as XML can hold it, with a number where another is written in the same way."""
    plain = lawful(brief(name, 300))
    found = next(each for n in count(1) if (each := plain if n == 1 else f"{plain} ({n})") not in taken)
    taken.add(found)
    return found


def _add(root: ET.Element, attempt: GradedAttempt, name: str, room: int) -> None:
    suite = ET.SubElement(root, "testsuite", {"name": name})
    facts = ET.SubElement(suite, "properties")
    for key, value in (
        ("verdict", attempt.verdict),
        ("score", score(attempt)),
        ("seed", attempt.seed),
        ("seed_from", attempt.seed_from or ""),
    ):
        ET.SubElement(facts, "property", {"name": key, "value": lawful(brief(value, 500))})
    if attempt.rejection is not None or attempt.explanation:
        _whole(suite, attempt, name, room)
    labels: set[str] = set()
    for check in attempt.checks:
        label = _apart(f"{check.id}: {check.title}", labels)
        case = _case(suite, name, label, check.seconds)
        if (element := _ELEMENTS.get(check.verdict)) is not None:
            _tell(case, element, check.explanation or check.verdict, _told(check, room))
        elif check.tries > 1:
            ET.SubElement(case, "system-out").text = f"passed in examination {check.tries}"
    suite.attrib |= counts(suite)


def _whole(suite: ET.Element, attempt: GradedAttempt, name: str, room: int) -> None:
    """Add a case for what is wrong with an attempt as a whole."""
    case = _case(suite, name, "attempt: It can be graded.", attempt.seconds)
    rejected = attempt.rejection
    if rejected is None:
        _tell(case, "error", attempt.explanation, excerpt(attempt.explanation.splitlines(), room))
        return
    if rejected.file:
        case.set("file", lawful(brief(rejected.file, 300)))
    if rejected.line is not None:
        case.set("line", str(rejected.line))
    said = excerpt([rejected.text, *rejected.said.splitlines()], max(room, 200))
    _tell(case, "failure", rejected.text, [*said, f"hint: {brief(rejected.hint, 500)}"])


def _case(suite: ET.Element, classname: str, name: str, seconds: float) -> ET.Element:
    facts = {"classname": classname, "name": name, "time": f"{seconds:.3f}"}
    return ET.SubElement(suite, "testcase", facts)


def _tell(case: ET.Element, element: str, message: str, lines: Iterable[str]) -> None:
    found = ET.SubElement(case, element, {"message": lawful(brief(first_line(message), 300))})
    found.text = lawful("\n".join(lines))


def _told(check: GradedCheck, room: int) -> Iterator[str]:
    yield from excerpt(check.explanation.splitlines(), max(room, 200))
    if check.evidence:
        yield from (f"    {line}" for line in excerpt(check.evidence, room))
    if told := hint(check):
        yield f"hint: {told}"
    yield f"points: {points(check.score)} of {points(check.max_score)}"
