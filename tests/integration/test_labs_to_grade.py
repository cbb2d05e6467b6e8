"""Every lab to grade is as it declares, and so is the one that labs/README.md shows.

By day each check is seen failing, by the starter or a mutant; by night all mutants and variants are graded.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl import resources
from labctl.grading import alteration
from labctl.lab import catalogue
from labctl.lab.blueprint import definition
from tests.integration.conftest import TO_GRADE, by_night

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labctl.grading.alteration import Alteration
    from tests.integration.conftest import Labctl

README = Path(__file__).parents[2] / "labs/README.md"

LABS = [
    by_night(each.id) if each.id == TO_GRADE else each.id  # whole, in test_readme.py
    for each in catalogue.all_labs({})
    if each.checks
]

FAILED_BY_STARTERS = {
    "build-beta": {"the-dns-names-the-host", "mail-for-bob-is-taken", "bob-sends"},
    "deferred-forever": {"beta-is-where-the-dns-says", "the-mailbox-is-reached", "letters-go-out"},
    "imap-and-pop3": {
        *("the-server-tells-of-new-mail", "pop3-fetches-mail", "the-usual-mailboxes-are-there"),
        *("a-list-has-its-mailbox", "a-mailbox-is-bounded"),
    },
    "relay-closed": {"strangers-can-not-relay"},
}
"""Checks that fail for a lab's starter, and need no mutant to be seen failing."""

LONGEST = 1200.0
"""Seconds for all attempts of a lab, where other tests have the machine, too."""


def cases(labctl: Labctl, lab: str | Path) -> list[dict[str, Any]]:
    """Return the cases of a lab's own tests, all of which have to be as declared."""
    ran = labctl("labs", "test", str(lab), "--json", within=LONGEST)
    assert ran.stdout, ran
    found: list[dict[str, Any]] = labctl.document_of(ran.stdout)["cases"]
    assert [each for each in found if not each["ok"]] == []
    assert ran.code == 0
    return found


def shortened(lab: str, copy: Path) -> Path:
    """Copy a lab with as few mutants as make fail what its starter does not."""
    shutil.copytree(resources.labs_dir() / lab, copy)
    altered = alteration.of_lab(definition.load(copy))
    kept: list[Alteration] = []
    unseen = all_that_fails(altered) - FAILED_BY_STARTERS.get(lab, set())
    while unseen:
        kept.append(max(altered, key=lambda each: (len(each.fails & unseen), -len(each.fails))))
        unseen -= kept[-1].fails
    for each in altered:
        if each not in kept:
            shutil.rmtree(each.directory)
    return copy


def all_that_fails(altered: Iterable[Alteration]) -> set[str]:
    return {check for each in altered for check in each.fails}


@pytest.mark.parametrize("lab", LABS)
def test_a_lab_tells_right_solutions_from_its_starter_and_from_its_mutants(
    lab: str, labctl: Labctl, tmp_path: Path, nightly: bool
) -> None:
    found = cases(labctl, lab if nightly else shortened(lab, tmp_path / "lab"))

    assert [each["kind"] for each in found[:2]] == ["solution", "starter"]
    assert {*found[1]["failed"]} >= FAILED_BY_STARTERS.get(lab, set())
    altered = alteration.of_lab(definition.load(resources.labs_dir() / lab))
    assert {check for each in found for check in each["failed"]} >= all_that_fails(altered)


def test_the_lab_that_is_shown_to_teachers_works_as_it_is_written(labctl: Labctl, tmp_path: Path) -> None:
    _, section = README.read_text(encoding="utf-8").split("\n## Write a lab to grade\n")
    shown = re.findall(r"^```\w*\n# (\S+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    for path, content in shown:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content, encoding="utf-8")

    assert [(each["kind"], each["score"]) for each in cases(labctl, tmp_path)] == [
        ("solution", 5),
        ("starter", 1),
        ("variant", 5),
        ("mutant", 4),
        ("mutant", 2),
    ]
