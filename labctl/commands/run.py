"""``labctl run``: runs exercises in the labs that they are made for."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

from labctl.contract.value import Amount
from labctl.errors import EngineError, LabctlError, NoSuchLab, UsageError
from labctl.exercises.catalogue import discovery
from labctl.exercises.result.outcome import Blame, Outcome, Result
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.running.stage import Stage
from labctl.exercises.worker.runner import Orders, Runner
from labctl.interruption import undone
from labctl.lab import catalogue
from labctl.lab.name import valid_name
from labctl.lab.running import instance
from labctl.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from labctl.engine.protocol import Engine
    from labctl.exercises.catalogue.discovery import Choice
    from labctl.exercises.worker.process import Child
    from labctl.exercises.worker.runner import Audience
    from labctl.lab.blueprint.definition import LabDefinition
    from labctl.lab.running.instance import Instance
    from labctl.progress import Progress


@dataclass(frozen=True, slots=True)
class Run:
    """Exercises that were run."""

    SCHEMA: ClassVar = "labctl/run/v1"

    exercises: tuple[Result, ...]
    seconds: Amount
    """What all took together, with the labs' coming and going."""

    @property
    def exit_code(self) -> int:
        """0 where all passed; 4 where the engine or a lab failed, else 3 for a bad file, else 1."""
        return max((each.outcome.exit_code for each in self.exercises), default=0)

    def count(self, verdict: Verdict) -> int:
        """Count the exercises that ended so."""
        return sum(each.verdict == verdict for each in self.exercises)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user asks ``run`` for.

    Args:
        exercises: Ids, ids with their lab's, or paths; none means a whole lab.
        choices: What they are, where that does not depend on the labs that run.
        every: Whether it is every lab of the catalogue.
        name: The name of the running lab, or what those of several begin with.
        step: Whether each step waits for its user.
        keep_faults: Whether what the last exercise changed is left.
        limit: Seconds that an exercise may take.
    """

    exercises: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    every: bool = False
    name: str | None = None
    step: bool = False
    keep_faults: bool = False
    limit: float = 60.0


def run(
    engine: Engine,
    engine_url: str,
    wish: Wish,
    *,
    environ: Mapping[str, str],
    audience: Audience,
    child: Callable[[], Child],
    progress: Callable[[], Progress] = lambda: silent,
) -> Run:
    """Run exercises, one lab after the other; a lab that is not up is brought up.

    Args:
        engine: The engine.
        engine_url: Its URL.
        wish: What to run, and how.
        environ: The environment.
        audience: Told what happens.
        child: Makes a process that runs exercises.
        progress: Makes who is told of a lab's coming up.

    Raises:
        UsageError: What is wished for is not there, or another run is at work in the lab.
        LabError: A lab is wrong.
        EngineError: The only lab that is wished for can't be brought up.
    """
    began = time.monotonic()
    running = () if wish.every else _running(engine, wish.name)
    choices = wish.choices or discovery.select(
        wish.exercises, environ, running=tuple(_definitions(running, environ))
    )
    by_lab = [(lab, tuple(each)) for lab, each in groupby(choices, key=lambda each: each.lab)]
    results: list[Result] = []
    for lab, chosen in by_lab:
        name = _name(wish, lab, running, alone=len(by_lab) == 1)
        stage = Stage(engine, name, lab, environ)
        orders = Orders(name, wish.limit, step=wish.step, keep_faults=wish.keep_faults)
        runner = Runner(orders, audience, stage.prepare, child)
        _run_in(stage, engine_url, runner, chosen, wish, progress())
        results.extend(runner.results)
    return Run(tuple(results), time.monotonic() - began)


def _run_in(  # noqa: PLR0917  # what `run` has made of the wish
    stage: Stage,
    engine_url: str,
    runner: Runner,
    chosen: Sequence[Choice],
    wish: Wish,
    progress: Progress,
) -> None:
    """Run the exercises of one lab; where it breaks altogether, that is told of those that are left."""
    left = list(chosen)
    with ExitStack() as ends:

        def tidy() -> None:
            if not wish.keep_faults:
                with suppress(LabctlError):  # it is over; what could not be undone stays on record
                    stage.tidy()

        try:
            with undone(tidy, unless=(EngineError, UsageError)):
                ends.enter_context(stage.occupied())
                if wish.every:
                    ends.callback(stage.take_down)
                stage.bring(url=engine_url, progress=progress)
                for _, group in groupby(chosen, key=lambda each: each.path.parent):
                    together = tuple(group)
                    results = runner.run(together)
                    left = left[len(together) :]
                    stage.left(well=bool(results) and results[-1].outcome.exit_code <= 1)
        except (EngineError, UsageError) as error:
            if isinstance(error, UsageError) and not wish.every:
                raise  # of all labs, one that is not to be had does not keep the others
            outcome = Outcome(Verdict.ERROR, f"{error.message}\nnext: {error.hint}", Blame.LAB)
            for each in left:
                runner.unusable(each, outcome)


def _running(engine: Engine, name: str | None) -> tuple[Instance, ...]:
    """Return the labs that run, or the one of a name."""
    if name is None:
        return instance.observe_all(engine)
    there = instance.observe(engine, valid_name(name))
    return (there,) if there.exists else ()


def _definitions(running: Sequence[Instance], environ: Mapping[str, str]) -> Iterator[LabDefinition]:
    for each in running:
        with suppress(NoSuchLab):  # it was started from a directory that is gone
            yield catalogue.definition_of(each, environ)


def _name(wish: Wish, lab: LabDefinition, running: Sequence[Instance], *, alone: bool) -> str:
    """Choose the instance of a lab: the one of the name, else the one that runs, else one of the lab's id."""
    if wish.name is not None:
        return wish.name if alone else valid_name(f"{wish.name}-{lab.id}")
    names = [each.name for each in running if each.lab == lab.id]
    if lab.id in names or not names:
        return lab.id
    if len(names) > 1:
        raise UsageError(
            f"{len(names)} labs of {lab.id!r} are up ({', '.join(names)}): which one is meant?",
            hint=f"--name {names[0]}, or LABCTL_NAME={names[0]}",
            detail={"running": names},
        )
    return names[0]
