"""Commands about the catalogue: labs, labs test, init."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import typer

from labctl.cli import options
from labctl.cli.connection import connect_or_bring
from labctl.cli.console import print_result, ticker

_LABS_HELP: Final = """
The catalogue: every lab that `labctl up` can start by its id; without a command, a list of them.

\b
Examples:
  labctl labs
  LABCTL_LABS=~/my-labs labctl labs
  labctl labs test fix-the-mx
"""

labs = options.group(_LABS_HELP, "labs")

GradedLab = Annotated[
    str,
    typer.Argument(
        metavar="LAB", help="A lab's id, or a directory with a lab.toml.", autocompletion=options.complete_lab
    ),
]


@labs.callback(invoke_without_command=True)
def labs_default(context: typer.Context, *, as_json: options.Json = False) -> None:
    """List the catalogue, where no other command is given."""
    if context.invoked_subcommand is None:
        from labctl.commands.labs import labs as catalogue

        print_result(catalogue(os.environ), as_json=as_json)


@labs.command("test", epilog=options.printed("labs-test"))
def labs_test(
    lab: GradedLab,
    *,
    jobs: options.Jobs = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Test a lab to grade: its own attempts at it come to what it declares.

    The solution gets all points, and so does each variant, which is right in another way; the starter gets
    those of starter_score; each mutant, which is a solution with one thing wrong, fails the checks that it
    should and no others.

    \b
    Exit codes: 0 all are as declared, 1 one is not, 3 a bad lab, variant or mutant,
    4 the engine or a lab failed.

    \b
    Examples:
      labctl labs test fix-the-mx
      labctl labs test ./my-lab --jobs 2 --json
    """
    from labctl.cli.tally import Tally
    from labctl.commands.labstest import labs_test as tested
    from labctl.commands.labstest import prepare

    cases = prepare(lab, os.environ)  # no engine is brought for a lab that is wrong
    progress = ticker()
    found = connect_or_bring(yes=yes, progress=progress)
    with closing(Tally(sys.stderr, os.environ)) as tally:
        result = tested(
            found.engine, found.url, cases, environ=os.environ, audience=tally, jobs=jobs, progress=progress
        )
    print_result(result, as_json=as_json)
    raise typer.Exit(result.exit_code)


def init(
    lab: GradedLab,
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where; made if it is not there.", file_okay=False)
    ],
    *,
    labctl: Annotated[
        str | None,
        typer.Option(
            "--labctl",
            metavar="URL|PATH|SPEC",
            help="Which labctl the workflows install, as pip takes it; labctl.toml records it.",
        ),
    ] = None,
    seed_from: Annotated[
        Path | None,
        typer.Option(
            "--seed-from",
            metavar="ROSTER",
            help="Take the seed from this table (CSV: attempt,seed) by DIR's name, or add it there.",
            dir_okay=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Hand a lab out to a student: all of it or nothing; no file that is there is changed.

    It is the lab's starter files and README, labctl.toml, which says which lab it is, and workflows that
    grade it in GitHub Actions and GitLab CI. They install the labctl that --labctl names (a path is one that
    the job has), and where none is named, they say so and fail: labctl is on no package index.

    \b
    Examples:
      labctl init fix-the-mx my-attempt
      labctl init fix-the-mx amy --labctl git+https://git.example/labctl@v1
      cd my-attempt && labctl grade .
      labctl init why-did-it-bounce attempts/alice --seed-from roster.csv
    """
    from labctl.commands.init import init as hand_out

    print_result(hand_out(lab, directory, os.environ, labctl=labctl, seed_from=seed_from), as_json=as_json)
