from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.errors import EngineUnavailable, GradingError, InvalidLabFile, LabNotUp
from labctl.grading.batch import Batch, Orders
from labctl.grading.job import Examination, Job, Observation, Rejection
from labctl.grading.seedfrom import SeedFrom
from labctl.grading.store import Store
from labctl.grading.verdict import CheckVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labctl.errors import LabctlError

PASSED = Observation("mx-resolves", "The MX resolves.", CheckVerdict.PASSED, 0.1)
BROKEN = replace(PASSED, verdict=CheckVerdict.ERROR, explanation="the engine is slow")


def candidate(name: str, content: bytes = b"", *remarks: str) -> Job:
    files = {"beta.test.zone": content or name.encode()}
    return Job(name, Path("/labs/small"), None, files, "00ff", "", remarks=remarks)


@dataclass
class Listener:
    begun: list[str] = field(default_factory=list)
    ended_: list[tuple[str, bool]] = field(default_factory=list)

    def begins(self, attempt: str) -> None:
        self.begun.append(attempt)

    def ended(self, examination: Examination, *, cached: bool) -> None:
        self.ended_.append((examination.attempt, cached))


class Examiner:
    """Sees what it is told to see, and remembers its jobs."""

    def __init__(self, *seen: Observation | Exception) -> None:
        self._seen = list(seen)
        self.jobs: list[Job] = []

    def __call__(self, job: Job) -> Examination:
        self.jobs.append(job)
        found = self._seen.pop(0) if self._seen else PASSED
        if isinstance(found, Exception):
            raise found
        return Examination(job.attempt, "small", job.seed, 1.0, (found,), remarks=job.remarks)


def run(
    examine: Callable[[Job], Examination],
    *candidates: Job | Examination,
    jobs: int = 1,
    store: Store | None = None,
    listener: Listener | None = None,
    lab_key: str = "",
) -> tuple[Examination, ...]:
    orders = Orders("small", "grade-1", jobs, lab_key, store)
    return Batch(orders, examine, listener or Listener()).run(iter(candidates))


def test_every_attempt_is_examined_and_comes_back_by_its_id() -> None:
    found = run(Examiner(), *(candidate(each) for each in "cab"), jobs=2)
    assert [each.attempt for each in found] == ["a", "b", "c"]


def test_each_job_brings_what_was_handed_in_and_has_a_laboratory_of_its_own() -> None:
    examiner = Examiner()
    run(examiner, candidate("a"), candidate("b"))
    assert [each.files["beta.test.zone"] for each in examiner.jobs] == [b"a", b"b"]
    assert len({each.name for each in examiner.jobs}) == 2


def test_what_broke_is_examined_once_more_and_says_so() -> None:
    examiner = Examiner(BROKEN, PASSED)
    [found] = run(examiner, candidate("a"))
    assert [(each.verdict, each.tries) for each in found.checks] == [(CheckVerdict.PASSED, 2)]
    assert found.seconds == 2.0
    assert [(each.name, each.run) for each in examiner.jobs] == [
        ("grade-1-1", "grade-1"),
        ("grade-1-1-2", "grade-1"),
    ]


@pytest.mark.parametrize(
    "error",
    [
        EngineUnavailable("the engine is gone", hint="labctl engine start"),
        LabNotUp("dns of lab 'x' is stopped", hint="labctl up"),
        GradingError("checks are not run any more", hint="labctl grade"),
    ],
)
def test_what_breaks_of_one_laboratory_costs_its_attempt_alone(error: LabctlError) -> None:
    found = run(Examiner(error, error), candidate("a"), candidate("b"))
    assert [each.broken for each in found] == [error.message, ""]


def test_an_attempt_that_labctl_can_not_bear_costs_no_other_its_score() -> None:
    found = run(Examiner(KeyError("x"), KeyError("x")), candidate("a"), candidate("b"))
    broken = "labctl broke: KeyError: 'x'"
    assert found[0] == Examination("a", "small", "00ff", 0.0, broken=broken)
    assert found[1].broken == ""


def test_a_lab_that_is_wrong_ends_the_run(tmp_path: Path) -> None:
    wrong = InvalidLabFile("no such topology", path=tmp_path, line=None, hint="edit it")
    examiner = Examiner(wrong)
    with pytest.raises(InvalidLabFile):
        run(examiner, candidate("a"), candidate("b"))
    assert len(examiner.jobs) == 1


