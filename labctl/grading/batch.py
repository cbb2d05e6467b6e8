"""Many attempts, several at a time: the local driver of examinations."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from labctl.errors import LabctlError, LabError
from labctl.grading import fingerprint
from labctl.grading.job import Examination, Job
from labctl.interruption import held_back, undone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from labctl.grading.store import Store

TRIES: Final = 2
"""How often an attempt is examined at most, where something broke that was not its doing."""


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
        lab: The lab's id.
        run: What tells this run's laboratories from those of others: part of their names.
        jobs: How many at once.
        lab_key: The lab's part of the key under which examinations are kept.
        store: Where they are kept.
    """

    lab: str
    run: str
    jobs: int
    lab_key: str = ""
    store: Store | None = None


@dataclass(slots=True)
class Batch:
    """Examines attempts, one after the other as there is room, each by the same contract.

    What was handed in is only read when its turn comes, and let go afterwards.

    Args:
        orders: How.
        examine: Does one job.
        audience: Told what happens.
        abandon: Ends what is being examined, where the user has had enough.
    """

    _orders: Orders
    _examine: Callable[[Job], Examination]
    _audience: Audience
    _abandon: Callable[[], None] = lambda: None
    _next: threading.Lock = field(default_factory=threading.Lock, init=False)
    _telling: threading.Lock = field(default_factory=threading.Lock, init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)
    _begun: int = field(default=0, init=False)
    _seen: list[Examination] = field(default_factory=list, init=False)

    def run(self, attempts: Iterable[Job | Examination]) -> tuple[Examination, ...]:
        """Examine all; what came out of each is told at once, and returned by id.

        Args:
            attempts: A job for each, which gets its laboratory's name here; or at once what has come out
                of one that can't be examined.

        Raises:
            LabctlError: A result can't be kept, or labctl itself broke.
            KeyboardInterrupt: The user has had enough; the laboratories are gone by then.
        """
        waiting = iter(attempts)
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

    def _work(self, waiting: Iterator[Job | Examination]) -> None:
        while not self._stopped.is_set():
            with self._next:
                attempt = next(waiting, None)
                self._begun += 1
                number = self._begun
            if attempt is None:
                return
            with undone(self._stopped.set):
                if isinstance(attempt, Job):
                    self._one(attempt, f"{self._orders.run}-{number}")
                else:
                    self._begin(attempt.attempt)
                    self._tell(attempt, cached=False)

    def _one(self, job: Job, name: str) -> None:
        store = self._orders.store
        key = fingerprint.of_attempt(self._orders.lab_key, job.files, job.seed)
        known = store.get(key) if store is not None else None
        if known is not None:
            self._tell(_of(job, known), cached=True)
            return
        self._begin(job.attempt)
        examination = self._examined(job, name)
        if self._stopped.is_set() and examination.broke:
            return  # it was abandoned: nothing is known of it
        if store is not None:
            store.put(key, examination)
        self._tell(_of(job, examination), cached=False)

    def _examined(self, job: Job, name: str) -> Examination:
        """Examine one, and once more in a laboratory of its own where something broke."""
        seen = self._examine_once(job, name)
        for nth in range(2, TRIES + 1):
            if not seen.broke or self._stopped.is_set():
                break
            again = self._examine_once(job, f"{name}-{nth}")
            checks = tuple(replace(each, tries=nth) for each in again.checks)
            seen = replace(again, checks=checks, seconds=seen.seconds + again.seconds)
        return seen

    def _examine_once(self, job: Job, name: str) -> Examination:
        try:
            # Its remarks are its own: what is seen may be kept, for another that hands in the same.
            return self._examine(replace(job, name=name, run=self._orders.run, remarks=()))
        except LabError:  # the lab is wrong, for every attempt
            raise
        except LabctlError as error:
            broken = error.told
        except Exception as error:  # noqa: BLE001  # an attempt that labctl can't bear must not cost the others theirs
            broken = f"labctl broke: {type(error).__name__}: {error}"
        return Examination(job.attempt, self._orders.lab, job.seed, 0.0, broken=broken)

    def _begin(self, attempt: str) -> None:
        with self._telling:
            self._audience.begins(attempt)

    def _tell(self, examination: Examination, *, cached: bool) -> None:
        with self._telling:
            self._seen.append(examination)
            self._audience.ended(examination, cached=cached)


def _of(job: Job, seen: Examination) -> Examination:
    """Return what was seen, maybe of another attempt that handed in the same, with what is this one's own."""
    remarks = (*job.remarks, *seen.remarks)
    return replace(seen, attempt=job.attempt, remarks=remarks, seed_from=job.seed_from)
