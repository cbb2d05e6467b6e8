"""The control: a check that raised is tried with files of the lab's own, to know whose doing it was.

A check reads what an attempt's daemons answer and what its files say, so an exception of any kind may come
from there: to unpack two words where a zone has three is a `ValueError`, and so is a mistake in the check.
Only a run with other contents tells the two apart, and it is made once for all attempts. These contents are
the solution; where a lab comes to students it has none, and then they are the starter.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from labctl.errors import LabctlError
from labctl.grading import fingerprint
from labctl.grading.handout.files import STARTER
from labctl.grading.verdict import CheckVerdict
from labctl.lab.attempt import attempt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.grading.job import Examination, Job, Observation
    from labctl.lab.blueprint.definition import LabDefinition

SOLUTION: Final = "solution"
"""Where a lab has its solution: what a student should come to."""

_CONTENTS: Final = {
    SOLUTION: (frozenset({CheckVerdict.PASSED}), "The lab's own solution passes this check."),
    STARTER: (
        frozenset({CheckVerdict.PASSED, CheckVerdict.FAILED}),
        "With the lab's starter this check comes to its end.",
    ),
}
"""What may be examined instead of an attempt; how a check has to end with it that is in order, and the words
for that."""


@dataclass(frozen=True, slots=True)
class _Sound:
    """What is known of a lab's checks.

    Args:
        checks: The ids of those that are in order.
        why: How that is known.
    """

    checks: frozenset[str] = frozenset()
    why: str = ""


class Control:
    """Knows which checks of one lab do not raise by themselves; found out when that is first asked for.

    Args:
        examine: Examines a job, and takes what a check raises for an error.
        lab: The lab.
    """

    def __init__(self, examine: Callable[[Job], Examination], lab: LabDefinition) -> None:
        self._examine = examine
        self._lab = lab
        self._lock = threading.Lock()
        self._sound: _Sound | None = None

    def settled(self, seen: Examination, job: Job) -> Examination:
        """Take for failed what a check raised with an attempt and does not with the lab's own files.

        Args:
            seen: What was seen of the attempt.
            job: Its job.

        Returns:
            The same, where no check raised, or the check is not known to be in order.
        """
        if not any(map(_raised, seen.checks)):
            return seen
        sound = self._of(job)
        checks = tuple(
            _failed(each, sound.why) if _raised(each) and each.id in sound.checks else each
            for each in seen.checks
        )
        return replace(seen, checks=checks)

    def _of(self, job: Job) -> _Sound:
        """Return which checks are in order, as far as that can be found out."""
        with self._lock:
            with suppress(LabctlError):  # the engine failed, perhaps: then nothing is known, for now
                self._sound = self._sound or self._examined(job)
            return self._sound or _Sound()

    def _examined(self, job: Job) -> _Sound:
        """Examine the first of the lab's own contents that are here.

        Raises:
            LabctlError: They can't be handed in, or the engine failed.
        """
        for name, (in_order, why) in _CONTENTS.items():
            if (directory := self._lab.directory / name).is_dir():
                seen = self._examine(self._job_for(directory, job))
                return _Sound(frozenset(each.id for each in seen.checks if each.verdict in in_order), why)
        return _Sound()

    def _job_for(self, directory: Path, job: Job) -> Job:
        """Return the job that examines a directory beside an attempt.

        Raises:
            LabctlError: It can't be handed in.
        """
        found = attempt.read(directory, self._lab)
        seed = found.seed or fingerprint.of_files(found.files)[:16]
        mark = fingerprint.of_files({job.name: b""})[:8]  # a name may have been as long as one can be
        name = f"{job.name[:20]}-{mark}"
        return replace(job, attempt=directory.name, files=found.files, seed=seed, name=name)


def _raised(check: Observation) -> bool:
    """Say whether it is the check that broke, and not its laboratory."""
    return check.verdict == CheckVerdict.ERROR and check.path is not None


def _failed(check: Observation, why: str) -> Observation:
    said = f"what was handed in is more than the check can read: {check.explanation}"
    return replace(check, verdict=CheckVerdict.FAILED, explanation=f"{said}\n{why}")
