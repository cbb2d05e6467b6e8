"""Whether a text is in a chunk of bytes, as quickly as the machine's C library can tell."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_SHORT: Final = 4
"""What is shorter is mostly there, so that a quick way to tell that it is not gains nothing."""


def test_of(needle: bytes) -> Callable[[bytes], bool]:
    """Return what tells whether a text is in a chunk of bytes.

    Large logs are mostly gone through in vain. For that, memmem(3) takes a third of the time of `bytes.find`;
    where there is none, the latter serves.
    """
    size = len(needle)
    memmem = _memmem() if size >= _SHORT else None
    if memmem is None:
        return lambda chunk: needle in chunk
    return lambda chunk: memmem(chunk, len(chunk), needle, size) is not None


@cache
def _memmem() -> Callable[[bytes, int, bytes, int], int | None] | None:
    import ctypes  # noqa: PLC0415  # most commands look for nothing

    try:
        function = ctypes.CDLL(None).memmem
    except (AttributeError, OSError, TypeError):  # no such function, or no C library to ask
        return None
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    return function
