"""The plugin for pytest: the fixtures of exercises, a lab as new before each, and what became of it.

It is part of every run of pytest where labctl is installed, so it does nothing, and imports nothing heavy,
until one of its fixtures is asked for.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import pytest

from labctl.interruption import heeded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from labctl.exercises.result.narration import Listener, Step
    from labctl.exercises.running.performance import Performance
    from labctl.exercises.running.stage import Stage
    from labctl.exercises.testcontainers import MailLab
    from labctl.exercises.vocabulary.chance import Chance
    from labctl.exercises.vocabulary.handedin import HandedIn
    from labctl.exercises.vocabulary.lab import ExerciseLab
    from labctl.exercises.vocabulary.person import Person
    from labctl.exercises.worker.protocol import Exam

STAGE_OF: Final = pytest.StashKey["Callable[[Path], Stage]"]()
"""Of the configuration: returns the lab for the exercises of a file; who runs pytest may set it."""

EXAM: Final[pytest.StashKey[Exam]] = pytest.StashKey()
"""Of the configuration: what makes exercises the checks of an attempt, where they are."""

_TOLD: Final = pytest.StashKey[dict[str, str]]()
"""Of the configuration: which check has told what is wrong with a file of the attempt, by the file's path."""

PERFORMANCE: Final = pytest.StashKey["Performance"]()
"""Of an item: what is known of it while it runs. Items without it are none of this plugin's."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("labctl", "exercises in a mail laboratory")
    group.addoption("--narrate", action="store_true", help="Tell the steps of exercises as they happen.")
    group.addoption(
        "--keep-faults", action="store_true", help="Leave what the last exercise changed in its lab."
    )


def pytest_pycollect_makemodule(module_path: Path) -> None:
    """Let exercises and checks import what lies beside their lab's definition, behind all else."""
    lab = module_path.parent.parent
    if module_path.parent.name not in {"exercises", "checks"} or not (lab / "lab.toml").is_file():
        return
    if str(lab) not in sys.path:
        sys.path.append(str(lab))


@pytest.fixture(scope="session")
def _stage_of(pytestconfig: pytest.Config) -> Iterator[Callable[[Path], Stage]]:
    given = pytestconfig.stash.get(STAGE_OF, None)
    if given is not None:
        yield given
        return
    from labctl.exercises.running.stages import Stages  # noqa: PLC0415  # nothing heavy until a fixture is used

    worker = getattr(pytestconfig, "workerinput", {}).get("workerid", "")
    with heeded(), Stages(os.environ, worker) as stages:
        yield stages.of


@pytest.fixture
def lab(request: pytest.FixtureRequest, _stage_of: Callable[[Path], Stage]) -> Iterator[ExerciseLab]:
    """A running lab, as new."""
    from labctl.exercises.vocabulary.lab import ExerciseLab  # noqa: PLC0415  # as above

    performance = performance_of(request.node)
    with performance.paused():
        stage = _stage_of(request.node.path)
        there = stage.prepare()
    performance.complaint, performance.defeat = stage.complaint, stage.defeat
    found = ExerciseLab(stage.engine, there, stage.lab, performance.narrator)
    performance.overheard = lambda: stage.overheard(found.watch)
    yield found
    found.close(keep_faults=request.config.getoption("--keep-faults"))
    stage.left(well=performance.outcome.exit_code <= 1)


def _user(address: str) -> Any:
    """Return the fixture of a user, which is called by the name before the @."""

    def user(lab: ExerciseLab) -> Person:
        return lab.account(address)

    user.__doc__ = f"The user {address}."
    return pytest.fixture(user, name=address.partition("@")[0])


alice, amy, bob, bea = map(_user, ("alice@alpha.test", "amy@alpha.test", "bob@beta.test", "bea@beta.test"))


@pytest.fixture
def attempt(request: pytest.FixtureRequest) -> HandedIn:
    """What a student has handed in: an attempt's, or outside an exam that of the directory LABCTL_ATTEMPT."""
    from labctl.exercises.vocabulary.handedin import HandedIn  # noqa: PLC0415  # as above

    narrator = performance_of(request.node).narrator
    if (exam := request.config.stash.get(EXAM, None)) is not None:
        told = request.config.stash.setdefault(_TOLD, {})
        return HandedIn(exam.files, narrator, id_of(request.node), told)
    if not (directory := os.environ.get("LABCTL_ATTEMPT")):
        pytest.skip("it looks at what was handed in, and LABCTL_ATTEMPT names no directory")
    return HandedIn.read(Path(directory), request.path, narrator)


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> Chance:
    """What is random and yet the same whenever the same attempt is examined, or the same lab runs.

    A check's own choices depend on what was handed in, too: who foresees them and writes them into it has
    changed them. Those that several share (`Chance.of`) don't, so that a student can be shown them before.
    """
    from labctl.exercises.vocabulary.chance import Chance  # noqa: PLC0415  # as above

    if (exam := request.config.stash.get(EXAM, None)) is not None:
        return Chance(exam.seed or "0", f"{id_of(request.node)} {exam.digest}")
    in_lab = "lab" in request.fixturenames
    seed = request.getfixturevalue("lab").there.seed if in_lab else ""
    return Chance(seed or "0", id_of(request.node))


