"""The workflows that labctl hands out, and the one that it shows to teachers, run as they are written."""

from __future__ import annotations

import csv
import re
import shutil
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.integration.workflows import ROOT, Job, Runner, github, gitlab, make_python, make_wheels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Labctl

LAB = "fix-the-mx"
SOLUTION = ROOT / "labs" / LAB / "solution"
IMAGES = "labctl-images.tar.gz"

READERS: dict[str, tuple[Callable[[str, str], Job], str]] = {
    "github": (github, ".github/workflows/labctl.yml"),
    "gitlab": (gitlab, ".gitlab-ci.yml"),
}

ACTIONS = {
    "actions/checkout@v5",
    "actions/setup-python@v6",
    "actions/cache@v5",
    "actions/upload-artifact@v6",
    "actions/download-artifact@v7",
}
"""Those whose effect is there already, or is made by a test."""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_python(tmp_path_factory.mktemp("python"))


@pytest.fixture
def runner(tmp_path: Path, python: Path, wheels: Path) -> Runner:
    (tmp_path / "runner").mkdir()
    return Runner(tmp_path / "runner", python, wheels)


@pytest.fixture
def wheel(wheels: Path) -> str:
    """Return what a teacher names to be installed: labctl's wheel."""
    [found] = wheels.glob("labctl-*.whl")
    return str(found)


@pytest.fixture
def attempt(labctl: Labctl, tmp_path: Path, wheel: str) -> Path:
    """Return a fresh handout."""
    directory = tmp_path / "attempt"
    assert labctl("init", LAB, str(directory), "--labctl", wheel).code == 0
    return directory


def job_of(attempt: Path, service: str) -> Job:
    reader, path = READERS[service]
    return reader(attempt.joinpath(path).read_text(encoding="utf-8"), "grade")


def is_graded(attempt: Path) -> dict[str, int]:
    """Return how many checks the report in JUnit's format has, and how many of them did not pass."""
    assert (attempt / "labctl-results/report.html").read_text(encoding="utf-8").startswith("<!")
    cases = list(ET.parse(attempt / "labctl-results/junit.xml").getroot().iter("testcase"))  # noqa: S314  # labctl's own
    return {"checks": len(cases), "not passed": sum(len(case) > 0 and is_bad(case) for case in cases)}


def is_bad(case: ET.Element) -> bool:
    return any(case.find(each) is not None for each in ("failure", "error", "skipped"))


def test_the_workflows_of_a_handout_grade_the_starter_and_then_the_solution(
    attempt: Path, runner: Runner
) -> None:
    *before, starter = runner.runs(job_of(attempt, "github"), attempt)

    assert [each.returncode for each in before] == [0] * len(before), before
    assert starter.returncode == 1, starter
    seen = is_graded(attempt)
    assert 0 < seen["not passed"] <= seen["checks"]
    assert runner.summary.stat().st_size > 0

    assert (attempt / IMAGES).is_file()  # as the service's cache would bring it the next time
    shutil.rmtree(attempt / "labctl-results")

    [again] = runner.runs(job_of(attempt, "gitlab"), attempt)

    assert again.returncode == 1, again
    assert is_graded(attempt) == seen
    shutil.rmtree(attempt / "labctl-results")
    shutil.copytree(SOLUTION, attempt, dirs_exist_ok=True)

    *before, solution = runner.runs(job_of(attempt, "github"), attempt)

    assert [each.returncode for each in (*before, solution)] == [0] * (len(before) + 1), solution
    assert is_graded(attempt) == {"checks": seen["checks"], "not passed": 0}


@pytest.mark.parametrize("service", READERS)
def test_where_the_engine_fails_the_job_says_that_nothing_was_graded(
    service: str, attempt: Path, runner: Runner
) -> None:
    job = job_of(attempt, service)
    install, *_, grade = job.scripts

    *_, last = runner.runs(job, attempt, (install, grade), DOCKER_HOST="unix:///nonexistent/docker.sock")

    assert last.returncode == 4, last
    assert re.search(
        r"^(::error title=Not graded::|NOT GRADED: )labctl ended with 4", last.stdout, re.MULTILINE
    )


