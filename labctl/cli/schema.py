"""The command ``schema``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import options
from labctl.cli.console import print_result

if TYPE_CHECKING:
    from collections.abc import Iterable


@options.completing
def _complete(_: typer.Context) -> Iterable[str]:
    """Offer the documents' names."""
    from labctl.contract import published

    return published.by_word()


def schema(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A document, by the word in its name (up, or labctl/up/v1).",
            autocompletion=_complete,
        ),
    ] = None,
    *,
    as_json: options.Json = False,
) -> None:
    """Tell what the JSON document of a command holds, field by field; without a name, which ones there are.

    With --json it has each as a JSON Schema (draft 2020-12), in json_schema.

    \b
    Examples:
      labctl schema
      labctl schema trace
      labctl schema grade --json
    """
    from labctl.commands.schema import schemas

    print_result(schemas(name), as_json=as_json)
