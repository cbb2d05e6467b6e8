"""The process in which `labctl run` has exercises run: pytest, told what to do and telling all.

Two pipes lead to it, and standard output and error into a file. It starts before it is known what there is to
run, since to import pytest takes longer than anything else.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import resource
import signal
import sys
import threading
from collections import defaultdict
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Final

import pytest

from labctl.exercises import plugin
from labctl.exercises.catalogue import discovery
from labctl.exercises.proctor import Proctor
from labctl.exercises.result.outcome import Blame, Outcome, bounded
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.running.performance import Performance, line_in
from labctl.exercises.worker import copying, protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from labctl.exercises.result.narration import Step
    from labctl.exercises.running.stage import Stage

GRACE: Final = 5.0
"""Seconds after its limit until an exercise that can't be interrupted is ended together with its process; no
more than the limit itself."""

_MEMORY: Final = 512 << 20
"""Bytes that the checks of an attempt may use, whatever its daemons answer: several processes run at once."""

_MOST_PRINTED: Final = 20_000

_UNWANTED: Final = (
    "cacheprovider", "debugging", "doctest", "faulthandler", "junitxml", "legacypath", "pastebin",
    "setuponly", "setupplan", "stepwise", "subtests", "threadexception", "unraisableexception",
)  # fmt: skip
"""Plugins of pytest's own that nothing here needs; to import them takes as long as to find the exercises."""

_ARGUMENTS: Final = (
    "-c", os.devnull, "--import-mode=importlib", "-o", "python_functions=test_*", "--tb=no", "-q",
    "--continue-on-collection-errors", *(f"-pno:{each}" for each in _UNWANTED),
)  # fmt: skip


_OF_CHECKS: Final = (
    "dns.message", "dns.reversename", "labctl.engine.docker", "labctl.exercises.running.examstage",
    "labctl.exercises.vocabulary.chance", "labctl.exercises.vocabulary.handedin",
    "labctl.exercises.vocabulary.lab", "labctl.lab.blueprint.definition",
)  # fmt: skip
"""What is imported only when it is used, and is by nearly every attempt's checks."""

_TO_THE_END: Final = {
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    pytest.ExitCode.NO_TESTS_COLLECTED,
}


class Wire:
    """Both pipes. When the other end closes, this process is as good as interrupted by its user.

    Args:
        events: The descriptor to write to.
        orders: The descriptor to read from.
    """

    def __init__(self, events: int, orders: int) -> None:
        for each in (events, orders):
            os.set_inheritable(each, False)  # noqa: FBT003  # the library's own way
        self._events = events
        self._orders: queue.SimpleQueue[protocol.Message] = queue.SimpleQueue()
        self.ended = False
        threading.Thread(target=self._listen, args=(orders,), daemon=True).start()

    def say(self, message: protocol.Message) -> None:
        """Tell something."""
        rest = protocol.encode(message)
        while rest:
            rest = rest[os.write(self._events, rest) :]

    def next(self) -> protocol.Message:
        """Wait for an order."""
        return self._orders.get()

    def _listen(self, orders: int) -> None:
        with os.fdopen(orders, "rb") as lines:
            for line in lines:
                self._orders.put(protocol.decode(line))
        if not self.ended:
            os.kill(os.getpid(), signal.SIGINT)