def test_a_rejected_attempt_needs_no_laboratory() -> None:
    examiner = Examiner()
    rejected = Examination("a", "small", "", 0.0, rejection=Rejection("missing-file", "no zone", "add it"))
    listener = Listener()
    [found] = run(examiner, rejected, listener=listener)
    assert (found.rejection, examiner.jobs) == (rejected.rejection, [])
    assert (listener.begun, listener.ended_) == (["a"], [("a", False)])


def test_an_attempt_that_can_not_be_read_here_is_told_and_read_again_by_the_next_run(
    tmp_path: Path,
) -> None:
    examiner = Examiner()
    unread = Examination("a", "small", "", 0.0, broken="a can't be read: Input/output error")
    found = run(examiner, unread, candidate("b"), store=Store(tmp_path))
    assert [(each.attempt, each.broken) for each in found] == [("a", unread.broken), ("b", "")]
    assert [each.attempt for each in examiner.jobs] == ["b"]
    run(examiner, candidate("a"), store=Store(tmp_path))
    assert [each.attempt for each in examiner.jobs] == ["b", "a"]


def test_a_second_run_takes_up_where_the_first_one_ended(tmp_path: Path) -> None:
    run(Examiner(), candidate("a"), store=Store(tmp_path))
    examiner, listener = Examiner(), Listener()
    run(examiner, candidate("a"), candidate("b"), store=Store(tmp_path), listener=listener)
    assert [each.attempt for each in examiner.jobs] == ["b"]
    assert listener.ended_ == [("a", True), ("b", False)]


def test_the_same_content_under_another_name_is_known_by_its_content(tmp_path: Path) -> None:
    run(Examiner(), candidate("a", b"same", "of a"), store=Store(tmp_path))
    examiner = Examiner()
    other = replace(candidate("b", b"same", "of b"), seed_from=SeedFrom.ROSTER)
    [found] = run(examiner, other, store=Store(tmp_path))
    assert (found.attempt, found.remarks, examiner.jobs) == ("b", ("of b",), [])
    assert found.seed_from is SeedFrom.ROSTER


@pytest.mark.parametrize(
    ("content", "seed", "lab_key"), [(b"other", "00ff", ""), (b"x", "1111", ""), (b"x", "00ff", "other")]
)
def test_another_content_seed_or_lab_is_examined_anew(
    tmp_path: Path, content: bytes, seed: str, lab_key: str
) -> None:
    run(Examiner(), candidate("a", b"x"), store=Store(tmp_path))
    examiner = Examiner()
    again = replace(candidate("a", content), seed=seed)
    run(examiner, again, store=Store(tmp_path), lab_key=lab_key)
    assert len(examiner.jobs) == 1


def test_what_breaks_twice_is_an_error_and_is_tried_again_by_the_next_run(tmp_path: Path) -> None:
    for examiner, verdict in ((Examiner(BROKEN, BROKEN, PASSED), "error"), (Examiner(), "passed")):
        [found] = run(examiner, candidate("a"), store=Store(tmp_path))
        assert found.checks[0].verdict == verdict
    assert len(examiner.jobs) == 1


def test_an_attempt_that_is_abandoned_is_neither_told_nor_kept(tmp_path: Path) -> None:
    abandoned = threading.Event()
    listener = Listener()
    store = Store(tmp_path / "out")

    def examine(job: Job) -> Examination:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        assert abandoned.wait(10)
        return Examination(job.attempt, "small", job.seed, 1.0, (), broken="its laboratory was taken away")

    batch = Batch(Orders("small", "grade-1", 1, "", store), examine, listener, abandoned.set)
    with pytest.raises(KeyboardInterrupt):
        batch.run(iter([candidate("a")]))
    assert (listener.begun, listener.ended_) == (["a"], [])
    assert not store.directory.exists()


def test_what_was_handed_in_is_read_only_when_its_turn_comes() -> None:
    read: list[str] = []
    examined: list[int] = []

    def candidates() -> Iterator[Job]:
        for name in "abcdef":
            read.append(name)
            yield candidate(name)

    def examine(job: Job) -> Examination:
        examined.append(len(read))
        return Examination(job.attempt, "small", job.seed, 1.0, (PASSED,))

    Batch(Orders("small", "grade-1", 1), examine, Listener()).run(candidates())
    assert examined == [1, 2, 3, 4, 5, 6]


def test_as_many_are_examined_at_once_as_may_be() -> None:
    together = threading.Barrier(3, timeout=10)

    def examine(job: Job) -> Examination:
        together.wait()
        return Examination(job.attempt, "small", job.seed, 1.0, (PASSED,))

    assert len(run(examine, *(candidate(each) for each in "abcdef"), jobs=3)) == 6
