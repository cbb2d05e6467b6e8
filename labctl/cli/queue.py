"""The command `labctl queue`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import options
from labctl.cli.connection import connect
from labctl.cli.console import is_live, print_result, width, write_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from labctl.commands.queue import Queues


def queue(
    host: options.AnyHost = None,
    *,
    name: options.Name = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show them again whenever something changes, until Ctrl-C.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Show what waits in the MTAs' queues: since when, why, and when it is tried again.

    A host that does not run is shown as such. --watch draws the table anew in its place on a terminal;
    elsewhere it prints a table for each change, and with --json a document a line.

    \b
    Examples:
      labctl queue
      labctl queue mx-alpha --json
      labctl queue --watch
    """
    from labctl.commands import queue as command

    engine = connect().engine
    if not watch:
        print_result(command.queues(engine, name, host, environ=os.environ), as_json=as_json)
        return
    looks = command.watch(engine, name, host, environ=os.environ)
    if not as_json and is_live(sys.stdout, os.environ):
        _draw(looks)
    else:
        _print(looks, as_json=as_json)


def _draw(looks: Iterable[Queues]) -> None:
    from labctl.cli.screen import Screen
    from labctl.report.layout.plain import harmless
    from labctl.report.queue import queue as table

    with Screen(sys.stdout) as screen:
        for each in looks:
            screen.show(harmless(table(each, screen.columns)))


def _print(looks: Iterable[Queues], *, as_json: bool) -> None:
    from labctl.report.document import document, dumped
    from labctl.report.text import text

    before = None
    for each in looks:
        if each.hosts == before:
            continue
        before = each.hosts
        if as_json:
            write_line(dumped(document(each), indent=None))
        else:
            write_line(f"{each.looked_at:%H:%M:%S}\n{text(each, width())}\n")
