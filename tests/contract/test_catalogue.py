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

[[checks]]
id = "mail-arrives"
points = 0.5
"""

FAULTS = (
    "mta-down mda-down dns-down auth-down dns-servfail dns-nxdomain dns-timeout mx-missing mx-wrong "
    "mx-dead mx-null mx-loop ptr-missing ptr-wrong greylist mailbox-full size-limit reject "
    "rate-limit refuse drop partition tarpit slow-greeting lost-after-dot relay-denied discard hold "
    "latency loss"
)


def test_labs_lists_what_ships_as_a_document(
    labctl: Labctl, valid_document: Callable[[Mapping[str, Any]], None]
) -> None:
    ran = labctl("labs", "--json")
    assert (ran.code, ran.stderr) == (0, "")
    valid_document(ran.document)
    row = next(each for each in ran.document["labs"] if each["id"] == "two-domains")
    assert row.pop("exercises") > 0
    assert row == {
        "id": "two-domains",
        "title": "Mail between two domains",
        "topology": "two-domains",
        "gradable": False,
        "max_score": None,
        "starter_score": None,
    }


def test_directories_of_ones_own_add_to_the_catalogue(
    labctl: Labctl, tmp_path: Path, make_lab: MakeLab, valid_document: Callable[[Mapping[str, Any]], None]
) -> None:
    directory = make_lab(tmp_path / "first/mine", MINE)
    (directory / "exercises").mkdir()
    (directory / "exercises/test_a.py").write_text("import nowhere\nraise SystemExit\ndef test_one(): ...\n")
    (directory / "exercises/test_b.py").write_text("def test_two(): ...\ndef helper(): ...\nTEST_C = 1\n")
    for name in ("conftest.py", "notes.txt"):
        (directory / "exercises" / name).write_text("def test_three(): ...\n")
    make_lab(tmp_path / "second/mine", MINE.replace("one's own", "no one"))
    make_lab(
        tmp_path / "second/open", MINE.replace("mine", "open").replace("[grading]\nstarter_score = 0.5\n", "")
    )
    environ = {"LABCTL_LABS": f"{tmp_path}/first:{tmp_path}/second:{tmp_path}/nowhere"}
    document = labctl("labs", "--json", environ=environ).document
    valid_document(document)
    rows = {each["id"]: each for each in document["labs"]}
    assert rows["mine"] == {
        "id": "mine",
        "title": "A lab of one's own",
        "topology": "two-domains",
        "exercises": 2,
        "gradable": True,
        "max_score": 2.5,
        "starter_score": 0.5,
    }
    assert rows["open"]["starter_score"] is None
    assert "two-domains" in rows
    assert "A lab of one's own" in labctl("labs", environ=environ).stdout


def test_output_has_no_escape_codes(labctl: Labctl) -> None:
    for environ in ({}, {"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "xterm", "FORCE_COLOR": "1"}):
        for arguments in (("labs",), ("--help",), ("up", "nonsense")):
            ran = labctl(*arguments, environ=environ)
            assert "\x1b" not in ran.stdout + ran.stderr


def test_faults_are_listed_without_an_engine_and_none_is_active(
    labctl: Labctl, valid_document: Callable[[Mapping[str, Any]], None]
) -> None:
    for arguments in (("fault", "list", "--json"), ("fault", "--json")):
        ran = labctl(*arguments)
        assert (ran.code, ran.stderr) == (0, "")
        valid_document(ran.document)
        rows = {each["name"]: each for each in ran.document["faults"]}
        assert set(FAULTS.split()) == set(rows)
        assert not any(each["active"] for each in rows.values())
        assert all(
            parameter["default"] is not None and not parameter["required"]
            for each in rows.values()
            for parameter in each["parameters"]
        )


def test_each_fault_is_listed_in_words_and_in_the_daemons_own_terms(labctl: Labctl) -> None:
    said = labctl("fault", "list").stdout
    for name in FAULTS.split():
        assert f"\n  {name} " in f"\n{said}"
    assert "beta.test says that it takes no mail at all" in said
    assert "MX 0 ." in said
