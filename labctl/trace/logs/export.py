"""Exports of logs, whose records are no lines, or whose lines are written otherwise than they were logged."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeAlias

from labctl.mail.log import record

Rewriting: TypeAlias = Callable[[Iterator[bytes]], Iterator[bytes]]
"""Turns the pieces of an export into those of a log with a line for each record."""

_EXPORT: Final = (b"__CURSOR=", b"__REALTIME_TIMESTAMP=")
_FIELD_LIMIT: Final = 1 << 26  # journald itself takes no larger field (DATA_SIZE_MAX)
_OBJECT_LIMIT: Final = 1 << 23
"""A database's answer may be one object with many records."""
_DEEPEST: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BEFORE: Final = b"\0\xef\xbb\xbf \t\r\n"
_JSON: Final = re.compile(rb"(?>(?:data: ?|event: [^\n]*+\n|id: [^\n]*+\n|\s++)*)(?>(?:\[\s*+)*)\{")
_DOCKER: Final = re.compile(rb'\{"log" ?:')
"""The engine's own files are read where they lie: they are large, and searched as they are."""
_SEPARATORS: Final = ",;\t|"
_ESCAPED: Final = re.compile(rb"[=( ]&lt;[^<>\n]{0,300}&gt;")
_PLAIN: Final = re.compile(rb"=<")
_COLOUR: Final = re.compile(rb"\x1b\[[0-9;:]{0,32}[A-Za-z]")
_SERVICE: Final = re.compile(
    rb"^(?>(?:\x1b\[[0-9;]*+m)*)[\w.@-]++ *+\| (?>(?:\x1b\[[0-9;]*+m)*)", re.MULTILINE
)
"""What Compose puts before lines, in colours: the lines themselves are as they were."""
_VERBOSE: Final = re.compile(rb"(?:--[^\n]*+\n)*[^\n\[]{10,80}\[s=[^\n]*+\n +[A-Z_]+=")
_FIELD: Final = re.compile(r"    ([A-Z0-9_]{1,64})=(.*)", re.DOTALL)
_BRACE: Final = re.compile(rb'"(?>(?:[^"\\]++|\\.)*)(?:"|\\?\Z)|[{}]', re.DOTALL)
_BETWEEN: Final = re.compile(rb"[\s\[\],]*+")
_PAIR: Final = 2
_LINE_LIMIT: Final = 1 << 16
_MOST_FIELDS: Final = 1000


def rewriting(head: bytes) -> Rewriting | None:
    """Return what turns an export into lines, by its first bytes; None where it is read as it is."""
    begin = head.lstrip(_BEFORE)
    if begin.startswith(_EXPORT) or _VERBOSE.match(begin) is not None:
        return _of_journal if begin.startswith(_EXPORT) else _of_verbose
    if _JSON.match(begin) is not None:
        return None if _DOCKER.match(begin) is not None else _of_json
    first = begin.partition(b"\n")[0].decode("utf-8", "replace").strip()
    for separator in _SEPARATORS:
        cells = record.columns(first, separator)
        if record.names_a_message(cells):
            return partial(_of_table, separator)
        if first.startswith('"') and record.of_columns(cells) is not None:
            return partial(_of_rows, separator)
    if _ESCAPED.search(head) is not None and _PLAIN.search(head) is None:
        return _of_html
    return _of_terminal if _COLOUR.search(_SERVICE.sub(b"", head)) is not None else None


