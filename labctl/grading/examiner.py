"""Examining one attempt: its laboratory, its checks, and what was seen."""

from __future__ import annotations

import base64
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from labctl.errors import AttemptError, LabctlError
from labctl.exercises.result.outcome import Blame, bounded
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.worker.protocol import Exam
from labctl.exercises.worker.runner import Orders, Runner
from labctl.grading import gradedlab
from labctl.grading.control import Control
from labctl.grading.job import Examination, Observation, Rejection
from labctl.grading.verdict import CheckVerdict
from labctl.lab.attempt import attempt
from labctl.lab.blueprint import definition
from labctl.lab.blueprint.definition import Grading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from labctl.engine.protocol import Engine
    from labctl.exercises.result.narration import Step
    from labctl.exercises.result.outcome import Result
    from labctl.exercises.worker.process import Child
    from labctl.grading.gradedlab import GradedLab
    from labctl.grading.job import Job
    from labctl.grading.laboratories import Laboratories
    from labctl.lab.running.instance import Instance

_CHECK_LIMIT: Final = 60.0
"""Seconds that one check may take."""

_LOG_TAIL: Final = 40

_VERDICTS: Final = {
    Verdict.PASSED: CheckVerdict.PASSED,
    Verdict.FAILED: CheckVerdict.FAILED,
    Verdict.SKIPPED: CheckVerdict.SKIPPED,
    Verdict.ERROR: CheckVerdict.ERROR,
}


class Examiner:
    """Does jobs, each in a laboratory, on one engine; from several threads at once.

    Args:
        engine: The engine.
        laboratories: Makes the laboratories.
        child: Makes, or lends, a process that runs checks.
    """

    def __init__(
        self,
        engine: Engine,
        laboratories: Laboratories,
        child: Callable[[], AbstractContextManager[Child]],
    ) -> None:
        self._engine = engine
        self._laboratories = laboratories
        self._child = child
        self._labs: dict[tuple[Path, Path | None], GradedLab] = {}
        self._control = Control(self._seen)

    def examine(self, job: Job) -> Examination:
        """Examine one attempt.

        Returns:
            What was seen; an attempt that can't be used is an examination too. A check that raised what it
            should not has failed where the lab's solution passes it, and else is an error.

        Raises:
            LabError: The lab or a file of its checks is wrong.
            EngineError: The engine failed, or a host that runs nothing of the attempt.
        """
        return self._control.settled(self._seen(job), job, self._lab(job))

    def _seen(self, job: Job) -> Examination:
        began, since = time.monotonic(), datetime.now(UTC)
        lab = self._lab(job)
        checks: tuple[Observation, ...] = ()
        refused: Rejection | None = None
        remarks: tuple[str, ...] = ()
        logs: dict[str, tuple[str, ...]] = {}
        try:
            job = replace(job, files=attempt.checked(job.files, lab.lab))
            with self._laboratories.laboratory(job, lab) as given:
                there = given.there
                checks = tuple(self._observed(lab, self._run(job, lab, there.name)))
                remarks = (*given.remarks, *self._exhausted(there, lab))
                if any(each.verdict != CheckVerdict.PASSED for each in checks):
                    logs = self._logs(there, lab, since)
        except AttemptError as error:
            refused = rejection_of(error)
        return Examination(
            attempt=job.attempt,
            lab=lab.lab.id,
            seed=job.seed,
            seconds=time.monotonic() - began,
            checks=checks,
            rejection=refused,
            remarks=remarks,
            logs=logs,
            seed_from=job.seed_from,
        )

    def _lab(self, job: Job) -> GradedLab:
        if (key := (job.lab, job.checks)) not in self._labs:
            self._labs[key] = gradedlab.load(definition.load(job.lab), job.checks)
        return self._labs[key]

    def _run(self, job: Job, lab: GradedLab, name: str) -> tuple[Result, ...]:
        exam = Exam(
            files={path: base64.b64encode(content).decode() for path, content in job.files.items()},
            seed=job.seed,
            needs={each.id: each.needs for each in lab.checks},
            order=lab.order,
            guarded=sorted({each.service for each in lab.lab.editable if not each.is_data}),
            students=sorted({each.service for each in lab.lab.editable if each.service}),
            seconds=_grading(lab).seconds,
        )
        orders = Orders(name, _CHECK_LIMIT, exam=exam)
        return Runner(orders, _Silence(), lambda: None, self._child).run(lab.choices)

    def _observed(self, lab: GradedLab, results: Iterable[Result]) -> Iterator[Observation]:
        """Put what was seen in the order of declaration; a check of which nothing is known broke."""
        seen = {each.id: each for each in results}
        passed = {each.id for each in seen.values() if each.verdict == Verdict.PASSED}
        for check in lab.checks:
            title = lab.functions[check.id].title
            lacking = [each for each in check.needs if each not in passed]
            if (result := seen.get(check.id)) is None:
                said = "it was not there any more when its file had been imported"
                yield Observation(check.id, title, CheckVerdict.ERROR, 0.0, said)
            elif lacking:
                said = f"blocked by {', '.join(lacking)}"
                yield Observation(check.id, title, CheckVerdict.BLOCKED, 0.0, said)
            else:
                verdict = _VERDICTS[result.verdict]
                explanation, evidence = _told(result)
                seconds = result.seconds
                if result.kind != Blame.EXERCISE:
                    yield Observation(check.id, title, verdict, seconds, explanation, evidence)
                    continue
                path = lab.place(result.path or lab.functions[check.id].path)
                yield Observation(
                    check.id,
                    title,
                    verdict,
                    seconds,
                    f"{path}:{result.line}: {explanation}",
                    evidence,
                    path=path,
                    line=result.line,
                )

    def _exhausted(self, there: Instance, lab: GradedLab) -> Iterator[str]:
        """Name the hosts that came to the end of their memory, or of the processes that they may have."""
        limits = _grading(lab)
        for host in there.hosts:
            with suppress(LabctlError):  # it is only a remark
                if host.container is None:
                    continue
                container = self._engine.inspect(host.container.id)
                if container.oom_killed:
                    memory = limits.memory.upper()
                    yield f"{host.service} used up its {memory}B of memory: the kernel ended processes there"
                if container.forks_refused:
                    yield f"{host.service} had all of its {limits.pids} processes, and could start no more"

    def _logs(self, there: Instance, lab: GradedLab, since: datetime) -> dict[str, tuple[str, ...]]:
        """Read the ends of the logs; in a laboratory that is lent, what is older is another attempt's."""
        found = {}
        for service in dict.fromkeys(each.service for each in lab.lab.editable if each.service):
            container = there.host(service).container
            with suppress(LabctlError):  # the verdicts stand without it
                if container is not None:
                    with closing(self._engine.logs(container.id, since=since, tail=_LOG_TAIL)) as lines:
                        found[service] = bounded(each.text for each in lines)
        return found


