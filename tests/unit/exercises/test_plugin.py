"""The plugin where nothing is an exercise, and what its parts make of exceptions."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from labctl.errors import NoSuchHost, ServiceNotReady
from labctl.exercises.result.narration import Step
from labctl.exercises.result.outcome import PASSED, Blame, Outcome
from labctl.exercises.result.telling import told
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.running.performance import Performance, TimeUp
from labctl.exercises.vocabulary.chance import Chance
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from tests.contract.test_house import HEAVY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOREIGN = """
import json, sys, pytest

@pytest.fixture
def lab():
    return "not labctl's"

def test_has_its_own_fixture(lab):
    assert lab == "not labctl's"

def test_what_is_imported():
    print("modules: " + json.dumps(sorted(sys.modules)))
"""


LAB = """
id = "mine"
title = "Mine"
topology = "two-domains"
[[editable]]
path = "answers.toml"
"""


def run_pytest(
    directory: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-plabctl.exercises.plugin", "-pno:cacheprovider", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": "/usr/bin:/bin"} | dict(env or {}),
    )


def test_a_run_without_exercises_keeps_its_fixtures_and_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_foreign.py").write_text(FOREIGN)
    done = run_pytest(tmp_path, "-s", "-q")
    assert done.returncode == 0, done.stdout
    [line] = [each for each in done.stdout.splitlines() if "modules: " in each]
    modules = set(json.loads(line.partition("modules: ")[2]))
    assert modules & (HEAVY - {"pytest", "email", "ssl"}) == set()  # pytest brings the latter itself
    assert not any(each.startswith(("labctl.lab", "labctl.engine", "labctl.faults")) for each in modules)


def test_exercises_and_checks_import_what_lies_beside_their_labs_definition(tmp_path: Path) -> None:
    lab = tmp_path / "mine"
    for directory in ("exercises", "checks", "elsewhere"):
        (lab / directory).mkdir(parents=True)
        (lab / directory / f"test_{directory}.py").write_text("import post\n\ndef test_it(): ...\n")
    (lab / "lab.toml").write_text("")
    (lab / "post.py").write_text("LETTERS = 6\n")
    for directory, code in (("exercises", 0), ("checks", 0), ("elsewhere", 2)):
        done = run_pytest(tmp_path, "--import-mode=importlib", f"mine/{directory}")
        assert done.returncode == code, done.stdout


def test_without_an_exam_a_check_reads_the_attempt_in_the_directory_that_is_named(tmp_path: Path) -> None:
    lab, attempt = tmp_path / "mine", tmp_path / "attempt"
    for each in (lab / "checks", attempt):
        each.mkdir(parents=True)
    (lab / "lab.toml").write_text(LAB)
    (attempt / "answers.toml").write_text("one = 1\n")
    check = "def test_it(attempt): assert attempt.toml('answers.toml') == {'one': 1}\n"
    (lab / "checks" / "test_it.py").write_text(check)
    unnamed = run_pytest(tmp_path, "mine/checks", "-rs")
    assert "1 skipped" in unnamed.stdout
    assert "LABCTL_ATTEMPT names no directory" in unnamed.stdout
    named = run_pytest(tmp_path, "mine/checks", env={"LABCTL_ATTEMPT": str(attempt)})
    assert "1 passed" in named.stdout


def test_without_a_lab_chance_comes_from_the_seed_nought_and_the_exercise(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_a_b(chance): print('token', chance.token())\n")
    done = run_pytest(tmp_path, "-s")
    assert f"token {Chance('0', 'a-b').token()}" in done.stdout


def test_where_no_engine_answers_an_exercise_says_so(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(lab): ...\n")
    nowhere = {"HOME": str(tmp_path), "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    done = run_pytest(tmp_path, "-q", env=nowhere)
    assert done.returncode == 1
    assert "EngineUnavailable" in done.stdout
    assert "1 error in" in done.stdout


def raised(error: BaseException) -> pytest.ExceptionInfo[BaseException]:
    """Return an exception as pytest does that this file has raised."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught


@pytest.fixture
def performance(request: pytest.FixtureRequest) -> Performance:
    return Performance(request.path, 7, limit=0.1)


