"""The commands that look into a host: exec, shell, logs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import typer

from labctl.cli import inside
from labctl.cli.connection import Connection
from labctl.commands.exec import Executed, execute
from labctl.engine.model import ExecResult
from labctl.errors import LabNotUp, NoSuchHost, UsageError

if TYPE_CHECKING:
    from tests.unit.conftest import Stage


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


@pytest.fixture
def connected(up: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    engine: Any = up.fake
    monkeypatch.setattr(inside, "connect", lambda: Connection(engine, ""))
    return up


class TestShell:
    @pytest.mark.parametrize(("exit_code", "own"), [(7, 1), (0, 0)])
    def test_it_succeeds_where_the_shell_does(self, connected: Stage, exit_code: int, own: int) -> None:
        answering(connected, exit_code, b"")
        with pytest.raises(typer.Exit) as ended:
            inside.shell("dns")
        assert ended.value.exit_code == own
        assert connected.fake.calls[-1].subject.startswith("labctl-x-dns /bin/sh -c ")

    def test_a_host_that_does_not_run_is_told(self, connected: Stage) -> None:
        connected.fake.end("labctl-x-dns")
        with pytest.raises(LabNotUp, match="is stopped"):
            inside.shell("dns", name="x")


class TestLogs:
    def test_all_hosts_are_told_by_time_and_one_alone(
        self, connected: Stage, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for service, text in (("dns", "one"), ("mx-beta", "two"), ("dns", "three")):
            connected.fake.say(f"labctl-x-{service}", text)
        inside.logs()
        assert re.findall(r"\w+$", capsys.readouterr().out, re.MULTILINE) == ["one", "two", "three"]
        inside.logs("dns.lab.test")
        assert re.findall(r"\w+$", capsys.readouterr().out, re.MULTILINE) == ["one", "three"]

    def test_what_was_said_before_is_not_followed_and_the_end_of_all_is_the_end(
        self, connected: Stage, capsys: pytest.CaptureFixture[str]
    ) -> None:
        connected.fake.say("labctl-x-dns", "before")
        connected.fake.end("labctl-x-dns")
        inside.logs("dns", follow=True)
        assert "before" not in capsys.readouterr().out

    @pytest.mark.usefixtures("connected")
    def test_no_such_host_is_told(self) -> None:
        with pytest.raises(NoSuchHost):
            inside.logs("web")
