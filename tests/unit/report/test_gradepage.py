"""The page of grades leads from each attempt to its checks, holds no script, and stays of a bearable size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from labctl.report.grading.page import page
from tests.unit.report.formats import controls
from tests.unit.report.grades import graded, grades
from tests.unit.report.hostile import HOSTILE, spoilt
from tests.unit.report.test_page import Reader

if TYPE_CHECKING:
    from labctl.commands.grade import Grade


def test_each_attempt_of_the_overview_leads_to_its_checks() -> None:
    found = Reader(page(graded()))
    assert (
        {each.removeprefix("#") for each in found.links}
        == {*found.ids}
        == {
            "top",
            *(f"a{n}" for n in range(5)),
        }
    )
    assert len(found.ids) == len(set(found.ids))


def test_a_failed_check_is_told_with_its_evidence_and_its_hint_and_the_log_of_its_host() -> None:
    said = Reader(page(graded())).words
    for each in (
        "1 passed, 1 failed, 1 rejected, 2 errors, in 12.5 s.",
        "✗ failed0 / 2letter-arrivesA letter to bob arrives.",
        "expected: the letter is delivered\n    seen: it is deferred",
        "alice@alpha.test sends\n  451 4.3.0 <bob@beta.test>: no such host",
        "Hint: dig mail.beta.test: where does the relay deliver?",
        "It relays for nobody else. (hidden)",
        "(hidden, try 2)",
        "The last lines of mx-beta",
        "connect from mx.alpha.test",
        "2 other files were ignored",
        "seed 5eed, the roster's",
        "examined before",
    ):
        assert each in said


def test_a_rejected_attempt_is_told_with_its_place_and_the_daemons_words() -> None:
    said = Reader(page(graded())).words
    assert 'beta.test.zone:3: CoreDNS refuses the zoneplugin/file: dns: not a TTL: "MX" at line: 3:9' in said
    assert "Next: mend line 3, then grade it again" in said


def test_the_checks_of_an_attempt_alone_are_open() -> None:
    alone = replace(graded(), attempts=graded().attempts[1:2])
    assert "<details open>" in page(alone)
    assert Reader(page(alone)).links == []
    assert "<details open>" not in page(graded())


def test_three_hundred_attempts_that_say_a_great_deal_are_cut() -> None:
    ben = graded().attempts[1]
    loud = replace(ben.checks[1], evidence=("x" * 1_000_000, *("y" * 400 for _ in range(100))))
    checks = tuple(replace(loud, id=f"check-{n}") for n in range(10))
    logs = {"mx-beta": ("z" * 1_000_000,)}
    many = tuple(replace(ben, id=f"s{n}", checks=checks, logs=logs) for n in range(300))
    written = page(replace(graded(), attempts=many))
    assert len(written.encode()) < 25_000_000
    assert "1,000,000 characters in all" in written


@given(grades())
def test_whatever_a_student_writes_the_page_is_closed_and_does_nothing(result: Grade) -> None:
    found = Reader(page(result))
    assert found.tags & {"script", "img", "iframe", "link", "object", "form"} == set()
    assert {each for each in found.links if not each.startswith("#")} == set()
    assert controls(page(result)) == set()


@pytest.mark.parametrize("junk", HOSTILE)
def test_hostile_text_becomes_text(junk: str) -> None:
    good, bad = Reader(page(graded())), Reader(page(spoilt(graded(), junk)))
    assert bad.tags == good.tags
    assert bad.attributes == good.attributes
    assert "planted" not in bad.ids
