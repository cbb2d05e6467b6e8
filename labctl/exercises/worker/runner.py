"""Having exercises run in a process of their own, whatever they do to it."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labctl.exercises.catalogue import discovery
from labctl.exercises.result.outcome import Blame, Outcome, Result
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.worker import protocol
from labctl.interruption import undone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from labctl.exercises.catalogue.discovery import Choice
    from labctl.exercises.result.narration import Step
    from labctl.exercises.worker.process import Child
    from labctl.exercises.worker.protocol import Exam, Message

_SILENCE: Final = 300.0
"""Seconds beyond an exercise's limit in which a process has to say something: it may have to mend its lab."""

_OUTPUT_TAIL: Final = 15

_FRAME: Final = re.compile(r'File "(.+)", line (\d+) in ')
"""A line of a dump of faulthandler."""


class Audience:
    """Who is told of exercises as they happen; by itself it takes no note of any."""

    def exercise_begins(self, lab: str, exercise: str, title: str) -> None:
        """Take note that an exercise begins."""

    def step_begins(self, text: str) -> None:
        """Take note that a step begins."""

    def before_step(self, text: str) -> None:
        """Wait until the step may begin; called where steps wait."""

    def step_ended(self, step: Step) -> None:
        """Take note that a step is over."""

    def exercise_ended(self, result: Result) -> None:
        """Take note that an exercise is over."""


@dataclass(frozen=True, slots=True)
class Orders:
    """How exercises are to be run, all of one lab."""

    name: str
    limit: float = 60.0
    step: bool = False
    keep_faults: bool = False
    exam: Exam | None = None


@dataclass(slots=True)
class Runner:
    """Runs exercises of one lab, and goes on with the next where one takes its process with it.

    Args:
        orders: How.
        audience: Told what happens.
        prepare: Makes the lab as new; called for each process, while that imports the exercises.
        child: Makes a process, or lends one.
    """

    orders: Orders
    audience: Audience
    prepare: Callable[[], object]
    child: Callable[[], AbstractContextManager[Child]]
    results: list[Result] = field(default_factory=list, init=False)

    def run(self, choices: Sequence[Choice]) -> tuple[Result, ...]:
        """Run what was chosen; all of it lies in one directory and is of one lab.

        Raises:
            LabctlError: The lab could not be made as new.
            KeyboardInterrupt: The user has had enough; what the exercise did is undone.
        """
        performed = len(self.results)
        left = {os.path.abspath(each.path): each for each in choices}  # noqa: PTH100  # links stay as named
        done: list[str] = []
        while left:
            with self.child() as child:
                attempt = _Attempt(self, child, left, done)
                with undone(child.interrupt):  # Ctrl-C, or nobody reads any more what is told
                    attempt.run()
                if attempt.finished:
                    break
                attempt.explain_end()
        return tuple(self.results[performed:])

    def unusable(self, choice: Choice, outcome: Outcome) -> None:
        """Tell of a file that can't be run what became of each exercise in it."""
        for each in choice.exercises or (_stand_in(choice),):
            place = (str(choice.path), outcome.line or each.line)
            self.tell(choice, each, replace(outcome, path=place[0], line=place[1]))

    def tell(self, choice: Choice, exercise: discovery.Exercise, outcome: Outcome) -> None:
        """Tell of an exercise that could not even begin."""
        self.audience.exercise_begins(choice.lab.id, exercise.id, exercise.title)
        self.add(outcome.of(exercise.id, choice.lab.id, exercise.title))

    def add(self, result: Result) -> None:
        """Tell of an exercise that is over."""
        self.results.append(result)
        self.audience.exercise_ended(result)


