"""Finding exercises without running them: which functions a file has, and what their docstrings say."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labctl import byteordermark, plainfile
from labctl.errors import InvalidLabFile, LabctlError, NoSuchExercise, UsageError
from labctl.exercises.catalogue.fixtures import Fixtures
from labctl.lab import catalogue
from labctl.lab.blueprint import definition
from labctl.suggestion import near, question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from labctl.lab.blueprint.definition import LabDefinition

DIRECTORY: Final = "exercises"
"""Where a lab has its exercises."""

CHECKS: Final = "checks"
"""Where a lab that is graded has its checks."""

DEFAULT_LAB: Final = "two-domains"

_PREFIX: Final = "test_"


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise as its file describes it."""

    id: str
    title: str
    description: str
    path: Path
    line: int
    function: str
    """Its name in the file, with that of its class before it (``TestQueue::test_hold``)."""

    documented: bool = True
    """Whether it has a docstring, which title and teaching come from."""

    lacking: str | None = None
    """Which fixture it asks for that there is not, in words."""

    def must_run(self) -> None:
        """Refuse what would fail in any lab, before there is one.

        Raises:
            InvalidLabFile: It asks for a fixture that there is not.
        """
        if self.lacking is not None:
            raise InvalidLabFile(self.lacking, path=self.path, line=self.line, hint=f"edit {self.path}")


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be run of one file: these functions, or all of it."""

    lab: LabDefinition
    path: Path
    exercises: tuple[Exercise, ...]
    """Those known without running the file; one that is no Python has none."""

    whole: bool = True


def files_of(lab: LabDefinition) -> tuple[Path, ...]:
    """Return the files of a lab's exercises."""
    return tuple(sorted((lab.directory / DIRECTORY).glob(f"{_PREFIX}*.py")))


def of_lab(lab: LabDefinition) -> tuple[Exercise, ...]:
    """Return a lab's exercises.

    Raises:
        InvalidLabFile: A file of them is no Python.
    """
    return tuple(exercise for path in files_of(lab) for exercise in in_file(path))


def in_file(path: Path) -> tuple[Exercise, ...]:
    """Return a file's exercises, in their order.

    Raises:
        InvalidLabFile: It is no Python.
    """
    try:
        content = plainfile.content(path, plainfile.LARGEST_TEXT)
    except OSError as exc:
        raise InvalidLabFile(
            f"can't be read: {exc.strerror}", path=path, line=None, hint=f"ls -l {path}"
        ) from exc
    return parse(content, path)


def parse(content: bytes, path: Path) -> tuple[Exercise, ...]:
    """Find the exercises in the content of a file; where two have one name, Python knows the last.

    Raises:
        InvalidLabFile: It is no Python.
    """
    if byteordermark.encoding_of(content) not in {None, "utf-8"}:  # Python itself takes that of UTF-8
        fault = str(byteordermark.fault_of(content))
        raise InvalidLabFile(fault, path=path, line=1, hint=f"edit {path}")
    try:
        tree = ast.parse(content)
        found = {each.function: each for each in _exercises(tree.body, Fixtures(tree, path), path, "")}
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        line = exc.lineno if isinstance(exc, SyntaxError) else None
        said = exc.msg if isinstance(exc, SyntaxError) else str(exc) or type(exc).__name__
        raise InvalidLabFile(
            f"can't be read as Python: {said}", path=path, line=line, hint=f"edit {path}"
        ) from exc
    return tuple(found.values())


def _exercises(body: Iterable[ast.stmt], fixtures: Fixtures, path: Path, within: str) -> Iterator[Exercise]:
    """Yield the functions that pytest would take for tests."""
    for each in body:
        match each:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if each.name.startswith(_PREFIX):
                docstring = ast.get_docstring(each)
                title, description = described(each.name, docstring)
                yield Exercise(
                    id_of(each.name),
                    title,
                    description,
                    path,
                    each.lineno,
                    within + each.name,
                    documented=bool(docstring and docstring.strip()),
                    lacking=fixtures.lacking(each, method=bool(within)),
                )
            case ast.ClassDef() if each.name.startswith("Test"):
                yield from _exercises(each.body, fixtures, path, f"{within}{each.name}::")
            case ast.If() | ast.Try() | ast.With():
                for part in ("body", "orelse", "finalbody"):
                    yield from _exercises(getattr(each, part, ()), fixtures, path, within)
            case _:
                continue


def id_of(function: str) -> str:
    """Return an exercise's id, from the name of its function or file."""
    return function.removeprefix(_PREFIX).replace("_", "-") or function


def described(function: str, docstring: str | None) -> tuple[str, str]:
    """Return title and teaching of an exercise: its docstring's first line, and what comes after it."""
    first, _, others = inspect.cleandoc(docstring or "").partition("\n")
    return " ".join(first.split()) or id_of(function).replace("-", " "), others.strip()


