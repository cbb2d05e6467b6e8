"""Exercises are found without running a line of them; what a user writes means one, or is refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import InvalidLabFile, NoSuchExercise, NoSuchLab, UsageError
from labctl.exercises import plugin
from labctl.exercises.catalogue import discovery, fixtures
from labctl.lab.blueprint import definition

if TYPE_CHECKING:
    from collections.abc import Mapping

TWO = '''
raise SystemExit  # would end the whole run if this was run

def test_a_letter_arrives(lab):
    """A letter
    arrives.

    It goes over two servers.

      And more.
    """

def helper(): ...

@decorated
def test_nothing_said(): ...
'''


def functions(source: str | bytes, path: Path) -> list[str]:
    content = source.encode() if isinstance(source, str) else source
    return [each.function for each in discovery.parse(content, path)]


@pytest.fixture
def catalogue(tmp_path: Path) -> dict[str, str]:
    """Make labs: `one` and `two` share the exercise `both`; a file of `three` is no Python."""
    write(tmp_path, "one", test_first=TWO, test_second="def test_both(): ...")
    write(tmp_path, "two", test_only="def test_both(): ...\ndef test_two_only(): ...\n")
    write(tmp_path, "three", test_broken="def test_x(")
    write(tmp_path, "four")
    return {"LABCTL_LABS": str(tmp_path)}


def write(directory: Path, lab: str, **files: str) -> None:
    exercises = directory / lab / "exercises"
    exercises.mkdir(parents=True)
    (directory / lab / "lab.toml").write_text(f'id = "{lab}"\ntitle = "x"\ntopology = "two-domains"\n')
    for name, content in files.items():
        (exercises / f"{name}.py").write_text(content)


def chosen(environ: Mapping[str, str], *wanted: str, **options: Any) -> list[str]:
    """Return what is chosen of the labs above: ``one/test_second both``, and ``all`` of a whole file."""
    return [
        " ".join((f"{each.lab.id}/{each.path.stem}", *(e.id for e in each.exercises), *["all"] * each.whole))
        for each in discovery.select(wanted, environ, **options)
        if each.lab.id in {"one", "two", "three", "four"}
    ]


def test_a_docstring_is_title_and_teaching_and_without_one_the_name_is_the_title(
    tmp_path: Path,
) -> None:
    first, second = discovery.parse(TWO.encode(), tmp_path)
    assert (first.id, first.title, first.line) == ("a-letter-arrives", "A letter", 4)
    assert first.description == "arrives.\n\nIt goes over two servers.\n\n  And more."
    assert (second.id, second.title, second.description) == ("nothing-said", "nothing said", "")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", []),
        ("x = 1\ndef helper(): ...\n", []),
        ("async def test_a(): ...", ["test_a"]),
        ("class TestQueue:\n  def test_a(self): ...\n  def b(self): ...", ["TestQueue::test_a"]),
        ("class Other:\n  def test_a(self): ...", []),
        ("if x:\n  def test_a(): ...\nelse:\n  def test_b(): ...", ["test_a", "test_b"]),
        ("try:\n  def test_a(): ...\nfinally:\n  def test_b(): ...", ["test_a", "test_b"]),
        ("def test_a(): ...\ndef test_b(): ...\ndef test_a(): ...", ["test_a", "test_b"]),
        ("def outer():\n  def test_a(): ...", []),
        ("def test(): ...\ndef testing(): ...", []),
        ("# coding: latin-1\nx = '\xe4'\ndef test_a(): ...".encode("latin-1"), ["test_a"]),
    ],
)
def test_an_exercise_is_what_pytest_takes_for_a_test(
    source: str | bytes, expected: list[str], tmp_path: Path
) -> None:
    assert functions(source, tmp_path) == expected


@pytest.mark.parametrize(
    ("source", "line"),
    [("x = 1\ndef test_a(", 2), ("\0", None), ("(" * 5000, 1), (b"x = '\xff'", 1)],
)
def test_what_is_no_python_is_refused_with_its_line(
    source: str | bytes, line: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "test_it.py"
    with pytest.raises(InvalidLabFile, match=r"test_it\.py.*can't be read as Python") as caught:
        functions(source, path)
    assert (caught.value.path, caught.value.line) == (path, line)


_LINES = st.sampled_from(
    [
        "def test_a(): ...",
        "class TestB:",
        "  def test_c(self): ...",
        "if x:",
        "else:",
        "  pass",
        "'''",
        '"',
        "@x",
    ]
)


@given(
    st.one_of(st.binary(), st.text().map(str.encode), st.lists(_LINES).map(lambda e: "\n".join(e).encode()))
)
def test_whatever_a_file_holds_it_has_exercises_or_is_refused(content: bytes) -> None:
    found: tuple[discovery.Exercise, ...] = ()
    with suppress(InvalidLabFile):
        found = discovery.parse(content, Path("test_odd.py"))
    assert all(each.id and each.title and each.line >= 1 for each in found)
    assert len({each.function for each in found}) == len(found)


ID = "a-letter-arrives"
FIRST = f"one/test_first {ID}"
WHOLE = [f"{FIRST} nothing-said all", "one/test_second both all"]


MEANT = {
    "nothing means the lab that was named": ("", "one", "two", WHOLE),
    "nothing means the lab that runs": ("", None, "two", ["two/test_only both two-only all"]),
    "an id is looked for in the lab that was named": ("both", "one", None, ["one/test_second both"]),
    "an id is looked for in the lab that runs": ("both", None, "two", ["two/test_only both"]),
    "an id is looked for everywhere": ("nothing-said", None, "two", ["one/test_first nothing-said"]),
    "an id may name its lab": ("two/both", "one", None, ["two/test_only both"]),
    "a beginning after its lab": ("one/a-l", None, None, [FIRST]),
    "a beginning in the lab that was named": ("a-l", "one", None, [FIRST]),
    "a beginning in the lab that runs": ("bo", None, "two", ["two/test_only both"]),
    "a beginning of what is no Python": ("three/bro", None, None, ["three/test_broken all"]),
    "what is no Python, since running it tells why": ("three/broken", None, None, ["three/test_broken all"]),
    "twice is once": (f"{ID} one/nothing-said one/{ID}", "one", None, [f"{FIRST} nothing-said"]),
}


@pytest.mark.parametrize(("wanted", "lab", "running", "found"), MEANT.values(), ids=MEANT)
def test_what_a_user_writes_means(
    catalogue: dict[str, str],
    tmp_path: Path,
    *,
    wanted: str,
    lab: str | None,
    running: str | None,
    found: list[str],
) -> None:
    up = [definition.load(tmp_path / running)] if running else []
    assert chosen(catalogue, *wanted.split(), lab=lab, running=up) == found


def test_all_means_every_lab_and_nothing_can_be_named_beside_it(catalogue: dict[str, str]) -> None:
    assert {each.partition("/")[0] for each in chosen(catalogue, every=True)} == {"one", "two", "three"}
    with pytest.raises(UsageError, match="--all"):
        discovery.select((), catalogue, every=True, lab="one")
    with pytest.raises(UsageError, match="--all"):
        discovery.select(("both",), catalogue, every=True)


def test_an_id_that_means_several_exercises_is_refused_and_they_are_listed(catalogue: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"(?s)one/both .*two/both") as caught:
        discovery.select(("both",), catalogue)
    assert caught.value.hint == "labctl run one/both"
    assert caught.value.detail == {"near": ["one/both", "two/both"]}


def test_an_id_is_itself_and_not_the_beginning_of_another(catalogue: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "five", test_longer="def test_nothing_said_twice(): ...")
    running = [definition.load(tmp_path / "elsewhere/five")]  # the exact name elsewhere comes before it
    assert chosen(catalogue, "nothing-said", running=running) == ["one/test_first nothing-said"]


def test_a_beginning_of_several_ids_is_refused_and_they_are_listed(catalogue: dict[str, str]) -> None:
    listed = r"'bot' may mean any of 2 exercises:\none/both .*\ntwo/both "
    with pytest.raises(UsageError, match=listed) as caught:
        discovery.select(("bot",), catalogue)
    assert caught.value.hint == "labctl run one/both"


def test_two_exercises_of_one_name_in_one_lab_are_told_apart_by_their_files(
    catalogue: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path, "five", test_a="def test_same(): ...", test_b="def test_same(): ...")
    with pytest.raises(UsageError, match="2 exercises") as caught:
        discovery.select(("five/sa",), catalogue)
    assert caught.value.hint == f"labctl run {tmp_path / 'five/exercises/test_a.py'}"


@pytest.mark.parametrize(
    ("wanted", "lab", "hint"),
    [
        ("a-leter-arrives", None, "labctl run a-letter-arrives"),
        ("one/boht", None, "labctl run one/both"),
        ("two-only", "one", "labctl exercises"),
        ("two", None, "labctl run --lab two"),
        ("nowhere.py", None, "labctl exercises"),
    ],
)
def test_a_name_that_means_nothing_is_refused_with_what_is_near_to_it(
    catalogue: dict[str, str], wanted: str, lab: str | None, hint: str
) -> None:
    with pytest.raises(NoSuchExercise) as caught:
        discovery.select((wanted,), catalogue, lab=lab)
    assert caught.value.hint == hint


def test_a_lab_that_is_not_there_or_has_no_exercises_is_refused(catalogue: dict[str, str]) -> None:
    with pytest.raises(NoSuchLab):
        discovery.select(("five/both",), catalogue)
    with pytest.raises(NoSuchExercise, match="'four' has no exercises"):
        discovery.select((), catalogue, lab="four")


def test_a_file_that_is_no_python_has_no_exercises_to_list(catalogue: dict[str, str]) -> None:
    with pytest.raises(InvalidLabFile):
        discovery.of_lab(next(each.lab for each in discovery.select((), catalogue, lab="three")))


def test_a_file_of_ones_own_belongs_to_the_lab_around_it_and_else_to_the_one_that_runs(
    catalogue: dict[str, str], tmp_path: Path
) -> None:
    own = tmp_path / "own.py"
    own.write_text("def test_mine(): ...")
    inside = tmp_path / "one" / "exercises" / "test_first.py"
    beside = tmp_path / "two" / "mine.py"
    beside.write_text("")
    running = [definition.load(tmp_path / "two")]

    def lab_of(path: Path, **options: Any) -> str:
        [choice] = discovery.select((str(path),), catalogue, **options)
        return choice.lab.id

    assert lab_of(own, running=running) == "two"
    assert lab_of(own, running=running, lab="one") == "one"
    assert lab_of(own) == "two-domains"
    assert lab_of(inside, running=running) == "one"
    assert lab_of(beside) == "two"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "def test_a(lab, alise): ...",
            "test_a asks for the fixture 'alise', which there is not: is alice meant?",
        ),
        (
            "def test_a(zzz): ...",
            "there is not; there are lab, alice, amy, bob, bea, attempt, chance, mail_lab",
        ),
        ("class TestA:\n  def test_b(self, labb): ...", "test_b asks for the fixture 'labb'"),
        ("async def test_a(*, lap): ...", "test_a asks for the fixture 'lap'"),
        ("@pytest.mark.slow\ndef test_a(bop): ...", "test_a asks for the fixture 'bop'"),
        ("import pytest\n@pytest.fixture\ndef sender(): ...\ndef test_a(sendr): ...", "is sender meant?"),
    ],
)
def test_a_fixture_that_there_is_not_is_told_before_anything_runs(
    source: str, said: str, tmp_path: Path
) -> None:
    [exercise] = discovery.parse(f"\n{source}".encode(), tmp_path / "test_it.py")
    with pytest.raises(InvalidLabFile) as caught:
        exercise.must_run()
    assert said in caught.value.message
    assert f"test_it.py:{exercise.line}" in caught.value.message
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "source",
    [
        "def test_a(lab, alice, amy, bob, bea, attempt, chance, mail_lab, request, tmp_path): ...",
        "def test_a(lab, wanted=1, *rest, other=2, **more): ...",
        "import pytest\n@pytest.fixture\ndef sender(): ...\ndef test_a(sender): ...",
        "import pytest\n@pytest.fixture(name='sender')\ndef _sender(): ...\ndef test_a(sender): ...",
        "from helpers import sender\ndef test_a(sender): ...",
        "from helpers import other as sender\ndef test_a(sender): ...",
        "from helpers import *\ndef test_a(sender): ...",
        "pytest_plugins = 'helpers'\ndef test_a(sender): ...",
        "def pytest_generate_tests(metafunc): ...\ndef test_a(sender): ...",
        "sender = make()\ndef test_a(sender): ...",
        "@pytest.mark.parametrize('sender', [1])\ndef test_a(sender): ...",
        "@pytest.mark.parametrize('x, sender', [(1, 2)])\ndef test_a(sender, x): ...",
        "@pytest.mark.parametrize(['x', 'sender'], [(1, 2)])\ndef test_a(sender, x): ...",
        "pytestmark = pytest.mark.parametrize('sender', [1])\ndef test_a(sender): ...",
        "@pytest.mark.parametrize('sender', [1])\nclass TestA:\n  def test_a(self, sender): ...",
        "@given(sender=text())\ndef test_a(sender): ...",
        "@patch('x.y')\ndef test_a(sender): ...",
        "class TestA:\n  @staticmethod\n  def test_a(sender): ...",
    ],
)
def test_of_what_may_be_there_nothing_is_said(source: str, tmp_path: Path) -> None:
    [exercise] = discovery.parse(source.encode(), tmp_path / "test_it.py")
    exercise.must_run()


def test_the_fixtures_of_a_conftest_beside_the_file_are_there(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import pytest\n@pytest.fixture\ndef sender(): ...\n")
    [exercise] = discovery.parse(b"def test_a(sender): ...", tmp_path / "test_it.py")
    exercise.must_run()


def test_no_lab_is_brought_up_for_an_exercise_that_asks_for_what_there_is_not(
    catalogue: Mapping[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "one" / "exercises" / "test_second.py"
    path.write_text("def test_both(): ...\n\ndef test_other(bobb): ...\n")
    assert chosen(catalogue, "one/both") == ["one/test_second both"]
    with pytest.raises(InvalidLabFile, match=r"test_second\.py:3: .*is bob meant"):
        chosen(catalogue, lab="one")


def test_all_fixtures_of_the_plugin_are_known() -> None:
    kind = type(plugin.lab)
    assert {name for name, each in vars(plugin).items() if isinstance(each, kind) and name[0] != "_"} == {
        *fixtures.OURS
    }


def test_all_fixtures_of_pytest_are_known(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "--fixtures", "--rootdir=."],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    theirs = set(re.findall(r"^(\w+)(?: \[\w+ scope\])? -- \S*_pytest/", said, re.MULTILINE))
    assert theirs - {*fixtures.PYTESTS} == set()
    assert {"tmp_path", "monkeypatch"} <= theirs
