"""The command `explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import options
from labctl.cli.console import print_result
from labctl.cli.streams import standard_input

if TYPE_CHECKING:
    from collections.abc import Iterable


@options.completing
def _complete(_: typer.Context) -> Iterable[str]:
    """Offer codes and states; files are the shell's own business."""
    from labctl.mail.meaning.explanation import known_codes

    return known_codes()


def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="CODE|LINE|FILE",
            help="A code, a state, what a server said, a line of a log, or a file with a bounce or a log"
            " (- for standard input).",
            autocompletion=_complete,
        ),
    ],
    *,
    as_json: options.Json = False,
) -> None:
    """Say in plain words what a code, a reply or a bounce means, what causes it, and what to look at next.

    A bounce may be of any mail system, attached to a message, or in a mailbox file (mbox). Of a line of a log
    the code and the words count; of a log, each reason is told once, and how often. No lab is needed.

    \b
    Examples:
      labctl explain 4.4.1
      labctl explain "550 5.1.1 <bob@beta.test>: Recipient address rejected: User unknown"
      labctl explain deferred
      labctl explain bounce.eml
      labctl explain mail.log
      labctl explain - --json < bounce.eml
    """
    from labctl.commands.explain import explain as tell

    print_result(tell(what, standard_input()), as_json=as_json)
