"""The report for CI servers is XML whatever was in a mail, and says what the result says."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from labctl.commands.run import Run
from labctl.exercises.result.narration import Step
from labctl.exercises.result.outcome import Blame, Result
from labctl.exercises.result.verdict import Verdict
from labctl.report.layout.junit import junit
from tests.unit.report.grades import ANYTHING


def parsed(result: Run) -> ET.Element:
    return ET.fromstring(junit(result).encode())  # noqa: S314  # made here


def test_each_lab_is_a_suite_and_each_exercise_a_case(examples: dict[str, Any]) -> None:
    root = parsed(examples["labctl/run/v1"])
    assert [root.get(each) for each in ("tests", "failures", "errors", "skipped")] == ["5", "1", "2", "1"]
    suites = root.findall("testsuite")
    assert [(each.get("name"), each.get("tests")) for each in suites] == [("bounces", "2"), ("delays", "3")]
    cases = root.findall(".//testcase")
    assert [[one.tag for one in case if not one.tag.startswith("system-")] for case in cases] == [
        [],
        ["failure"],
        ["error"],
        ["error"],
        ["skipped"],
    ]
    failure = cases[1].find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == (
        "expected: a bounce",
        "expected: a bounce\n    seen: the letter is delivered",
    )
    assert [each.get("type") for each in root.iter("error")] == ["exercise", "lab"]
    assert cases[0].findtext("system-out") == (
        "A letter arrives.\npassed: alice@alpha.test sends\n    250 2.0.0 Ok: queued as 4bXy1z\n"
    )
    assert cases[1].findtext("system-err") == "what it printed\n"


@given(ANYTHING, ANYTHING, st.sampled_from(Verdict))
def test_whatever_a_mail_or_an_exercise_said_the_report_is_xml(
    one: str, other: str, verdict: Verdict
) -> None:
    step = Step(one, verdict, 0.1, (other,))
    result = Result(one, "a", other, verdict, 1, (step,), other, Blame.LAB, one, 1, other)
    [case] = parsed(Run((result,), 1)).iter("testcase")
    assert case.get("line") == "1"
