"""Failures: exit codes, messages and documents."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.conftest import Labctl

    Fails = Callable[..., dict[str, Any]]
    MakeLab = Callable[[Path, str], Path]

GOOD = 'id = "{id}"\ntitle = "A lab"\ntopology = "two-domains"\n'


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        ("nonsense", "nonsense", "labctl --help"),
        ("images nonsense", "nonsense", "labctl images --help"),
        ("status --nonsense", "--nonsense", "labctl status --help"),
        ("send alice@alpha.test", "TO", "labctl send --help"),
        ("inbox", "ADDRESS", "labctl inbox --help"),
        ("send a@alpha.test b@beta.test --timeout soon", "soon", "labctl send --help"),
        ("send a@alpha.test b@beta.test --wait arrived", "arrived", "labctl send --help"),
        ("queue mx-alpha mx-beta", "mx-beta", "labctl queue --help"),
        ("hepl", "no such command: 'hepl'; did you mean 'help'", "labctl --help"),
        ("help stauts", "no such command: 'stauts'; did you mean 'status'", "labctl --help"),
        ("help fault aply", "no such command: 'aply'; did you mean 'apply'?", "labctl fault --help"),
        ("labs tset", "did you mean 'test'?", "labctl labs --help"),
        ("up --nmae=a", "no such option: --nmae; did you mean '--name'", "labctl up --help"),
        ("status -j", "no such option: -j; did you mean '--json'?", "labctl status --help"),
        ("inbox a@alpha.test --wait x", "no such option: --wait", "labctl inbox --help"),
        ("--name=a status", "--name goes behind the command", "labctl COMMAND --name"),
        ("trace --state bouncd", "did you mean 'bounced'?", "labctl trace --help"),
    ],
)
def test_wrong_usage_is_told_with_the_help_that_helps(
    fails: Fails, arguments: str, said: str, hint: str
) -> None:
    document = fails(2, *arguments.split())
    assert document["code"] == "usage"
    assert said in document["message"]
    assert document["hint"] == hint


@pytest.mark.parametrize(
    ("arguments", "meant", "hint"),
    [
        ("up two-domians", "two-domains", "labctl labs"),
        ("exercises bounce", "bounces", "labctl labs"),
        ("init fix-the-xm there", "fix-the-mx", "labctl labs"),
        ("run boucnes/unknown-at-the-door", "bounces", "labctl labs"),
        ("run bounces/unknwon-at-the-door", "unknown-at-the-door", "labctl run bounces/unknown-at-the-door"),
        ("fault apply mxnull", "mx-null", "labctl fault list"),
    ],
)
def test_a_name_that_is_mistyped_is_told_with_the_one_that_may_be_meant(
    fails: Fails, arguments: str, meant: str, hint: str
) -> None:
    document = fails(2, *arguments.split())
    assert f"did you mean {meant!r}" in document["message"]
    assert document["detail"]["near"][0] == meant
    assert document["hint"] == hint


def test_a_parameter_and_a_value_of_a_fault_are_suggested_too(fails: Fails) -> None:
    assert "did you mean 'domain'?" in fails(2, "fault", "apply", "mx-null", "domian=a")["message"]
    said = fails(2, "fault", "apply", "reject", "stage=recipeint")["message"]
    assert "did you mean 'recipient'" in said


@pytest.mark.parametrize("name", ["A", "-a", "a_b", "a" * 32, ""])
@pytest.mark.parametrize("command", ["up", "status"])
def test_a_malformed_name_is_refused_before_an_engine_is_looked_for(
    fails: Fails, command: str, name: str
) -> None:
    if name:
        assert repr(name) in fails(2, command, f"--name={name}")["message"]
    else:
        assert fails(4, command, environ={"LABCTL_NAME": name})  # set to nothing is not set


def test_a_malformed_name_from_the_environment_is_refused_too(fails: Fails) -> None:
    assert "'A_B'" in fails(2, "queue", environ={"LABCTL_NAME": "A_B"})["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        "send alice bob@beta.test",
        "send alice@alpha.test bob@",
        "send alice@alpha.test bob@beta.test x",
        "inbox @beta.test",
    ],
)
def test_a_malformed_address_is_refused_before_an_engine_is_looked_for(fails: Fails, arguments: str) -> None:
    document = fails(2, *arguments.split())
    assert "is not a mail address" in document["message"]
    assert document["detail"]["address"] in arguments.split()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("mx-null colour=red", "no parameter 'colour'; it has domain"),
        ("mx-null domain", "'domain' is no key=value"),
        ("mx-null domain=a.test domain=b.test", "domain is given twice"),
        ("mx-null domain=Bad_Name", "domain=Bad_Name: expected a name"),
        ("greylist delay=0", "delay=0: expected a whole number from 1 to 3600"),
        ("greylist delay=two", "delay=two: expected a whole number"),
        ("reject stage=later", "stage=later: expected one of client, helo, sender"),
        ("reject text={x}", "text={x}: expected"),
        ("reject text=$myhostname", "text=$myhostname: expected"),
        ("reject code=250", "code=250: expected a reply code"),
        ("mailbox-full user=bob", "user=bob: expected a mail address"),
    ],
)
def test_a_wrong_value_of_a_fault_is_refused_before_an_engine_is_looked_for(
    fails: Fails, arguments: str, said: str
) -> None:
    document = fails(2, "fault", "apply", *arguments.split())
    assert document["code"] == "usage"
    assert said in document["message"]
    assert document["hint"].startswith("labctl fault ")


def test_options_before_a_faults_command_hold_for_it(labctl: Labctl) -> None:
    ran = labctl("fault", "--json", "apply", "mx-nul")
    assert (ran.code, ran.document["code"], ran.stderr) == (2, "no-such-fault", "")
    assert labctl("fault", "--name", "A_B", "revert").code == 2
    assert labctl("fault", "--json", "list").document["schema"] == "labctl/fault-list/v1"


@pytest.mark.parametrize(
    ("lines", "line", "said"),
    [
        (GOOD + "colour = 1\n", 4, "colour"),
        (GOOD.replace("title", "[title"), 2, "TOML"),
        ('id = "Bad Id"\ntitle = "x"\ntopology = "x"\n', 1, "Bad Id"),
    ],
)
def test_a_wrong_lab_is_told_with_its_file_and_line(
    fails: Fails, tmp_path: Path, make_lab: MakeLab, *, lines: str, line: int, said: str
) -> None:
    file = make_lab(tmp_path / "mine", lines.format(id="mine")) / "lab.toml"
    document = fails(3, "up", "./mine")
    assert document["code"] == "invalid-lab-file"
    assert document["message"].startswith(f"{file}:{line}: ")
    assert said in document["message"]
    assert document["detail"] == {"path": str(file), "line": line}


def test_a_wrong_lab_in_the_catalogue_is_told_by_labs(
    fails: Fails, tmp_path: Path, make_lab: MakeLab
) -> None:
    make_lab(tmp_path / "labs/mine", "id = 3\n")
    assert fails(3, "labs", environ={"LABCTL_LABS": str(tmp_path / "labs")})["detail"]["line"] == 1


@pytest.mark.parametrize(
    "command",
    [
        "up",
        "up --yes",
        "up --dry-run",
        "down",
        "down --all",
        "reset",
        "status",
        "list",
        "exec dns -- true",
        "send alice@alpha.test bob@beta.test",
        "inbox bob@beta.test",
        "queue",
        "dig beta.test",
        "fault apply mx-null",
        "fault revert",
        "run",
        "run --lab dns",
        "images",
        "images list",
        "images build",
        "images build --yes",
        "images save x",
        "prune",
    ],
)
def test_without_an_engine_a_command_says_what_was_looked_for(
    fails: Fails, tmp_path: Path, command: str
) -> None:
    document = fails(4, *command.split(), environ={"CI": "true"})
    assert document["code"] == "engine-unavailable"
    assert "unix:///nonexistent/docker.sock" in document["message"]
    assert "DOCKER_HOST" in document["message"]
    assert "DOCKER_HOST" in document["hint"]
    assert [each["answer"] for each in document["detail"]["looked"]] == ["absent"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["logs", "logs -f", "shell dns"])
def test_without_an_engine_a_stream_ends_with_an_error_too(labctl: Labctl, command: str) -> None:
    ran = labctl(*command.split())
    assert (ran.code, ran.stdout) == (4, "")
    assert ran.stderr.startswith("labctl: no container engine answers")


def test_an_engine_on_another_machine_is_refused_with_the_reason(fails: Fails) -> None:
    document = fails(4, "list", environ={"DOCKER_HOST": "tcp://192.0.2.1:2375"})
    assert "another machine" in document["message"]


def test_a_lab_by_its_directory_is_found_with_and_without_a_slash(
    fails: Fails, tmp_path: Path, make_lab: MakeLab
) -> None:
    directory = make_lab(tmp_path / "mine", GOOD.format(id="mine"))
    for lab in ("mine", "./mine", str(directory)):
        assert fails(4, "up", lab)["code"] == "engine-unavailable"  # what comes after the lab was found


def test_the_commands_own_json_is_not_labctls(labctl: Labctl) -> None:
    ran = labctl.program("exec", "dns", "--", "doveadm", "--json")
    assert (ran.code, ran.stdout) == (4, "")
    assert ran.stderr.startswith("labctl: ")


def test_the_commands_own_debug_is_not_labctls(labctl: Labctl) -> None:
    assert "Traceback" not in labctl("exec", "dns", "--", "x", "--debug").stderr


def test_a_traceback_is_shown_only_where_it_is_asked_for(labctl: Labctl) -> None:
    plain, debug = labctl.program("up", "nonsense"), labctl.program("--debug", "up", "nonsense")
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
    assert debug.stderr.endswith(plain.stderr)
    assert plain.code == debug.code == 2


def test_a_bug_is_told_as_one(labctl: Labctl, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(app, "create", lambda _: broken)
    plain, debug = labctl(), labctl("--debug")
    assert plain.code == debug.code == 70
    assert "ZeroDivisionError: by nothing" in plain.stderr
    assert "--debug" in plain.stderr
    assert "Traceback" not in plain.stderr
    assert "in broken" in debug.stderr


@pytest.mark.parametrize(
    "arguments", [["labs"], ["labs", "--json"], ["labs", "--help"], ["up", "nonsense", "--json"]]
)
def test_a_reader_that_has_had_enough_is_no_error(labctl: Labctl, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as unread:
        ran = labctl.program(*arguments, stdout=unread)
    assert (ran.code, ran.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["labs"], ["labs", "--json"], ["exercises", "two-domains"]])
def test_output_that_can_not_be_written_is_told_in_words(labctl: Labctl, arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = labctl.program(*arguments, stdout=full)
    assert ran.code == 2
    assert ran.stderr.startswith("labctl: standard output can't be written: No space left on device\n")
    assert "Traceback" not in ran.stderr


def test_an_error_that_nobody_can_be_told_still_has_its_code(labctl: Labctl) -> None:
    with Path("/dev/full").open("wb") as full:
        assert labctl.program("labs", "--json", stdout=full, stderr=full).code == 2


@pytest.mark.parametrize("consent_to_install", ["0", "1", "true"])
def test_an_engine_is_removed_only_after_a_yes_of_its_own(fails: Fails, consent_to_install: str) -> None:
    error = fails(2, "engine", "remove", environ={"LABCTL_YES": consent_to_install})
    assert error["hint"] == "labctl engine remove --yes"


@pytest.mark.parametrize("command", ["engine remove", "engine stop", "down", "reset", "prune"])
def test_no_command_that_destroys_takes_its_yes_from_the_environment(labctl: Labctl, command: str) -> None:
    assert "env var: LABCTL_YES" not in labctl(*command.split(), "--help").stdout
    assert "env var: LABCTL_YES" in labctl("up", "--help").stdout


def test_a_locale_without_utf_8_is_no_error(labctl: Labctl) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert labctl.program("up", "./é", environ=ascii_only).code == 2


def test_an_interrupt_ends_a_command_with_130(labctl: Labctl) -> None:
    terminal, its_end = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "labctl", "engine", "remove"],
        stdin=its_end,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=labctl.environ,
    )
    try:
        assert process.stderr is not None
        asked = b""
        while not asked.endswith(b"[y/N]:"):
            asked += process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        os.close(terminal)
        os.close(its_end)
    assert process.returncode == 130
    assert said.endswith(b"labctl: interrupted\n")


def test_a_lab_in_the_directory_is_mentioned_where_another_is_brought_up(
    labctl: Labctl, tmp_path: Path
) -> None:
    assert "labctl up ." not in labctl("up").stderr
    (tmp_path / "lab.toml").write_text(GOOD.format(id="mine"), encoding="utf-8")
    assert labctl("up").stderr.startswith(
        "labctl: two-domains is brought up; the lab in this directory: labctl up .\n"
    )


@pytest.mark.parametrize(
    ("path", "said", "hint"),
    [
        ("mine", "mine is a lab, and no attempt at one", "labctl labs test mine"),
        ("amy/labctl.toml", "not a directory", "labctl grade amy"),
    ],
)
def test_what_is_no_attempt_is_told_with_what_it_is(
    fails: Fails, tmp_path: Path, make_lab: MakeLab, *, path: str, said: str, hint: str
) -> None:
    make_lab(tmp_path / "mine", GOOD.format(id="mine"))
    (tmp_path / "amy").mkdir()
    (tmp_path / "amy/labctl.toml").write_text('lab = "fix-the-mx"\n', encoding="utf-8")
    document = fails(2, "grade", path)
    assert said in document["message"]
    assert document["hint"] == hint
