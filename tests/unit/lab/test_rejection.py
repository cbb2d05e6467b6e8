from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

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

ZONE = "/etc/coredns/zones/beta.test.zone"
DOVECOT = "/etc/dovecot/dovecot.conf"
UNREAD = f"doveconf: Fatal: Error in configuration file {DOVECOT} line 9: mail_diver: Unknown setting"
UNPARSED = (
    f'plugin/file: failed to parse file "{ZONE}" for origin beta.test. with error {ZONE}: '
    'dns: bad A A: "203.0.113.299" at line: 10:29'
)
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Case:
    """A lab with handed-in files of a resolver and of an MDA, and what its daemons do with them."""

    stage: Stage
    lab: LabDefinition
    there: Instance

    def ended(self, service: str, *said: str) -> None:
        self.stage.fake.say(f"labctl-x-{service}", *said)
        self.stage.fake.end(f"labctl-x-{service}", 1)

    def answering(self, exit_code: int, stdout: bytes = b"", stderr: bytes = b"") -> list[str]:
        """Let every command in a container come to this, and return the list of what will be run."""
        run: list[str] = []

        def answer(container: Container, argv: Sequence[str]) -> ExecResult:
            run.append(f"{container.name} {' '.join(argv)}")
            return ExecResult(exit_code, stdout, stderr)

        self.stage.fake.answer = answer
        return run

    def failing(self, error: EngineError) -> None:
        def hook(call: Call) -> None:
            if call.method == "execute":
                raise error

        self.stage.fake.hook = hook

    def rejection(self, dovecot_conf: bytes = b"") -> ConfigRejected | None:
        handed_in = {"dovecot.conf": dovecot_conf}
        return rejection(self.stage.fake, self.there, self.lab, handed_in=handed_in)

    def reloaded(self) -> ConfigRejected | None:
        return reloaded(self.stage.fake, self.there, self.lab, "dns", NOW)


@pytest.fixture
def case(stage: Stage) -> Case:
    editable = (
        Editable("answers.toml"),
        Editable("zones/beta.zone", "dns", ZONE),
        Editable("dovecot.conf", "mail-beta", DOVECOT, ("doveconf", "-n")),
        Editable("users", "mail-beta", "/etc/dovecot/users"),
    )
    return Case(stage, replace(stage.planner.lab, editable=editable), stage.stand())


def refused(error: ConfigRejected | None, file: str, line: int | None = None) -> ConfigRejected:
    """Return an error that names this file and line."""
    assert error is not None
    assert (error.detail["file"], error.detail["line"]) == (file, line)
    return error


