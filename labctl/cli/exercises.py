"""Commands about exercises: exercises, run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import options
from labctl.cli.connection import connect_or_bring
from labctl.cli.console import print_result, ticker, write_file
from labctl.cli.outputs import check_outputs

if TYPE_CHECKING:
    from labctl.exercises.catalogue.discovery import Choice


def exercises(lab: options.Lab = options.DEFAULT_LAB, *, as_json: options.Json = False) -> None:
    """List a lab's exercises: what each one shows.

    \b
    Examples:
      labctl exercises
      labctl exercises dns --json
    """
    from labctl.commands.exercises import exercises as listed

    print_result(listed(lab, os.environ), as_json=as_json)


def run(
    wanted: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXERCISE…]",
            help="ID, LAB/ID, or the path of a file of one's own; all of the lab where none is named.",
            autocompletion=options.complete_exercise,
        ),
    ] = None,
    *,
    lab: Annotated[
        str | None, options.lab_option("The lab: an id, or a directory; else the one that runs.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every exercise of every lab.")] = False,
    step: Annotated[bool, typer.Option("--step", help="Wait for Enter between steps.")] = False,
    junit: Annotated[
        Path | None,
        typer.Option(
            "--junit", metavar="FILE", help="Write a report in JUnit's format; - is standard output."
        ),
    ] = None,
    keep_faults: Annotated[
        bool, typer.Option("--keep-faults", help="Leave what the last exercise changed in its lab.")
    ] = False,
    name: Annotated[
        str | None,
        options.name_option("The lab's name, whether it runs or is to be brought up.", options.complete_name),
    ] = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Run exercises, and tell each step as it happens, with its evidence.

    A lab that is not up is brought up; those that --all brought up are taken down again. Before each
    exercise the lab is made as new: what mail is in it is lost.

    \b
    Exit codes: 0 all passed, 1 one failed, 3 a bad exercise, 4 the engine or a lab failed.

    \b
    Examples:
      labctl run                                 every exercise of the lab that runs
      labctl run bounces/unknown-at-the-door --step
      labctl run my_exercise.py --lab two-domains
      labctl run --all --junit exercises.xml
    """
    from labctl.errors import UsageError
    from labctl.exercises.worker.process import Child

    printed = check_outputs({"--junit": junit}, as_json=as_json)
    silent = as_json or not printed
    if step and silent:
        raise UsageError(
            f"--step is for people, {'--json' if as_json else '--junit -'} is for programs: take one",
            hint="labctl run --help",
        )
    with Child(os.environ) as first:  # it takes longer to start than all that comes before it is needed
        from labctl.cli.narration import Narration
        from labctl.commands.run import Wish
        from labctl.commands.run import run as perform
        from labctl.exercises.worker.runner import Audience

        choices = _chosen(wanted or [], lab, every=every)
        ready = [first]
        found = connect_or_bring(yes=yes, progress=ticker())
        wish = Wish(tuple(wanted or ()), choices, every=every, name=name, step=step, keep_faults=keep_faults)
        result = perform(
            found.engine,
            found.url,
            wish,
            environ=os.environ,
            audience=Audience() if silent else Narration(sys.stdin, os.environ),
            child=lambda: ready.pop() if ready else Child(os.environ),
            progress=ticker,
        )
    if junit is not None:
        from labctl.report.layout.junit import junit as written

        write_file(junit, written(result))
    if printed:
        print_result(result, as_json=as_json)
    raise typer.Exit(result.exit_code)


def _chosen(wanted: list[str], lab: str | None, *, every: bool) -> tuple[Choice, ...]:
    """Choose what can be told without an engine, which is brought for nothing that is not there.

    Returns:
        Nothing where it depends on the labs that run, too.
    """
    from labctl.exercises.catalogue import discovery

    if lab is not None or every:
        return discovery.select(wanted, os.environ, lab=lab, every=every)
    files = [each for each in wanted if each.endswith(".py")]
    told = [each for each in wanted if "/" in each and each not in files]
    chosen = discovery.select([*told, *files], os.environ) if told or files else ()
    return chosen if told == wanted else ()