def _of_journal(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Turn the journal's export format into lines as syslog has them.

    Source: "Journal Export Format" of systemd's documentation.
    """
    told: dict[bytes, bytes] = {}
    for name, value in _fields(pieces):
        if name:
            told.setdefault(name, value)
        else:
            yield _line(told)
            told = {}
    yield _line(told)


def _of_verbose(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Turn what ``journalctl -o verbose`` prints into lines: a time, and below it all fields."""
    told: dict[str, str] = {}
    for line in _lines(pieces):
        text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        if (match := _FIELD.match(text)) is not None:
            if len(told) < _MOST_FIELDS:
                told.setdefault(match[1], match[2][:_LINE_LIMIT])
        elif not text.startswith(" "):
            yield _encoded(record.unwrapped(told) or "")
            told = {"__REALTIME_TIMESTAMP": text.partition(" [")[0]}
    yield _encoded(record.unwrapped(told) or "")


def _of_json(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Turn JSON objects into lines, however they are laid out: in a line each, in several, in an array."""
    kept = bytearray()
    depth = 0
    for line in _lines(pieces):
        start = 0
        for match in _BRACE.finditer(line):
            if match[0] == b"{":
                depth += 1
                start = start if depth > 1 else match.start()
            elif match[0] == b"}" and depth:
                depth -= 1
                if depth == 0:
                    yield from _records_in(bytes(kept) + line[start : match.end()])
                    kept.clear()
                    start = match.end()
        if depth:
            kept += line[start:]
            if len(kept) > _OBJECT_LIMIT:
                yield bytes(kept.partition(b"\n")[0]) + b"\n"
                kept.clear()
                depth = 0
        elif start == 0 and _BETWEEN.fullmatch(line) is None:
            yield line
    if kept:
        yield bytes(kept.partition(b"\n")[0]) + b"\n"


def _of_table(separator: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Turn the rows of a table with a head into lines."""
    lines = _lines(pieces)
    names = record.columns(next(lines, b"").decode("utf-8", "replace").strip("\0\ufeff\r\n "), separator)
    for line in lines:
        text = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
        row = record.of_columns(record.columns(text, separator), names)
        yield line if row is None else _encoded(row)


def _of_rows(separator: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Turn the rows of a table without a head into lines."""
    for line in _lines(pieces):
        text = line.decode("utf-8", "surrogateescape").strip("\0\ufeff\r\n")
        row = record.of_columns(record.columns(text, separator))
        yield line if row is None else _encoded(row)


def _of_html(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Turn what was written into a page back into what it was."""
    for line in _lines(pieces):
        yield _encoded(html.unescape(line.decode("utf-8", "surrogateescape")).rstrip("\r\n"))


def _of_terminal(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Take out the colours of a terminal, which may stand in the midst of a word."""
    for line in _lines(pieces):
        yield _COLOUR.sub(b"", line)


def _records_in(text: bytes) -> Iterator[bytes]:
    """Yield the lines of the records in a JSON object; itself where there are none."""
    told = record.object_of(text.decode("utf-8", "surrogateescape"))
    found = False
    for line in _unwrapped(told):
        found = True
        yield _encoded(line)
    if not found:
        yield b" ".join(text.splitlines()) + b"\n"


def _unwrapped(told: Any, depth: int = 0) -> Iterator[str]:
    """Yield the lines of a record, or of those that lie in it."""
    if isinstance(told, Mapping):
        if (line := record.unwrapped(told)) is not None:
            yield line
        elif depth < _DEEPEST:
            for each in told.values():
                yield from _unwrapped(each, depth + 1)
    elif isinstance(told, list) and depth < _DEEPEST:
        if len(told) == _PAIR and all(isinstance(each, str) for each in told) and told[0].isdigit():
            yield record.unwrapped({"time": told[0], "line": told[1]}) or ""
            return
        for each in told:
            yield from _unwrapped(each, depth + 1)


def _encoded(line: str) -> bytes:
    try:
        return line.encode("utf-8", "surrogateescape") + b"\n"
    except UnicodeEncodeError:  # halves of surrogate pairs, which JSON may have
        return line.encode("utf-8", "replace") + b"\n"


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield lines with their ends; what is longer than any field ends the log."""
    buffer = _Buffer(pieces)
    while (line := buffer.line()) is not None:
        yield line + b"\n"
    if rest := buffer.rest():
        yield rest


def _fields(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield each field's name and value; an empty name is the end of a record."""
    buffer = _Buffer(pieces)
    while (line := buffer.line()) is not None:
        name, equals, value = line.partition(b"=")
        if line and not equals:  # then the value may hold any bytes: its length stands before it
            length = int.from_bytes(buffer.exactly(8) or b"", "little")
            framed = buffer.exactly(length + 1) if length < _FIELD_LIMIT else None
            if framed is None:
                return
            value = framed[:-1]
        yield name, value


class _Buffer:
    """Pieces as lines, and as many bytes as are asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._bytes = bytearray()
        self._at = 0

    def line(self) -> bytes | None:
        """Return the next line without its end; None where there is no more."""
        searched = self._at
        while (end := self._bytes.find(b"\n", searched)) < 0:
            searched = len(self._bytes) - self._at
            if searched > _FIELD_LIMIT or not self._more():
                return None
        return self._take(end + 1)[:-1]

    def rest(self) -> bytes:
        """Return what is left behind the last end of a line."""
        return bytes(self._bytes[self._at :])

    def exactly(self, length: int) -> bytes | None:
        """Return the next bytes; None where there are not as many."""
        while len(self._bytes) - self._at < length:
            if not self._more():
                return None
        return self._take(self._at + length)

    def _take(self, stop: int) -> bytes:
        taken = bytes(self._bytes[self._at : stop])
        self._at = stop
        return taken

    def _more(self) -> bool:
        del self._bytes[: self._at]
        self._at = 0
        piece = next(self._pieces, b"")
        self._bytes += piece
        return bool(piece)


def _line(told: dict[bytes, bytes]) -> bytes:
    message = told.get(b"MESSAGE")
    micros = told.get(b"__REALTIME_TIMESTAMP", b"")
    if message is None or not micros.isdigit() or len(micros) > 17:  # noqa: PLR2004  # after the year 5000
        return b""
    at = (_EPOCH + timedelta(microseconds=int(micros))).isoformat(timespec="microseconds")
    host = told.get(b"_HOSTNAME", b"-")
    name = told.get(b"SYSLOG_IDENTIFIER") or told.get(b"_COMM", b"-")
    pid = told.get(b"SYSLOG_PID") or told.get(b"_PID")
    tag = b"%b[%b]" % (name, pid) if pid else name
    return b"%b %b %b: %b\n" % (at.encode(), host, tag, b" ".join(message.splitlines()))
