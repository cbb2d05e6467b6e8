"""Whatever an exercise does to its process, that is its own error, and the others are run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.errors import InvalidLabFile
from labctl.exercises.catalogue import discovery
from labctl.exercises.result.narration import Step
from labctl.exercises.result.outcome import Blame, Outcome, Result
from labctl.exercises.result.verdict import Verdict
from labctl.exercises.worker.process import Child
from labctl.exercises.worker.protocol import Ended, Exam, Finished, Setup, StepEnded, decode, encode
from labctl.exercises.worker.runner import Audience, Orders, Runner
from labctl.lab import catalogue
from labctl.lab.blueprint.definition import Check, ClockPair, Editable, Grading, LabDefinition
from labctl.wait import eventually

if TYPE_CHECKING:
    from labctl.exercises.worker.protocol import Message

LIMIT = 1.0

LAB = LabDefinition(
    "tiny",
    "Tiny",
    "two-domains",
    Path("/lab"),
    {"queue_run_delay": ClockPair("5m", "1s")},
    editable=(Editable("a", "dns", "/a", ("true",)),),
    grading=Grading(cpus=0.5),
    checks=(Check("a", 1), Check("b", 0.5, needs=("a",))),
)

ODD = '''
import os, signal, sys, time
import pytest

def test_passes():
    """It passes."""
    print("what it printed")

def test_asserts():
    one = 1
    assert one == 2

def test_fails_by_name():
    pytest.fail("by name")

def test_name_error():
    nonsense()

def test_never_ends():
    while True:
        try:
            time.sleep(10)
        except Exception:
            pass

def test_swallows_all():
    while True:
        try:
            time.sleep(10)
        except:
            pass

def test_exits():
    sys.exit(3)

def test_exits_at_once():
    os._exit(7)

def test_is_killed():
    os.kill(os.getpid(), signal.SIGKILL)

def test_interrupts():
    raise KeyboardInterrupt

def test_ends_pytest():
    pytest.exit("enough")

def test_skips():
    pytest.skip("not today")

def test_asks_for_too_much(nosuch):
    pass

@pytest.mark.parametrize("number", [1, 2])
def test_numbers(number):
    assert number == 1

async def test_async():
    pass

@pytest.fixture
def fragile():
    yield
    raise RuntimeError("after all")

def test_breaks_at_the_end(fragile):
    pass

@pytest.fixture
def endless():
    time.sleep(30)

def test_waits_for_a_fixture(endless):
    pass

class TestClass:
    def test_in_class(self):
        pass
'''

EXPECTED = {
    "passes": ("passed", None, ""),
    "asserts": ("failed", 11, "assert 1 == 2"),
    "fails-by-name": ("failed", 14, "by name"),
    "name-error": ("error", 17, "NameError: name 'nonsense' is not defined"),
    "never-ends": ("error", 22, "it did not end within 1 s, and was at line 22: time.sleep(10)"),
    "swallows-all": (
        "error",
        29,
        "it did not end within 1 s, and could not be interrupted; it was at line 29",
    ),
    "exits": ("error", 34, "SystemExit: 3"),
    "exits-at-once": ("error", 36, "its process ended in the middle, with exit code 7"),
    "is-killed": ("error", 39, "its process was ended by signal 9 (Killed)"),
    "interrupts": ("error", 43, "KeyboardInterrupt"),
    "ends-pytest": ("error", 46, "Exit: enough"),
    "skips": ("skipped", None, "not today"),
    "asks-for-too-much": ("error", 51, "it asks for the fixture 'nosuch', which there is not"),
    "numbers[1]": ("passed", None, ""),
    "numbers[2]": ("failed", 56, "assert 2 == 1"),
    "async": ("error", 58, "Failed: async def functions are not natively supported"),
    "breaks-at-the-end": ("error", 64, "RuntimeError: after all"),
    "waits-for-a-fixture": ("error", 71, "it did not end within 1 s, and was at line 71: time.sleep(30)"),
    "in-class": ("passed", None, ""),
}

FILES = {
    "test_syntax": "def test_a(",
    "test_import": "\nimport nosuchmodule\ndef test_first(): ...\ndef test_second(): ...",
    "test_none": "x = 1",
    "test_exit": "import sys\ndef test_unreached(): ...\nsys.exit(1)",
    "test_gone": "import os\ndef test_unreachable(): ...\nos._exit(5)",
    "test_hangs": "import time\ntime.sleep(30)\ndef test_late(): ...",
    "test_skipped": "import pytest\npytest.skip('not here', allow_module_level=True)\ndef test_skipped(): 0",
    "test_well": "def test_well(): ...",
}


class Listener(Audience):
    """Takes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def exercise_begins(self, lab: str, exercise: str, title: str) -> None:
        self.told.append(f"begins {lab}/{exercise}: {title}")

    def step_begins(self, text: str) -> None:
        self.told.append(f"step {text}")

    def before_step(self, text: str) -> None:
        self.told.append(f"before {text}")

    def step_ended(self, step: Step) -> None:
        self.told.append(f"ended {step.text}")

    def exercise_ended(self, result: Result) -> None:
        self.told.append(f"over {result.id}: {result.verdict}")


