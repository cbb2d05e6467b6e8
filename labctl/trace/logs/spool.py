"""Logs that can't be read where they lie, laid into an unnamed temporary file.

These are what is packed (gzip), what comes through a pipe, and the journal's export format, whose records are
no lines.
"""

from __future__ import annotations

import codecs
import tempfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO, Final

from labctl import byteordermark
from labctl.errors import OutputError, UsageError
from labctl.interruption import undone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO

HEAD: Final = 64
"""How much of a log's beginning tells what it is."""

_CHUNK: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_PACKED: Final = {
    b"\xfd7zXZ\x00": ("xz", "xzcat"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstdcat"),
    b"BZh": ("bzip2", "bzcat"),
    b"PK\x03\x04": ("zip", "unzip -p"),
    b"LPKSHHRH": ("the journal's own format", "journalctl -o short-iso-precise --file"),
}
_EXPORT: Final = (b"__CURSOR=", b"__REALTIME_TIMESTAMP=")
_FIELD_LIMIT: Final = 1 << 26  # journald itself takes no larger field (DATA_SIZE_MAX)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


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
    for magic, (what, program) in _PACKED.items():
        if head.startswith(magic):
            raise UsageError(
                f"{name} is packed ({what}), and labctl unpacks only gzip.",
                hint=f"{program} {name} | labctl trace --logs -",
            )
    return not head.startswith((_GZIP, *_EXPORT)) and byteordermark.encoding_of(head) in {None, "utf-8"}


def spool(stream: BinaryIO, name: str) -> Spooled:
    """Read a stream to its end, unpacked, into a temporary file that has no name and goes when it is closed.

    Raises:
        UsageError: The stream can't be read, or what it holds is packed by another program than gzip.
        OutputError: There is no room for it.
    """
    damage: list[str] = []
    pieces = _pieces(stream, name)
    head, pieces = _begun(pieces)
    if head.startswith(_GZIP):
        head, pieces = _begun(_unpacked(pieces, damage))
    if not is_plain(head, name):
        pieces = _exported(pieces) if head.startswith(_EXPORT) else _recoded(head, pieces)
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


def _unpacked(pieces: Iterator[bytes], damage: list[str]) -> Iterator[bytes]:
    """Unpack gzip (RFC 1952): several members one after the other, and as much as there is of a cut one."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    for piece in pieces:
        rest = piece
        while rest:
            if unpacker.eof:
                rest = rest.lstrip(b"\0")  # tapes and some programs fill up with zeros
                if not rest:
                    break
                unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            try:
                plain = unpacker.decompress(rest, _CHUNK)
            except zlib.error as error:
                damage.append(f"What follows can't be unpacked ({str(error).rpartition(': ')[2]}).")
                return
            if plain:
                yield plain
            rest = unpacker.unconsumed_tail or unpacker.unused_data
    if plain := unpacker.flush():
        yield plain
    if not unpacker.eof:
        damage.append("It was cut off while it was packed, and its end is missing.")


def _recoded(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Turn UTF-16 and UTF-32 into UTF-8, by their byte order marks; PowerShell redirects so."""
    encoding = byteordermark.encoding_of(head)
    if encoding is None:  # packed twice: nothing in it is a line
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for piece in pieces:
        yield decoder.decode(piece).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _exported(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Turn the journal's export format into lines as syslog has them.

    Source: "Journal Export Format" of systemd's documentation.
    """
    record: dict[bytes, bytes] = {}
    for name, value in _fields(pieces):
        if name:
            record.setdefault(name, value)
        else:
            yield _line(record)
            record = {}
    yield _line(record)


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

    def line(self) -> bytes | None:
        """Return the next line without its end; None where there is no more."""
        searched = 0
        while (end := self._bytes.find(b"\n", searched)) < 0:
            searched = len(self._bytes)
            if searched > _FIELD_LIMIT or not self._more():
                return None
        return self._take(end + 1)[:-1]

    def exactly(self, length: int) -> bytes | None:
        """Return the next bytes; None where there are not as many."""
        while len(self._bytes) < length:
            if not self._more():
                return None
        return self._take(length)

    def _take(self, length: int) -> bytes:
        taken = bytes(self._bytes[:length])
        del self._bytes[:length]
        return taken

    def _more(self) -> bool:
        piece = next(self._pieces, b"")
        self._bytes += piece
        return bool(piece)


def _line(record: dict[bytes, bytes]) -> bytes:
    message = record.get(b"MESSAGE")
    micros = record.get(b"__REALTIME_TIMESTAMP", b"")
    if message is None or not micros.isdigit() or len(micros) > 17:  # noqa: PLR2004  # after the year 5000
        return b""
    at = (_EPOCH + timedelta(microseconds=int(micros))).isoformat(timespec="microseconds")
    host = record.get(b"_HOSTNAME", b"-")
    name = record.get(b"SYSLOG_IDENTIFIER") or record.get(b"_COMM", b"-")
    pid = record.get(b"SYSLOG_PID") or record.get(b"_PID")
    tag = b"%b[%b]" % (name, pid) if pid else name
    return b"%b %b %b: %b\n" % (at.encode(), host, tag, b" ".join(message.splitlines()))