class Reporter:
    """Runs what is wanted, in the lab that is there for it, and tells what happens."""

    def __init__(self, wire: Wire, setup: protocol.Setup, dump: int) -> None:
        self._wire = wire
        self._setup = setup
        self._dump = dump
        self._proctor = Proctor(setup.exam) if setup.exam is not None else None
        self._current: tuple[pytest.Item, Performance] | None = None
        self._collected: dict[str, set[str]] = defaultdict(set)
        self._unusable: set[str] = set()

    # Finding the exercises

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Import a file within the time of an exercise."""
        if not isinstance(collector, pytest.Module):
            return (yield)
        path = collector.path
        self._wire.say(protocol.Collecting(str(path)))
        timer = Performance(path, 1, limit=self._setup.limit, watchdog=self._watch)
        try:
            with timer.running():
                report = yield
        except SystemExit:  # pytest would let it end the whole run
            self._tell_unusable(path, pytest.ExceptionInfo.from_current(), timer)
            return pytest.CollectReport(collector.nodeid, "failed", "it exits", [])
        call: pytest.CallInfo[object] | None = getattr(report, "call", None)
        if call is not None and call.excinfo is not None:
            self._tell_unusable(path, call.excinfo, timer)
        return report

    def _tell_unusable(
        self, path: Path, raised: pytest.ExceptionInfo[BaseException], timer: Performance
    ) -> None:
        cause = raised.value.__cause__  # pytest has wrapped what an import raised
        if isinstance(raised.value, pytest.Collector.CollectError) and cause is not None:
            raised = pytest.ExceptionInfo.from_exception(cause)
        timer.note(raised, look=False)
        outcome = timer.outcome
        line = line_in(path, raised) or 1
        if outcome.verdict == Verdict.SKIPPED:
            outcome = Outcome(Verdict.SKIPPED, outcome.explanation, line=line)
        else:
            outcome = _wrong(f"can't be imported: {outcome.explanation}", line)
        self._unusable.add(str(path))
        self._wire.say(protocol.Unusable(str(path), outcome))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep what is wanted, in the order in which it is wanted."""
        kept: list[pytest.Item] = []
        dropped: list[pytest.Item] = []
        for item in items:
            function = _function(item)
            self._collected[str(item.path)].add(function)
            wanted = self._setup.files.get(str(item.path))
            fits = (wanted is None or function in wanted) and item.nodeid not in self._setup.done
            (kept if fits else dropped).append(item)
        files = list(self._setup.files)
        order = list(self._setup.exam.order) if self._setup.exam is not None else []

        def turn(item: pytest.Item) -> tuple[int, int]:
            path, name = str(item.path), discovery.id_of(_name(item))
            if name in order:
                return 0, order.index(name)
            if path not in files:
                return len(files), 0
            wanted = self._setup.files[path]
            return files.index(path), wanted.index(_function(item)) if wanted else 0

        items[:] = sorted(kept, key=turn)
        if dropped:
            config.hook.pytest_deselected(items=dropped)

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Tell of files without exercises; then wait until the lab is there."""
        for path in self._setup.files:
            if path not in self._collected and path not in self._unusable:
                said = "holds no exercise: no function in it is named test_…"
                self._wire.say(protocol.Unusable(path, _wrong(said, 1)))
        judge = None
        if any("_stage_of" in getattr(each, "fixturenames", ()) for each in session.items):
            stage = _stage(self._setup)
            judge = stage.judge
            session.config.stash[plugin.STAGE_OF] = lambda _: stage
        order = self._wire.next()
        assert isinstance(order, protocol.Go)
        if self._proctor is not None:
            session.config.stash[plugin.EXAM] = self._proctor.exam
            session.config.pluginmanager.register(self._proctor)
            self._proctor.begin(judge)

    # Running them

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Tell the beginning and the end of an exercise."""
        line = (item.location[1] or 0) + 1
        performance = self._performance(item.path, line)
        item.stash[plugin.PERFORMANCE] = performance
        self._current = (item, performance)
        title, _ = discovery.described(_name(item), getattr(getattr(item, "obj", None), "__doc__", None))
        name = plugin.id_of(item)
        self._wire.say(protocol.Begins(item.nodeid, name, title, str(item.path), line, _function(item)))
        done = yield
        self._end()
        return done

    def _performance(self, path: Path, line: int) -> Performance:
        found = Performance(path, line, [self], limit=self._setup.limit, watchdog=self._watch)
        if self._proctor is not None:
            found.limit, found.overdue = self._proctor.limit(found.limit)
            found.judge = self._proctor.judge
        return found

    def _end(self) -> None:
        assert self._current is not None
        item, performance = self._current
        outcome = performance.outcome
        if self._proctor is not None:
            self._proctor.over(plugin.id_of(item), outcome)
            outcome = outcome.bounded
        printed = "".join(text for _, key, text in item._report_sections if key in {"stdout", "stderr"})  # noqa: SLF001  # pytest shows them from there, too
        self._wire.say(protocol.Ended(item.nodeid, performance.seconds, outcome, printed[-_MOST_PRINTED:]))
        self._current = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Let what an exercise asks for be made in its time."""
        with item.stash[plugin.PERFORMANCE].running():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Let what an exercise made be undone in a time of its own."""
        with item.stash[plugin.PERFORMANCE].running(timed=False):
            return (yield)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Take note that an exercise ends the whole run, or that the user does."""
        if self._current is not None:
            self._current[1].note(excinfo, look=False)

    def finish(self, code: int) -> bool:
        """Tell how far pytest has come, by its exit code; return whether that is to the end."""
        if self._current is not None:
            self._end()
        if code not in _TO_THE_END:
            return False
        missing = {
            path: tuple(sorted(lost))
            for path, wanted in self._setup.files.items()
            if path not in self._unusable and (lost := set(wanted or ()) - self._collected[path])
        }
        self._wire.say(protocol.Finished(missing))
        return True

    # Narration

    def begins(self, text: str) -> None:
        """Announce a step; in front of a class it waits here."""
        self._wire.say(protocol.StepBegins(text))
        if self._setup.step and self._current is not None:
            with self._current[1].paused():
                order = self._wire.next()
            assert isinstance(order, protocol.Continue)

    def ended(self, step: Step) -> None:
        """Tell a step that is over."""
        if self._proctor is not None:
            step = replace(step, evidence=bounded(step.evidence))
        self._wire.say(protocol.StepEnded(step))

    def _watch(self, left: float | None) -> None:
        """End this process, which says where it was, when an exercise can't be ended alone."""
        if left is None:
            faulthandler.cancel_dump_traceback_later()
        else:
            grace = min(GRACE, self._setup.limit)
            faulthandler.dump_traceback_later(left + grace, exit=True, file=self._dump)


