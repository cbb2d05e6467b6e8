"""The rules of the house that no linter knows: what is imported when, who prints, and what fails how."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import grimp
import pytest

import labctl
from labctl import errors
from labctl.errors import LabctlError

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(labctl.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

HEAVY = {
    "docker",
    "dns",
    "imapclient",
    "yaml",
    "smtplib",
    "rich",
    "pydantic",
    "requests",
    "pytest",
    "email",
    "ssl",
}

TREE = {
    "LabctlError": ("", "internal", 70),
    "UsageError": ("LabctlError", "usage", 2),
    "NoSuchLab": ("UsageError", "no-such-lab", 2),
    "NoSuchHost": ("UsageError", "no-such-host", 2),
    "NoSuchAccount": ("UsageError", "no-such-account", 2),
    "NoSuchMessage": ("UsageError", "no-such-message", 2),
    "NoSuchFault": ("UsageError", "no-such-fault", 2),
    "NoSuchExercise": ("UsageError", "no-such-exercise", 2),
    "FaultClash": ("UsageError", "fault-clash", 2),
    "LabNotUp": ("UsageError", "lab-not-up", 2),
    "LabInUse": ("UsageError", "lab-in-use", 2),
    "LabError": ("LabctlError", "lab", 3),
    "InvalidLabFile": ("LabError", "invalid-lab-file", 3),
    "FaultError": ("LabctlError", "fault", 4),
    "OutputError": ("LabctlError", "output", 2),
    "MachineError": ("LabctlError", "machine", 4),
    "GradingError": ("LabctlError", "grading", 4),
    "AttemptError": ("LabctlError", "attempt", 1),
    "MissingFile": ("AttemptError", "missing-file", 1),
    "ForbiddenFile": ("AttemptError", "forbidden-file", 1),
    "ConfigRejected": ("AttemptError", "config-rejected", 1),
    "EngineError": ("LabctlError", "engine", 4),
    "EngineUnavailable": ("EngineError", "engine-unavailable", 4),
    "ImageUnavailable": ("EngineError", "image-unavailable", 4),
    "ServiceNotReady": ("EngineError", "service-not-ready", 4),
    "ServiceCommandFailed": ("EngineError", "service-command-failed", 4),
    "NoSuchObject": ("EngineError", "no-such-object", 4),
    "NameInUse": ("EngineError", "name-in-use", 4),
    "SubnetInUse": ("EngineError", "subnet-in-use", 4),
}

LOOK_AT_IMPORTS = """
import json, sys
opened = []
def watch(event, arguments):
    if event in {"open", "socket.connect", "subprocess.Popen"}:
        opened.append(str(arguments[0]))
sys.addaudithook(watch)
from labctl.cli import app
app.create()
print(json.dumps([sorted(sys.modules), opened]))
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], list[str]]:
    """Return what the command line's import brings in and opens, in an empty environment and directory."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", LOOK_AT_IMPORTS],
        check=True,
        capture_output=True,
        text=True,
        env={},
        cwd=tmp_path_factory.mktemp("empty"),
    )
    modules, opened = json.loads(done.stdout)
    return set(modules), opened


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE.parent).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))


def test_the_command_line_imports_nothing_heavy(imported: tuple[set[str], list[str]]) -> None:
    modules, _ = imported
    assert "labctl.cli.mail" in modules
    assert modules & HEAVY == set()
    assert not any(each.startswith(("labctl.engine.", "labctl.lab.", "labctl.commands.")) for each in modules)


def test_an_import_reads_only_python_files_and_needs_no_home(imported: tuple[set[str], list[str]]) -> None:
    _, opened = imported
    assert [each for each in opened if not each.endswith((".py", ".pyc", ".so"))] == []


def test_no_module_reads_environment_or_disk_while_it_is_imported() -> None:
    found = [
        f"{relative(path)}:{node.lineno}"
        for path in MODULES
        for node in at_import(tree_of(path))
        if is_reading(node)
    ]
    assert found == []


def at_import(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions that run while a module is imported: all but the bodies of functions."""
    waiting = [tree]
    while waiting:
        for child in ast.iter_child_nodes(waiting.pop()):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                defaults = (*child.args.defaults, *filter(None, child.args.kw_defaults))
                waiting += (ast.Expr(each) for each in (*child.decorator_list, *defaults))
            elif not isinstance(child, ast.Lambda) and not is_main(child):
                waiting.append(child)
                if isinstance(child, ast.expr):
                    yield child


