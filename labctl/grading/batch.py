"""Many attempts, several at a time: the local driver of examinations."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from labctl.errors import LabctlError, LabError
from labctl.grading import fingerprint
from labctl.grading.job import Examination, Job
from labctl.interruption import held_back, undone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from labctl.grading.gradedlab import GradedLab
    from labctl.grading.job import Rejection
    from labctl.grading.seedfrom import SeedFrom
    from labctl.grading.store import Store

TRIES: Final = 2
"""How often an attempt is examined at most, where something broke that was not its doing."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One attempt as it was found.

    Args:
        id: Its id.
        files: What was handed in, by the path that the lab gives.
        seed: What all that is random in its checks comes from.
        rejection: Why it can't be examined at all, where it can't.
        remarks: What a teacher should know of its directory.
        broken: Why this machine could not read it, which is no fault of the attempt's; else empty.
        seed_from: Who says that this is its seed; None where none is needed.
    """

    id: str
    files: Mapping[str, bytes]
    seed: str
    rejection: Rejection | None = None
    remarks: tuple[str, ...] = ()
    broken: str = ""
    seed_from: SeedFrom | None = None

    @property
    def is_readable(self) -> bool:
        """Whether there is anything to examine."""
        return self.rejection is None and not self.broken


class Audience(Protocol):
    """Who is told how far the work has come; called from several threads, but one at a time."""

    def begins(self, attempt: str) -> None:
        """Take note that an attempt is being examined."""

    def ended(self, examination: Examination, *, cached: bool) -> None:
        """Take note that it has been, now or in an earlier run."""


@dataclass(frozen=True, slots=True)
class Orders:
    """How attempts are to be examined.

    Args:
        lab: The lab with its checks.
        run: What tells this run's laboratories from those of others: part of their names.
        jobs: How many at once.
        lab_key: The lab's part of the key under which examinations are kept.
        store: Where they are kept.
    """

    lab: GradedLab
    run: str
    jobs: int
    lab_key: str = ""
    store: Store | None = None


class Batch:
    """Examines attempts, one after the other as there is room, each by the same contract.

    What was handed in is only read when its turn comes, and let go afterwards.

    Args:
        orders: How.
        examine: Does one job.
        audience: Told what happens.
        abandon: Ends what is being examined, where the user has had enough.
    """

    def __init__(
        self,
        orders: Orders,
        examine: Callable[[Job], Examination],
        audience: Audience,
        abandon: Callable[[], None] = lambda: None,
    ) -> None:
        self._orders = orders
        self._examine = examine
        self._audience = audience
        self._abandon = abandon
        self._next = threading.Lock()
        self._telling = threading.Lock()
        self._stopped = threading.Event()
        self._begun = 0
        self._seen: list[Examination] = []

    def run(self, candidates: Iterable[Candidate]) -> tuple[Examination, ...]:
        """Examine all; what came out of each is told at once, and returned by id.

        Raises:
            LabctlError: A result can't be kept, or labctl itself broke.
            KeyboardInterrupt: The user has had enough; the laboratories are gone by then.
        """
        waiting = iter(candidates)
        with (
            ThreadPoolExecutor(max_workers=self._orders.jobs, thread_name_prefix="examiner") as pool,
            undone(self._abandon),
            undone(self._stopped.set),
        ):
            with held_back():
                work = [pool.submit(self._work, waiting) for _ in range(self._orders.jobs)]
            for each in work:
                each.result()
        return tuple(sorted(self._seen, key=lambda each: each.attempt))

    def _work(self, waiting: Iterator[Candidate]) -> None:
        while not self._stopped.is_set():
            with self._next:
                candidate = next(waiting, None)
                self._begun += 1
                number = self._begun
            if candidate is None:
                return
            with undone(self._stopped.set):
                self._one(candidate, number)

    def _one(self, candidate: Candidate, number: int) -> None:
        orders = self._orders
        key = fingerprint.of_attempt(orders.lab_key, candidate.files, candidate.seed)
        known = orders.store.get(key) if orders.store is not None and candidate.is_readable else None
        if known is not None:
            self._tell(_of(candidate, known), cached=True)
            return
        with self._telling:
            self._audience.begins(candidate.id)
        examination = self._examined(candidate, number)
        if self._stopped.is_set() and examination.broke:
            return  # it was abandoned: nothing is known of it
        if orders.store is not None and candidate.is_readable:
            orders.store.put(key, examination)
        self._tell(_of(candidate, examination), cached=False)

    def _examined(self, candidate: Candidate, number: int) -> Examination:
        """Examine one, and once more in a laboratory of its own where something broke."""
        if not candidate.is_readable:
            return Examination(
                candidate.id,
                self._orders.lab.lab.id,
                candidate.seed,
                0.0,
                rejection=candidate.rejection,
                broken=candidate.broken,
            )
        seen = self._examine_once(candidate, f"{self._orders.run}-{number}")
        for nth in range(2, TRIES + 1):
            if not seen.broke or self._stopped.is_set():
                break
            again = self._examine_once(candidate, f"{self._orders.run}-{number}-{nth}")
            checks = tuple(replace(each, tries=nth) for each in again.checks)
            seen = replace(again, checks=checks, seconds=seen.seconds + again.seconds)
        return seen

    def _examine_once(self, candidate: Candidate, name: str) -> Examination:
        lab = self._orders.lab
        job = Job(
            attempt=candidate.id,
            lab=lab.lab.directory,
            checks=lab.hidden_directory,
            files=candidate.files,
            seed=candidate.seed,
            name=name,
            run=self._orders.run,
        )
        try:
            return self._examine(job)
        except LabError:  # the lab is wrong, for every attempt
            raise
        except LabctlError as error:
            broken = error.told
        except Exception as error:  # noqa: BLE001  # an attempt that labctl can't bear must not cost the others theirs
            broken = f"labctl broke: {type(error).__name__}: {error}"
        return Examination(candidate.id, lab.lab.id, candidate.seed, 0.0, broken=broken)

    def _tell(self, examination: Examination, *, cached: bool) -> None:
        with self._telling:
            self._seen.append(examination)
            self._audience.ended(examination, cached=cached)


def _of(candidate: Candidate, seen: Examination) -> Examination:
    """Return what was seen, maybe of another attempt that handed in the same, with what is this one's own."""
    remarks = (*candidate.remarks, *seen.remarks)
    return replace(seen, attempt=candidate.id, remarks=remarks, seed_from=candidate.seed_from)
