"""The control: a check that raised is tried with the lab's own solution, to know whose doing it was.

A check reads what an attempt's daemons answer and what its files say, so an exception of any kind may come
from there: to unpack two words where a zone has three is a `ValueError`, and so is a mistake in the check.
Only a run with other contents tells the two apart, and it is made once for all attempts.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from labctl.errors import LabctlError
from labctl.grading import fingerprint
from labctl.grading.verdict import CheckVerdict
from labctl.lab import attempt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.grading.gradedlab import GradedLab
    from labctl.grading.job import Examination, Job, Observation

SOLUTION: Final = "solution"
"""Where a lab has its solution: what a student should come to."""


class Control:
    """Knows which checks of a lab its solution passes; it is examined when that is first asked for.

    Args:
        examine: Examines a job, and takes what a check raises for an error.
    """

    def __init__(self, examine: Callable[[Job], Examination]) -> None:
        self._examine = examine
        self._lock = threading.Lock()
        self._passed: dict[tuple[Path, Path | None], frozenset[str]] = {}

    def settled(self, seen: Examination, job: Job, lab: GradedLab) -> Examination:
        """Take for failed what a check raised with an attempt and does not with the solution.

        Args:
            seen: What was seen of the attempt.
            job: Its job.
            lab: The lab.

        Returns:
            The same, where no check raised, the lab has no solution here, or that does not pass the check.
        """
        if not any(map(_raised, seen.checks)):
            return seen
        passed = self._of(job, lab)
        settled = {each.id for each in seen.checks if _raised(each) and each.id in passed}
        checks = tuple(_failed(each) if each.id in settled else each for each in seen.checks)
        return replace(seen, checks=checks)

    def _of(self, job: Job, lab: GradedLab) -> frozenset[str]:
        """Return the checks that the solution passes, as far as that can be found out."""
        with self._lock:
            if (key := (job.lab, job.checks)) not in self._passed:
                found: frozenset[str] = frozenset()
                with suppress(LabctlError):  # the engine failed, perhaps: then nothing is known, for now
                    seen = self._examine(_of_solution(job, lab))
                    found = frozenset(each.id for each in seen.checks if each.verdict == CheckVerdict.PASSED)
                    self._passed[key] = found
                return found
            return self._passed[key]


def _of_solution(job: Job, lab: GradedLab) -> Job:
    """Return the job that examines the solution beside another.

    Raises:
        LabctlError: There is none that can be handed in.
    """
    found = attempt.read(lab.lab.directory / SOLUTION, lab.lab)
    seed = found.seed or fingerprint.of_files(found.files)[:16]
    mark = fingerprint.of_files({job.name: b""})[:8]  # a name may have been as long as one can be
    return replace(job, attempt=SOLUTION, files=found.files, seed=seed, name=f"{job.name[:20]}-{mark}")


def _raised(check: Observation) -> bool:
    """Say whether it is the check that broke, and not its laboratory."""
    return check.verdict == CheckVerdict.ERROR and check.path is not None


def _failed(check: Observation) -> Observation:
    said = f"what was handed in is more than the check can read: {check.explanation}"
    return replace(
        check,
        verdict=CheckVerdict.FAILED,
        explanation=f"{said}\nThe lab's own solution passes this check.",
    )
