"""Which document a command prints, as its help says."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import typer

from labctl.cli.app import create

if TYPE_CHECKING:
    from collections.abc import Sequence


@cache
def document_of(*words: str) -> str | None:
    """Return the name of the schema of what a command prints with ``--json``; None where it takes none.

    Args:
        words: Its command line.
    """
    command: Any = typer.main.get_command(create())
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    said = re.fullmatch(
        r"--json prints (labctl/(\S+)/v1), which labctl schema \2 explains\.", command.epilog or ""
    )
    return said and said[1]


def check(words: Sequence[str], stdout: str) -> None:
    """Check that what a command printed is the document that its help names, or an error."""
    if "--json" in words and stdout.startswith("{"):
        named = json.JSONDecoder().raw_decode(stdout)[0]["schema"]
        assert named in {
            "labctl/error/v1",
            document_of(*(each for each in words if not each.startswith("-"))),
        }
