"""Commands about attempts: grade, merge, examine."""

from __future__ import annotations

import os
import re
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import typer

from labctl.cli import options
from labctl.cli.connection import connect_or_bring
from labctl.cli.console import ticker, write_line
from labctl.cli.gradeoutputs import Outputs, print_grade, with_outputs
from labctl.cli.streams import read_standard_input

_LARGEST_JOB: Final = 64 << 20
"""Bytes of a job: those of an attempt's files in base64 are far fewer."""


def check_shard(shard: str | None) -> str | None:
    """Refuse a malformed shard before anything else is done."""
    from labctl.errors import UsageError

    if shard is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", shard)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard {shard!r}: expected i/n with i from 1 to n, as 1/4", hint="--shard 1/4")
    return shard


@with_outputs
def grade(
    attempts: Annotated[
        list[Path], typer.Argument(metavar="ATTEMPT…", help="Directories of what students handed in.")
    ],
    *,
    lab: Annotated[
        str | None, options.lab_option("The lab: an id, or a directory; else the one that labctl.toml names.")
    ] = None,
    checks: Annotated[
        Path | None,
        typer.Option(
            "--checks", metavar="DIR", help="Further checks, which students don't see.", file_okay=False
        ),
    ] = None,
    jobs: options.Jobs = None,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="i/n", callback=check_shard, help="Only this part of all attempts."),
    ] = None,
    seeds: Annotated[
        Path | None,
        typer.Option(
            "--seeds",
            metavar="ROSTER",
            help="The seeds that init --seed-from handed out: an attempt that says another is rejected.",
            dir_okay=False,
        ),
    ] = None,
    outputs: Outputs,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Grade what students handed in: one attempt, or many at a time, each in a laboratory.

    An attempt is data: only the files that its lab names are read. With --out, what was seen is kept by
    content: a run that was cut short is taken up again, and other points need no other run.

    A report replaces a regular file, also through a link to it, and nothing else; - stands for standard
    output, where it takes the place of what is printed.

    \b
    Exit codes: 0 all passed, 1 one failed or was rejected, 3 a bad lab, 4 the engine, a lab or a check broke:
    that is no score, and another run tries it again.

    \b
    Examples:
      labctl grade .
      labctl grade attempts/* --lab fix-the-mx --out graded
      labctl grade attempts/* --lab fix-the-mx --checks ~/hidden --shard 1/4 --out part-1
      labctl grade attempts/* --seeds roster.csv --csv grades.csv
      labctl grade . --junit grade.xml --summary "$GITHUB_STEP_SUMMARY"
    """
    from labctl.cli.tally import Tally
    from labctl.commands.grade import Wish, prepare
    from labctl.commands.grade import grade as perform

    part = None if shard is None else tuple(map(int, shard.split("/")))
    wish = Wish(tuple(attempts), lab, checks, jobs, (part[0], part[1]) if part else None, outputs.out, seeds)
    task = prepare(wish, os.environ)  # no engine is brought for what is not there
    places = {attempt: os.path.relpath(path) for attempt, path in task.places.items()}
    printed = outputs.check(
        places, several=len(attempts) > 1, as_json=as_json, inputs=task.inputs, environ=os.environ
    )
    progress = ticker()
    found = connect_or_bring(yes=yes, progress=progress)
    with closing(Tally(sys.stderr, os.environ)) as tally:
        result = perform(found.engine, found.url, task, environ=os.environ, audience=tally, progress=progress)
    outputs.write(result, os.environ)
    if printed:
        print_grade(result, as_json=as_json, environ=os.environ, places=places)
    raise typer.Exit(result.exit_code)


@with_outputs
def merge(
    directories: Annotated[
        list[Path], typer.Argument(metavar="DIR…", help="What `labctl grade --out` wrote, each.")
    ],
    *,
    outputs: Outputs,
    as_json: options.Json = False,
) -> None:
    """Join what several machines have graded, each a shard.

    \b
    Exit codes: as those of grade.

    \b
    Examples:
      labctl merge part-1 part-2 --csv grades.csv --html grades.html
      labctl merge part-1 part-2 --csv -
    """
    from labctl.commands.merge import FILE_NAME
    from labctl.commands.merge import merge as joined

    result = joined(directories)
    printed = outputs.check(
        [each.id for each in result.attempts],
        several=True,
        as_json=as_json,
        inputs=[each / FILE_NAME for each in directories],
        environ=os.environ,
    )
    outputs.write(result, os.environ)
    if printed:
        print_grade(result, as_json=as_json, environ=os.environ, places={})
    raise typer.Exit(result.exit_code)


def examine(
    *,
    yes: options.Yes = False,
    as_json: Annotated[  # noqa: ARG001  # the error boundary looks for it by itself
        bool, typer.Option("--json", help="Print an error as a JSON document, as all else is.")
    ] = False,
) -> None:
    """Examine one attempt for another program: a job on standard input, what was seen on standard output.

    Both are JSON documents (labctl/examination-job/v1, labctl/examination/v1). The job brings what was handed
    in; the lab has to be here. What checks are worth is not asked for: `labctl grade` weighs what was seen.

    \b
    Exit codes: 0 it was examined, whatever came out; 3 a bad lab; 4 the engine failed.

    \b
    Examples:
      labctl examine < job.json > examination.json
    """
    from labctl.commands.examine import examine as perform
    from labctl.grading import form
    from labctl.grading.job import Job

    job = form.read(read_standard_input(_LARGEST_JOB), Job)
    progress = ticker()
    found = connect_or_bring(yes=yes, progress=progress)
    write_line(form.written(perform(found.engine, found.url, job, environ=os.environ, progress=progress)))
