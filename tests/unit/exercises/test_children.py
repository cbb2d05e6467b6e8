"""Processes that run one attempt's checks after another's: they stay, and nothing of the last does."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from labctl.errors import GradingError
from labctl.exercises.catalogue import discovery
from labctl.exercises.vocabulary.chance import Chance
from labctl.exercises.worker.children import Children
from labctl.exercises.worker.protocol import Exam
from labctl.exercises.worker.runner import Audience, Orders, Runner
from labctl.lab.blueprint.definition import LabDefinition
from labctl.wait import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from labctl.exercises.result.outcome import Result

CHECKS = '''
import os, sys
import scenario

def test_b():
    """The second in the file's order."""
    print(os.getpid(), os.getppid())

def test_a():
    scenario.marks.append("left behind")
    os.environ["LEFT"] = sys.path[-1]
    print(scenario.marks)
'''

SCENARIO = "marks = []\n"


class Listener(Audience):
    """Takes note that a check has begun."""

    def __init__(self) -> None:
        self.begun = threading.Event()

    def exercise_begins(self, *_: str) -> None:
        self.begun.set()


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    """Processes for all tests, as for all attempts: whatever one does, the next has its own copy."""
    with closing(Children(os.environ, 1)) as started:
        yield started


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@dataclass
class Hall:
    """A tiny lab with its checks, and the processes that run them."""

    children: Children
    directory: Path

    def check(self, name: str, text: str) -> Path:
        """Write a further file of checks."""
        return write(self.directory / "checks" / f"test_{name}.py", text)

    def examine(
        self, *files: Path, exam: Exam | None = None, audience: Audience | None = None
    ) -> tuple[Result, ...]:
        """Run files of checks; those of the lab where none are named."""
        lab = LabDefinition("tiny", "Tiny", "two-domains", self.directory)
        paths = files or (self.directory / "checks" / "test_checks.py",)
        choices = [discovery.Choice(lab, each, discovery.in_file(each), whole=False) for each in paths]
        orders = Orders("tiny", 5.0, exam=exam or Exam())
        return Runner(orders, audience or Audience(), lambda: None, self.children.child).run(choices)


@pytest.fixture
def hall(children: Children, tmp_path: Path) -> Hall:
    found = Hall(children, tmp_path / "lab")
    found.check("checks", CHECKS)
    write(found.directory / "scenario.py", SCENARIO)
    return found


def verdicts(results: tuple[Result, ...]) -> Mapping[str, str]:
    return {each.id: str(each.verdict) for each in results}


def test_the_same_process_takes_the_next_setup_and_a_copy_of_it_runs_the_checks(hall: Hall) -> None:
    first, second = (hall.examine()[0].printed.split() for _ in range(2))
    assert first[0] != second[0]
    assert first[1] == second[1]


def test_what_a_check_changes_in_its_process_is_gone_for_the_next_attempt(hall: Hall) -> None:
    for _ in range(2):
        assert hall.examine()[1].printed == "['left behind']\n"


def test_checks_run_in_the_order_of_the_exam(hall: Hall) -> None:
    assert [each.id for each in hall.examine(exam=Exam(order=("a", "b")))] == ["a", "b"]


def test_hidden_checks_of_another_directory_run_with_the_public_ones_and_import_from_the_lab(
    hall: Hall, tmp_path: Path
) -> None:
    source = "import scenario\ndef test_h(): assert scenario.marks == []\n"
    hidden = write(tmp_path / "hidden/test_checks.py", source)
    write(tmp_path / "conftest.py", "raise SystemExit('what lies above hidden checks is nobody\\'s')")
    public = hall.directory / "checks" / "test_checks.py"
    results = hall.examine(public, hidden, exam=Exam(order=("b", "h", "a")))
    assert [*verdicts(results).items()] == [("b", "passed"), ("h", "passed"), ("a", "passed")]


def test_a_process_that_a_check_takes_with_it_is_told_of_and_has_a_successor(hall: Hall) -> None:
    source = "import os\ndef test_dies(): os.kill(os.getpid(), 9)\ndef test_lives(): pass\n"
    deadly = hall.check("deadly", source)
    results = hall.examine(deadly)
    assert verdicts(results) == {"dies": "error", "lives": "passed"}
    assert results[0].explanation == "its process was ended by signal 9 (Killed)"
    assert set(verdicts(hall.examine()).values()) == {"passed"}


def test_a_setup_may_be_larger_than_a_pipe_holds(hall: Hall) -> None:
    exam = Exam(files={"answers.toml": b"A" * 750_000})
    assert set(verdicts(hall.examine(exam=exam)).values()) == {"passed"}


def test_checks_get_what_was_handed_in_and_what_that_and_the_seed_make_of_chance(hall: Hall) -> None:
    prints = "print(attempt.text('a/b'), chance.token(), chance.of('post').token())"
    reads = hall.check("reads", f"def test_reads(attempt, chance): {prints}\n")
    for seed, text in (("1", "grüß dich"), ("2", "grüß dich"), ("2", "hallo")):
        exam = Exam(files={"a/b": text.encode()}, seed=seed)
        [result] = hall.examine(reads, exam=exam)
        own, shared = Chance(seed, f"reads {exam.digest}"), Chance(seed, "of post")
        assert result.printed == f"{text} {own.token()} {shared.token()}\n"


def test_checks_get_no_more_memory_than_a_sound_attempt_needs(hall: Hall) -> None:
    source = "def test_much(): bytes(100 << 20)\ndef test_too_much(): bytes(600 << 20)\n"
    greedy = hall.check("greedy", source)
    much, too_much = hall.examine(greedy)
    assert (much.verdict, too_much.explanation) == ("passed", "MemoryError")


def test_checks_see_nothing_of_the_environment_that_could_change_them(hall: Hall, tmp_path: Path) -> None:
    write(tmp_path / "sitecustomize.py", "import builtins; builtins.planted = True")
    write(
        hall.directory / "checks" / "test_checks.py",
        "import builtins, os\n"
        "def test_sees():\n"
        "    assert not hasattr(builtins, 'planted')\n"
        "    assert not {'LABCTL_ATTEMPT', 'PWD', 'PYTHONPATH'} & os.environ.keys()\n"
        "    assert os.environ['LABCTL_LABS'] == '/labs'\n"
        "    assert os.listdir() == []\n",
    )
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "sitecustomize.py"),
        "PYTEST_ADDOPTS": "--collect-only",
        "PWD": str(tmp_path),
        "LABCTL_ATTEMPT": str(tmp_path),
        "LABCTL_LABS": "/labs",
    }
    with closing(Children(environ, 1)) as hall.children:
        [result] = hall.examine()
        assert (result.verdict, result.explanation) == ("passed", "")


def test_closing_ends_the_checks_that_run(hall: Hall) -> None:
    children = hall.children = Children(os.environ, 1)
    source = "import time\ndef test_never_ends():\n    while True:\n        time.sleep(1)\n"
    endless = hall.check("endless", source)
    audience, ends = Listener(), []

    def work() -> None:
        try:
            hall.examine(endless, audience=audience)
        except GradingError as error:
            ends.append(error.code)

    worker = threading.Thread(target=work)
    worker.start()
    assert audience.begun.wait(20)
    children.close()
    worker.join(20)
    with pytest.raises(GradingError), children.child():
        pass
    assert not worker.is_alive()


def test_a_process_whose_orders_end_ends_too() -> None:
    children = Children(os.environ, 1)
    with children.child() as child:
        os.close(child._orders)  # as when the one who gives them is killed
        assert eventually(lambda: True if not child.alive else None, within=20)
        child._orders = os.open(os.devnull, os.O_WRONLY)  # for its own end
    children.close()


def test_an_interrupt_reaches_the_check_that_runs(hall: Hall) -> None:
    begun, undone = hall.directory / "begun", hall.directory / "undone"
    waits = hall.check(
        "waits",
        "import pathlib, time\n"
        "def test_waits():\n"
        "    try:\n"
        f"        pathlib.Path({str(begun)!r}).touch()\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        f"        pathlib.Path({str(undone)!r}).touch()\n",
    )

    class Impatient(Listener):
        def exercise_begins(self, *_: str) -> None:
            assert eventually(lambda: begun.exists() or None, within=20)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hall.examine(waits, audience=Impatient())
    assert undone.exists()


def test_a_check_that_is_blocked_leaves_nothing_open_for_those_of_another_file(hall: Hall) -> None:
    first = hall.check("first", "def test_fails(): assert not 'good'\ndef test_waits(): pass\n")
    second = hall.check("second", "def test_follows(): pass\n")
    exam = Exam(order=("fails", "waits", "follows"), needs={"waits": ("fails",)})
    results = hall.examine(first, second, exam=exam)
    assert verdicts(results) == {"fails": "failed", "waits": "skipped", "follows": "passed"}