def run(
    directory: Path,
    files: dict[str, str],
    *functions: str,
    audience: Audience | None = None,
    prepared: list[int] | None = None,
) -> dict[str, Result]:
    """Run files of exercises, without a lab; return what became of each."""
    choices = []
    lab = catalogue.find("two-domains", {})
    for name, content in files.items():
        path = directory / f"{name}.py"
        path.write_text(content)
        try:
            known = discovery.in_file(path)
        except InvalidLabFile:
            known = ()
        wanted = tuple(each for each in known if not functions or each.function in functions)
        choices.append(discovery.Choice(lab, path, wanted, whole=not functions))
    runner = Runner(
        Orders("x", LIMIT),
        audience or Listener(),
        lambda: (prepared if prepared is not None else []).append(1),
        lambda: Child(os.environ),
    )
    results = runner.run(choices)
    assert len({each.id for each in results}) == len(results)
    return {each.id: each for each in results}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """What becomes of the exercises of one odd file."""
    return run(tmp_path_factory.mktemp("odd"), {"test_odd": ODD})


@pytest.fixture(scope="module")
def unusable(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """What becomes of files that can't be imported, and of the good one among them."""
    return run(tmp_path_factory.mktemp("files"), FILES)


def test_every_exercise_has_its_end(odd: dict[str, Result]) -> None:
    assert set(odd) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_exercise_ends_as_it_does_and_not_otherwise(name: str, odd: dict[str, Result]) -> None:
    verdict, line, said = EXPECTED[name]
    result = odd[name]
    assert (result.verdict, result.explanation.startswith(said)) == (verdict, True), result
    assert result.kind == (Blame.EXERCISE if verdict == "error" else None)
    if line is not None:
        assert (result.path, result.line) == (odd["passes"].path, line)


def test_an_error_in_a_file_beside_it_names_both_lines(tmp_path: Path) -> None:
    (tmp_path / "helping.py").write_text("def help_me(texts):\n    a, b = texts\n")
    source = (
        f"import sys\nsys.path.append({str(tmp_path)!r})\nfrom helping import help_me\ndef test_it():\n"
        "    help_me('x')\n"
    )
    result = run(tmp_path, {"test_it": source})["it"]
    assert (result.path, result.line) == (str(tmp_path / "test_it.py"), 5)
    assert result.explanation.startswith("ValueError: not enough values to unpack")
    assert result.explanation.endswith(" (helping.py:2)")


def test_what_an_exercise_prints_and_says_of_itself_is_kept(odd: dict[str, Result]) -> None:
    assert (odd["passes"].title, odd["passes"].printed) == ("It passes.", "what it printed\n")
    assert (odd["passes"].lab, odd["passes"].steps) == ("two-domains", ())


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("syntax", 1, "can't be imported: SyntaxError: '(' was never closed"),
        ("first", 2, "can't be imported: ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("second", 2, "can't be imported: ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("none", 1, "holds no exercise: no function in it is named test_…"),
        ("unreached", 3, "can't be imported: SystemExit: 1"),
        ("unreachable", 2, "its process ended in the middle, with exit code 5"),
        ("late", 2, "can't be imported: it did not end within 1 s, and was at line 2: time.sleep(30)"),
    ],
)
def test_a_file_that_can_not_be_run_is_the_error_of_each_exercise_in_it(
    name: str, line: int, said: str, unusable: dict[str, Result]
) -> None:
    result = unusable[name]
    assert (result.verdict, result.kind, result.explanation, result.line) == ("error", "exercise", said, line)


def test_a_file_that_skips_itself_and_one_that_is_well_are_no_errors(unusable: dict[str, Result]) -> None:
    assert (unusable["skipped"].verdict, unusable["skipped"].explanation) == ("skipped", "not here")
    assert unusable["well"].verdict == "passed"


def test_only_what_is_wanted_is_run_and_what_is_not_there_any_more_is_an_error(tmp_path: Path) -> None:
    source = "def test_a(): ...\ndef test_b(): ...\ndef test_c(): ...\ndel test_c"
    found = run(tmp_path, {"test_it": source}, "test_b", "test_c")
    assert {name: each.verdict for name, each in found.items()} == {"b": "passed", "c": "error"}
    assert found["c"].line == 3


