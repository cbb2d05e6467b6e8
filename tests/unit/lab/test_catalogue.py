from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl import resources
from labctl.errors import InvalidLabFile, NoSuchLab
from labctl.lab import catalogue


def write(parent: Path, lab_id: str, *, title: str = "A lab", directory: str | None = None) -> Path:
    found = parent / (directory or lab_id)
    found.mkdir(parents=True)
    (found / "lab.toml").write_text(f'id = "{lab_id}"\ntitle = "{title}"\ntopology = "two-domains"\n')
    return found


def environ(*directories: Path) -> dict[str, str]:
    return {"LABCTL_LABS": ":".join(str(each) for each in directories)}


def test_the_labs_that_ship_are_listed_by_id() -> None:
    found = [lab.id for lab in catalogue.all_labs({})]
    assert "two-domains" in found
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("given", "own"),
    [({"LABCTL_LABS": "/b:~/a"}, ["/b", "/me/a"]), ({"LABCTL_LABS": "::"}, []), ({}, [])],
)
def test_ones_own_directories_come_first_in_their_order(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], own: list[str]
) -> None:
    monkeypatch.setenv("HOME", "/me")
    assert catalogue.directories(given) == (*map(Path, own), resources.labs_dir())


def test_of_two_labs_of_one_id_the_first_counts(tmp_path: Path) -> None:
    write(tmp_path / "a", "demo", title="first")
    write(tmp_path / "b", "demo", title="second")
    given = environ(tmp_path / "a", tmp_path / "b")
    assert [lab.title for lab in catalogue.all_labs(given) if lab.id == "demo"] == ["first"]
    assert catalogue.find("demo", given).title == "first"
    assert catalogue.find("demo", environ(tmp_path / "b", tmp_path / "a")).title == "second"


def test_one_that_is_hidden_by_another_need_not_be_right(tmp_path: Path) -> None:
    write(tmp_path / "a", "demo", title="first")
    broken = write(tmp_path / "b", "demo")
    (broken / "lab.toml").write_text("broken")
    assert catalogue.find("demo", environ(tmp_path / "a", tmp_path / "b")).title == "first"
    assert "demo" in [lab.id for lab in catalogue.all_labs(environ(tmp_path / "a", tmp_path / "b"))]


def test_one_of_ones_own_takes_the_place_of_one_that_ships(tmp_path: Path) -> None:
    write(tmp_path, "two-domains", title="mine")
    assert catalogue.find("two-domains", environ(tmp_path)).title == "mine"


def test_every_id_that_is_listed_is_found(tmp_path: Path) -> None:
    write(tmp_path, "demo")
    for lab in catalogue.all_labs(environ(tmp_path)):
        assert catalogue.find(lab.id, environ(tmp_path)) == lab


def test_an_id_that_its_directory_does_not_have_is_told(tmp_path: Path) -> None:
    write(tmp_path, "demo", directory="other")
    said = "id 'demo': expected that of its directory, 'other'"
    with pytest.raises(InvalidLabFile, match=said):
        catalogue.all_labs(environ(tmp_path))
    with pytest.raises(InvalidLabFile, match=said):
        catalogue.find("other", environ(tmp_path))


def test_a_lab_is_found_by_its_directory_whatever_that_is_called(tmp_path: Path) -> None:
    directory = write(tmp_path, "demo", directory="work")
    found = catalogue.find(str(directory), {})
    assert (found.id, found.directory) == ("demo", directory)


def test_a_directory_here_is_found_by_its_bare_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = write(tmp_path, "demo")
    monkeypatch.chdir(tmp_path)
    assert catalogue.find("demo", {}).directory == directory


def test_an_id_counts_before_a_directory_here_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "two-domains", title="mine")
    monkeypatch.chdir(tmp_path)
    assert catalogue.find("two-domains", {}).title != "mine"
    assert catalogue.find("./two-domains", {}).title == "mine"


def test_no_such_lab_is_told_with_those_there_are(tmp_path: Path) -> None:
    write(tmp_path, "demo")
    with pytest.raises(NoSuchLab, match=r"no lab 'three'.*\(.*demo, .*two-domains\b.*\)") as caught:
        catalogue.find("three", environ(tmp_path))
    assert caught.value.exit_code == 2


def test_a_directory_that_is_not_there_holds_no_labs(tmp_path: Path) -> None:
    assert [lab.id for lab in catalogue.all_labs(environ(tmp_path / "none"))] == [
        lab.id for lab in catalogue.all_labs({})
    ]


def test_a_broken_definition_is_told_and_not_left_out(tmp_path: Path) -> None:
    (write(tmp_path, "demo") / "lab.toml").write_text('id = "demo"\ncolour = 1\n')
    with pytest.raises(InvalidLabFile):
        catalogue.all_labs(environ(tmp_path))


@pytest.mark.parametrize("lab", ["", ".", "..", "/", "a" * 5000, "a\0b", "two-domains/../..", "*", "two-*"])
def test_what_names_nothing_is_no_lab(lab: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoSuchLab):
        catalogue.find(lab, {})


@given(st.text(alphabet=st.characters(exclude_characters="/.")))
def test_any_other_name_is_no_lab(lab: str) -> None:
    if lab != "two-domains" and not (Path(lab) / "lab.toml" if "\0" not in lab else Path()).is_file():
        with pytest.raises(NoSuchLab):
            catalogue.find(lab, {})


@pytest.mark.parametrize(
    ("wanted", "said", "hint"),
    [
        ("two-domians", "did you mean 'two-domains'", "labctl labs"),
        ("Two-Domains", "did you mean 'two-domains'", "labctl labs"),
        ("./empty", "directory empty has no lab.toml", "labctl labs"),
        ("amy", "amy is an attempt at a lab, and no lab", "labctl grade amy"),
        ("mine/lab.toml", "a lab is named by its directory", "labctl up mine/"),
        ("x" * 5000, "no lab 'xxx", "labctl labs"),
        ("a\0b", "no lab 'a\\x00b'", "labctl labs"),
    ],
)
def test_what_is_no_lab_is_told_with_what_it_is_or_may_have_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, said: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "mine")
    for directory in ("empty", "amy"):
        (tmp_path / directory).mkdir()
    (tmp_path / "amy/labctl.toml").write_text('lab = "fix-the-mx"\n')
    with pytest.raises(NoSuchLab) as caught:
        catalogue.find(wanted, {})
    assert said in caught.value.message
    assert caught.value.hint == hint
