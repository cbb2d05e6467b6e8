"""Having exercises run in a process of their own, whatever they do to it."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from labctl.exercises import discovery
from labctl.exercises.narration import Step
from labctl.exercises.outcome import Blame, Outcome, Result
from labctl.exercises.protocol import (
    Begins,
    Collecting,
    Continue,
    Ended,
    Finished,
    Go,
    Setup,
    StepBegins,
    StepEnded,
    Unusable,
    decode,
    encode,
)
from labctl.exercises.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Self

    from labctl.exercises.discovery import Choice
    from labctl.exercises.protocol import Exam, Message

_SILENCE: Final = 300.0
"""Seconds beyond an exercise's limit in which a process has to say something: it may have to mend its lab."""

_UNDONE_WITHIN: Final = 30.0
"""Seconds that an interrupted exercise has to undo what it did."""

_PROGRAM: Final = "import gc; gc.set_threshold(50_000); from labctl.exercises.child import main; main()"
"""To look for garbage during the imports takes long, and finds none."""

_OUTPUT_TAIL: Final = 15

_FRAME: Final = re.compile(r'File "(.+)", line (\d+) in ')
"""A line of a dump of faulthandler."""


class Audience(Protocol):
    """Who is told of exercises as they happen."""

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


class Child:
    """The process that runs exercises. It starts at once, and waits for its orders.

    Args:
        environ: Its environment; what would change pytest is left out.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        events, events_end = os.pipe()
        orders_end, self._orders = os.pipe()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        self._arrived: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        own = {"PYTEST_ADDOPTS", "PYTEST_PLUGINS"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, str(events_end), str(orders_end)],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=(events_end, orders_end),
            env={key: value for key, value in environ.items() if key not in own}
            | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            process_group=0,  # a terminal's Ctrl-C comes from here, in its turn
        )
        os.close(events_end)
        os.close(orders_end)
        reader = threading.Thread(target=self._read, args=(events,), daemon=True)
        reader.start()
        threading.Thread(target=self._await_end, args=(reader,), daemon=True).start()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the process, and all that it has started; a second time there is nothing to do."""
        if self._output.closed:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._orders)
        self._output.close()

    def order(self, message: Message) -> None:
        """Give an order; to a process that has ended it is no error."""
        with suppress(BrokenPipeError):
            os.write(self._orders, encode(message))

    def events(self, silence: float) -> Iterator[Message]:
        """Yield what is told, until the process has ended or says nothing for too many seconds."""
        with suppress(queue.Empty):
            while (message := self._arrived.get(timeout=silence)) is not None:
                yield message

    def interrupt(self) -> None:
        """Have the process undo what the exercise did, and end."""
        self._process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_UNDONE_WITHIN)

    def last_words(self) -> str:
        """Return how the process ended, and all that it wrote."""
        self._process.poll()
        self._output.seek(0)
        return self._output.read().decode("utf-8", "replace")

    @property
    def end(self) -> str:
        """How the process ended, in words."""
        match self._process.poll():
            case None:
                return "its process said nothing any more"
            case code if code < 0:
                return f"its process was ended by signal {-code} ({signal.strsignal(-code)})"
            case code:
                return f"its process ended in the middle, with exit code {code}"

    def _read(self, events: int) -> None:
        with os.fdopen(events, "rb") as lines:
            for line in lines:
                with suppress(ValueError):  # cut off in the middle, with the process
                    self._arrived.put(decode(line))

    def _await_end(self, reader: threading.Thread) -> None:
        self._process.wait()
        reader.join(1.0)  # what it has started itself may hold the pipe open
        self._arrived.put(None)


@dataclass(frozen=True, slots=True)
class Orders:
    """How exercises are to be run, all of one lab."""

    engine_url: str
    name: str
    limit: float = 60.0
    step: bool = False
    keep_faults: bool = False
    exam: Exam | None = None


