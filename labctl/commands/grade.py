"""``labctl grade``: grades one attempt or many."""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from labctl import byteordermark
from labctl.contract.value import Amount, LabName, Part, Text
from labctl.errors import AttemptError, GradingError, LabctlError, UsageError
from labctl.grading import batch, capacity, fingerprint, gradedlab, seedfrom, seeds
from labctl.grading.batch import Batch
from labctl.grading.examiner import Examiner, rejection_of
from labctl.grading.job import Examination, Job, Rejection
from labctl.grading.score import GradedAttempt, graded
from labctl.grading.seedfrom import SeedFrom
from labctl.grading.store import Store
from labctl.lab import catalogue, origin
from labctl.lab.attempt import attempt
from labctl.lab.blueprint import definition
from labctl.lab.blueprint.definition import Grading
from labctl.lab.blueprint.limits import Limits
from labctl.progress import silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labctl.engine.protocol import Engine
    from labctl.grading.gradedlab import GradedLab
    from labctl.grading.verdict import AttemptVerdict
    from labctl.lab.attempt.attempt import HandIn
    from labctl.lab.blueprint.definition import LabDefinition
    from labctl.progress import Progress


_OTHER_SEED: Final = Rejection(
    "other-seed",
    f"{attempt.SETTINGS} says another seed than this attempt was handed out with",
    f"put back the {attempt.SETTINGS} that came with the lab, and answer what it asks",
    file=attempt.SETTINGS,
)


@dataclass(frozen=True, slots=True)
class Grade:
    """Attempts, graded.

    Args:
        lab: The lab's id.
        title: Its title.
        attempts: The attempts, by id.
        seconds: How long it all took.
        shard: Which part of all attempts it is, and of how many parts, counted from 1; None where it is all.
    """

    SCHEMA: ClassVar = "labctl/grade/v1"

    lab: LabName
    title: Text
    attempts: tuple[GradedAttempt, ...]
    seconds: Amount
    shard: tuple[Part, Part] | None = None

    @property
    def exit_code(self) -> int:
        """0 where all passed, 4 where anything broke, else 1."""
        return max((each.verdict.exit_code for each in self.attempts), default=0)

    @property
    def counts(self) -> Counter[AttemptVerdict]:
        """How many attempts ended how."""
        return Counter(each.verdict for each in self.attempts)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user asks ``grade`` for.

    Args:
        attempts: The directories.
        lab: The lab; the one that the attempts name where it is None.
        checks: A directory of hidden checks.
        jobs: How many attempts at once at most; as many as this machine bears where it is None.
        shard: Which part of the attempts, and of how many parts, counted from 1; all where it is None.
        out: Where examinations are kept, and taken from where they are there.
        seeds: A roster of the seeds that attempts were handed out with (`seeds.read`).
    """

    attempts: tuple[Path, ...]
    lab: str | None = None
    checks: Path | None = None
    jobs: int | None = None
    shard: tuple[int, int] | None = None
    out: Path | None = None
    seeds: Path | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What a wish comes to, as far as that can be told without an engine.

    Args:
        wish: The wish.
        lab: The lab with its checks.
        places: The attempts' directories, by their ids.
        roster: The seeds that were handed out, by attempt, where those are known.
    """

    wish: Wish
    lab: GradedLab
    places: Mapping[str, Path]
    roster: Mapping[str, str] | None = None

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files of the attempts that will be read, whether they are there or not."""
        read = (attempt.SETTINGS, *(each.path for each in self.lab.lab.editable))
        return tuple(directory / each for directory in self.wish.attempts for each in read)

    @property
    def mine(self) -> tuple[tuple[str, Path], ...]:
        """The attempts to grade, those of the wish's shard, in the order of their ids."""
        part, parts = self.wish.shard or (1, 1)
        return tuple(sorted(self.places.items()))[part - 1 :: parts]


def prepare(wish: Wish, environ: Mapping[str, str]) -> Task:
    """Find what a wish names, and refuse what can be told to be wrong without an engine.

    Raises:
        UsageError: An attempt or the lab is not there, the lab is not to be graded, or the roster is wrong.
        LabError: The lab or a file of its checks is wrong.
    """
    places = named(wish.attempts)
    lab = gradedlab.load(_lab(wish, environ), wish.checks)
    for option, path in (("--out", wish.out), ("--seeds", wish.seeds)):
        _apart(option, path, wish.attempts)
    return Task(wish, lab, places, None if wish.seeds is None else seeds.read(wish.seeds))


