"""``labctl labs test``: a lab's own tests: solution, starter, variants and mutants, graded."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from labctl.commands.grade import Task, Wish, grade
from labctl.contract.value import Amount, LabName, Rule, Word
from labctl.errors import InvalidLabFile
from labctl.grading import alteration, gradedlab
from labctl.grading.control import SOLUTION
from labctl.grading.handout.files import STARTER
from labctl.grading.verdict import AttemptVerdict, CheckVerdict
from labctl.lab import catalogue
from labctl.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labctl.commands.grade import Audience
    from labctl.engine.protocol import Engine
    from labctl.grading.alteration import Alteration
    from labctl.grading.gradedlab import GradedLab
    from labctl.grading.score import GradedAttempt
    from labctl.lab.blueprint.definition import LabDefinition
    from labctl.progress import Progress

_AS_GOOD_AS: Final = 1e-9
"""Points are sums of fractions, which a computer rounds."""


class Kind(StrEnum):
    """What a lab is tested with."""

    SOLUTION = "solution"
    STARTER = "starter"
    VARIANT = alteration.Kind.VARIANT.value
    MUTANT = alteration.Kind.MUTANT.value


@dataclass(frozen=True, slots=True)
class Case:
    """One attempt of a lab's own tests.

    Args:
        name: What it is called.
        kind: What it is.
        title: What is wrong with a mutant, or done otherwise in a variant.
        ok: Whether what was seen is what the lab declares.
        expected: What the lab declares, in words.
        seen: What was seen, in words.
        verdict: How it ended.
        score: Its points.
        max_score: The most points that there are.
        failed: The checks that failed; those that these blocked are not among them.
        seed: What all that was random came from.
        seconds: How long it took.
        evidence: Of a case that is not as declared, what there is to know: a line each.
    """

    name: Word
    kind: Kind
    title: str
    ok: bool
    expected: Word
    seen: Word
    verdict: AttemptVerdict
    score: Amount
    max_score: Amount
    failed: tuple[Word, ...]
    seed: Word
    seconds: Amount
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabTested:
    """A lab's own tests.

    Args:
        lab: Its id.
        title: Its title.
        cases: Solution, starter, variants and mutants.
        seconds: How long it all took.
    """

    SCHEMA: ClassVar = "labctl/labs-test/v1"

    lab: LabName
    title: Word
    cases: Annotated[tuple[Case, ...], Rule(least=2)]
    seconds: Amount

    @property
    def exit_code(self) -> int:
        """0 where every case is as declared, 4 where anything broke, else 1."""
        if any(each.verdict == AttemptVerdict.ERROR for each in self.cases):
            return 4
        return 0 if all(each.ok for each in self.cases) else 1


@dataclass(frozen=True, slots=True)
class _Plan:
    """One case before it is graded: what it is made of, and what it has to come to."""

    name: str
    kind: Kind
    title: str
    expected: str
    make: Callable[[Path], None]
    holds: Callable[[GradedAttempt], bool]

    @property
    def directory(self) -> str:
        """The name of its directory, which no other has."""
        return f"{self.kind}-{self.name}" if self.kind in {*alteration.Kind} else self.name


@dataclass(frozen=True, slots=True)
class Cases:
    """A lab and what it is tested with, the solution first."""

    lab: GradedLab
    plans: tuple[_Plan, ...]


def labs_test(
    engine: Engine,
    engine_url: str,
    cases: Cases,
    *,
    environ: Mapping[str, str],
    audience: Audience,
    jobs: int | None = None,
    progress: Progress = silent,
) -> LabTested:
    """Test a lab: each case is laid out as an attempt, and graded as one.

    Args:
        engine: The engine.
        engine_url: Its URL.
        cases: What `prepare` has found.
        environ: The environment.
        audience: Told how far it has come.
        jobs: How many cases at once at most; as many as this machine bears where it is None.
        progress: Told of images that are made.

    Raises:
        LabError: A file of the lab is wrong.
        EngineError: The engine does not answer, or its images are not to be had.
    """
    began = time.monotonic()
    found, plans = cases.lab.lab, cases.plans
    with tempfile.TemporaryDirectory(prefix="labctl-") as scratch:
        for each in plans:
            each.make(Path(scratch, each.directory))
        places = {each.directory: Path(scratch, each.directory) for each in plans}
        task = Task(Wish(tuple(places.values()), lab=found.id, jobs=jobs), cases.lab, places)
        result = grade(engine, engine_url, task, environ=environ, audience=audience, progress=progress)
    graded = {each.id: each for each in result.attempts}
    return LabTested(
        found.id,
        found.title,
        tuple(_case(each, graded[each.directory]) for each in plans),
        time.monotonic() - began,
    )


def prepare(lab: str, environ: Mapping[str, str]) -> Cases:
    """Find what a lab is tested with, and what is wrong with it before an engine is brought for it.

    Args:
        lab: The lab: an id, or a directory.
        environ: The environment.

    Raises:
        UsageError: There is no such lab, or it is not one to be graded.
        InvalidLabFile: The lab, a check, a variant or a mutant is wrong, or solution or starter are missing.
    """
    found = catalogue.find(lab, environ)
    graded = gradedlab.load(found)
    for name in (SOLUTION, STARTER):
        if not (path := found.directory / name).is_dir():
            raise InvalidLabFile("is not there", path=path, line=None, hint=f"mkdir {path}")
    altered = (_altered(found, each) for each in alteration.of_lab(found))
    return Cases(graded, (_solution(found), _starter(found), *altered))


def _solution(lab: LabDefinition) -> _Plan:
    return _Plan(
        name=SOLUTION,
        kind=Kind.SOLUTION,
        title="",
        expected=f"passed, {_points(lab.max_score, lab.max_score)}",
        make=lambda directory: _lay(lab.directory / SOLUTION, directory),
        holds=lambda seen: _is_right(seen, lab),
    )


def _starter(lab: LabDefinition) -> _Plan:
    score = lab.grading.starter_score if lab.grading is not None else 0
    return _Plan(
        name=STARTER,
        kind=Kind.STARTER,
        title="",
        expected=_points(score, lab.max_score),
        make=lambda directory: _lay(lab.directory / STARTER, directory),
        holds=lambda seen: _is(seen.score, score),
    )


def _altered(lab: LabDefinition, altered: Alteration) -> _Plan:
    def make(directory: Path) -> None:
        _lay(lab.directory / SOLUTION, directory)
        _lay(altered.directory, directory)
        (directory / altered.kind.file_name).unlink()
        for each in altered.removes:
            (directory / each).unlink(missing_ok=True)

    def holds(seen: GradedAttempt) -> bool:
        if altered.kind == alteration.Kind.VARIANT:
            return _is_right(seen, lab)
        if altered.rejected:
            return seen.verdict == AttemptVerdict.REJECTED
        return seen.verdict == AttemptVerdict.FAILED and altered.fails == {*_failed(seen)}

    if altered.kind == alteration.Kind.VARIANT:
        expected = f"passed, {_points(lab.max_score, lab.max_score)}"
    else:
        expected = "rejected" if altered.rejected else f"fails {', '.join(sorted(altered.fails))}"
    return _Plan(altered.name, Kind(altered.kind), altered.title, expected, make, holds)


def _is_right(seen: GradedAttempt, lab: LabDefinition) -> bool:
    return seen.verdict == AttemptVerdict.PASSED and _is(seen.score, lab.max_score)


def _lay(source: Path, target: Path) -> None:
    """Lay a directory's files over another's."""
    shutil.copytree(source, target, dirs_exist_ok=True)


def _case(planned: _Plan, seen: GradedAttempt) -> Case:
    raised = any(each.path is not None for each in seen.checks)  # it has no words for what it met
    ok = seen.verdict != AttemptVerdict.ERROR and not raised and planned.holds(seen)
    return Case(
        name=planned.name,
        kind=planned.kind,
        title=planned.title,
        ok=ok,
        expected=planned.expected,
        seen=_seen(seen),
        verdict=seen.verdict,
        score=seen.score,
        max_score=seen.max_score,
        failed=_failed(seen),
        seed=seen.seed,
        seconds=seen.seconds,
        evidence=() if ok else _why(seen),
    )


def _seen(seen: GradedAttempt) -> str:
    failed = _failed(seen)
    fails = [f"fails {', '.join(sorted(failed))}"] if failed else []
    return ", ".join((seen.verdict, *fails, _points(seen.score, seen.max_score)))


def _failed(seen: GradedAttempt) -> tuple[str, ...]:
    return tuple(each.id for each in seen.checks if each.verdict == CheckVerdict.FAILED)


def _why(seen: GradedAttempt) -> tuple[str, ...]:
    """Say why an attempt came to what it did: its author has to know more than a student."""
    said = seen.rejection.said.splitlines() if seen.rejection is not None else []
    untold = {CheckVerdict.PASSED, CheckVerdict.BLOCKED}
    return (
        *seen.explanation.splitlines(),
        *(f"| {each}" for each in said),
        *(
            f"{each.id} {each.verdict}: {line}" if not n else f"  {line}"
            for each in seen.checks
            if each.verdict not in untold
            for n, line in enumerate((*each.explanation.splitlines(), *each.evidence))
        ),
        *seen.remarks,
    )


def _points(score: float, most: float) -> str:
    return f"{score:g} of {most:g} points"


def _is(score: float, wanted: float) -> bool:
    return abs(score - wanted) < _AS_GOOD_AS
