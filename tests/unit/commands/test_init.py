from __future__ import annotations

import os
import re
import tomllib
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
import yaml

from labctl.commands.init import HandedOut, init
from labctl.errors import InvalidLabFile, NoSuchLab, OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def hand_out(lab: Path, directory: Path) -> HandedOut:
    return init("zones", directory, {"LABCTL_LABS": str(lab.parent)})


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


def test_the_workflows_install_this_version(zones: Path, tmp_path: Path) -> None:
    hand_out(zones, tmp_path / "amy")

    found = files_below(tmp_path / "amy")
    github = yaml.safe_load(found[".github/workflows/labctl.yml"])
    gitlab = yaml.safe_load(found[".gitlab-ci.yml"])
    assert github["jobs"]["grade"]["env"]["LABCTL_VERSION"] == version("labctl")
    assert gitlab["variables"]["LABCTL_VERSION"] == version("labctl")
    assert not any(re.search(r"@[A-Z]+@", each) for each in found.values())


def test_no_file_that_is_there_is_changed_and_none_is_added_to_it(zones: Path, tmp_path: Path) -> None:
    mine = tmp_path / "amy"
    mine.mkdir()
    (mine / "beta.test.zone").write_text("; mine\n")
    (mine / "README.md").write_text("# mine\n")

    with pytest.raises(UsageError, match=r"nothing was written: .* has its own README\.md, beta\.test\.zone"):
        hand_out(zones, mine)

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


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_no_link_is_followed(zones: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").write_text("# starter/beta.test.zone\n")
    (tmp_path / "amy").mkdir()
    (tmp_path / "amy/beta.test.zone").symlink_to(tmp_path / target)

    with pytest.raises(UsageError, match=r"has its own beta\.test\.zone"):
        hand_out(zones, tmp_path / "amy")


def test_a_file_where_a_directory_is_wanted_is_in_the_way(zones: Path, tmp_path: Path) -> None:
    (tmp_path / "amy").mkdir()
    (tmp_path / "amy/conf").write_text("")

    with pytest.raises(UsageError, match=r"has its own conf/main\.cf"):
        hand_out(zones, tmp_path / "amy")


def test_a_pipe_in_the_way_is_not_waited_for(zones: Path, tmp_path: Path) -> None:
    (tmp_path / "amy").mkdir()
    os.mkfifo(tmp_path / "amy/beta.test.zone")

    with pytest.raises(UsageError, match=r"has its own beta\.test\.zone"):
        hand_out(zones, tmp_path / "amy")


def test_where_a_file_can_not_be_written_none_is_left(zones: Path, tmp_path: Path) -> None:
    (tmp_path / "amy").mkdir()
    (tmp_path / "amy/conf").symlink_to("nowhere")  # the file in it is not there, and can't be made

    with pytest.raises(OutputError, match="nothing was written"):
        hand_out(zones, tmp_path / "amy")

    assert os.listdir(tmp_path / "amy") == ["conf"]  # noqa: PTH208  # also what begins with a dot


def test_a_lab_without_a_starter_is_not_one_to_hand_out(make_lab: MakeLab, tmp_path: Path) -> None:
    make_lab("demo")

    with pytest.raises(UsageError, match="lab 'demo' has no starter/"):
        init("demo", tmp_path / "amy", {"LABCTL_LABS": str(tmp_path / "labs")})

    assert not (tmp_path / "amy").exists()


def test_a_lab_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoSuchLab):
        init("no-such-lab", tmp_path / "amy", {})


def test_a_starter_that_can_not_be_read_is_the_labs_fault(
    zones: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

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