class Audience(Protocol):
    """Who is told how far the grading has come."""

    def starts(self, attempts: int, jobs: int) -> None:
        """Take note how many attempts there are, and how many are examined at once."""

    def begins(self, attempt: str) -> None:
        """Take note that an attempt is being examined."""

    def ended(self, graded: GradedAttempt) -> None:
        """Take note that it has been graded."""


def grade(
    engine: Engine,
    engine_url: str,
    task: Task,
    *,
    environ: Mapping[str, str],
    audience: Audience,
    progress: Progress = silent,
) -> Grade:
    """Grade attempts, each in a laboratory.

    Args:
        engine: The engine.
        engine_url: Its URL.
        task: What `prepare` has found.
        environ: The environment.
        audience: Told how far it has come.
        progress: Told of images that are made.

    Raises:
        LabError: A file of the lab is wrong.
        EngineError: The engine does not answer, or its images are not to be had.
        OutputError: A result can't be kept.
    """
    began = time.monotonic()
    wish, lab, mine = task.wish, task.lab, task.mine
    jobs = _jobs(wish.jobs, lab, len(mine))
    told = _Told(lab, audience)
    at_work = Examiner.at_work(engine, engine_url, lab, environ=environ, jobs=jobs, progress=progress)
    with at_work as examiner:
        orders = batch.Orders(
            lab.lab.id,
            f"grade-{secrets.token_hex(3)}",
            jobs,
            lab_key=fingerprint.of_lab(lab, (each.tag for each in origin.image_specs())),
            store=Store(wish.out) if wish.out is not None else None,
        )
        audience.starts(len(mine), jobs)
        Batch(orders, examiner.examine, told, examiner.abandon).run(_attempt(task, *each) for each in mine)
    attempts = tuple(sorted(told.graded, key=lambda each: each.id))
    return Grade(lab.lab.id, lab.lab.title, attempts, time.monotonic() - began, wish.shard)


class _Told:
    """Weighs what was seen, as soon as it was."""

    def __init__(self, lab: GradedLab, audience: Audience) -> None:
        self._lab = lab
        self._audience = audience
        self.graded: list[GradedAttempt] = []

    def begins(self, attempt: str) -> None:
        """See `batch.Audience`."""
        self._audience.begins(attempt)

    def ended(self, examination: Examination, *, cached: bool) -> None:
        """See `batch.Audience`."""
        weighed = graded(examination, self._lab.checks, hidden=self._lab.hidden, cached=cached)
        self.graded.append(weighed)
        self._audience.ended(weighed)


def named(paths: Sequence[Path]) -> dict[str, Path]:
    """Name attempts by their directories, and by as much of what lies above as tells them apart.

    Raises:
        UsageError: One is no directory.
    """
    for path in paths:
        if not path.is_dir():
            hint = f"labctl grade {path.parent}" if path.name == attempt.SETTINGS else "labctl grade DIR…"
            raise UsageError(f"no attempt in {path}: not a directory", hint=hint)
    places = list(dict.fromkeys(Path(os.path.abspath(path)) for path in paths))  # noqa: PTH100  # a link is named as it is
    names = {path: attempt.name_of(path) for path in places}
    depth = 1
    while clashes := {name for name, times in Counter(names.values()).items() if times > 1}:
        depth += 1
        for path in (each for each in places if names[each] in clashes):
            names[path] = "/".join(path.parts[-depth:]).lstrip("/")
    return {names[path]: path for path in places}


def _lab(wish: Wish, environ: Mapping[str, str]) -> LabDefinition:
    """Find the lab: the one that was named, or else the one that most attempts name.

    What one student writes into his settings is not to keep all others from being graded.
    """
    if wish.lab is not None:
        return catalogue.find(wish.lab, environ)
    named = Counter(lab for path in wish.attempts if (lab := _said(path, alone=len(wish.attempts) == 1)))
    if not named:
        for path in wish.attempts:
            if (path / definition.FILE_NAME).is_file():
                raise UsageError(f"{path} is a lab, and no attempt at one", hint=f"labctl labs test {path}")
        raise UsageError(f"{wish.attempts[0]} has no labctl.toml that names its lab", hint="--lab LAB")
    [(lab, times)] = named.most_common(1)
    if 2 * times <= named.total():
        raise UsageError(
            f"these are attempts at {', '.join(sorted(named))}: one lab at a time", hint="--lab LAB"
        )
    return catalogue.find(lab, environ)


