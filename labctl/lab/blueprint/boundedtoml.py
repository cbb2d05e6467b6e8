"""TOML that a student wrote (toml.io, version 1.0), read within bounds of size, depth, time and memory.

`tomllib` itself has none: one dotted key of 64 KiB takes it 5 GB, and a hexadecimal number of any length
becomes an integer that Python then refuses to print. So the words, dots and brackets of a text are counted
before it is given one that can't cost more than its size, and what came out is looked through afterwards.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from labctl import byteordermark

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST: Final = 256 << 10
"""Bytes of a text."""

DEEPEST: Final = 16
"""Parts of a dotted key, and tables and arrays within each other."""

LONGEST: Final = 100
"""Characters of a key, a number or a date."""

_MOST_SAID: Final = 200
"""Characters of what `tomllib` has against a text: it quotes keys whole."""

_INTEGERS: Final = range(-(1 << 63), 1 << 63)
"""What an integer may be (TOML 1.0, "Integer")."""

_TOKEN: Final = re.compile(
    r"""
      (?P<blank> [ \t]+ )
    | (?P<comment> \#[^\n]* )
    | (?P<string> (?>
          \"{3} [^"\\]* (?: (?: \\. | "(?!"") ) [^"\\]* )* \"{3,5}
        | '{3} [^']* (?: '(?!'') [^']* )* '{3,5}
        | "(?!"") [^"\\\n]* (?: \\. [^"\\\n]* )* "
        | '(?!'') [^'\n]* '
      ) )
    | (?P<word> [\w+:-]+ )
    | (?P<unclosed> ["'] )
    | (?P<dot> \. )
    | (?P<bracket> [][{}] )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)


class NoToml(ValueError):
    """A text is no TOML, or more of it than anyone writes.

    Args:
        fault: What is wrong with it.
        line: In which line, from 1.
    """

    def __init__(self, fault: str, line: int) -> None:
        super().__init__(fault)
        self.line = line


def parse(content: bytes) -> dict[str, Any]:
    """Read TOML.

    Args:
        content: The text in UTF-8.

    Raises:
        NoToml: It is none, or exceeds a bound of this module.
    """
    if len(content) > LARGEST:
        raise NoToml(f"larger than {LARGEST >> 10} KiB", 1)
    if (fault := byteordermark.fault_of(content)) is not None:
        raise NoToml(fault, 1)
    try:
        text = content.decode()
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise NoToml(f"byte {content[exc.start]:#04x} is no UTF-8", line) from exc
    _must_be_shallow(text)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:  # a TOMLDecodeError, or a date that there is not
        said = str(exc)
        found = re.search(r"at line (\d+)", said)
        line = int(found[1]) if found else text.count("\n") + 1
        raise NoToml(said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]} […]", line) from exc
    for place, fault in _excesses(table):
        raise NoToml(fault, _line_of(text, place))
    return table


def _must_be_shallow(text: str) -> None:
    """Refuse what would cost `tomllib` more than its size.

    As far as a text is TOML, its strings, comments and words are told apart here as they are there; what
    comes after the first fault is never read there.
    """
    dots = depth = 0
    for token in _TOKEN.finditer(text):
        kind, said = token.lastgroup, token[0]
        if kind == "unclosed":
            return
        if kind in {"comment", "other", "bracket"}:
            dots = 0
        dots += kind == "dot"
        depth += (said in "[{") - (said in "]}")
        fault = None
        if dots >= DEEPEST:
            fault = f"a key of more than {DEEPEST} parts"
        elif depth > DEEPEST:
            fault = f"more than {DEEPEST} tables or arrays within each other"
        elif kind == "word" and len(said) > LONGEST:
            fault = f"a key or number of {len(said):,} characters: {said[:20]}…"
        if fault is not None:
            raise NoToml(fault, text.count("\n", 0, token.start()) + 1)


def _excesses(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield keys and numbers that are beyond what anyone means; each with the key that it stands at."""
    rest: list[tuple[str, Any]] = [("", table)]
    while rest:
        key, value = rest.pop()
        if isinstance(value, dict):
            for name in value:
                if len(name) > LONGEST:
                    yield name, f"a key of {len(name):,} characters: {name[:20]}…"
            rest.extend(value.items())
        elif isinstance(value, list):
            rest.extend((key, each) for each in value)
        elif isinstance(value, int) and value not in _INTEGERS:
            yield key, f"{key} is a number of more than 64 bits"


def _line_of(text: str, key: str) -> int:
    """Return the first line that has a key as it is."""
    return text.count("\n", 0, max(text.find(key), 0)) + 1
