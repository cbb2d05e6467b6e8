"""`labctl exercises` and `labctl run` as scripts meet them, without an engine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from labctl.exercises.catalogue import discovery
from labctl.lab import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.contract.conftest import Labctl

OWN = 'id = "own"\ntitle = "x"\ntopology = "two-domains"\n'
EXERCISE = '''
def test_it_arrives(lab):
    """A letter arrives.

    By way of two servers.
    """
'''


@pytest.fixture
def own(tmp_path: Path, make_lab: Callable[[Path, str], Path]) -> Path:
    """A lab with one exercise."""
    directory = make_lab(tmp_path / "own", OWN)
    (directory / "exercises").mkdir()
    (directory / "exercises/test_it.py").write_text(EXERCISE)
    return directory


def test_the_exercises_of_a_lab_are_listed_without_an_engine(
    labctl: Labctl, own: Path, valid_document: Callable[[Mapping[str, Any]], None]
) -> None:
    said = labctl("exercises", str(own), "--json").document
    valid_document(said)
    [exercise] = said["exercises"]
    assert (exercise["id"], exercise["lab"], exercise["title"]) == ("it-arrives", "own", "A letter arrives.")
    assert exercise["description"] == "By way of two servers."
    text = labctl("exercises", str(own))
    assert text.stdout == "own/it-arrives\n  A letter arrives.\n    By way of two servers.\n"


def test_where_no_lab_is_named_the_exercises_are_those_of_the_first(labctl: Labctl) -> None:
    said = labctl("exercises", "--json").document
    expected = [("two-domains", each.id) for each in discovery.of_lab(catalogue.find("two-domains", {}))]
    assert [(each["lab"], each["id"]) for each in said["exercises"]] == expected


def test_a_lab_without_exercises_has_none(
    labctl: Labctl, tmp_path: Path, make_lab: Callable[[Path, str], Path]
) -> None:
    directory = make_lab(tmp_path / "own", OWN)
    assert labctl("exercises", str(directory)).stdout == "No exercises.\n"


def test_a_file_of_exercises_that_is_no_python_is_a_bad_lab(fails: Callable[..., Any], own: Path) -> None:
    path = own / "exercises/test_it.py"
    path.write_text("x = 1\ndef test_it(")
    error = fails(3, "exercises", str(own))
    assert error["detail"] == {"path": str(path), "line": 2}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--lab", "nowhere"), "no-such-lab"),
        (("nowhere/it",), "no-such-lab"),
        (("nowhere.py",), "no-such-exercise"),
        (("two-domains/no-such-exercise",), "no-such-exercise"),
        (("no-such-exercise", "--lab", "two-domains"), "no-such-exercise"),
        (("it", "--all"), "usage"),
        (("--step",), "usage"),
        (("--junit", "nowhere/report.xml"), "output"),
        (("--name", "Not_A_Name"), "usage"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_with_the_command_is_told_before_an_engine_is_looked_for(
    labctl: Labctl, arguments: tuple[str, ...], code: str
) -> None:
    ran = labctl("run", "--json", *arguments)
    assert (ran.code, ran.document["code"]) == (2, code)


def test_the_exercises_that_help_names_are_there(labctl: Labctl) -> None:
    named = re.findall(r"labctl run ([a-z-]+/[a-z-]+)", labctl("run", "--help").stdout)
    assert named
    for lab, _, wanted in (each.partition("/") for each in named):
        assert wanted in {each.id for each in discovery.of_lab(catalogue.find(lab, {}))}


def test_exercises_complete_with_and_without_their_lab(labctl: Labctl, own: Path) -> None:
    environ = {"LABCTL_LABS": str(own.parent)}
    assert labctl.completed("labctl run own/", **environ) == ["own/it-arrives"]
    assert labctl.completed("labctl run --lab own it-", **environ) == ["it-arrives"]
