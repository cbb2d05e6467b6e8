"""The command `labctl`: which commands there are, and what they are called."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from labctl.cli import inside, lifecycle, machine, mail

_HELP: Final = """
A mail laboratory: real Postfix, Dovecot and CoreDNS in two domains, alpha.test and beta.test.

\b
Examples:
  labctl up
  labctl send alice@alpha.test bob@beta.test --wait delivered
  labctl inbox bob@beta.test
  labctl down
"""


def create() -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(
        name="labctl",
        help=_HELP,
        rich_markup_mode=None,  # rich doubles the time that --help takes
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    app.command("up")(lifecycle.up)
    app.command("down")(lifecycle.down)
    app.command("reset")(lifecycle.reset)
    app.command("status")(lifecycle.status)
    app.command("list")(lifecycle.list_running)
    app.command("labs")(lifecycle.labs)
    app.command("send")(mail.send)
    app.command("inbox")(mail.inbox)
    app.command("queue")(mail.queue)
    app.command("dig")(mail.dig)
    app.command("logs")(inside.logs)
    app.command("shell")(inside.shell)
    app.command("exec")(inside.execute)
    app.add_typer(machine.images, name="images")
    app.add_typer(machine.engine, name="engine")
    app.command("doctor")(machine.doctor)
    app.command("prune")(lifecycle.prune)
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