class Runner:
    """Runs exercises of one lab, and goes on with the next where one takes its process with it.

    Args:
        orders: How.
        audience: Told what happens.
        prepare: Makes the lab as new; called for each process, while that imports the exercises.
        child: Makes a process.
    """

    def __init__(
        self, orders: Orders, audience: Audience, prepare: Callable[[], object], child: Callable[[], Child]
    ) -> None:
        self.orders = orders
        self.audience = audience
        self.prepare = prepare
        self._child = child
        self.results: list[Result] = []

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
            with self._child() as child:
                attempt = _Attempt(self, child, left, done)
                try:
                    attempt.run()
                except BaseException:  # Ctrl-C, or nobody reads any more what is told
                    child.interrupt()
                    raise
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
        self.add(_result(choice.lab.id, exercise.id, exercise.title, seconds=0.0, steps=(), outcome=outcome))

    def add(self, result: Result, printed: str = "") -> None:
        """Tell of an exercise that is over."""
        result = replace(result, printed=printed)
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
        self._current: Begins | None = None
        self._began = 0.0
        self._steps: list[Step] = []
        self.finished = False

    def run(self) -> None:
        """Give the orders, and take in what is told."""
        first = next(iter(self._left.values()))
        orders = self._runner.orders
        self._child.order(
            Setup(
                engine_url=orders.engine_url,
                name=orders.name,
                directory=os.path.abspath(first.lab.directory),  # noqa: PTH100  # links stay as named
                root=os.path.dirname(next(iter(self._left))),  # noqa: PTH120
                files={
                    path: None if each.whole else [one.function for one in each.exercises]
                    for path, each in self._left.items()
                },
                done=tuple(self._done),
                limit=orders.limit,
                step=orders.step,
                keep_faults=orders.keep_faults,
                exam=orders.exam,
            )
        )
        self._runner.prepare()
        self._child.order(Go())
        for message in self._child.events(orders.limit + _SILENCE):
            self._take(message)

    def _take(self, message: Message) -> None:
        audience = self._runner.audience
        match message:
            case Collecting(path):
                self._collecting = path
            case Unusable(path, line, verdict, explanation):
                outcome = Outcome(Verdict(verdict), explanation, line=line)
                if outcome.verdict == Verdict.ERROR:
                    outcome = replace(outcome, blame=Blame.EXERCISE)
                self._runner.unusable(self._left.pop(path), outcome)
            case Begins():
                self._collecting = None
                self._current, self._steps, self._began = message, [], time.monotonic()
                audience.exercise_begins(self._lab(message.path), message.id, message.title)
            case StepBegins(text):
                if self._runner.orders.step:
                    audience.before_step(text)
                    self._child.order(Continue())
                audience.step_begins(text)
            case StepEnded():
                step = Step(message.text, Verdict(message.verdict), message.seconds, tuple(message.evidence))
                self._steps.append(step)
                audience.step_ended(step)
            case Ended():
                self._over(message.outcome, message.seconds, message.printed)
            case Finished(missing):
                self._lost(missing)
                self.finished = True

    def _lab(self, path: str) -> str:
        return self._left[path].lab.id

    def _over(self, outcome: Outcome, seconds: float, printed: str = "") -> None:
        begun = self._current
        assert begun is not None
        self._done.append(begun.key)
        self._current = None
        result = _result(
            self._lab(begun.path),
            begun.id,
            begun.title,
            seconds=seconds,
            steps=tuple(self._steps),
            outcome=outcome,
        )
        if result.path is None:
            result = replace(result, path=begun.path, line=begun.line)
        self._runner.add(result, printed)

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
        line = _line_of(path, words)
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


def _result(
    lab: str, name: str, title: str, *, seconds: float, steps: tuple[Step, ...], outcome: Outcome
) -> Result:
    """Put together what is known of an exercise that is over."""
    return Result(
        id=name,
        lab=lab,
        title=title,
        verdict=outcome.verdict,
        seconds=seconds,
        steps=steps,
        explanation=outcome.explanation,
        kind=outcome.blame,
        path=outcome.path,
        line=outcome.line,
    )


def _stand_in(choice: Choice) -> discovery.Exercise:
    """Return what stands for a file of which no exercise is known."""
    name = choice.path.stem
    return discovery.Exercise(discovery.id_of(name), choice.path.name, "", choice.path, 1, name)


def _line_of(path: str | None, dump: str) -> int | None:
    """Find the line of a file at which a process was that dumped where it was."""
    return next((int(line) for file, line in _FRAME.findall(dump) if file == path), None)
