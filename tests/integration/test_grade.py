"""Many attempts, good, broken and hostile, graded as one command: what comes out, and what is left."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from labctl import resources
from labctl.wait import eventually
from tests.integration.conftest import TO_GRADE, graded_lab_in
from tests.integration.unruly import unruly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import GradedLab, Labctl

ZONE: Final = "beta.test.zone"


def directory_of_lab() -> Path:
    return resources.labs_dir() / TO_GRADE


def zone(which: str) -> str:
    return (directory_of_lab() / which / ZONE).read_text(encoding="utf-8")


def write(directory: Path, text: str) -> Path:
    """Make an attempt that hands in this zone."""
    directory.mkdir(parents=True)
    (directory / ZONE).write_text(text, encoding="utf-8")
    return directory


def a_link(directory: Path) -> None:
    directory.mkdir()
    (directory / ZONE).symlink_to("/etc/shadow")


def a_fifo(directory: Path) -> None:
    directory.mkdir()
    os.mkfifo(directory / ZONE)


def a_sparse_file(directory: Path) -> None:
    directory.mkdir()
    with (directory / ZONE).open("wb") as file:
        file.truncate(5 << 30)


def nothing(directory: Path) -> None:
    directory.mkdir()


def planted(directory: Path) -> None:
    """A wrong zone among what other graders would take for their own."""
    write(directory, zone("mutants/no-mx"))
    (directory / "conftest.py").write_text("import os; os._exit(0)\n", encoding="utf-8")
    (directory / "pytest.ini").write_text("[pytest]\naddopts = --co\n", encoding="utf-8")
    (directory / "grade.json").write_text('{"score": 100}', encoding="utf-8")
    (directory / "examinations").mkdir()


def escapes(directory: Path) -> None:
    text = zone("solution") + 'x TXT "\\027]0;owned\\007" "::error::owned"\n; \x1b[31m::error::owned\n'
    write(directory, text)


def zone_of(which: str) -> Callable[[Path], object]:
    """Return what makes an attempt with a zone that comes with the lab, and a comment of its own."""
    return lambda directory: write(directory, f"{zone(which)}\n; {directory.name}\n")


KINDS: Final[dict[str, Callable[[Path], object]]] = {
    "solution": zone_of("solution"),
    "starter": zone_of("starter"),
    "mutants-no-mx": zone_of("mutants/no-mx"),
    "mutants-wrong-address": zone_of("mutants/wrong-address"),
    "good": lambda directory: write(directory, f"; {directory.name}\n{zone('solution')}"),
    "no-zone": lambda directory: write(directory, f"this is no zone, says {directory.name}\n"),
    "a-sum": lambda directory: write(directory, f"{zone('solution')}\n$GENERATE 1-70000 x$ A 203.0.113.20\n"),
    "includes": lambda directory: write(directory, f"{zone('solution')}\n$INCLUDE /etc/shadow\n"),
    "planted": planted,
    "escapes": escapes,
    "a-link": a_link,
    "a-fifo": a_fifo,
    "a-sparse-file": a_sparse_file,
    "nothing": nothing,
}

REJECTED: Final = {"no-zone", "a-link", "a-fifo", "a-sparse-file", "nothing"}


def attempts(directory: Path, number: int) -> list[str]:
    """Make attempts of every kind in turn, no two with the same content where they have any."""
    kinds = list(KINDS)
    made = []
    for index in range(number):
        kind = kinds[index % len(kinds)]
        path = directory / f"{index:03}-{kind}"
        KINDS[kind](path)
        made.append(str(path))
    return made


def verdicts(document: dict[str, Any]) -> dict[str, Any]:
    """Return what a grading came to, without what no two runs have in common."""
    return {
        each["id"]: (each["verdict"], each["score"], [(c["id"], c["verdict"]) for c in each["checks"]])
        for each in document["attempts"]
    }


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, nightly: bool) -> Iterator[list[str]]:
    """Attempts, good, broken and hostile: one or two of each kind, by night a hundred."""
    directory = tmp_path_factory.mktemp("attempts")
    yield attempts(directory, 100 if nightly else len(KINDS) + 4)
    shutil.rmtree(directory)


@dataclass(frozen=True)
class Runs:
    """Three runs with one directory of results: killed, left by its engine, and finished, four at a time."""

    before: int
    """How many results there were when the first one was killed."""
    code: int
    broken: dict[str, Any]
    finished: dict[str, Any]
    out: Path
    lab: GradedLab


@pytest.fixture(scope="module")
def runs(labctl: Labctl, docker: Any, many: list[str], tmp_path_factory: pytest.TempPathFactory) -> Runs:
    place = tmp_path_factory.mktemp("runs")
    out, lab = place / "graded", graded_lab_in(place / "lab", docker)
    order = ("grade", "--json", *many, "--lab", str(lab), "--out", str(out), "--jobs")

    def kept(number: int) -> bool | None:
        return len(list(out.glob("examinations/*.json"))) >= number or None

    with labctl.started(*order, "2") as process:
        assert eventually(lambda: kept(3), within=120)
        os.killpg(process.pid, signal.SIGKILL)
    before = len(list(out.glob("examinations/*.json")))
    with (
        unruly(place, "sound", 0.0) as (url, engine),
        labctl.started(*order, "2", env={"DOCKER_HOST": url}) as process,
    ):
        assert eventually(lambda: kept(before + 1), within=120)
        engine.go_away()
        said, _ = process.communicate(timeout=120)
    finished = labctl.json(order[0], *order[2:], "4", code=1)
    return Runs(before, process.returncode, labctl.document_of(said), finished, out, lab)


def test_an_engine_that_ends_makes_errors_and_no_zeros_of_what_is_left(runs: Runs) -> None:
    assert runs.code == 4
    errors = {each["id"] for each in runs.broken["attempts"] if each["verdict"] == "error"}
    assert 0 < len(errors) < len(runs.broken["attempts"])
    assert all(each["explanation"] for each in runs.broken["attempts"] if each["id"] in errors)
    finished = verdicts(runs.finished)
    assert all(finished[name] == seen for name, seen in verdicts(runs.broken).items() if name not in errors)


def test_runs_that_came_to_no_end_are_taken_up_and_nothing_is_left_of_them(runs: Runs) -> None:
    assert sum(each["cached"] for each in runs.finished["attempts"]) > runs.before
    assert runs.lab.laboratories() == set()
    assert {each.name for each in runs.out.iterdir()} == {
        "examinations",
        "grade.json",
        "grades.csv",
        "index.html",
    }


def test_each_kind_of_attempt_comes_to_what_it_deserves(runs: Runs) -> None:
    by_kind: dict[str, set[tuple[str, float]]] = {}
    for each in runs.finished["attempts"]:
        by_kind.setdefault(each["id"].partition("-")[2], set()).add((each["verdict"], each["score"]))
    most = runs.finished["attempts"][0]["max_score"]
    assert by_kind["solution"] == by_kind["good"] == by_kind["escapes"] == {("passed", most)}
    assert {kind: by_kind[kind] for kind in REJECTED} == {each: {("rejected", 0)} for each in REJECTED}
    assert all(len(found) == 1 for found in by_kind.values())
    assert by_kind["planted"] == by_kind["mutants-no-mx"] < {("failed", each) for each in range(int(most))}


@pytest.mark.nightly
def test_one_by_one_they_come_to_the_same(labctl: Labctl, many: list[str], runs: Runs) -> None:
    one_by_one = labctl.json("grade", *many, "--lab", TO_GRADE, "--jobs", "1", code=1)
    assert verdicts(one_by_one) == verdicts(runs.finished)


def test_hidden_checks_are_graded_and_never_told_of_in_a_container(
    labctl: Labctl, graded_lab: GradedLab, tmp_path: Path
) -> None:
    """A hidden check counts as its author says; while it runs, no container holds a word of it."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "checks.toml").write_text('[[checks]]\nid = "no-more-hosts"\npoints = 5\n', encoding="utf-8")
    (hidden / "test_hidden.py").write_text(
        "import subprocess\n\n\n"
        "def test_no_more_hosts(lab):\n"
        '    """Nothing of xyzzy-hidden is in a container."""\n'
        "    for host in lab.there.hosts:\n"
        '        command = ["grep", "-rlsF", "xyzzy-hidden", "/etc", "/var", "/run", "/tmp", "/usr/local"]\n'
        "        found = lab.engine.execute(host.container.id, command)\n"
        '        assert found.stdout == b"", found.stdout\n',
        encoding="utf-8",
    )
    attempt = write(tmp_path / "anna", zone("solution"))
    document = labctl.json("grade", str(attempt), "--lab", str(graded_lab), "--checks", str(hidden))
    [graded] = document["attempts"]
    last = graded["checks"][-1]
    assert (last["id"], last["verdict"], last["score"], last["hidden"]) == (
        "no-more-hosts",
        "passed",
        5,
        True,
    )
    assert graded_lab.laboratories() == set()