def select(
    wanted: Sequence[str],
    environ: Mapping[str, str],
    *,
    lab: str | None = None,
    running: Sequence[LabDefinition] = (),
    every: bool = False,
) -> tuple[Choice, ...]:
    """Find what a user wants to run.

    Args:
        wanted: Ids, ids with their lab's (``greylisting/comes-back``), the beginning of one that no other
            begins with, or paths; none means a whole lab.
        environ: The environment, for the catalogue.
        lab: The lab that the user named.
        running: The definitions of the labs that run.
        every: Whether it is every lab of the catalogue.

    Raises:
        UsageError: A name means nothing, or several exercises.
        InvalidLabFile: A lab's definition is wrong, or an exercise asks for a fixture that there is not.
    """
    if every and (wanted or lab):
        raise UsageError(
            "--all is every exercise of every lab: no other can be named", hint="labctl run --all"
        )
    named = catalogue.find(lab, environ) if lab is not None else None
    home = named or (running[0] if len(running) == 1 else None)
    if every:
        choices = tuple(choice for each in catalogue.all_labs(environ) for choice in _whole(each))
    elif wanted:
        choices = _joined(_chosen(each, environ, named, home) for each in wanted)
    else:
        found = home or catalogue.find(DEFAULT_LAB, environ)
        if not (choices := _whole(found)):
            raise NoSuchExercise(f"lab {found.id!r} has no exercises", hint="labctl exercises")
    for choice in choices:
        for exercise in choice.exercises:
            exercise.must_run()
    return choices


def _whole(lab: LabDefinition) -> tuple[Choice, ...]:
    return tuple(Choice(lab, path, _known(path)) for path in files_of(lab))


def _known(path: Path) -> tuple[Exercise, ...]:
    """Return a file's exercises; of one that is no Python it is told when it is run."""
    try:
        return in_file(path)
    except InvalidLabFile:
        return ()


def _chosen(
    wanted: str, environ: Mapping[str, str], named: LabDefinition | None, home: LabDefinition | None
) -> Choice:
    if wanted.endswith(".py"):
        return _own(Path(wanted), environ, named, home)
    owner, _, name = wanted.rpartition("/")
    only = catalogue.find(owner, environ) if owner else named
    here = (only,) if only is not None else (home,) if home is not None else ()
    if found := _fitting(name, here, str.__eq__):
        return _one(found, name)
    labs = here if only is not None else catalogue.all_labs(environ)
    found = _fitting(name, labs, str.__eq__)
    if not found and all(each.id != wanted for each in labs):  # else who names a lab means that
        found = _fitting(name, here, str.startswith) or _fitting(name, labs, str.startswith)
    if found:
        return _one(found, name)
    raise _unknown(name, labs, wanted)


def _own(
    path: Path, environ: Mapping[str, str], named: LabDefinition | None, home: LabDefinition | None
) -> Choice:
    """Choose a file by its path."""
    if not path.is_file():
        raise NoSuchExercise(f"no file {path}", hint="labctl exercises")
    path = path.resolve()
    lab = named or lab_around(path) or home or catalogue.find(DEFAULT_LAB, environ)
    return Choice(lab, path, _known(path))


def lab_around(path: Path) -> LabDefinition | None:
    """Return the lab that a file lies in: beside it, or beside its directory of exercises or checks."""
    directory = path.parent
    within = directory.name in {DIRECTORY, CHECKS}
    candidates = (directory, directory.parent) if within else (directory,)
    for each in candidates:
        if (each / definition.FILE_NAME).is_file():
            return definition.load(each)
    return None


def _fitting(
    name: str, labs: Sequence[LabDefinition], fits: Callable[[str, str], bool]
) -> list[tuple[str, Choice]]:
    """Return the exercises of some labs whose name fits one, each with its id and its lab's before it."""
    return [(key, choice) for key, choice in _choices(labs) if fits(_id_in(key), name)]


def _choices(labs: Sequence[LabDefinition]) -> Iterator[tuple[str, Choice]]:
    """Yield every exercise of some labs; a file that is no Python goes by its own name."""
    for lab in labs:
        for path in files_of(lab):
            by_id: dict[str, tuple[Exercise, ...]] = {}
            for each in _known(path):
                by_id[each.id] = (*by_id.get(each.id, ()), each)
            for name, exercises in by_id.items():
                yield f"{lab.id}/{name}", Choice(lab, path, exercises, whole=False)
            if not by_id:
                yield f"{lab.id}/{id_of(path.stem)}", Choice(lab, path, ())


def _id_in(key: str) -> str:
    return key.rpartition("/")[2]


def _one(found: Sequence[tuple[str, Choice]], name: str) -> Choice:
    """Return the only exercise that was found.

    Raises:
        UsageError: There are several.
    """
    (first, choice), *others = found
    if not others:
        return choice
    listed = [f"{key} ({each.path.name})" for key, each in found]
    raise UsageError(
        "\n".join((f"{name!r} may mean any of {len(found)} exercises:", *listed)),
        hint=f"labctl run {choice.path if first == others[0][0] else first}",
        detail={"near": [key for key, _ in found]},
    )


def _unknown(name: str, labs: Sequence[LabDefinition], wanted: str) -> LabctlError:
    meant = near(name, (_id_in(key) for key, _ in _choices(labs)))
    where = f"lab {labs[0].id!r}" if len(labs) == 1 else "any lab"
    hint = "labctl exercises"
    if any(each.id == wanted for each in labs):
        hint = f"labctl run --lab {name}"
    elif meant:
        hint = f"labctl run {wanted.removesuffix(name)}{meant[0]}"
    return NoSuchExercise(
        f"no exercise {name!r} in {where}{question(meant)}", hint=hint, detail={"near": meant}
    )


def _joined(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """Join what was chosen of one file, in the order of first mention; nothing is run twice."""
    joined: dict[tuple[str, Path], Choice] = {}
    for each in choices:
        before = joined.get(key := (each.lab.id, each.path))
        if before is None or each.whole:
            joined[key] = each
        elif not before.whole:
            exercises = tuple(dict.fromkeys((*before.exercises, *each.exercises)))
            joined[key] = Choice(each.lab, each.path, exercises, whole=False)
    return tuple(joined.values())
