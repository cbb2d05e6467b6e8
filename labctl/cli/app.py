"""The command `labctl`: which commands there are, and what they are called."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Annotated, Any, Final

import typer

from labctl.cli import options

_HELP: Final = """
A mail laboratory: real Postfix, Dovecot and CoreDNS in two domains, alpha.test and beta.test.

\b
Examples:
  labctl up
  labctl send alice@alpha.test bob@beta.test --wait delivered
  labctl inbox bob@beta.test
  labctl down
"""


def help_(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]", help="A command, as one would write it.")
    ] = None,
    *,
    as_json: Annotated[  # noqa: ARG001  # the error boundary looks for it by itself
        bool, typer.Option("--json", help="Print an error as a JSON document.")
    ] = False,
) -> None:
    """Show the help of a command, or the list of all.

    \b
    Examples:
      labctl help
      labctl help up
      labctl help fault apply
    """
    arguments = [*(words or []), "--help"]
    create(arguments)(arguments, prog_name="labctl", standalone_mode=False)


# By name: each module, and what each command takes, is looked at only where it is called.
_COMMANDS: Final = {
    "up": "lifecycle.up",
    "down": "lifecycle.down",
    "reset": "lifecycle.reset",
    "status": "lifecycle.status",
    "list": "lifecycle.list_running",
    "send": "mail.send",
    "inbox": "mail.inbox",
    "queue": "queue.queue",
    "dig": "mail.dig",
    "trace": "trace.trace",
    "explain": "explain.explain",
    "logs": "inside.logs",
    "shell": "inside.shell",
    "exec": "inside.execute",
    "exercises": "exercises.exercises",
    "run": "exercises.run",
    "init": "catalogue.init",
    "grade": "grading.grade",
    "merge": "grading.merge",
    "examine": "grading.examine",
    "schema": "schema.schema",
    "doctor": "machine.doctor",
    "prune": "lifecycle.prune",
    "help": "app.help_",
}
_PRINTED: Final = {"merge": "grade", "examine": "examination", "help": "error", "logs": None, "shell": None}
"""Which document a command prints, where that is not called as the command is; None where it prints none."""
_CLASSES: Final = {"exec": "inside.Outer"}
"""Of commands that are no common ones."""
_GROUPS: Final = {
    "labs": "catalogue.labs",
    "fault": "fault.fault",
    "images": "machine.images",
    "engine": "machine.engine",
}
_LISTING: Final[tuple[list[str], ...]] = ([], ["-h"], ["--help"], ["--version"])
"""Command lines that are answered without any command."""


def create(arguments: list[str] | None = None) -> typer.Typer:
    """Put the commands together.

    Args:
        arguments: The command line, if that is known: typer works out the parameters of every command it has,
            which takes longer than some commands do. So it gets only the command or group to be called;
            and commands that are only to be listed get no parameters.
    """
    app = typer.Typer(
        name="labctl",
        help=_HELP,
        rich_markup_mode=None,  # rich doubles the time that --help takes
        suggest_commands=False,  # labctl.cli.misuse does, as of all that can be mistyped
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    wanted = arguments[0] if arguments else None
    alone = wanted in _COMMANDS or wanted in _GROUPS
    listed = arguments in _LISTING and "_LABCTL_COMPLETE" not in os.environ
    for name, place in (_COMMANDS | _GROUPS).items():
        if alone and name != wanted:
            continue
        found = _at(place)
        if listed:
            told = found.info.help if name in _GROUPS else found.__doc__
            app.command(name, help=told)(lambda: None)
        elif name in _GROUPS:
            app.add_typer(found, name=name)
        else:
            document = _PRINTED.get(name, name)
            epilog = options.printed(document) if document else None
            app.command(name, cls=_at(_CLASSES[name]) if name in _CLASSES else None, epilog=epilog)(found)
    return app


def _at(place: str) -> Any:
    module, _, name = place.rpartition(".")
    return getattr(import_module(f"labctl.cli.{module}"), name)


def _version(value: bool) -> None:  # noqa: FBT001  # typer calls it so
    if value:
        from importlib.metadata import version

        typer.echo(f"labctl {version('labctl')}")
        raise typer.Exit


def _root(
    context: typer.Context,
    *,
    debug: Annotated[  # noqa: ARG001  # the error boundary looks for it by itself
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
    version: Annotated[  # noqa: ARG001  # its callback does it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
