from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

import pytest

from labctl.engine.model import Container, ExecResult
from labctl.errors import ConfigRejected, EngineError, EngineUnavailable, ServiceCommandFailed
from labctl.lab.attempt import rejection as subject
from labctl.lab.attempt.rejection import rejection, reloaded
from labctl.lab.blueprint.definition import Editable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl.engine.fake import Call
    from labctl.lab.blueprint.definition import LabDefinition
    from labctl.lab.running.instance import Instance
    from tests.unit.conftest import Stage

    Inside: TypeAlias = tuple[Stage, LabDefinition, Instance]

ZONE = "/etc/coredns/zones/beta.test.zone"
DOVECOT = "/etc/dovecot/dovecot.conf"
UNREAD = f"doveconf: Fatal: Error in configuration file {DOVECOT} line 9: mail_diver: Unknown setting"
UNPARSED = (
    f'plugin/file: failed to parse file "{ZONE}" for origin beta.test. with error {ZONE}: '
    'dns: bad A A: "203.0.113.299" at line: 10:29'
)
NOW = datetime.now(UTC)


@pytest.fixture
def lab(stage: Stage) -> LabDefinition:
    editable = (
        Editable("answers.toml"),
        Editable("zones/beta.zone", "dns", ZONE),
        Editable("dovecot.conf", "mail-beta", DOVECOT, ("doveconf", "-n")),
        Editable("users", "mail-beta", "/etc/dovecot/users"),
    )
    return replace(stage.planner.lab, editable=editable)


@pytest.fixture
def there(stage: Stage) -> Instance:
    return stage.stand()


@pytest.fixture
def inside(stage: Stage, lab: LabDefinition, there: Instance) -> Inside:
    return stage, lab, there


def ended(stage: Stage, service: str, *said: str) -> None:
    stage.fake.say(f"labctl-x-{service}", *said)
    stage.fake.end(f"labctl-x-{service}", 1)


def answering(stage: Stage, exit_code: int, stdout: bytes = b"", stderr: bytes = b"") -> list[str]:
    """Let every command in a container come to this, and return the list of what will be run."""
    run: list[str] = []

    def answer(container: Container, argv: Sequence[str]) -> ExecResult:
        run.append(f"{container.name} {' '.join(argv)}")
        return ExecResult(exit_code, stdout, stderr)

    stage.fake.answer = answer
    return run


def told(error: ConfigRejected | None) -> tuple[str, int | None]:
    assert error is not None
    return error.detail["file"], error.detail["line"]


