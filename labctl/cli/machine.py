"""Commands about the machine: images, engine, doctor."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from labctl.cli import options
from labctl.cli.connection import Connection, connect, connect_or_bring
from labctl.cli.console import binary_output, print_result, ticker
from labctl.errors import OutputError

if TYPE_CHECKING:
    from labctl.progress import Progress

_IMAGES_HELP: Final = """
The images of the lab's hosts; without a command, a list of them.

\b
Examples:
  labctl images
  labctl images build
  labctl images save labctl-images.tar.gz
"""
_ENGINE_HELP: Final = """
The engine on this machine; only what labctl installed can be stopped or removed.

\b
Examples:
  labctl engine
  labctl engine start
  labctl engine remove --yes
"""

images = options.group(_IMAGES_HELP, "images")
engine = options.group(_ENGINE_HELP, "engine")

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="One file with all images.", exists=True, dir_okay=False)
]


def _connect(*, yes: bool, progress: Progress) -> Connection:
    return connect_or_bring(yes=yes, progress=progress) if yes else connect()


@images.callback(invoke_without_command=True)
def images_default(context: typer.Context, *, as_json: options.Json = False) -> None:
    """List the images, where no other command is given."""
    if context.invoked_subcommand is None:
        images_list(as_json=as_json)


@images.command("list", epilog=options.printed("images"))
def images_list(*, as_json: options.Json = False) -> None:
    """List the images that labs need, and whether they are there.

    \b
    Examples:
      labctl images list
    """
    from labctl.commands import images as command

    print_result(command.images_list(connect().engine), as_json=as_json)


@images.command("build", epilog=options.printed("images"))
def images_build(
    *,
    yes: options.Yes = False,
    base: options.Base = None,
    as_json: options.Json = False,
) -> None:
    """Build the images that are not there.

    \b
    Examples:
      labctl images build
      labctl images build --base registry.example/debian:trixie-slim
    """
    from labctl.commands import images as command

    progress = ticker()
    found = _connect(yes=yes, progress=progress)
    result = command.images_build(
        found.engine, environ=os.environ, base_reference=base, may_install=yes, progress=progress
    )
    print_result(result, as_json=as_json)


@images.command("save", epilog=options.printed("images"))
def images_save(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="One file with all images; - is standard output.")
    ],
    *,
    as_json: options.Json = False,
) -> None:
    """Write all images to one file, for machines without a network.

    A file that is there is replaced when the new one is whole, also through a link to it; what is no regular
    file, as a device, is refused.

    \b
    Examples:
      labctl images save labctl-images.tar.gz
      labctl images save - | ssh classroom 'cat > labctl-images.tar.gz'
    """
    from labctl.cli.outputs import check_outputs
    from labctl.commands import images as command

    printed = check_outputs({"FILE": file}, as_json=as_json)
    if not printed and sys.stdout.isatty():
        raise OutputError(
            "FILE - can't be written: standard output is a terminal", hint="labctl images save FILE"
        )
    result = command.images_save(connect().engine, file, stdout=binary_output(), progress=ticker())
    if printed:
        print_result(result, as_json=as_json)


@images.command("load", epilog=options.printed("images"))
def images_load(file: File, *, yes: options.Yes = False, as_json: options.Json = False) -> None:
    """Take up the images of such a file: then `labctl up` needs no network.

    \b
    Examples:
      labctl images load labctl-images.tar.gz
    """
    from labctl.commands import images as command

    progress = ticker()
    found = _connect(yes=yes, progress=progress)
    print_result(command.images_load(found.engine, file, progress=progress), as_json=as_json)


@engine.callback(invoke_without_command=True)
def engine_default(context: typer.Context, *, as_json: options.Json = False) -> None:
    """Show the engine, where no other command is given."""
    if context.invoked_subcommand is None:
        engine_status(as_json=as_json)


@engine.command("status", epilog=options.printed("engine"))
def engine_status(*, as_json: options.Json = False) -> None:
    """Show which engine answers, and what labctl did to bring it.

    \b
    Examples:
      labctl engine status
    """
    from labctl.commands import engine as command
    from labctl.engine.search import home

    print_result(command.engine_status(os.environ, home()), as_json=as_json)


@engine.command("start", epilog=options.printed("engine"))
def engine_start(*, as_json: options.Json = False) -> None:
    """Start the engine that is installed on this machine.

    \b
    Examples:
      labctl engine start
    """
    from labctl.commands import engine as command
    from labctl.engine.search import home

    print_result(command.engine_start(os.environ, home(), progress=ticker()), as_json=as_json)


@engine.command("stop", epilog=options.printed("engine"))
def engine_stop(*, as_json: options.Json = False) -> None:
    """Stop an engine that labctl installed or started; the labs stop with it.

    \b
    Examples:
      labctl engine stop
    """
    from labctl.commands import engine as command
    from labctl.engine.search import home

    print_result(command.engine_stop(os.environ, home(), progress=ticker()), as_json=as_json)


@engine.command("remove", epilog=options.printed("engine"))
def engine_remove(
    *,
    # LABCTL_YES is a yes to an installation, and so none to this.
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove it without asking; LABCTL_YES does not stand for this.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Undo what `labctl up --yes` did: stop the engine, remove its packages and all that it stores.

    It asks before, and removes nothing where there is no terminal to answer at and no --yes.

    \b
    Examples:
      labctl engine remove --yes
    """
    from labctl.commands import engine as command
    from labctl.engine.search import home
    from labctl.errors import UsageError

    if not yes and not (
        sys.stdin is not None
        and sys.stdin.isatty()
        and typer.confirm("Remove the engine that labctl installed, with all its containers?", err=True)
    ):
        raise UsageError("nothing was removed: it needs a yes of its own", hint="labctl engine remove --yes")
    print_result(command.engine_remove(os.environ, home(), progress=ticker()), as_json=as_json)


def doctor(*, as_json: options.Json = False) -> None:
    """Examine the machine and its engine, each line with the next step. Fails (4) where no lab can run.

    \b
    Examples:
      labctl doctor
    """
    from labctl.commands.doctor import doctor as examine
    from labctl.engine.docker import DockerEngine
    from labctl.engine.search import home

    result = examine(os.environ, home(), DockerEngine)
    print_result(result, as_json=as_json)
    raise typer.Exit(4 if result.failed else 0)
