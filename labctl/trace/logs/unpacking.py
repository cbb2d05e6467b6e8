"""Packed logs: gzip, xz, bzip2 and Zstandard, unpacked piece by piece in bounded memory."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Final, Protocol

from labctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PIECE: Final = 1 << 20
_SLICE: Final = 512
"""Bytes of Zstandard that are unpacked at once: 4 may stand for 128 KiB (RFC 8878, section 3.1.1.2)."""
_XZ_MEMORY: Final = 1 << 28
"""``xz -9`` needs 65 MiB to unpack."""
_ZSTD_WINDOW: Final = 1 << 27
"""zstd(1) itself takes no larger one without being told to."""
_OTHERS: Final = {
    b"PK\x03\x04": ("zip", "unzip -p"),
    b"\x04\x22\x4d\x18": ("lz4", "lz4 -dc"),
    b"\x1f\x9d": ("compress", "zcat"),
    b"7z\xbc\xaf\x27\x1c": ("7z", "7z x -so"),
    b"LZIP": ("lzip", "lzip -dc"),
    b"LPKSHHRH": ("the journal's own format", "journalctl -o short-iso-precise --file"),
}
_TAR_MAGIC: Final = slice(257, 262)


class _Unpacker(Protocol):
    """What unpacks one member of a packed file."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """One member of gzip (RFC 1952)."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._unpacker.eof

    @property
    def needs_input(self) -> bool:
        return not self._unpacker.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._unpacker.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._unpacker.decompress(self._unpacker.unconsumed_tail + data, max_length)


class _Zstd:
    """One frame of Zstandard (RFC 8878)."""

    def __init__(self) -> None:
        import zstandard  # noqa: PLC0415  # few logs are packed so

        self._unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        self._error = zstandard.ZstdError
        self._waiting = memoryview(b"")

    @property
    def eof(self) -> bool:
        return self._unpacker.eof

    @property
    def needs_input(self) -> bool:
        return not self._waiting

    @property
    def unused_data(self) -> bytes:
        return self._unpacker.unused_data + bytes(self._waiting)

    def decompress(self, data: bytes, max_length: int) -> bytes:  # noqa: ARG002  # a slice bounds it
        if data:
            self._waiting = memoryview(bytes(self._waiting) + data)
        piece, self._waiting = self._waiting[:_SLICE], self._waiting[_SLICE:]
        try:
            return self._unpacker.decompress(bytes(piece))
        except self._error as error:
            raise ValueError(str(error)) from error


_UNPACKERS: Final[dict[bytes, Callable[[], _Unpacker]]] = {
    b"\x1f\x8b": _Gzip,
    b"\xfd7zXZ\x00": lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY),
    b"BZh": bz2.BZ2Decompressor,
    b"\x28\xb5\x2f\xfd": _Zstd,
}


def is_packed(head: bytes, name: str) -> bool:
    """Whether a log is packed, by its first bytes, so that `unpacked` unpacks it.

    Raises:
        UsageError: It is packed by a program that labctl does not know how to unpack.
    """
    for magic, (what, program) in _OTHERS.items():
        if head.startswith(magic):
            raise UsageError(
                f"{name} is packed ({what}), and labctl unpacks only gzip, xz, bzip2 and zstd.",
                hint=f"{program} {name} | labctl trace --logs -",
            )
    if head[_TAR_MAGIC] == b"ustar":
        raise UsageError(
            f"{name} is an archive of files (tar), not a log.",
            hint=f"tar -xOf {name} | labctl trace --logs -",
        )
    return head.startswith(tuple(_UNPACKERS))


def unpacked(head: bytes, pieces: Iterator[bytes], damage: list[str]) -> Iterator[bytes]:
    """Unpack several members one after the other, and as much as there is of a cut one.

    Args:
        head: The first bytes.
        pieces: All bytes.
        damage: Gets why it is less than the whole log, where it is.
    """
    begin = next(unpacker for magic, unpacker in _UNPACKERS.items() if head.startswith(magic))
    unpacker = begin()
    for piece in pieces:
        rest = piece
        while True:
            if unpacker.eof:
                rest = rest.lstrip(b"\0")  # tapes and some programs fill up with zeros
                if not rest:
                    break
                unpacker = begin()
            try:
                plain = unpacker.decompress(rest, _PIECE)
            except (ValueError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
                damage.append(f"What follows can't be unpacked ({str(error).rpartition(': ')[2]}).")
                return
            if plain:
                yield plain
            rest = unpacker.unused_data if unpacker.eof else b""
            if not unpacker.eof and unpacker.needs_input:
                break
    if not unpacker.eof:
        damage.append("It was cut off while it was packed, and its end is missing.")
