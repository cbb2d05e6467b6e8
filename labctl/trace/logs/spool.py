"""Logs that can't be read where they lie, laid into an unnamed temporary file.

These are what is packed, what comes through a pipe, what is in UTF-16, and exports, whose records are no
lines.
"""

from __future__ import annotations

import codecs
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from labctl import byteordermark
from labctl.errors import OutputError, UsageError
from labctl.interruption import undone
from labctl.trace.logs.export import rewriting
from labctl.trace.logs.unpacking import is_packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO

HEAD: Final = 1 << 14
"""How much of a log's beginning tells what it is."""

_CHUNK: Final = 1 << 20
_DEEPEST: Final = 2
"""How often a log may be packed; nobody packs it more than by mistake."""
_SURE: Final = 64
"""So many bytes without a mark tell an encoding."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A log's lines as a plain file."""

    file: BinaryIO
    damage: str
    """Why it holds less than the whole log; empty where it does not."""


def is_plain(head: bytes, name: str) -> bool:
    """Whether a log can be read where it lies, by its first bytes.

    Raises:
        UsageError: It is packed by a program that labctl does not know how to unpack.
    """
    if is_packed(head, name) or _encoding_of(head) not in {None, "utf-8"}:
        return False
    return rewriting(head) is None


def spool(stream: BinaryIO, name: str) -> Spooled:
    """Read a stream to its end, unpacked, into a temporary file that has no name and goes when it is closed.

    Raises:
        UsageError: The stream can't be read, or what it holds is packed in a way that is not known.
        OutputError: There is no room for it.
    """
    damage: list[str] = []
    head, pieces = _begun(_pieces(stream, name))
    for _ in range(_DEEPEST):
        if not is_packed(head, name):
            break
        head, pieces = _begun(unpacked(head, pieces, damage))
    if (encoding := _encoding_of(head)) not in {None, "utf-8"}:
        head, pieces = _begun(_recoded(encoding, pieces))
    if (rewrite := rewriting(head)) is not None:
        pieces = rewrite(pieces)
    try:
        file = tempfile.TemporaryFile("w+b", buffering=0)  # noqa: SIM115  # the caller closes it
    except OSError as error:
        raise _no_room(name, error) from error
    with undone(file.close):
        for piece in pieces:
            _write(file, piece, name)
    return Spooled(file, "".join(damage))


def _write(file: FileIO, piece: bytes, name: str) -> None:
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise _no_room(name, error) from error


def _no_room(name: str, error: OSError) -> OutputError:
    return OutputError(
        f"{name} has to be unpacked into {tempfile.gettempdir()}, and that failed: {error.strerror}.",
        hint="TMPDIR=/var/tmp labctl trace …  # or another directory with more room",
    )


def _pieces(stream: BinaryIO, name: str) -> Iterator[bytes]:
    while True:
        try:
            piece = stream.read(_CHUNK)
        except OSError as error:
            raise UsageError(
                f"{name} can't be read: {error.strerror}.", hint="Give a file that can be read."
            ) from error
        if not piece:
            return
        yield piece


def _begun(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Look at the first bytes of a stream without taking them from it."""
    ahead: list[bytes] = []
    for piece in pieces:
        ahead.append(piece)
        if sum(map(len, ahead)) >= HEAD:
            break
    head = b"".join(ahead)

    def whole() -> Iterator[bytes]:
        yield head
        yield from pieces

    return head[:HEAD], whole()


def _encoding_of(head: bytes) -> str | None:
    """Return the encoding of a log, by its mark; UTF-16 without one has a zero in each character."""
    if (marked := byteordermark.encoding_of(head)) is not None:
        return marked
    even, odd = head[:_SURE:2], head[1:_SURE:2]
    if len(odd) < _SURE // 4 or any(even) == any(odd):
        return None
    if any(even):
        return "utf-16-le" if all(even) else None
    return "utf-16-be" if all(odd) else None


def _recoded(encoding: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Turn UTF-16 and UTF-32 into UTF-8; PowerShell redirects so."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for piece in pieces:
        yield decoder.decode(piece).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")
