"""Times of lines whose own nobody knows: they keep the lines in order, and can be told from real ones.

They lie in years in which there was no mail. What people and programs are told leaves them out.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_BEGIN: Final = datetime(1901, 1, 1, tzinfo=UTC)
_END: Final = datetime(1960, 1, 1, tzinfo=UTC)
_OF_A_BYTE: Final = timedelta(microseconds=100)
"""A server that is busy writes some ten thousand bytes a second."""
_LONGEST: Final = _END - _BEGIN - timedelta(seconds=1)


def at_place(offset: int) -> datetime:
    """Return the time of a line without one, by where it begins in its log, in bytes."""
    return _BEGIN + min(offset, _LONGEST // _OF_A_BYTE) * _OF_A_BYTE


def place_at(moment: datetime) -> int:
    """Return where in a log without times a moment is."""
    return max((moment - _BEGIN) // _OF_A_BYTE, 0)


def since_boot(seconds: float) -> datetime:
    """Return the time of a line that says only how long its host was running."""
    return _BEGIN + min(timedelta(seconds=seconds), _LONGEST)


def is_known(at: datetime) -> bool:
    """Whether a line said its time."""
    return not _BEGIN <= at < _END
