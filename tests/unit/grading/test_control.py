"""Whose doing it is that a check raised: the attempt's, where the lab's solution passes it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from labctl.errors import EngineUnavailable
from labctl.grading.control import Control
from labctl.grading.job import Examination, Job, Observation, Rejection
from labctl.grading.verdict import CheckVerdict
from labctl.lab.name import valid_name

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.grading.gradedlab import GradedLab

LONGEST = "a" * 31
PASSED = Observation("mx-resolves", "The MX resolves.", CheckVerdict.PASSED, 0.1)
FAILED = replace(PASSED, verdict=CheckVerdict.FAILED, explanation="no MX")
RAISED = replace(
    PASSED, verdict=CheckVerdict.ERROR, explanation="x.py:7: ValueError: no", path="x.py", line=7
)
BROKE = replace(PASSED, verdict=CheckVerdict.ERROR, explanation="the engine is gone")


@dataclass
class Examined:
    """What examinations of the solution come to, one after the other, and the jobs that asked for them."""

    results: list[Observation | Exception | Rejection]
    jobs: list[Job] = field(default_factory=list)

    def __call__(self, job: Job) -> Examination:
        self.jobs.append(job)
        found = self.results.pop(0)
        if isinstance(found, Exception):
            raise found
        if isinstance(found, Rejection):
            return Examination("solution", "small", job.seed, 1.0, rejection=found)
        return Examination("solution", "small", job.seed, 1.0, (found,))


@pytest.fixture
def solved(graded_lab: GradedLab) -> GradedLab:
    solution = graded_lab.lab.directory / "solution"
    solution.mkdir()
    (solution / "beta.test.zone").write_text("a good zone")
    (solution / "labctl.toml").write_text('seed = "0123456789abcdef"')
    return graded_lab


def settled(lab: GradedLab, control: Control, *seen: Observation, name: str = "grade-1-1") -> Examination:
    job = Job("a", lab.lab.directory, None, {"beta.test.zone": b"a bad zone"}, "ff", name)
    return control.settled(Examination("a", "small", "ff", 1.0, seen), job)


@pytest.mark.parametrize("name", ["grade-1-1", LONGEST])
def test_a_check_that_the_solution_passes_is_failed_by_what_raises_in_it(
    solved: GradedLab, name: str
) -> None:
    examined = Examined([PASSED])
    [found] = settled(solved, Control(examined, solved.lab), RAISED, name=name).checks
    assert found.verdict == CheckVerdict.FAILED
    assert "x.py:7: ValueError: no" in found.explanation
    assert (found.path, found.line) == ("x.py", 7)
    [job] = examined.jobs
    assert (job.files, job.seed) == ({"beta.test.zone": b"a good zone"}, "0123456789abcdef")
    assert job.name not in {"grade-1-1", LONGEST}
    assert valid_name(job.name)


@pytest.mark.parametrize(
    "solution",
    [
        RAISED,
        FAILED,
        replace(PASSED, id="another"),
        EngineUnavailable("the engine is gone", hint="wait"),
        Rejection("missing-file", "no zone", "put it there"),
    ],
)
def test_a_check_that_the_solution_is_not_known_to_pass_stays_an_error(
    solved: GradedLab, solution: Observation | Exception | Rejection
) -> None:
    assert settled(solved, Control(Examined([solution]), solved.lab), RAISED).checks == (RAISED,)


@pytest.mark.parametrize(
    ("starter", "verdict"),
    [(PASSED, CheckVerdict.FAILED), (FAILED, CheckVerdict.FAILED), (RAISED, CheckVerdict.ERROR)],
)
def test_where_a_lab_has_come_without_its_solution_its_starter_tells(
    solved: GradedLab, starter: Observation, verdict: CheckVerdict
) -> None:
    (solved.lab.directory / "solution").rename(solved.lab.directory / "starter")
    examined = Examined([starter])
    assert settled(solved, Control(examined, solved.lab), RAISED).checks[0].verdict == verdict
    assert [each.attempt for each in examined.jobs] == ["starter"]


def test_without_both_nothing_is_known(graded_lab: GradedLab) -> None:
    examined = Examined([])
    assert settled(graded_lab, Control(examined, graded_lab.lab), RAISED).checks == (RAISED,)
    assert examined.jobs == []


@pytest.mark.parametrize("seen", [PASSED, FAILED, BROKE])
def test_what_no_check_raised_needs_no_control(solved: GradedLab, seen: Observation) -> None:
    examined = Examined([])
    assert settled(solved, Control(examined, solved.lab), seen).checks == (seen,)
    assert examined.jobs == []


def test_the_solution_is_examined_once_for_all_attempts(solved: GradedLab) -> None:
    examined = Examined([PASSED])
    control = Control(examined, solved.lab)
    found = [settled(solved, control, RAISED).checks[0].verdict for _ in range(3)]
    assert found == [CheckVerdict.FAILED] * 3
    assert len(examined.jobs) == 1


def test_an_engine_that_failed_then_is_asked_again(solved: GradedLab) -> None:
    control = Control(Examined([EngineUnavailable("gone", hint="wait"), PASSED]), solved.lab)
    found = [settled(solved, control, RAISED).checks[0].verdict for _ in range(2)]
    assert found == [CheckVerdict.ERROR, CheckVerdict.FAILED]


def test_a_file_of_the_checks_is_named_below_its_directory(solved: GradedLab, tmp_path: Path) -> None:
    hidden = replace(solved, hidden_directory=tmp_path / "hidden")
    assert hidden.place(solved.lab.directory / "checks" / "test_it.py") == "checks/test_it.py"
    assert hidden.place(tmp_path / "hidden" / "test_more.py") == "test_more.py"
    assert hidden.place("/elsewhere/test_x.py") == "/elsewhere/test_x.py"
