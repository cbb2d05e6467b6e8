"""What commands are told to write: where that can't be, it is refused before anything is done."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from labctl.commands.grade import Grade
from labctl.report.document import document
from tests.unit.trace.lines import BOUNCED, BOUNCED_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.contract.conftest import Labctl

    Fails = Callable[..., dict[str, Any]]

WRITERS = {
    "images save": ["images", "save"],
    "run --junit": ["run", "--lab", "two-domains", "--junit"],
    **{
        f"trace {option}": ["trace", "--logs", "mail.log", "A90C41D8153", option]
        for option in ("--html", "--svg")
    },
    **{
        f"{command} {option}": [command, directory, option]
        for command, directory in (("grade", "amy"), ("merge", "part"))
        for option in ("--junit", "--gradescope", "--classroom50", "--summary", "--html", "--csv", "--out")
    },
}
DIRECTORIES = {"--out", "--gradescope", "--classroom50"}
"""Where a directory may be meant, which is made where it is not there."""
SPECIAL = ("directory", "pipe", "nowhere", "to-a-pipe", "device", "none/file", "mail.log/file")


@pytest.fixture
def device() -> Iterator[str]:
    """Return the device of a terminal, which can't be replaced by whatever is wrong."""
    ours, its = os.openpty()
    yield os.ttyname(its)
    os.close(ours)
    os.close(its)


@pytest.fixture
def home(labctl: Labctl, tmp_path: Path, device: str) -> Path:
    """Return labctl's directory, with all that the commands read and all that they are not to write."""
    tmp_path.joinpath("mail.log").write_text(BOUNCED["mx.alpha.test"], encoding="utf-8")
    assert labctl("init", "fix-the-mx", "amy").code == 0
    tmp_path.joinpath("part").mkdir()
    tmp_path.joinpath("part/grade.json").write_text(
        '{"schema": "labctl/grade/v1", "lab": "fix-the-mx", "title": "x", "attempts": [], "seconds": 0}'
    )
    tmp_path.joinpath("directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for link, target in (("nowhere", "nothing"), ("to-a-pipe", "pipe"), ("device", device)):
        tmp_path.joinpath(link).symlink_to(target)
    return tmp_path


def entries(directory: Path) -> dict[str, int]:
    """Return what lies in a directory, with what it is."""
    return {str(each): each.lstat().st_mode for each in directory.rglob("*")}


@pytest.mark.parametrize(
    ("writer", "special"),
    [
        (writer, special)
        for writer in WRITERS
        for special in SPECIAL
        if writer.split()[1] not in DIRECTORIES or special not in {"directory", "none/file"}
    ],
)
def test_what_is_no_file_is_refused_before_anything_is_done(
    writer: str, special: str, home: Path, fails: Fails
) -> None:
    before = entries(home)

    error = fails(2, *WRITERS[writer], special)

    assert error["code"] == "output"
    assert "can't be" in error["message"]
    assert entries(home) == before


@pytest.mark.parametrize("special", SPECIAL[:5])
@pytest.mark.parametrize("file", ["grade.json", "grades.csv", "index.html"])
def test_a_file_of_a_directory_of_results_is_as_little_one_for_results(
    file: str, special: str, home: Path, fails: Fails
) -> None:
    home.joinpath("out").mkdir()
    home.joinpath("out", file).symlink_to(home / special)

    assert fails(2, "grade", "amy", "--out", "out")["code"] == "output"


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", "--logs", "mail.log", "A90C41D8153", "--html", "same", "--svg", "./same"],
        ["grade", "amy", "--csv", "same", "--html", "{home}/same"],
        ["grade", "amy", "--csv", "out/grades.csv", "--out", "out"],
        ["merge", "part", "--junit", "-", "--csv", "-"],
        ["merge", "part", "--junit", "link", "--csv", "linked"],
        ["merge", "part", "--csv", "-", "--json"],
        ["images", "save", "-", "--json"],
    ],
    ids=" ".join,
)
def test_two_documents_never_go_to_one_place(arguments: list[str], home: Path, labctl: Labctl) -> None:
    home.joinpath("linked").write_text("old")
    home.joinpath("link").symlink_to("linked")

    ran = labctl.program(*(each.format(home=home) for each in arguments))

    assert ran.code == 2
    assert "already" in ran.stdout + ran.stderr
    assert home.joinpath("linked").read_text() == "old"


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", "--logs", "mail.log", "A90C41D8153", "--html", "{home}/mail.log"],
        ["grade", "amy", "--csv", "amy/beta.test.zone"],
        ["grade", "amy", "--summary", "amy/labctl.toml"],
        ["merge", "part", "--out", "part"],
    ],
    ids=" ".join,
)
def test_nothing_is_written_over_what_is_read(arguments: list[str], home: Path, labctl: Labctl) -> None:
    before = {each: each.read_bytes() for each in home.rglob("*") if each.is_file()}

    ran = labctl(*(each.format(home=home) for each in arguments))

    assert ran.code == 2
    assert "the command reads it" in ran.stderr
    assert {each: each.read_bytes() for each in before} == before


