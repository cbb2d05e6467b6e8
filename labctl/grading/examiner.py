"""Examining one attempt: its laboratory, its checks, and what was seen."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from labctl.engine import images
from labctl.errors import AttemptError, LabctlError
from labctl.exercises.result.outcome import Blame, bounded
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.worker.children import Children
from labctl.exercises.worker.protocol import Exam
from labctl.exercises.worker.runner import Audience, Orders, Runner
from labctl.grading.control import Control
from labctl.grading.job import Examination, Observation, Rejection
from labctl.grading.laboratories import Laboratories
from labctl.grading.verdict import CheckVerdict
from labctl.lab import origin
from labctl.lab.attempt import attempt
from labctl.lab.blueprint.definition import Grading
from labctl.lab.running import leftovers
from labctl.progress import silent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Self

    from labctl.engine.protocol import Engine
    from labctl.exercises.result.outcome import Result
    from labctl.grading.gradedlab import GradedLab
    from labctl.grading.job import Job
    from labctl.lab.running.instance import Instance
    from labctl.progress import Progress

_CHECK_LIMIT: Final = 60.0
"""Seconds that one check may take."""

_LOG_TAIL: Final = 40


class Examiner:
    """Does jobs of one lab, each in a laboratory, on one engine; from several threads at once.

    Args:
        engine: The engine.
        lab: The lab with its checks.
        laboratories: Makes the laboratories.
        children: Lend processes that run checks.
    """

    def __init__(
        self, engine: Engine, lab: GradedLab, laboratories: Laboratories, children: Children
    ) -> None:
        self._engine = engine
        self._lab = lab
        self._laboratories = laboratories
        self._children = children
        self._control = Control(self._seen, lab.lab)

    @classmethod
    @contextmanager
    def at_work(
        cls,
        engine: Engine,
        engine_url: str,
        lab: GradedLab,
        *,
        environ: Mapping[str, str],
        jobs: int = 1,
        progress: Progress = silent,
    ) -> Iterator[Self]:
        """Give an examiner for the length of a block, with all that it needs; what dead runs left goes first.

        Args:
            engine: The engine.
            engine_url: Its URL.
            lab: The lab with its checks.
            environ: The environment.
            jobs: How many jobs it is given at once at most.
            progress: Told of images that are made.

        Raises:
            EngineError: The engine does not answer, or its images are not to be had.
        """
        specs = origin.image_specs()
        images.ensure(engine, specs, environ=environ, progress=progress)
        leftovers.remove_dead(engine)
        with (
            closing(Children(environ, jobs)) as children,
            closing(Laboratories(engine, engine_url, lab.lab, specs)) as laboratories,
        ):
            yield cls(engine, lab, laboratories, children)

    def abandon(self) -> None:
        """End what is being examined, and begin nothing more."""
        self._laboratories.abandon()
        self._children.close()

    def examine(self, job: Job) -> Examination:
        """Examine one attempt.

        Returns:
            What was seen; an attempt that can't be used is an examination too. A check that raised what it
            should not has failed where the lab's solution passes it, and else is an error.

        Raises:
            LabError: A file of the lab is wrong.
            EngineError: The engine failed, or a host that runs nothing of the attempt.
        """
        return self._control.settled(self._seen(job), job)

    def _seen(self, job: Job) -> Examination:
        began, since = time.monotonic(), datetime.now(UTC)
        lab = self._lab
        checks: tuple[Observation, ...] = ()
        refused: Rejection | None = None
        remarks = job.remarks
        logs: dict[str, tuple[str, ...]] = {}
        try:
            job = replace(job, files=attempt.checked(job.files, lab.lab))
            with self._laboratories.laboratory(job) as given:
                there = given.there
                checks = tuple(self._observed(self._run(job, there.name)))
                remarks = (*remarks, *given.remarks, *self._exhausted(there))
                if any(each.verdict != CheckVerdict.PASSED for each in checks):
                    logs = self._logs(there, since)
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

    @property
    def _limits(self) -> Grading:
        return self._lab.lab.grading or Grading()

    def _run(self, job: Job, name: str) -> tuple[Result, ...]:
        lab = self._lab
        exam = Exam(
            files=job.files,
            seed=job.seed,
            needs={each.id: each.needs for each in lab.checks},
            order=lab.order,
            guarded=tuple(sorted({each.service for each in lab.lab.editable if not each.is_data})),
            students=tuple(sorted({each.service for each in lab.lab.editable if each.service})),
            seconds=self._limits.seconds,
        )
        orders = Orders(name, _CHECK_LIMIT, exam=exam)
        return Runner(orders, Audience(), lambda: None, self._children.child).run(lab.choices)

    def _observed(self, results: Iterable[Result]) -> Iterator[Observation]:
        """Put what was seen in the order of declaration; a check of which nothing is known broke."""
        lab, seen = self._lab, {each.id: each for each in results}
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
                explanation, evidence = _told(result)
                verdict = CheckVerdict(result.verdict.value)
                found = Observation(check.id, title, verdict, result.seconds, explanation, evidence)
                if result.kind == Blame.EXERCISE:
                    path = lab.place(result.path or lab.functions[check.id].path)
                    said = f"{path}:{result.line}: {explanation}"
                    found = replace(found, explanation=said, path=path, line=result.line)
                yield found

    def _exhausted(self, there: Instance) -> Iterator[str]:
        """Name the hosts that came to the end of their memory, or of the processes that they may have."""
        limits = self._limits
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

    def _logs(self, there: Instance, since: datetime) -> dict[str, tuple[str, ...]]:
        """Read the ends of the logs; in a laboratory that is lent, what is older is another attempt's."""
        found = {}
        for service in dict.fromkeys(each.service for each in self._lab.lab.editable if each.service):
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


def _told(result: Result) -> tuple[str, tuple[str, ...]]:
    """Return why a check did not pass, and what proves it: what it was doing and what it saw there."""
    if result.verdict == Verdict.PASSED:
        return "", ()
    proofs = [line for each in result.evidence for line in each.splitlines()]
    failed = [each for each in result.steps if each.verdict != Verdict.PASSED]
    for step in failed[-1:]:
        proofs = [step.text, *(f"  {line}" for line in step.evidence), *proofs]
    return "\n".join(bounded(result.outcome.reason.splitlines())), bounded(proofs)
