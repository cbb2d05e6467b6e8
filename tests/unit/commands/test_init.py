from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
import yaml

from labctl.commands.init import HandedOut, init
from labctl.errors import InvalidLabFile, OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeLab = Callable[..., Path]

WRITTEN = {".github/workflows/labctl.yml", ".gitignore", ".gitlab-ci.yml", "labctl.toml"}


@pytest.fixture
def zones(make_lab: MakeLab) -> Path:
    """Return a lab with all that a lab to grade has."""
    directory = make_lab("zones")
    for name in (
        "README.md",
        "starter/beta.test.zone",
        "starter/conf/main.cf",
        "solution/beta.test.zone",
        "mutants/no-mx/beta.test.zone",
        "mutants/no-mx/mutant.toml",
        "checks/test_zone.py",
        "files/dns/Corefile",
    ):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(f"# {name}\n")
    return directory


def hand_out(lab: Path, directory: Path, labctl: str | None = None) -> HandedOut:
    return init("zones", directory, {"LABCTL_LABS": str(lab.parent)}, labctl=labctl)


def files_below(directory: Path) -> dict[str, str]:
    return {
        each.relative_to(directory).as_posix(): each.read_text()
        for each in directory.rglob("*")
        if each.is_file()
    }


def test_a_student_gets_starter_and_readme_and_nothing_of_what_would_tell_the_solution(
    zones: Path, tmp_path: Path
) -> None:
    result = hand_out(zones, tmp_path / "amy" / "zones")

    found = files_below(tmp_path / "amy" / "zones")
    assert set(found) == WRITTEN | {"README.md", "beta.test.zone", "conf/main.cf"}
    assert found["beta.test.zone"] == "# starter/beta.test.zone\n"
    assert set(result.files) == set(result.written) == set(found)
    assert (result.lab, result.directory) == ("zones", str(tmp_path / "amy" / "zones"))


def test_the_attempt_says_which_lab_it_is_for_and_has_a_seed_of_its_own(zones: Path, tmp_path: Path) -> None:
    seeds = set()
    for student in ("amy", "bob"):
        hand_out(zones, tmp_path / student)
        mark = tomllib.loads((tmp_path / student / "labctl.toml").read_text())
        assert mark["lab"] == "zones"
        seeds.add(mark["seed"])
    assert len(seeds) == 2
    assert all(re.fullmatch(r"[0-9a-f]{16}", each) for each in seeds)


WANTED = [
    "git+https://git.example/labctl@v1#subdirectory=a%20b",
    "https://dist.example/labctl-1.0-py3-none-any.whl",
    "./labctl-1.0-py3-none-any.whl",
    "labctl==1.0",
    """labctl[x] >= 1; python_version > "3" and os_name == 'posix'""",
    r"C:\labctl",
    "@SEED@ ${{ secrets.KEY }} $(id) `id` \"'; é",
]


@pytest.mark.parametrize("labctl", WANTED)
def test_the_attempt_says_which_labctl_its_workflows_install(
    labctl: str, zones: Path, tmp_path: Path
) -> None:
    hand_out(zones, tmp_path / "plain")
    hand_out(zones, tmp_path / "amy", labctl)

    found, plain = files_below(tmp_path / "amy"), files_below(tmp_path / "plain")
    assert tomllib.loads(found.pop("labctl.toml"))["labctl"] == labctl
    assert "labctl" not in tomllib.loads(plain.pop("labctl.toml"))
    assert found == plain  # nothing of it is where a shell or a service could obey it


