"""The catalogue needs no engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.contract.conftest import Labctl

    MakeLab = Callable[[Path, str], Path]

MINE = """
id = "mine"
title = "A lab of one's own"
topology = "two-domains"

[grading]
starter_score = 0.5

[[checks]]
id = "mx-resolves"
points = 2
"""


def test_labs_lists_what_ships_as_a_document(
    labctl: Labctl, valid_document: Callable[[Mapping[str, Any]], None]
) -> None:
    ran = labctl("labs", "--json")
    assert (ran.code, ran.stderr) == (0, "")
    valid_document(ran.document)
    rows = {each["id"]: each for each in ran.document["labs"]}
    assert rows["two-domains"]["title"] == "Mail between two domains"


def test_directories_of_ones_own_add_to_the_catalogue(
    labctl: Labctl, tmp_path: Path, make_lab: MakeLab, valid_document: Callable[[Mapping[str, Any]], None]
) -> None:
    directory = make_lab(tmp_path / "first/mine", MINE)
    (directory / "exercises").mkdir()
    (directory / "exercises/test_a.py").write_text("def test_one(): ...\ndef helper(): ...\n")
    make_lab(tmp_path / "second/mine", MINE.replace("one's own", "no one"))
    environ = {"LABCTL_LABS": f"{tmp_path}/first:{tmp_path}/second:{tmp_path}/nowhere"}
    document = labctl("labs", "--json", environ=environ).document
    valid_document(document)
    mine = next(each for each in document["labs"] if each["id"] == "mine")
    assert mine == {
        "id": "mine",
        "title": "A lab of one's own",
        "topology": "two-domains",
        "exercises": 1,
        "gradable": True,
        "max_score": 2,
        "starter_score": 0.5,
    }
    assert any(each["id"] == "two-domains" for each in document["labs"])
    assert "A lab of one's own" in labctl("labs", environ=environ).stdout


def test_output_has_no_escape_codes(labctl: Labctl) -> None:
    for environ in ({}, {"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "xterm", "FORCE_COLOR": "1"}):
        for arguments in (("labs",), ("--help",), ("up", "nonsense")):
            ran = labctl(*arguments, environ=environ)
            assert "\x1b" not in ran.stdout + ran.stderr