def test_a_workflow_grades_a_lab_that_does_not_come_with_labctl(
    labctl: Labctl, tmp_path: Path, runner: Runner, wheel: str
) -> None:
    own = tmp_path / "own"
    shutil.copytree(ROOT / "labs" / LAB, own)
    definition = own / "lab.toml"
    definition.write_text(definition.read_text(encoding="utf-8").replace(f'"{LAB}"', '"own-zone"'))
    attempt = tmp_path / "attempt"
    assert labctl("init", str(own), str(attempt), "--labctl", wheel).code == 0
    for each in ("solution", "variants", "mutants"):
        shutil.rmtree(own / each, ignore_errors=True)
    shutil.copytree(own, attempt / ".labs/own-zone")
    job = job_of(attempt, "github")
    install, *_, grade = job.scripts

    *_, last = runner.runs(job, attempt, (install, grade))

    assert last.returncode == 1, last
    assert is_graded(attempt)["checks"] > 0


def test_an_installed_labctl_hands_out_the_same_as_one_in_its_checkout(attempt: Path, runner: Runner) -> None:
    job = job_of(attempt, "github")
    install, *_ = job.scripts
    another = attempt.with_name("another")

    *_, last = runner.runs(job, attempt, (install, f"labctl init {LAB} {another}"))

    assert last.returncode == 0, last
    assert contents(another) == contents(attempt)


def contents(directory: Path) -> dict[str, bytes]:
    """Return the files of a handout, but the one whose seed no other has."""
    return {
        each.relative_to(directory).as_posix(): each.read_bytes()
        for each in directory.rglob("*")
        if each.is_file() and each.name != "labctl.toml"
    }


@pytest.mark.parametrize("path", [path for _, path in READERS.values()])
def test_steps_are_plain_shell(path: str, attempt: Path) -> None:
    steps = job_of(attempt, "github" if path.startswith(".github") else "gitlab").steps

    assert all("${{" not in each.script for each in steps)
    assert {each.uses for each in steps} - {""} <= ACTIONS


def test_both_services_keep_the_images_by_the_same_shell(attempt: Path) -> None:
    [here], [there] = (
        [each for each in job_of(attempt, service).scripts if IMAGES in each] for service in READERS
    )

    assert here == there


def class_workflow() -> str:
    [block] = re.findall(
        r"^```yaml\n(.*?)^```$",
        (ROOT / "labs/README.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    return str(block)


def test_the_workflow_for_a_class_grades_in_shards_and_merges_them(
    labctl: Labctl, tmp_path: Path, runner: Runner, wheel: str
) -> None:
    text = class_workflow()
    course = tmp_path / "course"
    for student in ("amy", "bea", "cid"):
        assert labctl("init", LAB, str(course / "attempts" / student)).code == 0
    shutil.copytree(SOLUTION, course / "attempts/bea", dirs_exist_ok=True)
    grade, merge = github(text, "grade"), github(text, "merge")
    shards = yaml.safe_load(text)["jobs"]["grade"]["strategy"]["matrix"]["shard"]

    for number, shard in enumerate(shards):
        for done in runner.runs(grade, course, SHARD=shard, LABCTL=wheel):
            assert done.returncode == 0, done
        (course / "part").rename(course / f"part-{number}")
    collected = tmp_path / "merge"
    (collected / "parts").mkdir(parents=True)
    for number in range(len(shards)):
        (course / f"part-{number}").rename(collected / f"parts/part-{number}")
    for done in runner.runs(merge, collected, LABCTL=wheel):
        assert done.returncode == 0, done

    assert {each.uses for each in (*grade.steps, *merge.steps)} - {""} <= ACTIONS
    with (collected / "grades.csv").open(encoding="utf-8", newline="") as file:
        verdicts = {row["id"]: row["verdict"] for row in csv.DictReader(file)}
    assert verdicts == {"amy": "failed", "bea": "passed", "cid": "failed"}
    assert (collected / "grades.html").is_file()
    assert runner.summary.stat().st_size > 0