class _Attempt:
    """What one process does."""

    def __init__(self, runner: Runner, child: Child, left: dict[str, Choice], done: list[str]) -> None:
        self._runner = runner
        self._child = child
        self._left = left
        self._done = done
        self._before = len(done), len(left)
        self._collecting: str | None = None
        self._current: protocol.Begins | None = None
        self._began = 0.0
        self._steps: list[Step] = []
        self.finished = False

    def run(self) -> None:
        """Give the orders, and take in what is told."""
        first = next(iter(self._left.values()))
        orders = self._runner.orders
        self._child.order(
            protocol.Setup(
                name=orders.name,
                lab=replace(first.lab, directory=Path(os.path.abspath(first.lab.directory))),  # noqa: PTH100  # links stay as named
                root=self._root(),
                files={
                    path: None if each.whole else tuple(one.function for one in each.exercises)
                    for path, each in self._left.items()
                },
                done=tuple(self._done),
                limit=orders.limit,
                step=orders.step,
                keep_faults=orders.keep_faults,
                exam=self._exam(),
            )
        )
        self._runner.prepare()
        self._child.order(protocol.Go())
        for message in self._child.events(orders.limit + _SILENCE):
            self._take(message)

    def _take(self, message: Message) -> None:
        audience = self._runner.audience
        match message:
            case protocol.Collecting(path):
                self._collecting = path
            case protocol.Unusable(path, outcome):
                self._runner.unusable(self._left.pop(path), outcome)
            case protocol.Begins():
                self._collecting = None
                self._current, self._steps, self._began = message, [], time.monotonic()
                audience.exercise_begins(self._left[message.path].lab.id, message.id, message.title)
            case protocol.StepBegins(text):
                if self._runner.orders.step:
                    audience.before_step(text)
                    self._child.order(protocol.Continue())
                audience.step_begins(text)
            case protocol.StepEnded(step):
                self._steps.append(step)
                audience.step_ended(step)
            case protocol.Ended():
                self._over(message.outcome, message.seconds, message.printed)
            case protocol.Finished(missing):
                self._lost(missing)
                self.finished = True

    def _exam(self) -> Exam | None:
        """Return what is left of the exam."""
        exam, results = self._runner.orders.exam, self._runner.results
        if exam is None:
            return None
        passed = tuple(each.id for each in results if each.verdict == Verdict.PASSED)
        return replace(exam, passed=passed, used=sum(each.seconds for each in results))

    def _root(self) -> str:
        """Return the directory of the files; checks may lie in two, of which the lab's own counts."""
        path, choice = next(iter(self._left.items()))
        if self._runner.orders.exam is not None:
            return os.path.abspath(choice.lab.directory)  # noqa: PTH100  # links stay as named
        return os.path.dirname(path)  # noqa: PTH120

    def _over(self, outcome: Outcome, seconds: float, printed: str = "") -> None:
        begun = self._current
        assert begun is not None
        self._done.append(begun.key)
        self._current = None
        if outcome.path is None:
            outcome = replace(outcome, path=begun.path, line=begun.line)
        lab = self._left[begun.path].lab.id
        result = outcome.of(begun.id, lab, begun.title, seconds, tuple(self._steps))
        self._runner.add(replace(result, printed=printed))

    def _lost(self, missing: Mapping[str, Sequence[str]]) -> None:
        """Tell of functions that a file has, but that were not there when it had been imported."""
        for path, functions in missing.items():
            choice = self._left[path]
            for each in (one for one in choice.exercises if one.function in functions):
                said = "it was not there any more when its file had been imported"
                outcome = Outcome(Verdict.ERROR, said, Blame.EXERCISE, path, each.line)
                self._runner.tell(choice, each, outcome)

    def explain_end(self) -> None:
        """Tell what was going on when the process ended before it had finished.

        Where that is already told, the next process goes on with the rest; one that could do nothing at all
        has no successor.
        """
        words = self._child.last_words()
        path = self._current.path if self._current is not None else self._collecting
        line = next((int(line) for file, line in _FRAME.findall(words) if file == path), None)
        if "Timeout (" in words:
            limit = self._runner.orders.limit
            said = f"it did not end within {limit:g} s, and could not be interrupted"
            said += f"; it was at line {line}" if line is not None else ""
        else:
            said = self._child.end
        outcome = Outcome(Verdict.ERROR, said, Blame.EXERCISE, path, line)
        if self._current is not None:
            self._over(replace(outcome, line=line or self._current.line), time.monotonic() - self._began)
        elif self._collecting is not None:
            self._runner.unusable(self._left.pop(self._collecting), outcome)
        elif self._before == (len(self._done), len(self._left)):
            tail = "\n".join(words.strip().splitlines()[-_OUTPUT_TAIL:])
            while self._left:
                _, choice = self._left.popitem()
                self._runner.unusable(choice, replace(outcome, explanation=f"{said}\n{tail}", path=None))


def _stand_in(choice: Choice) -> discovery.Exercise:
    """Return what stands for a file of which no exercise is known."""
    name = choice.path.stem
    return discovery.Exercise(discovery.id_of(name), choice.path.name, "", choice.path, 1, name)
