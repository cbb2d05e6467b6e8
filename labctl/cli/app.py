"""The command `labctl`: which commands there are, and what they are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from labctl.cli import (
    catalogue,
    exercises,
    explain,
    fault,
    grading,
    inside,
    lifecycle,
    machine,
    mail,
    queue,
    trace,
)

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
    named = words or []
    create(named[0] if named else None)([*named, "--help"], prog_name="labctl", standalone_mode=False)


_COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "up": lifecycle.up,
    "down": lifecycle.down,
    "reset": lifecycle.reset,
    "status": lifecycle.status,
    "list": lifecycle.list_running,
    "send": mail.send,
    "inbox": mail.inbox,
    "queue": queue.queue,
    "dig": mail.dig,
    "trace": trace.trace,
    "explain": explain.explain,
    "logs": inside.logs,
    "shell": inside.shell,
    "exec": inside.execute,
    "exercises": exercises.exercises,
    "run": exercises.run,
    "init": catalogue.init,
    "grade": grading.grade,
    "merge": grading.merge,
    "examine": grading.examine,
    "doctor": machine.doctor,
    "prune": lifecycle.prune,
    "help": help_,
}
_CLASSES: Final = {"exec": inside.Outer}
"""Of commands that are no common ones."""
_GROUPS: Final = {
    "labs": catalogue.labs,
    "fault": fault.fault,
    "images": machine.images,
    "engine": machine.engine,
}


def create(wanted: str | None = None) -> typer.Typer:
    """Put the commands together.

    Args:
        wanted: The only command or group that will be called, if that is known: typer works out the
            parameters of every command it has, which takes longer than some commands do.
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
    alone = wanted in _COMMANDS or wanted in _GROUPS
    for name, command in _COMMANDS.items():
        if not alone or name == wanted:
            app.command(name, cls=_CLASSES.get(name))(command)
    for name, group in _GROUPS.items():
        if not alone or name == wanted:
            app.add_typer(group, name=name)
    return app


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
