"""The command `labctl`: which commands there are, and what they are called."""

from __future__ import annotations

from typing import Annotated

import typer

from labctl.cli import inside, lifecycle, machine, mail


def create() -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(
        name="labctl",
        help="A mail laboratory: real Postfix, Dovecot and CoreDNS in two domains, alpha.test and beta.test.",
        no_args_is_help=True,
        rich_markup_mode=None,  # rich doubles the time that --help takes
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
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
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
