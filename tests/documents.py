"""Documents: which one a command prints, as its help says, and one with another value in any place."""

from __future__ import annotations

import copy
import json
import operator
import re
from functools import cache, reduce
from typing import TYPE_CHECKING, Any

import typer
from hypothesis import strategies as st

from labctl.cli.app import create

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Place = tuple[Any, ...]

JUNK: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([None, True, -1, 0.5, 10**400, 1e300, float("nan"), float("inf"), [[]], {"a": 1}]),
    st.sampled_from(["", "\0", "\ud800", "===", "x" * 999]),
    st.integers(),
    st.text(),
    st.lists(st.integers() | st.text() | st.none(), max_size=3),
    st.dictionaries(st.text(), st.integers() | st.lists(st.text(), max_size=2), max_size=3),
)
"""What a document of labctl's own would not have in most places."""


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


def places(value: Any, *above: Any) -> Iterator[Place]:
    """Yield where values are in a document: the way to each."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*above, key)
        yield from places(each, *above, key)


def value_at(document: Any, place: Place) -> Any:
    """Return what is in a place of a document."""
    return reduce(operator.getitem, place, document)


def altered(document: Mapping[str, Any], place: Place, value: Any = ...) -> dict[str, Any]:
    """Return a copy of a document with another value in a place, or, where none is given, without it."""
    copied: dict[str, Any] = copy.deepcopy(dict(document))
    inside = value_at(copied, place[:-1])
    if value is ...:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    return copied