class TestRejection:
    def test_where_all_runs_and_is_in_order_nothing_is_refused(self, case: Case) -> None:
        run = case.answering(0)
        assert case.rejection() is None
        assert run == ["labctl-x-mail-beta doveconf -n"]

    def test_a_host_that_has_ended_said_why(self, case: Case) -> None:
        case.ended("mail-beta", UNREAD)
        error = refused(case.rejection(), "dovecot.conf", 9)
        assert error.message == "mail-beta refuses dovecot.conf, line 9: mail_diver: Unknown setting"
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
        self, case: Case, content: bytes, said: str
    ) -> None:
        words = f"doveconf: Fatal: Error in configuration file {DOVECOT} line 1: Expecting '{{'"
        case.ended("mail-beta", words)
        error = refused(case.rejection(content), "dovecot.conf", 1)
        assert error.message == f"mail-beta refuses dovecot.conf, line 1: it begins with {said}"
        assert error.detail["said"] == words
        without = refused(case.rejection(b"# Dovecot"), "dovecot.conf", 1)
        assert "Expecting" in without.message

    def test_a_file_is_named_as_the_attempt_names_it(self, case: Case) -> None:
        case.ended("dns", "maxprocs: Honoring GOMAXPROCS", UNPARSED)
        refused(case.rejection(), "zones/beta.zone", 10)

    def test_what_a_handed_in_file_draws_in_is_that_files_matter(self, case: Case) -> None:
        case.ended("mail-beta", UNREAD.replace(DOVECOT, "/etc/dovecot/conf.d/10-auth.conf"))
        refused(case.rejection(), "dovecot.conf")

    @pytest.mark.parametrize(
        ("service", "said"),
        [
            pytest.param("mail-beta", "master: Info: Dovecot v2.4.1 starting up for imap", id="it said none"),
            pytest.param("mail-alpha", UNREAD, id="it has no handed-in files"),
        ],
    )
    def test_the_end_of_a_host_is_no_refusal_where(self, case: Case, service: str, said: str) -> None:
        case.ended(service, said)
        assert case.rejection() is None

    def test_a_host_that_ended_for_want_of_memory_is_refused_for_that_and_not_for_what_it_said_before(
        self, case: Case
    ) -> None:
        case.stage.fake.say("labctl-x-mail-beta", UNREAD)
        case.stage.fake.run_out_of_memory("labctl-x-mail-beta")
        assert "memory" in refused(case.rejection(), "dovecot.conf").message

    @pytest.mark.parametrize(
        ("stderr", "line", "said"),
        [
            (UNREAD.encode(), 9, UNREAD),
            (b"first\nit is \x1b[31mwrong\xff\n", None, "wrong"),
            (b"", None, "doveconf ended with exit code 89"),
        ],
    )
    def test_the_labs_own_check_refuses_what_a_daemon_runs_with(
        self, case: Case, stderr: bytes, line: int | None, said: str
    ) -> None:
        case.answering(89, b"# 2.4.1\n" if stderr else b"", stderr)
        error = refused(case.rejection(), "dovecot.conf", line)
        assert said in error.detail["said"]
        assert error.message.isprintable()

    @pytest.mark.parametrize("exit_code", [126, 127, 137])
    def test_a_check_that_is_no_command_or_was_killed_refuses_nothing(
        self, monkeypatch: pytest.MonkeyPatch, case: Case, exit_code: int
    ) -> None:
        monkeypatch.setattr(subject, "_NOTED_WITHIN", 0.05)
        case.answering(exit_code, b"OCI runtime exec failed: executable file not found in $PATH")
        assert case.rejection() is None

    def test_a_check_that_comes_to_no_end_is_a_refusal_that_tells_what_it_said(self, case: Case) -> None:
        said = {"said": "# 2.4.1\n\x1b[31mimap = yes"}
        case.failing(ServiceCommandFailed("doveconf came to no end", hint="labctl status", detail=said))
        error = refused(case.rejection(), "dovecot.conf")
        assert error.message == "mail-beta refuses dovecot.conf: doveconf -n comes to no end with it"
        assert "imap = yes" in error.detail["said"]
        assert "\x1b" not in error.detail["said"]

    def test_a_check_that_used_up_the_memory_is_a_refusal(self, case: Case) -> None:
        case.answering(137)
        case.stage.fake.run_out_of_memory("labctl-x-mail-beta", first_process=False)
        error = refused(case.rejection(), "dovecot.conf")
        assert error.message.endswith("doveconf -n used up all the memory that there is for it")

    def test_a_check_that_was_killed_with_its_host_is_a_refusal_once_the_engine_takes_note(
        self, case: Case
    ) -> None:
        fake, seen_since = case.stage.fake, 0

        def hook(call: Call) -> None:
            nonlocal seen_since
            if call.method == "execute":
                seen_since = 1
            elif call.method == "inspect" and seen_since:
                seen_since += 1
                if seen_since == 4:
                    fake.hook = lambda _call: None
                    fake.run_out_of_memory("labctl-x-mail-beta")

        case.answering(137)
        fake.hook = hook
        error = refused(case.rejection(), "dovecot.conf")
        assert error.message.endswith("it used up all the memory that it may use, and ended before it served")

    def test_a_host_in_which_nothing_can_be_run_refuses_nothing(self, case: Case) -> None:
        case.failing(EngineError("no process can be started", hint="labctl doctor"))
        assert case.rejection() is None

    def test_an_engine_that_stopped_answering_is_no_students_fault(self, case: Case) -> None:
        case.failing(EngineUnavailable("gone", hint="labctl doctor"))
        with pytest.raises(EngineUnavailable):
            case.rejection()


class TestReloaded:
    def test_a_resolver_that_took_its_zones_up_refuses_nothing(self, case: Case) -> None:
        case.stage.fake.say("labctl-x-dns", "[INFO] SIGUSR1: Reloading", "[INFO] Reloading complete", at=NOW)
        assert case.reloaded() is None

    def test_one_that_did_not_says_in_which_line(self, case: Case) -> None:
        case.stage.fake.say("labctl-x-dns", f"[ERROR] Restart failed: {UNPARSED}", at=NOW)
        refused(case.reloaded(), "zones/beta.zone", 10)

    def test_of_words_that_nobody_knows_the_resolvers_own_are_left(self, case: Case) -> None:
        case.stage.fake.say("labctl-x-dns", "[ERROR] Restart failed: the moon is full", at=NOW)
        error = refused(case.reloaded(), "zones/beta.zone")
        assert error.message.endswith("the moon is full")

    def test_what_was_said_before_or_by_a_question_counts_for_nothing(
        self, case: Case, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(subject, "_RELOADED_WITHIN", 0.02)
        before = NOW - timedelta(seconds=1)
        case.stage.fake.say("labctl-x-dns", "[INFO] Reloading complete", at=before)
        case.stage.fake.say("labctl-x-dns", '{"name":"[INFO] Reloading complete"}', at=NOW)
        assert "had not read its zones" in refused(case.reloaded(), "zones/beta.zone").message

    def test_zones_that_end_the_resolver_are_refused(self, case: Case) -> None:
        case.ended("dns", "panic: runtime error: index out of range")
        error = refused(case.reloaded(), "zones/beta.zone")
        assert "it ended with exit code 1" in error.message
        assert "panic: runtime error" in error.detail["said"]

    def test_zones_that_take_more_memory_than_there_may_be_are_refused(self, case: Case) -> None:
        case.stage.fake.run_out_of_memory("labctl-x-dns", first_process=False)
        assert "memory" in refused(case.reloaded(), "zones/beta.zone").message