def rejection_of(error: AttemptError) -> Rejection:
    """Return why an attempt can't be used."""
    detail = error.detail
    return Rejection(
        code=error.code,
        text=error.message,
        hint=error.hint,
        file=detail.get("file"),
        line=detail.get("line"),
        service=detail.get("service"),
        said=str(detail.get("said") or ""),
    )


def _grading(lab: GradedLab) -> Grading:
    return lab.lab.grading or Grading()


def _told(result: Result) -> tuple[str, tuple[str, ...]]:
    """Return why a check did not pass, and what proves it: what it was doing and what it saw there."""
    if result.verdict == Verdict.PASSED:
        return "", ()
    proofs = [line for each in result.evidence for line in each.splitlines()]
    failed = [each for each in result.steps if each.verdict != Verdict.PASSED]
    for step in failed[-1:]:
        proofs = [step.text, *(f"  {line}" for line in step.evidence), *proofs]
    return "\n".join(bounded(result.outcome.reason.splitlines())), bounded(proofs)


class _Silence:
    """Nobody listens while an attempt is examined."""

    def exercise_begins(self, lab: str, exercise: str, title: str) -> None:
        """See `Audience`."""

    def step_begins(self, text: str) -> None:
        """See `Audience`."""

    def before_step(self, text: str) -> None:
        """See `Audience`."""

    def step_ended(self, step: Step) -> None:
        """See `Audience`."""

    def exercise_ended(self, result: Result) -> None:
        """See `Audience`."""