def test_configuration_around_a_file_changes_nothing_but_a_conftest_beside_it_counts(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --nonsense\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError\n")
    inner = tmp_path / "exercises"
    inner.mkdir()
    (inner / "conftest.py").write_text("import pytest\n@pytest.fixture\ndef mine(): return 1\n")
    found = run(inner, {"test_it": "def test_mine(mine):\n    assert mine == 1\n"})
    assert found["mine"].verdict == "passed", found


def test_a_conftest_that_is_broken_is_the_error_of_the_exercises_beside_it(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import nosuchmodule\n")
    found = run(tmp_path, {"test_it": "def test_a(): ...\n"})
    assert (found["a"].verdict, found["a"].kind) == ("error", "exercise")
    assert "No module named 'nosuchmodule'" in found["a"].explanation


def test_the_lab_is_made_as_new_again_after_an_exercise_that_took_its_process_with_it(tmp_path: Path) -> None:
    prepared: list[int] = []
    source = "import os\ndef test_a(): os._exit(1)\ndef test_b(): ...\n"
    found = run(tmp_path, {"test_it": source}, prepared=prepared)
    assert [found["a"].verdict, found["b"].verdict] == ["error", "passed"]
    assert len(prepared) == 2


def test_the_audience_is_told_in_order(tmp_path: Path) -> None:
    audience = Listener()
    run(tmp_path, {"test_it": 'def test_a():\n    """One."""\ndef test_b(): x\n'}, audience=audience)
    assert audience.told == [
        "begins two-domains/a: One.",
        "over a: passed",
        "begins two-domains/b: b",
        "over b: error",
    ]


def test_exercises_are_run_in_the_order_in_which_they_are_wanted(tmp_path: Path) -> None:
    audience = Listener()
    path = tmp_path / "test_it.py"
    path.write_text("def test_a(): ...\ndef test_b(): ...\ndef test_c(): ...\n")
    a, b, c = discovery.in_file(path)
    choice = discovery.Choice(catalogue.find("two-domains", {}), path, (c, a, b), whole=False)
    orders = Orders("x", LIMIT)
    Runner(orders, audience, lambda: None, lambda: Child(os.environ)).run([choice])
    assert [each for each in audience.told if each.startswith("over")] == [
        "over c: passed",
        "over a: passed",
        "over b: passed",
    ]


def test_an_exercise_finds_modules_beside_it_but_none_in_place_of_others(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 1")
    (tmp_path / "queue.py").write_text("raise RuntimeError")
    source = "import queue\nfrom beside import VALUE\ndef test_a(): assert VALUE and queue.Queue\n"
    assert run(tmp_path, {"test_it": source})["a"].verdict == "passed"


class Gone(Listener):
    """Reads no further, as ``head`` does, once the exercise has done something, which makes a file."""

    def __init__(self, done: Path) -> None:
        super().__init__()
        self._done = done

    def exercise_begins(self, lab: str, exercise: str, title: str) -> None:
        assert eventually(lambda: self._done.exists() or None, within=10)
        raise BrokenPipeError(lab, exercise, title)


def test_what_an_exercise_did_is_undone_where_nobody_reads_any_more(tmp_path: Path) -> None:
    source = (
        "import pathlib, pytest, time\ndone = pathlib.Path(__file__).with_name('done')\n"
        "@pytest.fixture\ndef thing():\n    yield\n    done.unlink()\n"
        "def test_a(thing):\n    done.touch()\n    time.sleep(30)\n"
    )
    with pytest.raises(BrokenPipeError):
        run(tmp_path, {"test_it": source}, audience=Gone(tmp_path / "done"))
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize(
    "message",
    [
        Ended("k", 1.5, Outcome(Verdict.ERROR, "why\n\udc80", Blame.LAB), "\x00"),
        StepEnded(Step("t", Verdict.PASSED, 0.1, ("é", "\u2028"))),
        Finished({"a.py": ("test_x",)}),
        Setup(
            "x",
            LAB,
            "/root",
            {"a.py": ("test_x",), "b.py": None},
            exam=Exam({"a": b"\xff"}, needs={"b": ("a",)}),
        ),
    ],
)
def test_a_message_survives_its_way(message: Message) -> None:
    line = encode(message)
    assert decode(line) == message
    assert line.count(b"\n") == 1


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b'{"kind": "Nonsense"}', b'{"kind": "Ended"}', b"\xff", b"1"]
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="no message"):
        decode(line)