def _stage(setup: protocol.Setup) -> Stage:
    """Return the lab, which who gives the orders has made as new."""
    from labctl.engine import search  # noqa: PLC0415  # not before pytest itself, which is waited for
    from labctl.engine.docker import DockerEngine  # noqa: PLC0415
    from labctl.exercises.running.stage import Condition, Stage  # noqa: PLC0415

    engine = DockerEngine(search.find(os.environ, search.home()))
    if setup.exam is not None:
        from labctl.exercises.running.examstage import ExamStage  # noqa: PLC0415  # as above

        return ExamStage(engine, setup.name, setup.lab, os.environ, setup.exam)
    return Stage(engine, setup.name, setup.lab, os.environ, Condition.PRISTINE)


def _wrong(said: str, line: int) -> Outcome:
    """Return what has become of a file that no exercise can be run of."""
    return Outcome(Verdict.ERROR, said, Blame.EXERCISE, line=line)


def _function(item: pytest.Item) -> str:
    """Return the name of an exercise's function, after those of its classes."""
    classes = [each.name for each in item.listchain() if isinstance(each, pytest.Class)]
    return "::".join((*classes, _name(item)))


def _name(item: pytest.Item) -> str:
    return getattr(item, "originalname", None) or item.name


def main() -> None:
    """Run what is ordered: one setup, or one after the other, each in a copy of this process."""
    for each in (signal.SIGTERM, signal.SIGHUP):  # whoever ends all of labctl's ends this in order
        signal.signal(each, signal.default_int_handler)
    events, orders, *lasting = sys.argv[1:]
    dump = os.dup(sys.stderr.fileno())
    faulthandler.enable(file=dump)
    sys.dont_write_bytecode = True  # nothing is left in the directories of exercises
    if lasting:
        copying.copied(int(events), int(orders), _warm_up)
    wire = Wire(int(events), int(orders))
    from labctl.engine import docker  # noqa: F401, PLC0415  # while the orders are being made up
    from labctl.exercises.vocabulary import lab  # noqa: F401, PLC0415

    setup = wire.next()
    assert isinstance(setup, protocol.Setup)
    sys.path += [setup.root, str(setup.lab.directory)]  # last: a module there takes the place of no other
    if setup.exam is not None:
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        memory = _MEMORY if most == resource.RLIM_INFINITY else min(_MEMORY, most)
        resource.setrlimit(resource.RLIMIT_DATA, (memory, most))
    reporter = Reporter(wire, setup, dump)
    code = pytest.main([*_arguments(setup), *setup.files], plugins=[plugin, reporter])
    finished = reporter.finish(code)
    wire.ended = True
    if lasting and finished:
        os._exit(0)  # what the interpreter would tidy up goes with the copy
    sys.exit(code)


def _arguments(setup: protocol.Setup) -> Iterator[str]:
    yield from _ARGUMENTS
    yield f"--rootdir={setup.root}"
    yield f"--confcutdir={setup.root}"
    if setup.keep_faults:
        yield "--keep-faults"
    if setup.exam is not None:
        yield "--noconftest"  # those above hidden checks are nobody's here


def _warm_up() -> None:
    """Import all that checks need, and what pytest imports on its way, in a directory without tests."""
    for module in _OF_CHECKS:
        import_module(module)
    pytest.main([*_ARGUMENTS, "--rootdir=.", "--confcutdir=."], plugins=[plugin])