@pytest.mark.parametrize(
    ("error", "verdict", "blame"),
    [
        (ExpectationFailed("a bounce", "none"), Verdict.FAILED, None),
        (AssertionError("one"), Verdict.FAILED, None),
        (pytest.fail.Exception("by name"), Verdict.FAILED, None),
        (pytest.skip.Exception("not today"), Verdict.SKIPPED, None),
        (ServiceNotReady("x", service="x", waited=1, log="its log", hint="h"), Verdict.ERROR, Blame.LAB),
        (NoSuchHost("no host", hint="h"), Verdict.ERROR, Blame.EXERCISE),
        (ZeroDivisionError("nothing"), Verdict.ERROR, Blame.EXERCISE),
        (SystemExit(1), Verdict.ERROR, Blame.EXERCISE),
        (
            BaseExceptionGroup(
                "both", [ValueError(), ServiceNotReady("x", service="x", waited=1, log="", hint="h")]
            ),
            Verdict.ERROR,
            Blame.LAB,
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_exception_means_what_it_is(
    error: BaseException, verdict: Verdict, blame: Blame | None, performance: Performance
) -> None:
    performance.note(None, look=True)
    assert performance.outcome == PASSED
    performance.note(raised(error), look=True)
    assert (performance.outcome.verdict, performance.outcome.blame) == (verdict, blame)


@pytest.mark.parametrize("error", [None, AssertionError("no letter"), ValueError("odd")], ids=repr)
def test_in_a_broken_lab_nothing_passes_or_fails(
    error: BaseException | None, performance: Performance
) -> None:
    performance.complaint = lambda: "mx-beta is gone"
    performance.note(raised(error) if error else None, look=True)
    outcome = performance.outcome
    assert (outcome.verdict, outcome.blame) == (Verdict.ERROR, Blame.LAB)
    assert outcome.explanation == "\n".join(["the lab broke: mx-beta is gone", *_said(error)])


def _said(error: BaseException | None) -> list[str]:
    if error is None:
        return []
    return [str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"]


def test_of_two_phases_the_graver_counts_and_of_equals_the_first() -> None:
    failed = Outcome(Verdict.FAILED, "first")
    wrong = Outcome(Verdict.ERROR, "", Blame.EXERCISE)
    broken = Outcome(Verdict.ERROR, "", Blame.LAB)
    skipped = Outcome(Verdict.SKIPPED)
    order = [PASSED, skipped, failed, wrong, broken]
    assert [each.exit_code for each in order] == [0, 0, 1, 3, 4]
    for n, lesser in enumerate(order):
        for graver in order[n:]:
            assert lesser.joined(graver) is (graver if graver is not lesser else lesser)
            assert graver.joined(lesser) is graver
    assert failed.joined(Outcome(Verdict.FAILED, "second")) is failed


def test_time_that_is_up_interrupts_even_what_catches_every_exception(performance: Performance) -> None:
    def stubborn() -> None:
        try:
            threading.Event().wait(10)
        except Exception:  # noqa: BLE001  # as bad exercises do
            threading.Event().wait(10)

    with pytest.raises(TimeUp), performance.running():
        stubborn()


def test_time_in_which_the_clock_stands_still_does_not_count(performance: Performance) -> None:
    with performance.running():
        with performance.paused():
            threading.Event().wait(0.2)
        left = performance.seconds
    assert left == 0
    assert performance.seconds < 0.1


def test_after_a_time_in_which_it_stood_still_the_clock_goes_on(performance: Performance) -> None:
    def rests() -> None:
        with performance.paused():
            pass
        threading.Event().wait(10)

    with pytest.raises(TimeUp), performance.running():
        rests()


def test_a_step_as_text_has_its_evidence_below_it_and_commands_no_terminal() -> None:
    step = Step("sends\x1b[2J", Verdict.FAILED, 1.234, ("250 “Ok”", "a\u202eb\udc80"))
    assert told(step) == "✗ sends\\x1b[2J (1.23 s)\n    250 “Ok”\n    a\\u202eb\\udc80"
