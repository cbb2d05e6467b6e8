"""The lab of an exam: observed between the checks of one attempt, and never emptied or mended."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from labctl.errors import EngineError, LabNotUp
from labctl.exercises.log.complaint import is_complaint
from labctl.exercises.result.outcome import Blame, Outcome
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.running.guard import guarded
from labctl.exercises.running.judgement import ExamJudge
from labctl.exercises.running.stage import Condition, Stage
from labctl.lab.attempt.refusal import shown
from labctl.lab.blueprint.definition import Grading
from labctl.lab.running import instance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from labctl.engine.protocol import Engine
    from labctl.exercises.log.watch import Watch
    from labctl.exercises.worker.protocol import Exam
    from labctl.lab.blueprint.definition import LabDefinition
    from labctl.lab.running.instance import Instance

_MOST_OVERHEARD: Final = 5
"""Lines of a daemon's complaints that stand in a report of one check."""

_PASSING: Final = re.compile(r"\[[0-9]+\]|<[^>]*>|\bpid [0-9]+|[0-9]+:[0-9]{2}:[0-9]{2}")
"""What differs in a complaint that comes again: process, session and time."""


class ExamStage(Stage):
    """One lab, started with what was handed in, for one check after the other.

    It is never made as new: what it is restored from does not know the attempt's files. Letters are told
    apart by their Message-IDs.
    """

    def __init__(  # those of `Stage`, and the exam
        self,
        engine: Engine,
        name: str,
        lab: LabDefinition,
        environ: Mapping[str, str],
        exam: Exam,
    ) -> None:
        super().__init__(guarded(engine, exam.guarded), name, lab, environ, condition=Condition.PRISTINE)
        self._exam = exam
        self.excused = frozenset(exam.students)
        self.judge: ExamJudge = ExamJudge(self.engine, name, exam, (lab.grading or Grading()).memory)

    def prepare(self) -> Instance:
        """Look at the lab, unless that was done after the check before and all was well.

        Raises:
            LabNotUp: It is gone.
            EngineError: The engine failed.
        """
        seen = self.seen
        if seen is not None and not seen.fault_volumes and all(each.running for each in seen.hosts):
            return seen
        there = instance.observe(self.engine, self.name)
        if not there.exists:
            raise LabNotUp(f"lab {self.name!r} is gone", hint="labctl grade")
        return there

    def left(self, *, well: bool) -> None:
        """Leave it as it is."""

    def overheard(self, watch: Watch) -> tuple[str, ...]:
        """Return what the daemons that were given a file of the attempt complained of, the last of it."""
        with suppress(Exception):  # whatever became of a log, the verdict stands without it
            watch.catch_up()
        told = [each for each in watch.sayings if watch.hosts[each.host].service in self._exam.students]
        last = {_PASSING.sub("", each.text): each for each in told if is_complaint(each)}
        return tuple(shown(str(each)) for each in [*last.values()][-_MOST_OVERHEARD:])

    def defeat(self) -> Outcome | None:
        """Return which host with a file of the attempt had ended by the last `complaint`, or None."""
        try:
            return None if self.seen is None else self.judge.defeat(self.seen)
        except EngineError as exc:
            return Outcome(Verdict.ERROR, exc.message, Blame.LAB)