def is_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def is_reading(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
        return True
    names = {"open", "read_text", "read_bytes", "glob", "iterdir", "is_file", "is_dir", "exists", "getuid"}
    return (
        isinstance(node, ast.Call)
        and (getattr(node.func, "attr", None) or getattr(node.func, "id", "")) in names
    )


def test_nothing_needs_the_package_that_it_lies_in() -> None:
    """With import-linter's "No circle anywhere", which looks at what lies side by side: no circle at all."""
    graph = grimp.build_graph("labctl", cache_dir=None)
    needs = {
        (each, other) for each in graph.modules for other in graph.find_modules_directly_imported_by(each)
    }
    assert [(each, other) for each, other in needs if each.startswith(f"{other}.")] == []


def test_only_the_command_line_prints() -> None:
    printers = {"print", "sys.stdout.write", "sys.stderr.write", "typer.echo", "typer.secho"}
    found = {
        f"{relative(path)}:{call.lineno}"
        for path in MODULES
        if "cli" not in path.relative_to(PACKAGE).parts and path.name != "__main__.py"
        for call in calls(tree_of(path))
        if ast.unparse(call.func) in printers
    }
    assert found == set()


def test_no_module_is_longer_than_400_lines() -> None:
    long = {relative(path): count for path in MODULES if (count := len(path.read_text().splitlines())) >= 400}
    assert long == {}


def test_only_the_module_that_waits_sleeps() -> None:
    found = {
        f"{relative(path)}:{call.lineno}"
        for path in MODULES
        if path.name != "wait.py"
        for call in calls(tree_of(path))
        if name_of(call) == "sleep"
    }
    assert found == set()


def test_the_tree_of_errors_their_codes_and_exit_codes_is_the_one_that_scripts_know() -> None:
    tree = {
        name: ("" if each is LabctlError else each.__mro__[1].__name__, each.code, each.exit_code)
        for name, each in vars(errors).items()
        if inspect.isclass(each) and issubclass(each, LabctlError)
    }
    assert tree == TREE
    codes = [code for _, code, _ in tree.values()]
    assert len(set(codes)) == len(codes)


def test_an_error_carries_what_it_was_given() -> None:
    error = errors.NoSuchHost("no host", hint="labctl status", detail={"known": ["dns"]})
    assert (error.message, error.hint, error.detail, str(error)) == (
        "no host",
        "labctl status",
        {"known": ["dns"]},
        "no host",
    )
    assert errors.ServiceNotReady("x", service="dns", waited=1.23456, log="l", hint="h").detail == {
        "service": "dns",
        "waited": 1.235,
        "log": "l",
    }
    assert str(errors.InvalidLabFile("odd", path=Path("a"), line=None, hint="h")) == "a: odd"
    assert str(errors.InvalidLabFile("odd", path=Path("a"), line=7, hint="h")) == "a:7: odd"


def test_every_error_is_made_with_a_message_and_one_hint() -> None:
    made = [
        (f"{relative(path)}:{call.lineno}", call)
        for path in MODULES
        for call in calls(tree_of(path))
        if name_of(call) in TREE
    ]
    assert len(made) > 50
    assert [where for where, call in made if not is_helpful(call)] == []


def is_helpful(call: ast.Call) -> bool:
    hints = [each.value for each in call.keywords if each.arg == "hint"]
    return len(hints) == len(call.args) == 1 and not any(is_empty(each) for each in (call.args[0], hints[0]))


def is_empty(text: ast.expr) -> bool:
    return isinstance(text, ast.Constant) and not str(text.value or "").strip()


def test_no_pattern_repeats_a_group_possessively() -> None:
    """Python 3.11.2, which Debian 12 has, loses its place in the text where such a group fails half-way.

    An atomic group, ``(?>(?:…)*)``, says the same and is right everywhere.
    """
    found = {relative(path) for path in MODULES if re.search(r"\)[*+?]\+", path.read_text(encoding="utf-8"))}
    assert found == set()
