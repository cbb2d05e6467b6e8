"""The course: every exercise passes, and none does where what it is about does not happen."""

from __future__ import annotations

import ast
import os
import shutil
import tomllib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from labctl import resources
from tests.integration.conftest import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Labctl

LABS = sorted(path.parent.name for path in resources.labs_dir().glob("*/exercises"))


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
    try:
        yield lab
    finally:
        removed = lab.instance.run("down")
    assert removed.code == 0, removed


def test_every_exercise_passes(course_lab: CourseLab) -> None:
    code, exercises = course_lab.run()

    assert [told(each) for each in exercises if each["verdict"] != "passed"] == []
    assert code == 0
    assert course_lab.instance.json("status")["faults"] == []


def test_no_exercise_passes_without_its_cause(course_lab: CourseLab, tmp_path: Path) -> None:
    files = without_causes(course_lab.exercises, tmp_path / course_lab.id / "exercises")
    code, exercises = course_lab.run(*map(str, files))

    assert [told(each) for each in exercises if each["verdict"] != "failed"] == []
    assert code == 1


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
