"""What a container says: the engine's frames, and its log as whole lines with the engine's own stamps."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from labctl.engine.model import LogLine
from labctl.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator


STDOUT: Final = 1
STDERR: Final = 2

_ENGINE: Final = 3
"""The stream by which the engine itself tells what went wrong."""

_SOURCES: Final = frozenset({0, STDOUT, STDERR, _ENGINE})
"""What came in at stdin goes out by stdout."""

_LONGEST_FRAME: Final = 16 << 20
"""Bytes; engines copy some 32 KiB at a time."""

_MOST_PIECES: Final = 64
"""Of a line: who prints for ever and never ends a line says no more than this mebibyte."""

_SHOWN: Final = 400

_HEAD: Final = struct.Struct(">BxxxL")
"""A frame's head: which stream it is of, and its length."""


class _Bytes(Protocol):
    def exactly(self, length: int, *, may_end: bool = False) -> bytes: ...

    def close(self) -> None: ...


class _Frames(Protocol):
    def __iter__(self) -> Iterator[tuple[int, bytes]]: ...

    def close(self) -> None: ...


class Frames:
    """What a container's processes say, each piece with the stream it came by: `STDOUT` or `STDERR`.

    Source: "Stream format" of the operation ContainerAttach in the engine's API.
    """

    def __init__(self, stream: _Bytes) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Iterate over the pieces until the stream ends or is closed.

        Raises:
            EngineUnavailable: It broke off or fell silent.
            EngineError: These are no frames, or the engine says by one what went wrong.
        """
        while head := self._stream.exactly(_HEAD.size, may_end=True):
            source, length = _HEAD.unpack(head)
            if source not in _SOURCES or length > _LONGEST_FRAME:
                raise _garbled(head)
            content = self._stream.exactly(length)
            if len(content) < length:  # closed meanwhile
                return
            if source == _ENGINE:
                said = content[:_SHOWN].decode("utf-8", "backslashreplace")
                raise EngineError(f"the engine broke off: {said}", hint="labctl doctor")
            yield source or STDOUT, content

    def close(self) -> None:
        """End it, from any thread."""
        self._stream.close()


class FrameStream:
    """The engine's frames as lines.

    A frame is one record of the engine's log: a stamp, a space and a line, or a piece of 16 KiB of a line
    that was longer; such pieces are joined, and the line has the first one's time.
    """

    def __init__(self, frames: _Frames) -> None:
        self._frames = frames

    def __iter__(self) -> Iterator[LogLine]:
        """Iterate over the lines until the log ends or is closed; raises as `Frames` does."""
        at: datetime | None = None
        pieces: list[bytes] = []
        for _, frame in self._frames:
            stamp, _, text = frame.partition(b" ")
            try:
                at = at or moment(stamp.decode("ascii", "replace"))
            except ValueError as exc:
                raise _garbled(frame) from exc
            if len(pieces) < _MOST_PIECES:
                pieces.append(text.rstrip(b"\r\n"))
            if text.endswith(b"\n"):
                yield LogLine(at, b"".join(pieces).decode("utf-8", "surrogateescape"))
                at, pieces = None, []
        if at is not None:
            yield LogLine(at, b"".join(pieces).decode("utf-8", "surrogateescape"))

    def close(self) -> None:
        """End it, from any thread."""
        self._frames.close()


def joined(blob: bytes) -> bytes:
    """Return a whole log's frames as lines, each with its stamp in front and an end.

    A thing for logs of hundreds of thousands of lines: nothing is decoded. Pieces are joined as `FrameStream`
    does it, and a frame that is cut off is left out.
    """
    parts: list[bytes] = []
    ended = True
    end, length = 0, len(blob)
    while end + _HEAD.size <= length:
        begin = end + _HEAD.size
        end = begin + _HEAD.unpack_from(blob, end)[1]
        if end > length:
            break
        if not ended:
            begin = blob.find(b" ", begin, end) + 1  # a further piece has a stamp of its own
        parts.append(blob[begin:end])
        ended = blob.endswith(b"\n", begin, end)
    return b"".join(parts) + (b"" if ended else b"\n")


def _garbled(content: bytes) -> EngineError:
    return EngineError(
        f"what a container says comes garbled from the engine: {content[:_SHOWN]!r}", hint="labctl doctor"
    )


def moment(text: str) -> datetime:
    """Read the engine's RFC 3339 time, whose nanoseconds are more than a datetime holds, in UTC."""
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
