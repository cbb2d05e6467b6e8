"""Handing labs out, and what is found wrong with a lab to grade, need no engine."""

from __future__ import annotations

import csv
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.contract.conftest import Labctl

    MakeLab = Callable[[Path, str], Path]
    Fails = Callable[..., dict[str, Any]]

LAB = """
id = "mine"
title = "A lab of one's own"
topology = "two-domains"

[[editable]]
path = "beta.test.zone"
service = "dns"
target = "/etc/coredns/zones/beta.test.zone"

[[checks]]
id = "mx-resolves"
points = 2
"""

CHECKS = """
def test_mx_resolves(lab):
    '''The MX of beta.test has an address.'''
"""


@pytest.fixture
def mine(tmp_path: Path, make_lab: MakeLab) -> Path:
    """Return a lab to grade, with a mutant."""
    directory = make_lab(tmp_path / "labs/mine", LAB)
    for name in ("starter", "solution", "mutants/no-mx", "checks"):
        (directory / name).mkdir(parents=True)
    (directory / "checks/test_zone.py").write_text(CHECKS)
    for name in ("starter", "solution", "mutants/no-mx"):
        (directory / name / "beta.test.zone").write_text(f"; {name}\n")
    (directory / "mutants/no-mx/mutant.toml").write_text('title = "No MX"\nfails = ["mx-resolves"]\n')
    return directory


def test_a_lab_is_handed_out_as_a_document(
    labctl: Labctl, tmp_path: Path, valid_document: Callable[[Mapping[str, Any]], None]
) -> None:
    ran = labctl("init", "fix-the-mx", "attempt", "--json")

    assert (ran.code, ran.stderr) == (0, "")
    valid_document(ran.document)
    assert (ran.document["lab"], ran.document["directory"]) == ("fix-the-mx", "attempt")
    assert all((tmp_path / "attempt" / each).is_file() for each in ran.document["files"])
    assert tomllib.loads((tmp_path / "attempt/labctl.toml").read_text())["lab"] == "fix-the-mx"


def test_a_person_is_told_what_was_written_and_what_comes_next(labctl: Labctl) -> None:
    said = labctl("init", "fix-the-mx", "my attempt").stdout

    assert said.startswith("Lab fix-the-mx is in my attempt:\n")
    for each in ("README.md", "labctl.toml", ".github/workflows/labctl.yml", ".gitlab-ci.yml"):
        assert f"\n  {each}\n" in said
    assert said.endswith("cd 'my attempt' && labctl grade .\n")


def seed_of(attempt: Path) -> str:
    seed = tomllib.loads((attempt / "labctl.toml").read_text())["seed"]
    assert isinstance(seed, str)
    return seed


def test_a_seed_that_was_drawn_stands_in_the_roster_and_one_that_stands_there_is_handed_out(
    labctl: Labctl, tmp_path: Path
) -> None:
    roster = tmp_path / "roster.csv"
    roster.write_text("attempt,seed\nbob,00000000000000b0\n")

    for name in ("attempts/bob", "attempts/=amy", "attempts/bob"):
        ran = labctl("init", "why-did-it-bounce", name, "--seed-from", "roster.csv")
        assert (ran.code, ran.stderr) == (0, "")

    with roster.open(newline="") as file:
        found = list(csv.reader(file))
    drawn = seed_of(tmp_path / "attempts/=amy")
    assert found == [["attempt", "seed"], ["bob", "00000000000000b0"], ["'=amy", drawn]]
    assert seed_of(tmp_path / "attempts/bob") == "00000000000000b0"


def test_where_nothing_is_handed_out_the_roster_has_no_new_row(fails: Fails, tmp_path: Path) -> None:
    (tmp_path / "amy").mkdir()
    (tmp_path / "amy/README.md").write_text("mine\n")

    fails(2, "init", "why-did-it-bounce", "amy", "--seed-from", "roster.csv")

    assert not (tmp_path / "roster.csv").exists()


def test_a_roster_that_is_wrong_is_told_with_file_and_line_before_an_engine_is_sought(
    fails: Fails, labctl: Labctl, tmp_path: Path
) -> None:
    labctl("init", "why-did-it-bounce", "amy")
    (tmp_path / "roster.csv").write_text("attempt,seed\namy,5eed\n")

    for command in (("init", "fix-the-mx", "bob", "--seed-from"), ("grade", "amy", "--seeds")):
        error = fails(2, *command, "roster.csv")
        assert error["detail"]["line"] == 2
        assert "5eed" in error["message"]
    assert not (tmp_path / "bob").exists()


def test_a_roster_that_a_student_could_have_written_is_not_believed(
    fails: Fails, labctl: Labctl, tmp_path: Path
) -> None:
    labctl("init", "why-did-it-bounce", "amy", "--seed-from", "roster.csv")
    (tmp_path / "roster.csv").rename(tmp_path / "amy/roster.csv")

    assert "lies in the attempt" in fails(2, "grade", "amy", "--seeds", "amy/roster.csv")["message"]


def test_what_can_not_be_handed_out_is_told(fails: Fails, tmp_path: Path) -> None:
    assert "has no starter/" in fails(2, "init", "two-domains", "attempt")["message"]
    assert fails(2, "init", "no-such-lab", "attempt")["code"] == "no-such-lab"
    assert not (tmp_path / "attempt").exists()


def test_a_mutant_that_is_wrong_is_told_with_file_and_line_before_an_engine_is_sought(
    fails: Fails, mine: Path
) -> None:
    file = mine / "mutants/no-mx/mutant.toml"
    file.write_text('title = "No MX"\nfails = ["mx-resolvs"]\n')

    error = fails(3, "labs", "test", str(mine))

    assert (error["code"], error["detail"]) == ("invalid-lab-file", {"path": str(file), "line": 2})


def test_only_a_lab_to_grade_can_be_tested(fails: Fails, mine: Path) -> None:
    assert "not one to be graded" in fails(2, "labs", "test", "two-domains")["message"]
    assert fails(2, "labs", "test", "no-such-lab")["code"] == "no-such-lab"
    assert fails(4, "labs", "test", str(mine))["code"] == "engine-unavailable"


def test_labs_to_hand_out_and_to_test_complete(labctl: Labctl, mine: Path) -> None:
    environ = {"LABCTL_LABS": str(mine.parent)}

    assert labctl.completed("labctl init mi", **environ) == ["mine"]
    assert labctl.completed("labctl labs test mi", **environ) == ["mine"]
    assert labctl.completed("labctl labs t") == ["test"]
