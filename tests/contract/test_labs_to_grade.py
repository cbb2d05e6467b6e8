"""What every lab to grade of the catalogue has to bring; whether it is true, integration tests find out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from labctl.commands import labstest
from labctl.grading import alteration
from labctl.lab import catalogue

if TYPE_CHECKING:
    from labctl.lab.blueprint.definition import LabDefinition

LABS = [each for each in catalogue.all_labs({}) if each.checks]

WANTED = {
    "fix-the-mx",
    "why-did-it-bounce",
    "deferred-forever",
    "imap-and-pop3",
    "build-beta",
    "relay-closed",
}


def test_the_labs_to_grade_are_there() -> None:
    assert {each.id for each in LABS} >= WANTED


@pytest.mark.parametrize("lab", LABS, ids=[each.id for each in LABS])
def test_a_lab_to_grade_is_complete(lab: LabDefinition) -> None:
    labstest.prepare(lab.id, {})
    assert (lab.directory / "README.md").is_file()
    assert lab.grading is not None
    assert [each.id for each in lab.checks if not each.hint] == []


@pytest.mark.parametrize("lab", LABS, ids=[each.id for each in LABS])
def test_no_check_passes_for_every_mutant(lab: LabDefinition) -> None:
    found = {each for altered in alteration.of_lab(lab) for each in altered.fails}
    for _ in lab.checks:  # what is blocked by what failed, and by what that blocked
        found |= {each.id for each in lab.checks if found & {*each.needs}}

    assert {each.id for each in lab.checks} - found == set()


@pytest.mark.parametrize("lab", LABS, ids=[each.id for each in LABS])
def test_a_handout_that_tells_the_points_tells_those_that_are_given(lab: LabDefinition) -> None:
    handout = (lab.directory / "README.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| .* \| (\d+) \|$", handout, re.MULTILINE)

    assert [float(each) for each in told] in ([], [each.points for each in lab.checks])


@pytest.mark.parametrize("lab", LABS, ids=[each.id for each in LABS])
def test_a_lab_says_whether_its_seed_decides_what_is_asked(lab: LabDefinition) -> None:
    code = [*lab.directory.glob("*.py"), *lab.directory.glob("checks/*.py")]
    shared = any(re.search(r"\bchance\.of\(", each.read_text(encoding="utf-8")) for each in code)

    assert lab.grading is not None
    assert lab.grading.seeded == shared
