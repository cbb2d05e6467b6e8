"""Which fixtures the functions of a file ask for that nothing defines, found without running a line of it.

pytest tells only when it runs a function. What is said here is certain: where a file makes names in a way
that can't be followed, nothing of it is said.
"""

from __future__ import annotations

import ast
from contextlib import suppress
from difflib import get_close_matches
from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS: Final = ("lab", "alice", "amy", "bob", "bea", "attempt", "chance", "mail_lab")
"""Those of labctl's plugin."""

PYTESTS: Final = (
    "request", "pytestconfig", "tmp_path", "tmp_path_factory", "tmpdir", "tmpdir_factory", "monkeypatch",
    "capsys", "capsysbinary", "capteesys", "capfd", "capfdbinary", "caplog", "recwarn", "record_property",
    "record_testsuite_property", "record_xml_attribute", "doctest_namespace", "cache", "subtests",
)  # fmt: skip
"""Those of pytest's own plugins."""

_CONFTEST: Final = "conftest.py"

_OPAQUE: Final = frozenset({"*", "pytest_plugins", "pytest_generate_tests"})
"""Names that make others, which can't be known without running them."""


class Fixtures:
    """The names that a function of one file may ask for.

    Args:
        tree: The file.
        path: Where it lies; a ``conftest.py`` beside it counts.
    """

    def __init__(self, tree: ast.Module, path: Path) -> None:
        self._known = {*OURS, *PYTESTS, *_names(tree)}
        with suppress(OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            self._known.update(_names(ast.parse((path.parent / _CONFTEST).read_bytes())))
        self._opaque = not _OPAQUE.isdisjoint(self._known)

    def lacking(self, function: ast.FunctionDef | ast.AsyncFunctionDef, *, method: bool) -> str | None:
        """Say which fixture a function asks for that there is not, and which one it may mean.

        Args:
            function: The function.
            method: Whether it is one of a class.

        Returns:
            That, in words; None where all are there, or where it can't be known.
        """
        if self._opaque or not all(map(_is_mark, function.decorator_list)):
            return None  # a decorator may hand in anything
        for name in _asked(function, method=method):
            if name not in self._known:
                near = get_close_matches(name, sorted({*OURS, *PYTESTS, *self._known}), n=1)
                means = f": is {near[0]} meant?" if near else f"; there are {', '.join(OURS)}"
                return f"{function.name} asks for the fixture {name!r}, which there is not{means}"
        return None


def _asked(function: ast.FunctionDef | ast.AsyncFunctionDef, *, method: bool) -> list[str]:
    """Return the parameters that have no default: pytest takes each for a fixture's name."""
    every = [*function.args.posonlyargs, *function.args.args]
    every = every[: len(every) - len(function.args.defaults)]
    keywords = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    asked = [*every[int(method) :], *(each for each, default in keywords if default is None)]
    return [each.arg for each in asked]


def _is_mark(decorator: ast.expr) -> bool:
    """Say whether it is one of pytest's marks, which hand nothing in but what they name."""
    return ast.unparse(decorator).startswith(("pytest.mark.", "mark."))


def _names(tree: ast.Module) -> Iterator[str]:
    """Yield all that a file binds or writes in a call: a fixture may have its name there, or a parameter."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Import() | ast.ImportFrom():
                yield from (each.asname or each.name for each in node.names)
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Call():
                words = ast.walk(node)
                texts = (each.value for each in words if isinstance(each, ast.Constant))
                split = (str(each).split(",") for each in texts if isinstance(each, str))
                yield from (each.strip() for each in chain.from_iterable(split))
            case _:
                continue
