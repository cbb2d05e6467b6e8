"""GitLab reads each attempt as a suite, and each check as a case that no other has the name of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hypothesis import given

from labctl.report.grading.junit import junit
from tests.unit.report.formats import controls, elements, validate
from tests.unit.report.grades import graded, grades

if TYPE_CHECKING:
    from labctl.commands.grade import Grade


def parsed(result: Grade) -> ET.Element:
    return ET.fromstring(junit(result).encode())  # noqa: S314  # made here


def case(root: ET.Element, attempt: str, check: str) -> ET.Element:
    return next(
        each
        for each in root.iter("testcase")
        if each.get("classname") == f"zones.{attempt}" and each.get("name", "").startswith(f"{check}: ")
    )


def test_each_attempt_is_a_suite_with_its_counts() -> None:
    root = parsed(graded())
    assert [
        (each.get("name"), *(each.get(key) for key in ("tests", "failures", "errors", "skipped")))
        for each in root.findall("testsuite")
    ] == [
        ("zones.ada", "5", "0", "0", "0"),
        ("zones.ben", "5", "2", "0", "2"),
        ("zones.cat", "2", "0", "1", "0"),
        ("zones.dan", "1", "1", "0", "0"),
        ("zones.eve", "1", "0", "1", "0"),
    ]
    assert [root.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["14", "3", "2", "2"]


def test_a_failure_says_why_what_proves_it_and_where_to_look() -> None:
    failure = case(parsed(graded()), "ben", "letter-arrives").find("failure")
    assert failure is not None
    assert failure.get("message") == "expected: the letter is delivered"
    assert failure.text == (
        "expected: the letter is delivered\n    seen: it is deferred\n    alice@alpha.test sends\n"
        "      451 4.3.0 <bob@beta.test>: no such host\n"
        "hint: dig mail.beta.test: where does the relay deliver?\npoints: 0 of 2"
    )


def test_a_blocked_check_is_skipped_and_says_what_it_waits_for() -> None:
    skipped = case(parsed(graded()), "ben", "bounce-returns").find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "blocked by letter-arrives"


def test_a_rejected_attempt_is_one_case_that_fails_at_its_file_and_line() -> None:
    [only] = [each for each in parsed(graded()).iter("testcase") if each.get("classname") == "zones.dan"]
    assert (only.get("file"), only.get("line")) == ("beta.test.zone", "3")
    assert 'not a TTL: "MX" at line: 3:9\nhint: mend line 3' in (only.findtext("failure") or "")


def test_what_broke_is_an_error_and_no_failure() -> None:
    assert case(parsed(graded()), "eve", "attempt").findtext("error") == "the engine went away"
    assert case(parsed(graded()), "cat", "mx-resolves").find("failure") is None


def test_the_seed_is_a_property_of_the_suite() -> None:
    found = parsed(graded()).find("testsuite/properties/property[@name='seed']")
    assert found is not None
    assert found.get("value") == "5eed"
    source = parsed(graded()).find("testsuite/properties/property[@name='seed_from']")
    assert source is not None
    assert source.get("value") == "roster"


def test_attempts_whose_names_can_not_be_told_apart_in_xml_have_names_of_their_own() -> None:
    ada = graded().attempts[0]
    ids = ("a\ufffe", "a\ufffd (2)", "a\uffff")
    result = replace(graded(), attempts=tuple(replace(ada, id=each) for each in ids))
    assert [each.get("name") for each in parsed(result)] == [
        "zones.a\ufffd",
        "zones.a\ufffd (2)",
        "zones.a\ufffd (3)",
    ]


def test_checks_whose_names_can_not_be_told_apart_in_xml_have_names_of_their_own() -> None:
    ada = graded().attempts[0]
    checks = tuple(replace(ada.checks[0], id=each, title="T") for each in ("a\ufffe", "a\uffff"))
    suite = parsed(replace(graded(), attempts=(replace(ada, checks=checks),)))[0]
    assert [each.get("name") for each in suite.iter("testcase")] == ["a\ufffd: T", "a\ufffd: T (2)"]


def test_a_report_that_would_be_too_long_for_gitlab_has_less_evidence() -> None:
    ben = graded().attempts[1]
    loud = replace(ben.checks[1], evidence=tuple("&" * 400 for _ in range(50)))
    checks = tuple(replace(loud, id=f"check-{n}") for n in range(20))
    many = replace(graded(), attempts=tuple(replace(ben, id=f"s{n}", checks=checks) for n in range(20)))
    written = junit(many)
    assert len(written.encode()) <= 30_000_000
    assert "more lines]" in written
    assert "seen: it is deferred" in written


@given(grades())
def test_whatever_a_student_writes_it_is_a_report_with_a_case_for_each_check(result: Grade) -> None:
    written = junit(result)
    root = parsed(result)
    validate(elements(root), "junit")
    names = [(each.get("classname"), each.get("name")) for each in root.iter("testcase")]
    assert len(names) == len(set(names))
    assert controls(written) == set()
    assert controls("".join(root.itertext())) == set()
