"""The course: every exercise passes, the trace of each of its messages tells the true story, and none passes
where what it is about does not happen.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl import resources
from labctl.exercises.catalogue import discovery
from labctl.lab.blueprint import definition
from tests.integration.conftest import Lab
from tests.integration.storytelling import FINDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Labctl

LABS = sorted(path.parent.name for path in resources.labs_dir().glob("*/exercises"))

WITHOUT_MESSAGES = {"early-talker", "no-address-at-all"}
"""Their messages are refused before a log names them: Postfix says that a client spoke too early, or that it
named what is no address, and that is all.
"""

_LONGEST = 300.0


@dataclass(frozen=True)
class CourseLab:
    """One lab of the course, and a running instance of it."""

    id: str
    instance: Lab

    @property
    def exercises(self) -> Path:
        return resources.labs_dir() / self.id / "exercises"

    def run(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        """Run exercises; return the exit code and what became of each."""
        done = self.instance.run("run", *arguments, "--lab", self.id, "--json")
        found: list[dict[str, Any]] = self.instance.labctl.document_of(done.stdout)["exercises"]
        assert found
        return done.code, found


@pytest.fixture(scope="module", params=LABS)
def course_lab(request: pytest.FixtureRequest, labctl: Labctl, docker: Any) -> Iterator[CourseLab]:
    lab = CourseLab(request.param, Lab(f"it-{os.getpid()}-{uuid.uuid4().hex[:6]}", labctl, docker))
    lab.instance.up(lab.id)
    try:
        yield lab
    finally:
        removed = lab.instance.run("down")
    assert removed.code == 0, removed


def test_every_exercise_passes_and_its_traces_tell_what_became_of_each_message(
    course_lab: CourseLab, tmp_path: Path
) -> None:
    found = tmp_path / "findings.json"
    arguments = [
        *("-c", os.devnull, f"--rootdir={tmp_path}", "--import-mode=importlib", "-q"),
        *("-p", "no:cacheprovider", "-p", "tests.integration.storytelling"),
        str(course_lab.exercises),
    ]
    lab = course_lab.instance
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        env=lab.labctl.environment({FINDINGS: str(found), "LABCTL_NAME": lab.name}),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=_LONGEST,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    told = json.loads(found.read_text(encoding="utf-8"))
    assert {each: said for each, said in told["findings"].items() if said} == {}
    exercises = {each.id for each in discovery.of_lab(definition.load(course_lab.exercises.parent))}
    assert set(told["findings"]) == exercises
    assert {each for each in exercises if not told["traced"][each]} == exercises & WITHOUT_MESSAGES


def test_no_exercise_passes_without_its_cause(course_lab: CourseLab, tmp_path: Path) -> None:
    files = without_causes(course_lab.exercises, tmp_path / course_lab.id / "exercises")
    code, exercises = course_lab.run(*map(str, files))

    assert [told(each) for each in exercises if each["verdict"] != "failed"] == []
    assert code == 1


@pytest.mark.nightly
def test_every_exercise_passes_as_its_users_run_it(course_lab: CourseLab) -> None:
    code, exercises = course_lab.run()

    assert [told(each) for each in exercises if each["verdict"] != "passed"] == []
    assert code == 0
    assert course_lab.instance.json("status")["faults"] == []


def told(exercise: dict[str, Any]) -> str:
    """Say enough of an exercise that went another way to see why."""
    steps = [f"{step['verdict']} {step['text']}" for step in exercise["steps"]]
    last = exercise["steps"][-1]["evidence"] if exercise["steps"] else []
    return "\n".join(
        [f"{exercise['id']}: {exercise['verdict']}", *steps, *last, str(exercise["explanation"])]
    )


def without_causes(directory: Path, copy: Path) -> Iterator[Path]:
    """Copy exercises with each one's cause removed, as the ``causes.toml`` beside them says."""
    shutil.copytree(directory, copy)
    causes = tomllib.loads((directory / "causes.toml").read_text(encoding="utf-8"))
    for path in sorted(copy.glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for exercise, source in exercises_in(text):
            cause = causes[exercise]
            assert source.count(cause["replace"]) == 1, f"{exercise}: {cause['replace']}"
            text = text.replace(source, source.replace(cause["replace"], cause["with"]))
        path.write_text(text, encoding="utf-8")
        yield path


def exercises_in(text: str) -> Iterator[tuple[str, str]]:
    """Yield each exercise's id and source."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            source = ast.get_source_segment(text, node)
            assert source is not None
            yield node.name.removeprefix("test_").replace("_", "-"), source
