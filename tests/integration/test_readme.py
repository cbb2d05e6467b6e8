"""The README stays true: what it shows is run here as it stands there.

Its commands under "Start" and "Develop" set up a fresh machine; CI runs them in clones of their own.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Lab, Labctl, OwnLab

README_PATH = Path(__file__).parents[2] / "README.md"
README = README_PATH.read_text(encoding="utf-8")

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

SET_UP = re.compile(r"^apt-get update && apt-get install -y python3-venv && python3 -m venv \.venv && ")

GRADES = re.compile(r"^labctl (grade|merge) ")
"""What it grades are handouts as they were handed out: they lack points, and the exit code says so."""


def _commands() -> list[str]:
    return [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]


def test_two_commands_set_up_a_fresh_machine() -> None:
    set_up = [each for each in _commands() if SET_UP.match(each)]

    assert [each.rpartition(" && ")[2] for each in set_up] == [
        "labctl send alice@alpha.test bob@beta.test --wait delivered",
        "LABCTL_YES=1 pytest -n 3",
    ]


def test_ci_runs_both_of_them_as_they_are_written() -> None:
    script = Path(__file__).parents[2].joinpath(".ci/run").read_text(encoding="utf-8")

    assert 'eval "$start"' in script
    assert 'eval "$tests"' in script


def test_every_other_command_works_one_after_the_other(
    new_lab: Callable[[], Lab], labctl: Labctl, tmp_path: Path
) -> None:
    lab = new_lab()
    lab.up()
    lab.send("alice@alpha.test", "bob@beta.test")
    environment = labctl.environment({"LABCTL_NAME": lab.name})
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    others = [each for each in _commands() if not SET_UP.match(each)]

    ends = {
        command: subprocess.run(
            ["sh", "-c", command], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        for command in others
    }

    assert len(others) > 5
    wanted = {each: 1 if GRADES.match(each) else 0 for each in others}
    assert {command: end.returncode for command, end in ends.items()} == wanted, ends
    assert lab.leftovers() == []


def test_its_lab_of_ones_own_starts(own_lab: OwnLab, new_lab: Callable[[], Lab]) -> None:
    [definition] = [block for kind, block in BLOCKS if kind == "toml"]
    own_lab.file("lab.toml", definition)
    lab = new_lab()

    status = lab.up(own_lab.directory)["status"]

    assert {"address": "carol@beta.test", "password": "carol"} in status["accounts"]
    assert lab.run("exec", "mx-beta", "--", "postconf", "-h", "queue_run_delay").stdout == "10s\n"


def test_its_exercise_passes(lab: Lab, tmp_path: Path) -> None:
    exercise, _ = [block for kind, block in BLOCKS if kind == "python"]
    file = tmp_path / "test_mine.py"
    file.write_text(exercise, encoding="utf-8")

    [ran] = lab.json("run", str(file))["exercises"]

    assert ran["verdict"] == "passed"


def test_its_test_of_an_application_passes(standing_lab: Lab, tmp_path: Path) -> None:
    _, test = [block for kind, block in BLOCKS if kind == "python"]
    file = tmp_path / "test_application.py"
    file.write_text(test, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)],
        env=standing_lab.labctl.environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def name_of(command: str) -> str:
    words = [word for word in shlex.split(re.sub(r"\[.*?\]", "", command)) if not word.startswith("-")]
    return " ".join(word for word in words[1:3] if word.islower() and "." not in word)


@pytest.mark.parametrize("name", sorted({name_of(each) for each in re.findall(r"`(labctl [^`]+)`", README)}))
def test_every_command_that_is_mentioned_exists(name: str, labctl: Labctl) -> None:
    assert labctl(*name.split(), "--help").code == 0


def test_the_json_documents_have_their_schemas_where_it_says() -> None:
    [directory] = re.findall(r"`(labctl/contract/schemas/)`", README)

    assert list(Path(__file__).parents[2].joinpath(directory).glob("*.json"))


def test_the_environment_variables_that_it_names_are_read() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in Path(__file__).parents[2].joinpath("labctl").rglob("*.py")
    )

    named = set(re.findall(r"`(LABCTL_[A-Z_]+)", README))
    assert named
    assert {each for each in named if each not in sources} == set()


def test_its_picture_of_a_bounce_is_what_trace_draws(lab: Lab, tmp_path: Path) -> None:
    [shown] = re.findall(r"!\[.*?\]\((\S+\.svg)\)", README)

    assert lab.run("send", "alice@alpha.test", "nobody@beta.test", "--wait", "bounced").code == 0
    notice = eventually(lambda: lab.json("inbox", "alice@alpha.test")["messages"] or None, within=10)
    assert notice is not None
    assert lab.run("trace", "nobody@beta.test", "--svg", str(tmp_path / "now.svg")).code == 0

    drawn = tmp_path.joinpath("now.svg").read_text(encoding="utf-8")
    assert _timeless(drawn) == _timeless(README_PATH.parent.joinpath(shown).read_text(encoding="utf-8"))


def _timeless(svg: str) -> str:
    """Take out of a picture what is another one each time."""
    names = r"[0-9]+\.[0-9]+\.[0-9]+@|198\.1[89]\.[0-9]+\.[0-9]+|\b[0-9A-F]{9,12}\b"
    return re.sub(names, "…", svg)