@pytest.fixture(scope="session")
def _mail_lab() -> Iterator[MailLab]:
    from labctl.exercises.testcontainers import MailLab  # noqa: PLC0415  # as above

    with heeded(), MailLab() as started:
        yield started


@pytest.fixture
def mail_lab(_mail_lab: MailLab) -> MailLab:
    """Two mail domains for the tests of an application, as new for each."""
    _mail_lab.reset()
    return _mail_lab


def id_of(item: pytest.Item) -> str:
    """Return the id of an exercise, with the values of its parameters where it has any."""
    from labctl.exercises.catalogue import discovery  # noqa: PLC0415  # as above

    parameters = f"[{item.callspec.id}]" if hasattr(item, "callspec") else ""
    return discovery.id_of(getattr(item, "originalname", None) or item.name) + parameters


def performance_of(item: pytest.Item) -> Performance:
    """Return what is known of an exercise while it runs; from now on it is one."""
    if PERFORMANCE not in item.stash:
        from labctl.exercises.running.performance import Performance  # noqa: PLC0415  # as above

        listeners: list[Listener] = []
        reporter = item.config.pluginmanager.get_plugin("terminalreporter")
        if item.config.getoption("--narrate") and reporter is not None:
            listeners.append(_Aloud(item, reporter))
        item.stash[PERFORMANCE] = Performance(item.path, (item.location[1] or 0) + 1, listeners)
    return item.stash[PERFORMANCE]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let an exercise have its time, and not more."""
    if (performance := item.stash.get(PERFORMANCE, None)) is None:
        return (yield)
    with performance.running():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge how a phase of an exercise ended, and show its steps where it did not end well."""
    if PERFORMANCE in item.stash:
        _shorten(call)
    report = yield
    if (performance := item.stash.get(PERFORMANCE, None)) is None:
        return report
    from labctl.exercises.result.outcome import Blame  # noqa: PLC0415  # as above

    at_its_end = call.when == "call" or (call.when == "setup" and call.excinfo is not None)
    performance.note(call.excinfo, look=at_its_end)
    if performance.outcome.blame == Blame.LAB and report.passed:
        report.outcome = "failed"
        report.longrepr = performance.outcome.explanation
    if report.failed:
        from labctl.exercises.result.telling import told  # noqa: PLC0415  # as above

        if performance.outcome.blame == Blame.LAB:
            report.sections.append(("lab", performance.outcome.explanation))
        if performance.narrator.steps:
            report.sections.append(("steps", "\n".join(map(told, performance.narrator.steps))))
    return report


def _shorten(call: pytest.CallInfo[None]) -> None:
    """Leave out of a traceback how an expectation waits: the line of the exercise is what is looked for."""
    from labctl.exercises.vocabulary.expectation import ExpectationFailed  # noqa: PLC0415  # as above

    if call.excinfo is None or not isinstance(error := call.excinfo.value, ExpectationFailed):
        return
    shorter: TracebackType | None = None
    for each in reversed([*_links(error.__traceback__)]):
        if not Path(each.tb_frame.f_code.co_filename).is_relative_to(Path(__file__).parent):
            shorter = TracebackType(shorter, each.tb_frame, each.tb_lasti, each.tb_lineno)
    call.excinfo = pytest.ExceptionInfo.from_exception(error.with_traceback(shorter))


def _links(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


class _Aloud:
    """Tells the steps of one exercise on pytest's own terminal, as they happen."""

    def __init__(self, item: pytest.Item, reporter: pytest.TerminalReporter) -> None:
        self._item = item
        self._reporter = reporter
        self._begun = False

    def begins(self, text: str) -> None:
        """Name the exercise before its first step."""
        if not self._begun:
            self._begun = True
            self._write(self._item.nodeid)
        del text

    def ended(self, step: Step) -> None:
        """Tell a step."""
        from labctl.exercises.result.telling import told  # noqa: PLC0415  # as above

        self._write(told(step))

    def _write(self, text: str) -> None:
        capture = self._item.config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
            self._reporter.ensure_newline()
            self._reporter.write_line(text)
