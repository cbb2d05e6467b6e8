"""The commands that look into a host: exec, shell, logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.commands.exec import Executed, execute
from labctl.commands.logs import followed, logs
from labctl.commands.shell import SHELL, shell
from labctl.engine.model import ExecResult
from labctl.errors import LabNotUp, NoSuchHost, UsageError

if TYPE_CHECKING:
    from tests.unit.conftest import Stage


@pytest.fixture
def up(stage: Stage) -> Stage:
    stage.stand()
    return stage


def answering(up: Stage, exit_code: int, stdout: bytes, stderr: bytes = b"") -> None:
    up.fake.answer = lambda _container, _argv: ExecResult(exit_code, stdout, stderr)


class TestExec:
    def test_a_command_runs_where_it_is_told_to_with_its_own_exit_code(self, up: Stage) -> None:
        answering(up, 3, b"out\n", b"err\n")
        assert execute(up.fake, None, "mx.alpha.test", ["postconf", "-n"]) == Executed(3, "out\n", "err\n")
        assert up.fake.calls[-1] == ("execute", "labctl-x-mx-alpha postconf -n")

    def test_bytes_that_are_no_text_are_shown(self, up: Stage) -> None:
        answering(up, 0, b"caf\xe9")
        assert execute(up.fake, None, "dns", ["cat"]).stdout == "caf\\xe9"

    def test_no_command_is_the_callers_mistake(self, up: Stage) -> None:
        up.fake.calls.clear()
        with pytest.raises(UsageError, match="no command to run") as caught:
            execute(up.fake, None, "dns", [])
        assert caught.value.hint == "labctl exec dns postconf -n"
        assert up.fake.calls == []

    def test_no_such_host_is_told(self, up: Stage) -> None:
        with pytest.raises(NoSuchHost, match="'mx'"):
            execute(up.fake, None, "mx", ["true"])

    def test_a_host_that_does_not_run_is_told(self, up: Stage) -> None:
        up.fake.pause("labctl-x-dns")
        with pytest.raises(LabNotUp, match="is paused"):
            execute(up.fake, None, "dns", ["true"])


class TestShell:
    def test_it_ends_with_the_shells_exit_code(self, up: Stage) -> None:
        answering(up, 7, b"")
        assert shell(up.fake, None, "dns") == 7
        assert up.fake.calls[-1] == ("attach", f"labctl-x-dns {' '.join(SHELL)}")

    def test_a_host_that_does_not_run_is_told(self, up: Stage) -> None:
        up.fake.end("labctl-x-dns")
        with pytest.raises(LabNotUp, match="is stopped"):
            shell(up.fake, "x", "dns")


class TestLogs:
    def test_all_hosts_are_told_by_time_and_one_alone(self, up: Stage) -> None:
        up.fake.say("labctl-x-dns", "one")
        up.fake.say("labctl-x-mx-beta", "two")
        up.fake.say("labctl-x-dns", "three")
        assert [line.text for line in logs(up.fake, None, None)] == ["one", "two", "three"]
        assert [line.text for line in logs(up.fake, None, "dns.lab.test")] == ["one", "three"]

    def test_what_comes_is_told_until_all_have_ended(self, up: Stage) -> None:
        up.fake.say("labctl-x-dns", "before")
        with followed(up.fake, None, "dns") as lines:
            up.fake.say("labctl-x-dns", "after")
            up.fake.end("labctl-x-dns")
            assert [line.text for line in lines] == ["after"]

    def test_no_such_host_is_told(self, up: Stage) -> None:
        with pytest.raises(NoSuchHost):
            logs(up.fake, None, "web")