@pytest.mark.parametrize(
    "labctl", ["", " labctl", "-r x", "--index-url=x", "a\nb", "a\x1b[2J", "x" * 1001, "\udcff"]
)
def test_what_pip_could_not_be_told_is_refused(labctl: str, zones: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--labctl"):
        hand_out(zones, tmp_path / "amy", labctl)

    assert not (tmp_path / "amy").exists()


def test_whoever_hands_out_is_told_what_the_workflows_can_not_know(zones: Path, tmp_path: Path) -> None:
    notes = {
        labctl: str(hand_out(zones, tmp_path / str(number), labctl).note)
        for number, labctl in enumerate([None, *WANTED])
    }

    assert "grade nothing yet" in notes[None]
    assert [each for each, note in notes.items() if "make sure" in note] == [WANTED[3], WANTED[4]]


@pytest.mark.parametrize(
    ("labctl", "code"), [("./named-1-py3-none-any.whl", 0), ("./none-1-py3-none-any.whl", 4), (None, 2)]
)
def test_the_workflows_install_what_is_named_and_refuse_to_guess(
    labctl: str | None, code: int, zones: Path, tmp_path: Path
) -> None:
    hand_out(zones, tmp_path / "amy", labctl)
    found = files_below(tmp_path / "amy")
    make_wheel(tmp_path / "amy/named-1-py3-none-any.whl")
    job = yaml.safe_load(found[".github/workflows/labctl.yml"])["jobs"]["grade"]
    gitlab = yaml.safe_load(found[".gitlab-ci.yml"])["grade"]
    scripts = [next(each["run"] for each in job["steps"] if "run" in each), gitlab["before_script"][0]]

    for number, script in enumerate(scripts):
        installed = tmp_path / f"installed-{number}"
        ran = run_step(script, tmp_path / "amy", PIP_TARGET=str(installed))

        assert ran.returncode == code, ran
        assert ("NOT GRADED" in ran.stdout) == (code != 0)
        assert installed.joinpath("named.py").exists() == (code == 0)


@pytest.mark.parametrize("settings", [None, "labctl = ", "labctl = 1\n[", "labctl = ''"])
def test_settings_that_a_student_has_spoilt_are_no_grade(
    settings: str | None, zones: Path, tmp_path: Path
) -> None:
    hand_out(zones, tmp_path / "amy", "labctl==1.0")
    workflow = yaml.safe_load((tmp_path / "amy/.gitlab-ci.yml").read_text())
    (tmp_path / "amy/labctl.toml").unlink()
    if settings is not None:
        (tmp_path / "amy/labctl.toml").write_text(settings)

    ran = run_step(workflow["grade"]["before_script"][0], tmp_path / "amy")

    assert (ran.returncode, ran.stderr) == (2, "")


def run_step(script: str, directory: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a step of a workflow, out of reach of any index."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(
        ["bash", "-e"],
        input=script,
        cwd=directory,
        env={"PATH": path, "PIP_NO_INDEX": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def make_wheel(path: Path) -> None:
    """Make a package that pip can install: a module and nothing else (PEP 427)."""
    with ZipFile(path, "w") as wheel:
        wheel.writestr("named.py", "")
        wheel.writestr("named-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: named\nVersion: 1\n")
        wheel.writestr(
            "named-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("named-1.dist-info/RECORD", "")


def test_a_push_is_graded_once_and_a_newer_one_ends_it(zones: Path, tmp_path: Path) -> None:
    hand_out(zones, tmp_path / "amy")
    found = files_below(tmp_path / "amy")

    github = yaml.safe_load(found[".github/workflows/labctl.yml"])
    events = github[True]  # YAML 1.1 takes the word on for a yes
    assert events["push"] == {"branches": ["**"]}
    assert "pull_request" in events
    assert "head.repo.full_name != github.repository" in github["jobs"]["grade"]["if"]
    assert github["concurrency"]["cancel-in-progress"] is True
    assert "pull_request.number || github.ref" in github["concurrency"]["group"]
    gitlab = yaml.safe_load(found[".gitlab-ci.yml"])["grade"]
    assert gitlab["rules"] == [{"if": "$CI_COMMIT_BRANCH"}]
    assert gitlab["interruptible"] is True


def test_a_second_call_keeps_the_labctl_that_was_named(zones: Path, tmp_path: Path) -> None:
    hand_out(zones, tmp_path / "amy", "labctl==1.0")

    assert hand_out(zones, tmp_path / "amy").written == ()
    with pytest.raises(UsageError, match=r"has its own labctl\.toml"):
        hand_out(zones, tmp_path / "amy", "labctl==2.0")


def test_no_file_that_is_there_is_changed_and_none_is_added_to_it(zones: Path, tmp_path: Path) -> None:
    mine = tmp_path / "amy"
    mine.mkdir()
    (mine / "beta.test.zone").write_text("; mine\n")
    (mine / "README.md").write_text("# mine\n")

    with pytest.raises(UsageError, match=r"nothing was written: .* has its own README\.md, beta") as caught:
        hand_out(zones, mine)

    assert caught.value.detail == {"files": ["README.md", "beta.test.zone"]}
    assert files_below(mine) == {"beta.test.zone": "; mine\n", "README.md": "# mine\n"}


def test_a_second_call_has_nothing_to_do(zones: Path, tmp_path: Path) -> None:
    first = hand_out(zones, tmp_path / "amy")
    before = files_below(tmp_path / "amy")

    second = hand_out(zones, tmp_path / "amy")

    assert (second.files, second.written) == (first.files, ())
    assert files_below(tmp_path / "amy") == before


def test_a_file_that_was_lost_comes_again(zones: Path, tmp_path: Path) -> None:
    hand_out(zones, tmp_path / "amy")
    (tmp_path / "amy/beta.test.zone").unlink()

    assert hand_out(zones, tmp_path / "amy").written == ("beta.test.zone",)
    assert (tmp_path / "amy/beta.test.zone").is_file()


def test_the_handout_of_another_lab_is_not_mixed_with_this_one(zones: Path, tmp_path: Path) -> None:
    hand_out(zones, tmp_path / "amy")
    mark = tmp_path / "amy/labctl.toml"
    mark.write_text(mark.read_text().replace("zones", "bounces"))

    with pytest.raises(UsageError, match=r"has its own labctl\.toml"):
        hand_out(zones, tmp_path / "amy")


@pytest.mark.parametrize("there", ["a link to the same", "a link to nowhere", "a pipe", "no directory"])
def test_what_is_in_the_way_is_not_followed_and_not_waited_for(
    zones: Path, tmp_path: Path, there: str
) -> None:
    mine, zone = tmp_path / "amy", tmp_path / "amy/beta.test.zone"
    mine.mkdir()
    match there:
        case "a link to the same":
            zone.symlink_to(zones / "starter/beta.test.zone")
        case "a link to nowhere":
            zone.symlink_to("nowhere")
        case "a pipe":
            os.mkfifo(zone)
        case _:
            (mine / "conf").touch()

    wanted = "conf/main.cf" if there == "no directory" else zone.name
    with pytest.raises(UsageError, match=rf"has its own {re.escape(wanted)}$"):
        hand_out(zones, mine)


def test_where_a_file_can_not_be_written_none_is_left(zones: Path, tmp_path: Path) -> None:
    (tmp_path / "amy").mkdir()
    (tmp_path / "amy/conf").symlink_to("nowhere")  # the file in it is not there, and can't be made

    with pytest.raises(OutputError, match="nothing was written"):
        hand_out(zones, tmp_path / "amy")

    assert os.listdir(tmp_path / "amy") == ["conf"]  # noqa: PTH208  # also what begins with a dot


def test_a_starter_that_can_not_be_read_is_the_labs_fault(
    zones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if "starter" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(InvalidLabFile, match=r"starter: can't be read: Permission denied"):
        hand_out(zones, tmp_path / "amy")


def test_who_hands_out_a_lab_of_ones_own_is_told_what_its_graders_need(zones: Path, tmp_path: Path) -> None:
    by_id = hand_out(zones, tmp_path / "amy")
    by_directory = init(str(zones), tmp_path / "bob", {})

    assert by_id.note == by_directory.note
    assert by_id.note is not None
    assert "LABCTL_LABS" in by_id.note
    assert tomllib.loads((tmp_path / "bob/labctl.toml").read_text())["lab"] == "zones"