def test_a_dash_is_standard_output_and_nothing_else_goes_there(home: Path, labctl: Labctl) -> None:
    ran = labctl.program("trace", "--logs", "mail.log", BOUNCED_ID, "--svg", "-")

    assert ran.code == 0
    assert ran.stdout.startswith("<svg")
    assert ran.stdout.rstrip().endswith("</svg>")
    assert not home.joinpath("-").exists()


def test_a_report_on_standard_output_is_no_command_to_a_runner_of_github(home: Path, labctl: Labctl) -> None:
    ran = labctl.program("merge", "part", "--summary", "-", environ={"GITHUB_ACTIONS": "true"})

    assert ran.code == 2
    assert ran.stdout == ""
    assert home.is_dir()


def test_the_file_that_standard_output_goes_to_is_not_replaced_under_it(home: Path, labctl: Labctl) -> None:
    arguments = ["trace", "--logs", "mail.log", BOUNCED_ID, "--svg", "/dev/stdout"]
    with home.joinpath("a.svg").open("wb") as file:
        ran = labctl.program(*arguments, stdout=file)

    assert ran.code == 2
    assert "standard output" in ran.stderr


def test_a_link_to_a_report_is_followed(home: Path, labctl: Labctl) -> None:
    home.joinpath("published").mkdir()
    home.joinpath("published/trace.html").write_text("old")
    home.joinpath("trace.html").symlink_to("published/trace.html")

    assert labctl("trace", "--logs", "mail.log", BOUNCED_ID, "--html", "trace.html").code == 0

    assert "nobody@beta.test" in home.joinpath("published/trace.html").read_text(encoding="utf-8")
    assert home.joinpath("trace.html").is_symlink()


def test_a_merge_that_is_refused_leaves_no_file_and_no_directory(
    fails: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    shards = {"1": (1, 3), "3": (3, 3)}
    for name, part in shards.items():
        (tmp_path / name).mkdir()
        written = document(Grade("small", "A small lab", (), 1.0, part))
        (tmp_path / name / "grade.json").write_text(json.dumps(written), encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    outputs = ("--csv", "a.csv", "--out", "new/er", "--gradescope", "scope", "--summary", "s.md")

    assert "missing: 2" in fails(2, "merge", "1", "3", *outputs)["message"]
    (tmp_path / "3/grade.json").write_text((tmp_path / "1/grade.json").read_text().replace("3", "1"))
    assert "can't be read" in fails(2, "merge", "3", "4", *outputs)["message"]
    assert "--html" in fails(2, "merge", "3", *outputs, "--html", "/")["message"]
    assert "not set" in fails(2, "merge", "3", *outputs, "--classroom50", "class")["message"]
    assert sorted(tmp_path.rglob("*")) == before
