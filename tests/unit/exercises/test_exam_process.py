"""The checks of an attempt in a lab in memory: what they can do, and whose doing it is that they fail."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest

from labctl.exercises.catalogue import discovery
from labctl.exercises.result.outcome import Blame
from labctl.exercises.worker.children import Children
from labctl.exercises.worker.protocol import Exam
from labctl.exercises.worker.runner import Audience, Orders, Runner
from labctl.lab.blueprint import definition
from labctl.lab.running import teardown
from tests.bed.bed import made
from tests.unit.conftest import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from labctl.exercises.result.outcome import Result
    from labctl.lab.blueprint.plan import Planner
    from tests.bed.bed import Bed
    from tests.unit.conftest import Daemons

TOML: Final = """
id = "tiny"
title = "A tiny lab"
topology = "two-domains"

[[editable]]
path = "answers.toml"

[grading]
limits = { memory = "64m" }

[[checks]]
id = "a-letter-arrives"
points = 1
"""

CHECKS: Final = '''
import time
import scenario

def test_a_letter_arrives(lab, alice, bob, chance):
    """A letter from alpha arrives in beta."""
    letter = alice.send(bob, chance.token())
    bob.expect_delivery(letter)

def test_the_last_letter_is_still_there(lab, bob, chance):
    """Nothing is emptied between checks."""
    assert len(bob.mailbox.list()) == 1

def test_bob_can_log_in(lab, bob):
    """Bob reads his mail."""
    bob.mailbox.list()

def test_nobody_is_bounced(lab, alice):
    """A letter to nobody comes back, and this says that it does not."""
    alice.expect_delivery(alice.send("nobody@beta.test"))

def test_looks_into_the_queue(lab):
    """What runs in a student's host is not to be trusted."""
    lab.exec("mx-beta", "postqueue", "-j")

def test_looks_into_the_queue_of_another(lab):
    """In the lab's own hosts everything works."""
    lab.expect_queue_empty("mx-alpha")

def test_answers(attempt, chance):
    """The answers are right."""
    assert attempt.toml("answers.toml")["mx"] == scenario.ANSWER

def test_takes_too_long(lab):
    """A check without an end."""
    time.sleep(60)

def test_asks_alpha(lab, alice):
    """Alice sends a letter."""
    alice.send("alice@alpha.test")
