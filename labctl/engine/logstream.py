"""A container's log, as whole lines with the engine's own time stamps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from labctl.engine.model import LogLine

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Frames(Protocol):
    def __iter__(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...


class FrameStream:
    """The engine's frames as lines.

    A frame is one record of the engine's log: a stamp, a space and a line, or a piece of 16 KiB of a line
    that was longer; such pieces are joined, and the line has the first one's time.
    """

    def __init__(self, frames: _Frames) -> None:
        self._frames = frames

    def __iter__(self) -> Iterator[LogLine]:
        """Iterate over the lines until the log ends or is closed."""
        at: datetime | None = None
        pieces: list[bytes] = []
        for frame in self._frames:
            stamp, _, text = frame.partition(b" ")
            at = at or moment(stamp.decode("ascii", "replace"))
            pieces.append(text.rstrip(b"\r\n"))
            if text.endswith(b"\n"):
                yield LogLine(at, b"".join(pieces).decode("utf-8", "surrogateescape"))
                at, pieces = None, []
        if at is not None:
            yield LogLine(at, b"".join(pieces).decode("utf-8", "surrogateescape"))

    def close(self) -> None:
        """End it, from any thread."""
        self._frames.close()


def moment(text: str) -> datetime:
    """Read the engine's RFC 3339 time, whose nanoseconds are more than a datetime holds, in UTC."""
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
