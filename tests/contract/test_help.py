"""Every command explains itself, and completes."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
import typer

from labctl.cli.app import create
from labctl.contract import published
from tests.documents import document_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.contract.conftest import Labctl


def commands() -> list[tuple[str, ...]]:
    """Name every command as one has to write it."""
    root = typer.main.get_command(create())
    assert isinstance(root, typer.core.TyperGroup)
    found: list[tuple[str, ...]] = [()]
    for name, command in root.commands.items():
        found.append((name,))
        found.extend((name, inner) for inner in getattr(command, "commands", {}))
    return found


CONTRACT = (
    "up down reset status list labs logs shell exec send inbox queue dig fault images engine doctor prune"
    " init grade merge help"
)


def test_the_commands_of_the_contract_are_there() -> None:
    assert set(CONTRACT.split()) <= {each[0] for each in commands() if each}
    assert {("images", each) for each in ("list", "build", "save", "load")} <= set(commands())
    assert {("fault", each) for each in ("list", "apply", "revert")} <= set(commands())
    assert ("labs", "test") in commands()
    assert {("engine", each) for each in ("status", "start", "stop", "remove")} <= set(commands())


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]], ids=" ".join)
def test_the_list_of_commands_is_what_the_commands_say_of_themselves(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    create(arguments)(arguments, prog_name="labctl", standalone_mode=False)
    listed = capsys.readouterr().out
    create()(arguments, prog_name="labctl", standalone_mode=False)
    assert listed == capsys.readouterr().out


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_help_ends_well_and_has_examples(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert create()([*command, "--help"], prog_name="labctl", standalone_mode=False) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Usage: {' '.join(('labctl', *command))}")
    assert bool(re.search(r"^  --json ", said, re.MULTILINE)) == (document_of(*command) is not None)
    assert re.search(rf"^  Examples:\n    .*labctl {' '.join(command)}", said, re.MULTILINE)


def test_every_command_but_those_that_pass_on_what_others_say_prints_a_document_with_a_schema() -> None:
    printed = {each: document_of(*each) for each in commands() if each}
    assert {each for each, document in printed.items() if document is None} == {("logs",), ("shell",)}
    assert {*printed.values()} - {None} == {*published.names()} - {"labctl/examination-job/v1"}


def test_labctl_alone_shows_its_help(labctl: Labctl) -> None:
    ran = labctl()
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout == labctl("--help").stdout
    assert "  send " in ran.stdout


@pytest.mark.parametrize("command", ["", "up", "fault", "fault apply", "help"])
def test_help_shows_what_the_option_does(labctl: Labctl, command: str) -> None:
    ran = labctl("help", *command.split())
    assert (ran.code, ran.stderr) == (0, "")
    assert ran.stdout == labctl(*command.split(), "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "name", "command"),
    [
        ("dns postconf -n", None, "postconf -n"),
        ("dns -- postconf -n", None, "postconf -n"),
        ("--name a dns postconf --name b", "a", "postconf --name b"),
        ("dns --name a postconf -n", "a", "postconf -n"),
        ("dns --name=a --json -- postconf", "a", "postconf"),
        ("dns ls -- -x", None, "ls -- -x"),
        ("dns -- ls -- -x", None, "ls -- -x"),
        ("-- dns ls -x", None, "ls -x"),
        ("dns", None, ""),
    ],
)
def test_what_follows_a_command_to_be_run_on_a_host_is_its_own(
    arguments: str, name: str | None, command: str
) -> None:
    root = typer.main.get_command(create(["exec"]))
    assert isinstance(root, typer.core.TyperGroup)
    given = root.commands["exec"].make_context("exec", arguments.split()).params
    assert (given["host"], given["name"]) == ("dns", name)
    assert list(given["command"]) == command.split()


def test_the_version_is_the_packages(labctl: Labctl) -> None:
    assert labctl("--version").stdout == f"labctl {version('labctl')}\n"


def test_commands_complete(labctl: Labctl) -> None:
    assert labctl.completed("labctl s") == ["status", "send", "shell", "schema"]
    assert labctl.completed("labctl images s") == ["save"]
    assert labctl.completed("labctl schema fault-") == ["fault-apply", "fault-list", "fault-revert"]


def test_faults_and_their_parameters_complete(labctl: Labctl) -> None:
    assert labctl.completed("labctl fault apply mx-n") == ["mx-null"]
    assert labctl.completed("labctl fault revert ta") == ["tarpit"]
    assert labctl.completed("labctl fault apply mailbox-full te") == ["temporarily=no", "temporarily=yes"]
    assert labctl.completed("labctl fault apply no-such-fault h") == []


def test_labs_complete_without_an_engine(
    labctl: Labctl, tmp_path: Path, make_lab: Callable[[Path, str], Path]
) -> None:
    make_lab(tmp_path / "labs/two-moons", 'id = "two-moons"\ntitle = "x"\ntopology = "two-domains"\n')
    found = labctl.completed("labctl up two-", LABCTL_LABS=str(tmp_path / "labs"))
    assert found == ["two-domains", "two-moons"]


@pytest.mark.parametrize(
    "line", ["labctl queue ", "labctl send a", "labctl status --name ", "labctl send --name A_ b"]
)
def test_what_only_an_engine_knows_completes_to_nothing_where_there_is_none(
    labctl: Labctl, line: str
) -> None:
    assert labctl.completed(line) == []


def test_a_broken_lab_does_not_break_completion(
    labctl: Labctl, tmp_path: Path, make_lab: Callable[[Path, str], Path]
) -> None:
    make_lab(tmp_path / "labs/broken", "id = ")
    assert labctl.completed("labctl up ", LABCTL_LABS=str(tmp_path / "labs")) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_completion_script_for_each_usual_shell(labctl: Labctl, shell: str) -> None:
    ran = labctl(environ={"_LABCTL_COMPLETE": f"source_{shell}"})
    assert ran.code == 0
    assert "_LABCTL_COMPLETE" in ran.stdout