def _said(path: Path, *, alone: bool) -> str | None:
    """Return the lab that an attempt names, where it names one.

    Raises:
        UsageError: Its settings can't be used, and no other attempt's would do.
    """
    try:
        return attempt.settings(path).lab
    except (UsageError, GradingError):
        if alone:
            raise
        return None


def _apart(option: str, place: Path | None, attempts: Sequence[Path]) -> None:
    """Refuse to keep, or to believe, what lies where a student could have put it."""
    for path in attempts if place is not None else ():
        if place is not None and place.resolve().is_relative_to(path.resolve()):
            raise UsageError(
                f"{option} {place} lies in the attempt {path}", hint=f"{option}: a place elsewhere"
            )


def _jobs(wanted: int | None, lab: GradedLab, attempts: int) -> int:
    limit = Limits.of(lab.lab.grading or Grading()).memory
    bearable = capacity.borne_here(limit)
    return max(1, min(wanted or bearable, bearable, attempts))


def _attempt(task: Task, name: str, path: Path) -> Job | Examination:
    """Read an attempt; what is wrong with it is its own verdict, and no error.

    Several attempts that one command is given are not all the user's own: one that is a link may lead to
    another student's, and so may its seed.

    Args:
        task: What is graded.
        name: Its id.
        path: Its directory.

    Returns:
        A job, or what has come out already where it can't be examined.
    """
    lab, guessed = task.lab.lab, task.wish.lab is None
    handed_out = (task.roster or {}).get(name)
    unread = Examination(
        name, lab.id, handed_out or "", 0.0, seed_from=SeedFrom.ROSTER if handed_out else None
    )
    try:
        said = _said(path, alone=False) if guessed else None
        if (refused := _refused(path, said, lab, alone=len(task.places) == 1)) is not None:
            return replace(unread, rejection=refused)
        read = attempt.read(path, lab)
    except AttemptError as error:
        return replace(unread, rejection=rejection_of(error))
    except LabctlError as error:  # this machine, or who may read there
        return replace(unread, broken=error.told)
    except Exception as error:  # noqa: BLE001  # one that labctl can't bear must not cost the others theirs
        return replace(unread, broken=f"labctl broke: {type(error).__name__}: {error}")
    if handed_out and read.seed not in {None, handed_out}:
        return replace(unread, rejection=_OTHER_SEED)
    seed, source, remarks = _seed(read, lab, task.roster, handed_out)
    if read.ignored:
        remarks.append(f"{'at least ' if read.bounded else ''}{read.ignored} other files were ignored")
    if guessed and said is None:
        remarks.append(
            f"it names no lab that can be read in {attempt.SETTINGS}: taken for {lab.id}, as most do"
        )
    remarks += [
        f"{path} {fault}" for path, each in read.files.items() if (fault := byteordermark.fault_of(each))
    ]
    return Job(
        name,
        lab.directory,
        task.lab.hidden_directory,
        read.files,
        seed,
        "",
        seed_from=source,
        remarks=tuple(remarks),
    )


def _refused(path: Path, said: str | None, lab: LabDefinition, *, alone: bool) -> Rejection | None:
    """Say why an attempt is not even read, if so; `said` is the lab that it names, where that counts."""
    if path.is_symlink() and not alone:
        return Rejection(
            "forbidden-file", "the attempt is a link, and those are not followed", "hand in the directory"
        )
    if said not in {None, lab.id}:
        other = f"{attempt.SETTINGS} says that this is an attempt at {said}: graded are those at {lab.id}"
        return Rejection("other-lab", other, f"labctl init {lab.id} DIR")
    return None


def _seed(
    read: HandIn, lab: LabDefinition, roster: Mapping[str, str] | None, handed_out: str | None
) -> tuple[str, SeedFrom, list[str]]:
    """Return an attempt's seed, who says so, and what a teacher should know of that."""
    if handed_out:
        return handed_out, SeedFrom.ROSTER, []
    remarks = [seedfrom.UNLISTED] if roster is not None else []
    if roster is None and lab.grading is not None and lab.grading.seeded:
        remarks.append(seedfrom.OWN_WORD)
    if read.seed:
        return read.seed, SeedFrom.ATTEMPT, remarks
    return fingerprint.of_files(read.files)[:16], SeedFrom.DRAWN, remarks
