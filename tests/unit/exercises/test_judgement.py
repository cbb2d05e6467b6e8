"""Whose doing it is that a check went wrong: the attempt's, the lab's, or the check's own."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl import resources
from labctl.errors import (
    EngineError,
    EngineUnavailable,
    FaultError,
    GradingError,
    LabNotUp,
    ServiceCommandFailed,
    ServiceNotReady,
)
from labctl.exercises.log.watch import Watch, now
from labctl.exercises.result.outcome import PASSED, Blame, Outcome
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.running.examstage import ExamStage
from labctl.exercises.running.performance import Performance, TimeUp
from labctl.exercises.vocabulary.expectation import ExpectationFailed
from labctl.exercises.worker.protocol import Exam
from labctl.lab.blueprint import definition

if TYPE_CHECKING:
    from labctl.engine.fake import Call
    from tests.unit.conftest import Stage

FAILED = (Verdict.FAILED, None)
OF_LAB = (Verdict.ERROR, Blame.LAB)
OF_CHECK = (Verdict.ERROR, Blame.EXERCISE)

BETA = "labctl-x-mail-beta"
FILE = Path("/labs/tiny/checks/test_it.py")


def exam_in(stage: Stage, *students: str) -> ExamStage:
    lab = definition.load(resources.labs_dir() / "two-domains")
    exam = Exam(students=students or ("mail-beta",), guarded=("mail-beta",))
    return ExamStage(stage.fake, "x", lab, {}, exam)


def judged(exam_stage: ExamStage, error: BaseException | None) -> Outcome:
    """Let a check raise something, and return what comes of it."""
    performance = Performance(FILE, 1, judge=exam_stage.judge)
    performance.complaint, performance.defeat = exam_stage.complaint, exam_stage.defeat
    raised = None
    if error is not None:
        with pytest.raises(type(error)) as raised:
            raise error
    performance.note(raised, look=True)
    return replace(performance.outcome, path=None, line=None)


def not_ready(service: str) -> ServiceNotReady:
    return ServiceNotReady(f"{service} did not answer", service=service, waited=1.0, log="", hint="look")


@pytest.mark.parametrize(
    ("error", "expected", "said"),
    [
        (not_ready("mail-beta"), FAILED, "mail-beta did not answer"),
        (
            not_ready("mx-beta"),
            FAILED,
            "mx-beta did not answer (it can't answer without mail-beta)",
        ),
        (not_ready("mx-alpha"), OF_LAB, "mx-alpha did not answer"),
        (ConnectionResetError("by peer"), FAILED, "a server did not go on: "),
        (TimeoutError(), FAILED, "a server did not go on: no reply in time"),
        (MemoryError(), FAILED, "a server did not go on: its answer is too large"),
        (EngineUnavailable("gone", hint="h"), OF_LAB, "gone"),
        (EngineError("broken", hint="h"), OF_LAB, "broken"),
        (ServiceCommandFailed("of whom?", hint="h"), OF_LAB, "of whom?"),
        (GradingError("not so", hint="h"), OF_CHECK, "not so"),
        (FaultError("dns refuses it", hint="h"), OF_CHECK, "dns refuses it"),
        (ZeroDivisionError("by zero"), OF_CHECK, "ZeroDivisionError: by zero"),
        (ExpectationFailed("a", "b"), FAILED, "expected: a\n    seen: b"),
        (TimeUp(), FAILED, "it did not end within 60 s"),
    ],
)
def test_what_a_check_raises_is_judged_by_whose_daemon_it_is_about(
    stage: Stage, error: BaseException, expected: tuple[Verdict, Blame | None], said: str
) -> None:
    stage.stand()
    outcome = judged(exam_in(stage), error)
    assert (outcome.verdict, outcome.blame) == expected
    assert outcome.explanation.startswith(said)


def test_a_time_that_is_up_is_no_verdict_where_the_engine_does_not_answer(stage: Stage) -> None:
    stage.stand()
    exam_stage = exam_in(stage)

    def fail(call: Call) -> None:
        raise EngineUnavailable(f"{call.method}: no answer", hint="h")

    stage.fake.hook = fail
    outcome = judged(exam_stage, TimeUp())
    assert (outcome.verdict, outcome.blame) == (Verdict.ERROR, Blame.LAB)


def test_a_host_that_used_up_its_memory_fails_even_a_check_that_passed(stage: Stage) -> None:
    stage.stand()
    stage.fake.say(BETA, "imap: Fatal: out of it")
    stage.fake.run_out_of_memory(BETA)
    outcome = judged(exam_in(stage), None)
    assert outcome == Outcome(
        Verdict.FAILED,
        "mail-beta ended (exit code 137: it used up its 256 MB of memory)\n  imap: Fatal: out of it",
        evidence=("imap: Fatal: out of it",),
    )


def test_an_engine_that_fails_while_an_end_is_looked_into_is_an_error(stage: Stage) -> None:
    stage.stand()
    stage.fake.end(BETA, 1)

    def fail(call: Call) -> None:
        if call.method == "inspect":
            raise EngineUnavailable("no answer", hint="h")

    stage.fake.hook = fail
    outcome = judged(exam_in(stage), None)
    assert outcome == Outcome(Verdict.ERROR, "no answer", Blame.LAB)


def test_what_a_check_saw_is_told_below_the_host_that_ended(stage: Stage) -> None:
    stage.stand()
    stage.fake.say(BETA, "bye")
    stage.fake.end(BETA, 1)
    outcome = judged(exam_in(stage), ExpectationFailed("a", "b", ("c",)))
    assert outcome.reason == "mail-beta ended (exit code 1)\nexpected: a\n    seen: b"
    assert outcome.evidence == ("c", "bye")


def test_a_host_that_a_fault_has_stopped_is_nobody_s_defeat(stage: Stage) -> None:
    stage.stand()
    stage.apply("host-down", "mail-beta")
    stage.fake.stop(BETA, timeout=1)
    assert judged(exam_in(stage), None) == PASSED


def test_between_checks_the_lab_is_looked_at_and_nothing_in_it_is_touched(stage: Stage) -> None:
    there = stage.stand()
    exam_stage = exam_in(stage)
    stage.fake.calls.clear()
    for well in (True, False):
        assert exam_stage.prepare() == there
        exam_stage.left(well=well)
    assert {call.method for call in stage.fake.calls} <= {"containers", "networks", "volumes"}


def test_a_lab_that_is_gone_is_told(stage: Stage) -> None:
    with pytest.raises(LabNotUp):
        exam_in(stage).prepare()
    assert exam_in(stage).complaint() == "lab 'x' is gone"


COMPLAINTS = (
    "Nov 30 11:37:08 mx postfix/smtpd[18]: fatal: bad numerical configuration: smtpd_timeout = soon",
    "Nov 30 11:37:08 mx postfix/submission/smtpd[21]: warning: SASL: Connect to inet:192.0.2.1:1 failed",
    "Nov 30 11:37:08 mx postfix/smtpd[18]: error: unsupported dictionary type: nosuch",
    "Nov 30 11:37:08 mx postfix/qmgr[18]: panic: no such queue",
    "Nov 30 11:37:07 imap(bob@beta.test)<21><EUZr1HxhSJDGErkh>: Error: Mailbox INBOX: mkdir() failed",
    "Nov 30 11:37:07 auth: Fatal: passwd-file /etc/dovecot/users: open() failed",
    "Nov 30 11:37:07 master: Warning: service(imap-login): process_limit (1) reached",
    "[ERROR] plugin/errors: 2 beta.test. A: no next plugin found",
    "[WARNING] plugin/file: zone has no SOA",
    "panic: runtime error: index out of range",
)
NO_COMPLAINTS = (
    "Nov 30 11:37:08 mx postfix/smtpd[18]: connect from unknown[198.18.185.33]",
    "Nov 30 11:37:08 mx postfix/smtpd[18]: NOQUEUE: reject: RCPT from error: warning: fatal: 550 5.1.1",
    "Nov 30 11:37:07 imap-login: Info: Login aborted: Logged out (no auth attempts in 0 secs)",
    '{"time":"2026-11-30T11:37:07Z","client":"203.0.113.10","name":"error: fatal: x.","rcode":"NXDOMAIN"}',
    "[INFO] Reloading complete",
    "",
)


def overheard(stage: Stage, *lines: str, students: str = "mail-beta") -> tuple[str, ...]:
    """Let a check fail while a host says something, and return what of it stands in its evidence."""
    exam_stage = exam_in(stage, students)
    performance = Performance(FILE, 1, judge=exam_stage.judge)
    with closing(Watch(stage.fake, stage.stand().hosts, since=now())) as watch:
        performance.overheard = lambda: exam_stage.overheard(watch)
        stage.fake.say(BETA, *lines)
        assert watch.until(lambda: len(watch.sayings) >= len(lines) or None, within=10)
        with pytest.raises(ExpectationFailed) as raised:
            raise ExpectationFailed("a", "b", ("c",))
        performance.note(raised, look=True)
    assert performance.outcome.verdict == Verdict.FAILED
    assert performance.outcome.explanation.endswith("".join(f"\n  {e}" for e in performance.outcome.evidence))
    assert performance.outcome.evidence[0] == "c"
    return performance.outcome.evidence[1:]


@pytest.mark.parametrize("line", COMPLAINTS)
def test_a_daemon_s_own_complaint_stands_in_the_report_of_a_check_that_failed_meanwhile(
    stage: Stage, line: str
) -> None:
    again = line.replace("[18]", "[19]").replace("<21>", "<22>").replace("11:37:0", "11:38:0")
    [said] = overheard(stage, *NO_COMPLAINTS, again, line)
    assert said.endswith(f" mail.beta.test: {line}")


def test_what_a_host_of_the_lab_s_own_complains_of_is_not_told(stage: Stage) -> None:
    assert overheard(stage, *COMPLAINTS, students="mx-beta") == ()


def test_of_many_complaints_the_last_are_told_short_and_harmless(stage: Stage) -> None:
    lines = [f"panic: {n} \x1b[2J {'x' * 1000}" for n in range(100)]
    found = overheard(stage, *lines)
    assert len(found) == 5
    assert "panic: 99 " in found[-1]
    assert "\x1b" not in "".join(found)
    assert max(map(len, found)) < 500
