"""The course as its files describe it: the table in labs/README.md, and what each exercise has to bring.

``python -m tests.contract.test_course`` writes the tables anew.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from labctl import resources
from labctl.exercises.catalogue import discovery
from labctl.lab.blueprint import definition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.exercises.catalogue.discovery import Exercise
    from labctl.lab.blueprint.definition import LabDefinition

ORDER = ("two-domains", "dns", "bounces", "delays", "routing-and-policy", "automation")
"""The labs as a course teaches them; what is not named here comes after these."""

BEGIN, END = "<!-- exercises -->\n", "<!-- end of exercises -->\n"


def course() -> list[LabDefinition]:
    """Return the labs that ship with exercises, in the course's order."""
    labs = [definition.load(path.parent) for path in resources.labs_dir().glob("*/lab.toml")]
    place = {lab: n for n, lab in enumerate(ORDER)}
    return sorted(filter(discovery.files_of, labs), key=lambda lab: (place.get(lab.id, len(ORDER)), lab.id))


EXERCISES = [(lab, exercise) for lab in course() for exercise in discovery.of_lab(lab)]
each_exercise = pytest.mark.parametrize(
    ("lab", "exercise"), EXERCISES, ids=[f"{lab.id}/{exercise.id}" for lab, exercise in EXERCISES]
)


def tables() -> str:
    """Return the course as it should stand in labs/README.md."""
    return "".join(line for lab in course() for line in _table(lab))


def _table(lab: LabDefinition) -> Iterator[str]:
    yield f"\n### [{lab.title}]({lab.id}/README.md)\n\n"
    yield f"`labctl run --lab {lab.id}`\n\n| Exercise | What it shows |\n|---|---|\n"
    for exercise in discovery.of_lab(lab):
        yield f"| `{exercise.id}` | {exercise.title.replace('|', chr(92) + '|')} |\n"


def rewritten(text: str) -> str:
    """Return the README with the tables as they should be."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{tables()}\n{END}{after}"


def causes(lab: LabDefinition) -> dict[str, Any]:
    path = lab.directory / discovery.DIRECTORY / "causes.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def source(exercise: Exercise) -> str:
    text = exercise.path.read_text(encoding="utf-8")
    node = next(
        each
        for each in ast.parse(text).body
        if isinstance(each, ast.FunctionDef) and each.name == exercise.function
    )
    return ast.get_source_segment(text, node) or ""


def test_the_readme_names_every_exercise_that_discovery_finds() -> None:
    text = (resources.labs_dir() / "README.md").read_text(encoding="utf-8")
    assert text == rewritten(text), "python -m tests.contract.test_course writes it anew"
    assert len(EXERCISES) > 0


def test_an_exercise_is_named_by_its_id_alone() -> None:
    ids = Counter(exercise.id for _, exercise in EXERCISES)
    assert [each for each, count in ids.items() if count > 1] == []


@each_exercise
def test_an_exercise_says_in_a_sentence_what_it_shows_and_then_why(
    lab: LabDefinition, exercise: Exercise
) -> None:
    assert re.fullmatch(r"[A-Z“\"].*[.?!]”?", exercise.title), lab.id
    assert re.search(r"RFC\s+\d+", exercise.description), "which RFC says so?"
    assert len(re.findall(r"[.?!](?=\s|$)", exercise.description)) >= 3, "what happens, and why?"


@each_exercise
def test_an_exercise_tells_how_to_remove_its_cause(lab: LabDefinition, exercise: Exercise) -> None:
    cause = causes(lab)[exercise.id]
    assert cause.keys() == {"replace", "with"}
    assert source(exercise).count(cause["replace"]) == 1


def test_no_cause_is_told_of_an_exercise_that_is_not_there() -> None:
    told = {(lab.id, each) for lab in course() for each in causes(lab)}
    assert told == {(lab.id, exercise.id) for lab, exercise in EXERCISES}


def test_a_file_of_exercises_can_be_read_at_a_sitting() -> None:
    lengths = {
        path: len(path.read_text().splitlines()) for lab in course() for path in discovery.files_of(lab)
    }
    assert [str(path) for path, count in lengths.items() if count >= 250] == []


if __name__ == "__main__":
    readme = resources.labs_dir() / "README.md"
    readme.write_text(rewritten(readme.read_text(encoding="utf-8")), encoding="utf-8")
