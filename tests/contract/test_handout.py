"""Handing labs out, and what is found wrong with a lab to grade, need no engine."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.test_help import complete

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


def test_where_a_file_is_in_the_way_nothing_is_written(fails: Fails, tmp_path: Path) -> None:
    (tmp_path / "attempt").mkdir()
    (tmp_path / "attempt/README.md").write_text("mine\n")

    error = fails(2, "init", "fix-the-mx", "attempt")

    assert error["detail"] == {"files": ["README.md"]}
    assert [each.name for each in (tmp_path / "attempt").iterdir()] == ["README.md"]


def test_what_can_not_be_handed_out_is_told(fails: Fails) -> None:
    assert "has no starter/" in fails(2, "init", "two-domains", "attempt")["message"]
    assert fails(2, "init", "no-such-lab", "attempt")["code"] == "no-such-lab"


def test_a_lab_of_ones_own_is_handed_out_like_any_other(labctl: Labctl, mine: Path) -> None:
    ran = labctl("init", str(mine), "attempt")

    assert ran.code == 0
    assert "LABCTL_LABS" in ran.stdout


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

    assert complete(labctl, "labctl init mi", **environ) == ["mine"]
    assert complete(labctl, "labctl labs test mi", **environ) == ["mine"]
    assert complete(labctl, "labctl labs t") == ["test"]
