"""Commands about whole labs: up, down, reset, status, list, prune."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from labctl.cli import options
from labctl.cli.connection import connect, connect_or_bring
from labctl.cli.console import print_result, ticker, write


def up(
    lab: options.Lab = options.DEFAULT_LAB,
    *,
    name: Annotated[
        str | None, options.name_option("What to call it; the lab's id where none is given.")
    ] = None,
    yes: options.Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Publish the lab's ports on 127.0.0.1 of this machine.")
    ] = False,
    attempt: Annotated[
        Path | None, typer.Option("--attempt", metavar="DIR", help="Lay a student's files over the lab's.")
    ] = None,
    base: options.Base = None,
    as_json: options.Json = False,
) -> None:
    """Make a lab be there: engine, images, network, containers, until every daemon answers.

    What is there already is left alone: a second `up` changes nothing, and says so.

    \b
    Examples:
      labctl up
      labctl up --name a && labctl up --name b     two labs with the same addresses, side by side
      labctl up two-domains --dry-run
    """
    from labctl.commands.up import Wish
    from labctl.commands.up import up as bring_up
    from labctl.lab import catalogue
    from labctl.lab.blueprint import definition

    wanted = catalogue.find(lab, os.environ)  # no engine is brought for a lab that is not there
    if lab == options.DEFAULT_LAB and Path(definition.FILE_NAME).is_file():
        write(sys.stderr, f"labctl: {lab} is brought up; the lab in this directory: labctl up .\n")
    progress = ticker()
    found = connect() if dry_run else connect_or_bring(yes=yes, progress=progress)
    wish = Wish(wanted, name, publish=publish, attempt=attempt, base=base, may_install=yes)
    result = bring_up(found.engine, found.url, wish, environ=os.environ, dry_run=dry_run, progress=progress)
    print_result(result, as_json=as_json)


def down(
    *,
    name: options.Name = None,
    every: Annotated[bool, typer.Option("--all", help="Remove every lab.")] = False,
    as_json: options.Json = False,
) -> None:
    """Remove a lab: its containers, its network, and all mail in it. Nothing there is success.

    \b
    Exit codes: 0 it is gone; 2 it is in use, and so stays, as one of --all may.

    \b
    Examples:
      labctl down
      labctl down --name a
      labctl down --all
    """
    from labctl.commands.down import down as take_down

    result = take_down(connect().engine, name, every=every, progress=ticker())
    print_result(result, as_json=as_json)
    raise typer.Exit(result.exit_code)


def reset(*, name: options.Name = None, as_json: options.Json = False) -> None:
    """Make a lab as new: queues and mailboxes empty, files as they were, a mark in each log.

    \b
    Examples:
      labctl reset
      labctl reset --name a --json
    """
    from labctl.commands.reset import reset as make_new

    result = make_new(connect().engine, name, environ=os.environ, progress=ticker())
    print_result(result, as_json=as_json)


def status(*, name: options.Name = None, as_json: options.Json = False) -> None:
    """Show a lab: its picture, hosts, endpoints and accounts. Success in whatever state it is.

    \b
    Examples:
      labctl status
      labctl status --name a --json
    """
    from labctl.commands.status import status as describe

    print_result(describe(connect().engine, name), as_json=as_json)


def list_running(*, as_json: options.Json = False) -> None:
    """List the labs that are up.

    \b
    Examples:
      labctl list
      labctl list --json
    """
    from labctl.commands.list import running

    print_result(running(connect().engine), as_json=as_json)


def prune(*, as_json: options.Json = False) -> None:
    """Remove what crashed runs left, and images of other versions; never a lab that is whole.

    A laboratory that a labctl elsewhere, as in a container, may have in use is left as long as it runs.

    \b
    Examples:
      labctl prune
    """
    from labctl.commands.prune import prune as clear

    print_result(clear(connect().engine, ticker()), as_json=as_json)