'''


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with made(tmp_path_factory.mktemp("e")) as bed:
        yield bed


@pytest.fixture(scope="module")
def children(hall: Bed) -> Iterator[Children]:
    with closing(Children({**os.environ, **hall.environ}, 1)) as started:
        yield started


@pytest.fixture
def lab(hall: Bed, planner: Planner, daemons: Daemons, request: pytest.FixtureRequest) -> Iterator[str]:
    """A lab that is nobody else's, by its name."""
    name = f"exam-{sum(map(ord, request.node.name))}"
    Stage(hall.engine, planner, daemons).named(name).stand()
    yield name
    teardown.take_down(hall.engine, name)


class Examination:
    """A tiny lab's checks, against one laboratory."""

    def __init__(self, children: Children, directory: Path, name: str) -> None:
        self._children = children
        self._name = name
        (directory / "checks").mkdir(parents=True)
        (directory / "lab.toml").write_text(TOML, encoding="utf-8")
        (directory / "scenario.py").write_text('ANSWER = "mx.beta.test"\n', encoding="utf-8")
        (directory / "checks" / "test_checks.py").write_text(CHECKS, encoding="utf-8")
        self._lab = definition.load(directory)

    def of(self, *checks: str, limit: float = 30.0, files: str = "", **exam: Any) -> dict[str, Result]:
        """Run checks by their ids, in this order."""
        path = self._lab.directory / "checks" / "test_checks.py"
        wanted = tuple(each for each in discovery.in_file(path) if each.id in checks)
        handed_in = {"answers.toml": files.encode()}
        given = {"students": ("mx-beta", "mail-beta"), "guarded": ("mx-beta", "mail-beta")} | exam
        orders = Orders(
            self._name,
            limit,
            exam=Exam(files=handed_in, seed="7", order=checks, **given),
        )
        runner = Runner(orders, Audience(), lambda: None, self._children.child)
        choice = discovery.Choice(self._lab, path, wanted, whole=False)
        return {each.id: each for each in runner.run([choice])}


@pytest.fixture
def examination(children: Children, tmp_path: Path, lab: str) -> Examination:
    """Checks of what is as if it were an attempt at the lab."""
    return Examination(children, tmp_path / "tiny", lab)


def test_a_letter_of_one_check_is_there_for_the_next(examination: Examination) -> None:
    seen = examination.of("a-letter-arrives", "the-last-letter-is-still-there")
    assert [each.explanation for each in seen.values()] == ["", ""]
    assert {each.verdict for each in seen.values()} == {"passed"}


def test_a_check_is_run_where_those_that_it_needs_have_passed_and_else_it_is_blocked(
    examination: Examination,
) -> None:
    needs = {"asks-alpha": ["bob-can-log-in"], "bob-can-log-in": ["answers"], "answers": []}
    seen = examination.of("answers", "bob-can-log-in", "asks-alpha", files='mx = "other"', needs=needs)
    assert seen["answers"].verdict == "failed"
    assert "'other' == 'mx.beta.test'" in seen["answers"].explanation
    for check, needed in (("bob-can-log-in", "answers"), ("asks-alpha", "bob-can-log-in")):
        assert (seen[check].verdict, seen[check].explanation) == ("skipped", f"blocked by {needed}")


def test_what_was_handed_in_comes_as_data(examination: Examination) -> None:
    assert examination.of("answers", files='mx = "mx.beta.test"\n')["answers"].verdict == "passed"
    seen = examination.of("answers", files='mx = "mx.beta.test"\nns = dns\n')["answers"]
    assert (seen.verdict, seen.steps[-1].evidence) == ("failed", ("answers.toml:2: ns = dns",))
    assert seen.outcome.reason.startswith("expected: answers.toml is TOML\n    seen: answers.toml:2: ")


def test_nothing_is_executed_where_the_attempt_s_daemons_run(examination: Examination) -> None:
    seen = examination.of("looks-into-the-queue", "looks-into-the-queue-of-another")
    refused = seen["looks-into-the-queue"]
    assert (refused.verdict, refused.kind) == ("error", Blame.EXERCISE)
    assert refused.explanation == ("mx-beta runs what was handed in: a check can't run 'postqueue -j' there")
    assert seen["looks-into-the-queue-of-another"].verdict == "passed"


def test_why_a_check_failed_and_what_proves_it_are_told_apart_and_a_refused_look_is_left_out(
    examination: Examination,
) -> None:
    seen = examination.of("nobody-is-bounced")["nobody-is-bounced"]
    assert (seen.verdict, seen.kind) == ("failed", None)
    expected, found = seen.outcome.reason.splitlines()
    assert expected.startswith("expected: delivered to alice@alpha.test")
    assert found.startswith("    seen: the letter is bounced; the last attempt: bounced 5.1.1")
    assert any("5.1.1" in line and "mx.alpha.test" in line for line in seen.evidence)
    assert seen.steps[-1].verdict == "failed"


def test_a_check_that_takes_too_long_has_failed_where_the_engine_answers(examination: Examination) -> None:
    seen = examination.of("takes-too-long", limit=0.3)["takes-too-long"]
    assert (seen.verdict, seen.kind) == ("failed", None)
    assert seen.explanation.startswith("it did not end within 0.3 s, and was at line ")


def test_when_the_time_for_all_is_used_up_what_is_left_fails(examination: Examination) -> None:
    seen = examination.of("takes-too-long", "answers", seconds=0.3)
    said = "the time for all checks (0.3 s) was used up"
    assert seen["takes-too-long"].explanation.startswith(f"{said}, and was at line ")
    assert (seen["answers"].explanation, seen["answers"].seconds) == (said, 0.0)
    assert {each.verdict for each in seen.values()} == {"failed"}


def test_an_attempt_whose_daemon_ended_has_failed_and_its_last_words_are_the_evidence(
    examination: Examination, lab: str, hall: Bed
) -> None:
    hall.engine.say(f"labctl-{lab}-mail-beta", "the end of it all")
    hall.engine.signal(f"labctl-{lab}-mail-beta", "KILL")
    seen = examination.of("bob-can-log-in", "looks-into-the-queue-of-another")
    for each in seen.values():
        assert (each.verdict, each.kind) == ("failed", None)
        assert each.outcome.reason.splitlines()[0] == "mail-beta ended (exit code 137: killed)"
        assert "the end of it all" in each.evidence


def test_a_host_of_the_lab_s_own_that_ended_is_an_error(
    examination: Examination, lab: str, hall: Bed
) -> None:
    hall.engine.signal(f"labctl-{lab}-mail-beta", "KILL")
    seen = examination.of("bob-can-log-in", students=("mx-beta",), guarded=("mx-beta",))["bob-can-log-in"]
    assert (seen.verdict, seen.kind) == ("error", Blame.LAB)
    assert "mail-beta (mail.beta.test) is stopped" in seen.explanation


def test_a_port_where_no_daemon_of_the_attempt_s_listens_is_named(
    examination: Examination, lab: str, hall: Bed
) -> None:
    hall.harbour.shut(f"labctl-{lab}-mail-beta", 143)
    seen = examination.of("bob-can-log-in")["bob-can-log-in"]
    assert (seen.verdict, seen.kind) == ("failed", None)
    assert seen.explanation == "mail.beta.test does not answer on port 143: connection refused"


def test_a_daemon_that_can_not_answer_without_the_attempt_s_is_no_fault_of_the_lab(
    examination: Examination, lab: str, hall: Bed
) -> None:
    hall.harbour.shut(f"labctl-{lab}-mx-alpha", 587)
    [seen] = examination.of("asks-alpha", students=("mail-alpha",), guarded=()).values()
    [own] = examination.of("asks-alpha", students=("mail-beta",), guarded=()).values()
    assert (seen.verdict, own.verdict, own.kind) == ("failed", "error", Blame.LAB)
    assert seen.explanation == (
        "mx.alpha.test does not answer on port 587: connection refused (it can't answer without mail-alpha)"
    )