class TestRejection:
    def test_where_all_runs_and_is_in_order_nothing_is_refused(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        run = answering(stage, 0)
        assert rejection(stage.fake, there, lab) is None
        assert run == ["labctl-x-mail-beta doveconf -n"]

    def test_a_host_that_has_ended_said_why(self, stage: Stage, lab: LabDefinition, there: Instance) -> None:
        ended(stage, "mail-beta", UNREAD)
        error = rejection(stage.fake, there, lab)
        assert told(error) == ("dovecot.conf", 9)
        assert error is not None
        assert error.message == ("mail-beta refuses dovecot.conf, line 9: mail_diver: Unknown setting")
        assert (error.detail["service"], error.detail["said"]) == ("mail-beta", UNREAD)
        assert (error.hint, error.exit_code) == ("edit dovecot.conf", 1)

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"\xef\xbb\xbf# Dovecot", "a byte order mark (BOM): save it as UTF-8 without one"),
            (
                "# Dovecot".encode("utf-16"),
                "the byte order mark (BOM) of UTF-16: save it as UTF-8 without one",
            ),
        ],
    )
    def test_a_byte_order_mark_is_told_as_one_with_the_daemons_own_words(
        self, stage: Stage, lab: LabDefinition, there: Instance, content: bytes, said: str
    ) -> None:
        words = f"doveconf: Fatal: Error in configuration file {DOVECOT} line 1: Expecting '{{'"
        ended(stage, "mail-beta", words)
        error = rejection(stage.fake, there, lab, handed_in={"dovecot.conf": content})
        assert told(error) == ("dovecot.conf", 1)
        assert error is not None
        assert error.message == f"mail-beta refuses dovecot.conf, line 1: it begins with {said}"
        assert error.detail["said"] == words
        without = rejection(stage.fake, there, lab, handed_in={"dovecot.conf": b"# Dovecot"})
        assert without is not None
        assert "Expecting" in without.message

    def test_a_file_is_named_as_the_attempt_names_it(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        ended(stage, "dns", "maxprocs: Honoring GOMAXPROCS", UNPARSED)
        assert told(rejection(stage.fake, there, lab)) == ("zones/beta.zone", 10)

    def test_what_a_handed_in_file_draws_in_is_that_files_matter(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        ended(stage, "mail-beta", UNREAD.replace(DOVECOT, "/etc/dovecot/conf.d/10-auth.conf"))
        assert told(rejection(stage.fake, there, lab)) == ("dovecot.conf", None)

    def test_the_end_of_a_host_is_no_refusal_where_it_said_none(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        ended(stage, "mail-beta", "master: Info: Dovecot v2.4.1 starting up for imap")
        assert rejection(stage.fake, there, lab) is None

    def test_a_host_that_ended_for_want_of_memory_is_refused_for_that_and_not_for_what_it_said_before(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        stage.fake.say("labctl-x-mail-beta", UNREAD)
        stage.fake.run_out_of_memory("labctl-x-mail-beta")
        error = rejection(stage.fake, there, lab)
        assert told(error) == ("dovecot.conf", None)
        assert error is not None
        assert "memory" in error.message

    def test_the_end_of_a_host_without_handed_in_files_is_not_the_students(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        ended(stage, "mail-alpha", UNREAD)
        assert rejection(stage.fake, there, lab) is None

    @pytest.mark.parametrize(
        ("stderr", "line", "said"),
        [
            (UNREAD.encode(), 9, UNREAD),
            (b"first\nit is \x1b[31mwrong\xff\n", None, "wrong"),
            (b"", None, "doveconf ended with exit code 89"),
        ],
    )
    def test_the_labs_own_check_refuses_what_a_daemon_runs_with(
        self, inside: Inside, stderr: bytes, line: int | None, said: str
    ) -> None:
        stage, lab, there = inside
        answering(stage, 89, b"# 2.4.1\n" if stderr else b"", stderr)
        error = rejection(stage.fake, there, lab)
        assert told(error) == ("dovecot.conf", line)
        assert error is not None
        assert said in error.detail["said"]
        assert error.message.isprintable()

    @pytest.mark.parametrize("exit_code", [126, 127, 137])
    def test_a_check_that_is_no_command_or_was_killed_refuses_nothing(
        self,
        monkeypatch: pytest.MonkeyPatch,
        stage: Stage,
        lab: LabDefinition,
        there: Instance,
        exit_code: int,
    ) -> None:
        monkeypatch.setattr(subject, "_NOTED_WITHIN", 0.05)
        answering(stage, exit_code, b"OCI runtime exec failed: executable file not found in $PATH")
        assert rejection(stage.fake, there, lab) is None

    def test_a_check_that_comes_to_no_end_is_a_refusal_that_tells_what_it_said(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        def hook(call: Call) -> None:
            if call.method == "execute":
                said = {"said": "# 2.4.1\n\x1b[31mimap = yes"}
                raise ServiceCommandFailed("doveconf came to no end", hint="labctl status", detail=said)

        stage.fake.hook = hook
        error = rejection(stage.fake, there, lab)
        assert told(error) == ("dovecot.conf", None)
        assert error is not None
        assert error.message == "mail-beta refuses dovecot.conf: doveconf -n comes to no end with it"
        assert "imap = yes" in error.detail["said"]
        assert "\x1b" not in error.detail["said"]

    def test_a_check_that_used_up_the_memory_is_a_refusal(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        answering(stage, 137)
        stage.fake.run_out_of_memory("labctl-x-mail-beta", first_process=False)
        error = rejection(stage.fake, there, lab)
        assert told(error) == ("dovecot.conf", None)
        assert error is not None
        assert error.message.endswith("doveconf -n used up all the memory that there is for it")

    def test_a_check_that_was_killed_with_its_host_is_a_refusal_once_the_engine_takes_note(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        seen_since = 0

        def hook(call: Call) -> None:
            nonlocal seen_since
            if call.method == "execute":
                seen_since = 1
            elif call.method == "inspect" and seen_since:
                seen_since += 1
                if seen_since == 4:
                    stage.fake.hook = lambda _call: None
                    stage.fake.run_out_of_memory("labctl-x-mail-beta")

        answering(stage, 137)
        stage.fake.hook = hook
        error = rejection(stage.fake, there, lab)
        assert error is not None
        assert error.message.endswith("it used up all the memory that it may use, and ended before it served")

    def test_a_host_in_which_nothing_can_be_run_refuses_nothing(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        def hook(call: Call) -> None:
            if call.method == "execute":
                raise EngineError("no process can be started", hint="labctl doctor")

        stage.fake.hook = hook
        assert rejection(stage.fake, there, lab) is None

    def test_an_engine_that_stopped_answering_is_no_students_fault(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        def hook(call: Call) -> None:
            if call.method == "execute":
                raise EngineUnavailable("gone", hint="labctl doctor")

        stage.fake.hook = hook
        with pytest.raises(EngineUnavailable):
            rejection(stage.fake, there, lab)


class TestReloaded:
    def test_a_resolver_that_took_its_zones_up_refuses_nothing(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        stage.fake.say("labctl-x-dns", "[INFO] SIGUSR1: Reloading", "[INFO] Reloading complete", at=NOW)
        assert reloaded(stage.fake, there, lab, "dns", NOW) is None

    def test_one_that_did_not_says_in_which_line(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        stage.fake.say("labctl-x-dns", f"[ERROR] Restart failed: {UNPARSED}", at=NOW)
        assert told(reloaded(stage.fake, there, lab, "dns", NOW)) == ("zones/beta.zone", 10)

    def test_of_words_that_nobody_knows_the_resolvers_own_are_left(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        stage.fake.say("labctl-x-dns", "[ERROR] Restart failed: the moon is full", at=NOW)
        error = reloaded(stage.fake, there, lab, "dns", NOW)
        assert told(error) == ("zones/beta.zone", None)
        assert error is not None
        assert error.message.endswith("the moon is full")

    def test_what_was_said_before_or_by_a_question_counts_for_nothing(
        self, stage: Stage, lab: LabDefinition, there: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(subject, "_RELOADED_WITHIN", 0.02)
        before = NOW - timedelta(seconds=1)
        stage.fake.say("labctl-x-dns", "[INFO] Reloading complete", at=before)
        stage.fake.say("labctl-x-dns", '{"name":"[INFO] Reloading complete"}', at=NOW)
        error = reloaded(stage.fake, there, lab, "dns", NOW)
        assert told(error) == ("zones/beta.zone", None)
        assert error is not None
        assert "had not read its zones" in error.message

    def test_zones_that_end_the_resolver_are_refused(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        ended(stage, "dns", "panic: runtime error: index out of range")
        error = reloaded(stage.fake, there, lab, "dns", NOW)
        assert told(error) == ("zones/beta.zone", None)
        assert error is not None
        assert "it ended with exit code 1" in error.message
        assert "panic: runtime error" in error.detail["said"]

    def test_zones_that_take_more_memory_than_there_may_be_are_refused(
        self, stage: Stage, lab: LabDefinition, there: Instance
    ) -> None:
        stage.fake.run_out_of_memory("labctl-x-dns", first_process=False)
        error = reloaded(stage.fake, there, lab, "dns", NOW)
        assert told(error) == ("zones/beta.zone", None)
        assert error is not None
        assert "memory" in error.message
